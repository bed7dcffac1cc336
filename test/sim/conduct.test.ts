// Members that do harm are cut off by those who see it, and the others go on as if nothing were.
import { describe, expect, test } from "vitest";
import type { Command } from "../../src/core/machine.ts";
import type { Message } from "../../src/core/wire/messages.ts";
import { ORACLES, Oracles, type SimMember, World } from "../../src/sim/index.ts";
import { grown } from "./graph.ts";

const EVERY_MS = 10;

/** A settled mesh whose first member does harm. */
function meshOf(count: number, options: Parameters<World["add"]>[0] = {}) {
  const world = new World(7);
  const oracles = new Oracles(world, ORACLES);
  const members: SimMember[] = [];
  for (let i = 0; i < count; i++) {
    members.push(world.add(options));
    world.run(50);
  }
  world.run(20_000);
  const bad = members[0] as SimMember;
  bad.misbehaves = true;
  return { world, oracles, members, bad };
}

/** Brings `perSecond` of these over each link of `bad`, for so long, as if it had sent them. */
function flood(
  world: World,
  bad: SimMember,
  message: Message,
  perSecond: number,
  ms: number,
): void {
  const bytes = bad.core.layers.links.encode(message);
  for (let at = 0; at < ms; at += EVERY_MS) {
    for (const { other } of [...bad.links.values()]) {
      for (let i = 0; i < (perSecond * EVERY_MS) / 1_000; i++) {
        world.input(other.owner, { type: "packet", link: other.id, lane: "reliable", bytes });
      }
    }
    world.run(EVERY_MS);
  }
}

function judgements(member: SimMember, of: SimMember): string[] {
  return member.events.flatMap((event) =>
    event.type === "misbehaved" && event.peer === of.config.id ? event.what : [],
  );
}

const id = "ab".repeat(16);
const fingerprints = { membersHigh: 1, membersLow: 2, stateHigh: 3, stateLow: 4, shared: 5 };

const EACH: Record<string, (bad: SimMember) => Message> = {
  ping: () => ({ type: "ping", sequence: 1, echo: 0, mayFreeze: false }),
  ack: () => ({ type: "ack", sequence: 1, mayFreeze: false, fingerprints }),
  members: ({ core }) => ({
    type: "members",
    updates: [{ type: "record", record: core.layers.membership.table.own }],
  }),
  memberDigest: () => ({ type: "memberDigest", count: 1, parts: [0], entries: [], answer: true }),
  memberParts: () => ({ type: "memberParts", hashes: [1, 2] }),
  stateDigest: () => ({ type: "stateDigest", entries: [], count: 1, parts: [0], answer: true }),
  stateWant: () => ({ type: "stateWant", number: 1, entries: [] }),
  sharedParts: () => ({ type: "sharedParts", clockMs: 1, settled: true, hashes: [1, 2] }),
  sharedWant: () => ({ type: "sharedWant", keys: ["ca"] }),
  routeSearch: (bad) => ({
    type: "routeSearch",
    path: [bad.config.id],
    target: id,
    number: 1,
    hops: 8,
  }),
  credit: () => ({ type: "credit", total: 1, whole: 1 }),
  iHave: () => ({ type: "iHave", ids: [{ origin: id, generation: 1, sequence: 1 }] }),
  graft: () => ({
    type: "graft",
    ids: [{ origin: id, generation: 1, sequence: 1 }],
    once: true,
  }),
};

describe("10,000 frames a second of one kind", () => {
  test.each(Object.keys(EACH))(
    "%s: its sender is cut off, and nobody else is disturbed",
    (name) => {
      const { world, oracles, members, bad } = meshOf(6);
      flood(world, bad, (EACH[name] as (bad: SimMember) => Message)(bad), 10_000, 6_000);
      const others = members.slice(1);
      for (const member of others) {
        expect(judgements(member, bad)).toEqual(["flood"]);
        expect(member.core.stats().cutOff).toBe(1);
        expect(member.core.links().map(({ peer }) => peer)).not.toContain(bad.config.id);
      }
      // It is not linked with while the quarantine lasts, and the others go on.
      world.run(60_000);
      expect(bad.core.links()).toEqual([]);
      const value = Uint8Array.of(1);
      world.command(others[0] as SimMember, { type: "say", id: 1, name: "n", value });
      world.run(2_000);
      for (const member of others.slice(1)) {
        expect(member.events.filter(({ type }) => type === "heard").length).toBe(1);
      }
      expect(oracles.violations.filter(({ oracle }) => oracle === "conduct")).toEqual([]);
    },
  );
});

test("10,000 messages a second to one member that bears 6,000: their sender is cut off by it", () => {
  const { world, members, bad } = meshOf(3, { parameters: { directPerSecond: 4_000 } });
  for (let at = 0; at < 20_000; at += EVERY_MS) {
    for (const { other } of [...bad.links.values()]) {
      for (let i = 0; i < (10_000 * EVERY_MS) / 1_000; i++) {
        const sequence = (at / EVERY_MS) * 1_000 + i;
        const value = Uint8Array.of(1);
        const inner = { type: "direct", generation: 1, sequence, name: "n", value } as const;
        const bytes = bad.core.layers.links.encode({ type: "local", inner });
        world.input(other.owner, { type: "packet", link: other.id, lane: "reliable", bytes });
      }
    }
    world.run(EVERY_MS);
  }
  for (const member of members.slice(1)) expect(judgements(member, bad)).toEqual(["flood"]);
});

test("who sends as fast as it may is never cut off, and all arrives", () => {
  const SENT = 25_000;
  const world = grown(7, 3, { parameters: { directPerSecond: 4_000 } });
  const [one, other] = world.members as [SimMember, SimMember];
  const done = { sent: 0, failed: 0 };
  let asked = 0;
  const send = (): void => {
    const value = Uint8Array.of(1);
    const to = other.config.id;
    const id = ++asked;
    world.command(one, { type: "send", id, to, name: "n", value, timeoutMs: 10_000 });
  };
  world.observe({
    onEvent: (member, event) => {
      if (member !== one) return;
      if (event.type === "sent") done.sent++;
      if (event.type === "sendFailed") done.failed++;
      if ((event.type === "sent" || event.type === "sendFailed") && asked < SENT) {
        world.later(0, send);
      }
    },
  });
  for (let i = 0; i < 1_000; i++) send();
  world.run(30_000);
  expect(done).toEqual({ sent: SENT, failed: 0 });
  expect(judgements(other, one)).toEqual([]);
  const heard = other.events.filter(({ type }) => type === "heard");
  expect(heard.length).toBe(SENT);
});

test("a speaker whom nobody can bear is not heard any more, and who passes it on is not blamed", () => {
  const { world, members, bad } = meshOf(3);
  const [, relay, far] = members as [SimMember, SimMember, SimMember];
  world.block([bad], [far]);
  world.block([far], [bad]);
  world.cutLink(bad, far);
  world.run(20_000);
  const value = new Uint8Array(20);
  // It does not hold itself back.
  bad.core.layers.quarantine.mayMake = () => true;
  for (let at = 0; at < 6_000; at += EVERY_MS) {
    for (let i = 0; i < 100; i++) world.command(bad, { type: "say", id: 1, name: "n", value });
    world.run(EVERY_MS);
  }
  world.run(5_000);
  expect(judgements(relay, bad)).toEqual(["flood"]);
  expect(judgements(far, relay)).toEqual([]);
  for (const member of [relay, far]) {
    const heard = member.events.filter(({ type }) => type === "heard").length;
    expect(heard).toBeGreaterThan(20_000);
    expect(heard).toBeLessThan(60_000);
  }
});

const value = new Uint8Array(20);
const WRITES: Record<string, (n: number) => Command> = {
  words: () => ({ type: "say", id: 1, name: "n", value }),
  "changes of a log": () => ({ type: "set", key: "log", value, log: 100 }),
  "values of one key": (n) => ({
    type: "set",
    key: "key",
    value: Uint8Array.of(n, n >> 8, n >> 16),
  }),
  "values of many keys": (n) => ({
    type: "set",
    key: `key ${n % 1_000}`,
    value: Uint8Array.of(n, n >> 8, n >> 16),
  }),
  "writes to the configuration": (n) => ({ type: "share", key: `key ${n % 100}`, value }),
};

test.each(Object.entries(WRITES))(
  "%s, 20,000 a second of them: what is too much is refused, and nobody is cut off for the rest",
  (what, write) => {
    const { world, members, bad: fast } = meshOf(3);
    const isRefused = !what.startsWith("values");
    let n = 0;
    for (let at = 0; at < 1_500; at += EVERY_MS) {
      for (let i = 0; i < 20 * EVERY_MS; i++) world.command(fast, write(++n));
      world.run(EVERY_MS);
    }
    world.run(5_000);
    for (const member of members) expect(judgements(member, fast)).toEqual([]);
    const refused = fast.events.filter(({ type }) => type === "writeRefused").length;
    // All at once at first, then 4,000 a second.
    if (isRefused) expect(n - refused).toBeGreaterThan(21_000);
    expect(refused > 0).toBe(isRefused);
    // All know the same in the end.
    const prints = members.map(({ core }) => JSON.stringify(core.fingerprints()));
    expect(new Set(prints).size).toBe(1);
  },
);

test("what is forged is borne a little, for nobody is blamed for one slip", () => {
  const { world, members, bad } = meshOf(6, { proofs: "all" });
  const victim = members[3] as SimMember;
  const { own } = victim.core.layers.membership.table;
  const record = { ...own, version: own.version + 9, name: "somebody else" };
  const message: Message = { type: "members", updates: [{ type: "record", record }] };
  flood(world, bad, message, 100, 100);
  for (const member of members.slice(1)) expect(judgements(member, bad)).toEqual([]);
  flood(world, bad, message, 100, 200);
  for (const member of members.slice(1)) expect(judgements(member, bad)).toEqual(["forged"]);
  const known = members[1]?.core.members().find(({ id: one }) => one === victim.config.id);
  expect(known?.name).toBe("");
});

test("a quarantine ends", () => {
  const { world, members, bad } = meshOf(4);
  flood(world, bad, { type: "stateParts", hashes: [1, 2] }, 10_000, 2_000);
  expect(bad.core.links()).toEqual([]);
  const isBack = () => bad.core.links().length === members.length - 1;
  expect(world.runUntil(isBack, 400_000)).toBeGreaterThan(250_000);
});
