/**
 * Each of these bugs is planted into a real class, and an oracle must see it: an oracle that catches nothing proves
 * nothing. What caught what stands in `docs/simulator.md`.
 */

import { afterEach, expect, test, vi } from "vitest";
import { Broadcast } from "../../src/core/broadcast/broadcast.ts";
import { Inbox } from "../../src/core/broadcast/inbox.ts";
import { Assembly } from "../../src/core/links/fragments.ts";
import { Detector } from "../../src/core/membership/detector.ts";
import { Suspicions } from "../../src/core/membership/suspicion.ts";
import { MemberTable } from "../../src/core/membership/table.ts";
import { Overlay } from "../../src/core/overlay/overlay.ts";
import { Contents } from "../../src/core/proof/contents.ts";
import { Gate } from "../../src/core/proof/gate.ts";
import { DirectMessages } from "../../src/core/routing/direct.ts";
import { Routes } from "../../src/core/routing/routes.ts";
import { Seals } from "../../src/core/routing/seals.ts";
import { Registers } from "../../src/core/shared/register.ts";
import { Logs } from "../../src/core/state/logs.ts";
import { Replica } from "../../src/core/state/replica.ts";
import { Receiving, type Taken } from "../../src/core/streams/receiving.ts";
import { Streams } from "../../src/core/streams/streams.ts";
import type { Enclosed } from "../../src/core/wire/messages.ts";
import {
  ORACLES,
  Oracles,
  runScenario,
  SCENARIOS,
  type Scenario,
  type SimMember,
  World,
} from "../../src/sim/index.ts";
import { plant, readOpen } from "./planting.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

type ShowLog = Parameters<Logs["show"]>[1];

interface Ready {
  readonly id: { readonly sequence: number };
}

/** Puts `change` between an inbox and what hears it. */
function plantReady(change: (ready: readonly Ready[]) => readonly Ready[]): void {
  plant(
    Inbox.prototype,
    "takeReady",
    (original) =>
      function (this: Inbox, ...args: unknown[]) {
        return change(original.apply(this, args) as Ready[]);
      } as never,
  );
}

interface Run {
  readonly scenario: string;
  readonly members: number;
  readonly loss?: number;
  readonly seeds?: readonly number[];
  readonly options?: Readonly<Record<string, number>>;
}

/** Worlds that no scenario makes. */
const WORLDS: Readonly<Record<string, (world: World) => void>> = {
  "words for a newcomer": (world) => {
    world.run(20_000);
    const value = Uint8Array.of(1, 2, 3);
    const command = { type: "say", id: 1, name: "n", value, forMs: 60_000 } as const;
    world.command(world.live()[0] as SimMember, command);
    world.run(5_000);
    world.add();
    world.run(30_000);
  },
  "many sends": (world) => {
    world.run(20_000);
    const live = world.live();
    for (const [id, member] of live.entries()) {
      const to = live[(id + 13) % live.length] as SimMember;
      const value = new Uint8Array(10).fill(id);
      const command = { type: "send", id, to: to.config.id, name: "n", timeoutMs: 6_000 } as const;
      world.command(member, { ...command, value });
      world.run(100);
    }
    world.run(30_000);
  },
  // Nothing comes back from who is mute: what it heard is said to it again.
  "lost acknowledgements": (world) => {
    world.run(20_000);
    const [from, to] = world.members as [SimMember, SimMember];
    world.silence(to);
    const value = new Uint8Array(10);
    const command = { type: "send", id: 1, to: to.config.id, name: "n", timeoutMs: 9_000 } as const;
    world.command(from, { ...command, value });
    world.run(2_500);
    world.silence(to, false);
    world.run(20_000);
  },
  // One that gives its neighbours up for nothing is outvoted by the others.
  "one broken observer": (world) => {
    world.run(20_000);
    const { detector } = (world.members[3] as SimMember).core.layers.membership;
    const { check } = detector;
    let checks = 0;
    detector.check = (...args) => (++checks % 20 === 0 ? "report" : check.apply(detector, args));
    world.run(40_000);
  },
};

function oraclesThatSee(run: Run): string[] {
  const makeWorld = WORLDS[run.scenario];
  if (makeWorld === undefined) return oraclesOfScenario(run);
  const world = new World(1);
  const oracles = new Oracles(world, ORACLES);
  world.settle(run.members);
  makeWorld(world);
  return [...new Set(oracles.quiet().map(({ oracle }) => oracle))];
}

function oraclesOfScenario({
  scenario,
  members,
  loss = 0,
  seeds = [1],
  options = {},
}: Run): string[] {
  const found = SCENARIOS.find(({ name }) => name === scenario) as Scenario;
  const defaults = Object.fromEntries(
    Object.entries(found.options).map(([name, spec]) => [name, spec.default]),
  );
  const seen = seeds.flatMap((seed) => {
    const settings = { members, loss, seed, options: { ...defaults, ...options } };
    return runScenario(found, settings).violations.map(({ oracle }) => oracle);
  });
  return [...new Set(seen)];
}

interface Planted {
  readonly bug: string;
  readonly plant: () => void;
  readonly run: Run;
  readonly seenBy: string;
}

const PARTITION: Run = { scenario: "partition", members: 10, options: { partitionMs: 20_000 } };
const CHAOS: Run = {
  scenario: "chaos",
  members: 16,
  seeds: [1, 2, 3, 4, 5],
  options: { faults: 40 },
};

const BUGS: readonly Planted[] = [
  {
    bug: "membership: a refutation is dropped",
    plant: () => plant(MemberTable.prototype, "applyOwn", () => () => "none"),
    run: PARTITION,
    seenBy: "detection",
  },
  {
    bug: "membership: an incarnation falls",
    plant: () =>
      plant(
        MemberTable.prototype,
        "applyRecord",
        (original) =>
          function (this: MemberTable, ...[record, now]: unknown[]) {
            const { id, generation, version, incarnation } = record as {
              id: string;
              generation: number;
              version: number;
              incarnation: number;
            };
            const older = { ...(record as object), incarnation: Math.max(0, incarnation - 1) };
            const held = this.get(id)?.record;
            const isRefutation = held?.generation === generation && held.version < version;
            return original.call(this, isRefutation ? older : record, now);
          } as never,
      ),
    run: PARTITION,
    seenBy: "detection",
  },
  {
    bug: "suspicion: one report is a quorum",
    plant: () =>
      plant(
        Suspicions.prototype,
        "judge",
        () =>
          function (this: Suspicions, ...[target]: unknown[]) {
            return this.has(target as string) ? "down" : "none";
          } as never,
      ),
    run: { scenario: "one broken observer", members: 20 },
    seenBy: "accusation",
  },
  {
    bug: "detector: nobody is ever reported",
    plant: () =>
      plant(
        Detector.prototype,
        "check",
        (original) =>
          function (this: Detector, ...args: unknown[]) {
            const action = original.apply(this, args);
            return action === "report" ? "ping" : action;
          } as never,
      ),
    run: { scenario: "crash", members: 10, options: { crashes: 2 } },
    seenBy: "detection",
  },
  {
    bug: "links: some are never watched, and stay when their other end is gone",
    plant: () => {
      let added = 0;
      plant(
        Detector.prototype,
        "add",
        (original) =>
          function (this: Detector, ...args: unknown[]) {
            if (++added % 3 !== 0) original.apply(this, args);
          } as never,
      );
    },
    run: { scenario: "crash", members: 10, options: { crashes: 2 } },
    seenBy: "overlay",
  },
  {
    bug: "links: a large message is put together wrongly",
    plant: () =>
      plant(
        Assembly.prototype,
        "add",
        (original) =>
          function (this: Assembly, ...args: unknown[]) {
            const whole = original.apply(this, args);
            if (whole instanceof Uint8Array) whole.set([0x5a], whole.length >> 1);
            return whole;
          } as never,
      ),
    run: {
      scenario: "broadcast",
      members: 8,
      options: { seconds: 1, perSecond: 5, bytes: 50_000 },
    },
    seenBy: "delivery",
  },
  {
    bug: "overlay: lost links are not replaced",
    plant: () =>
      plant(
        Overlay.prototype,
        "seek",
        (original) =>
          function (this: Overlay, ...args: unknown[]) {
            return (args[1] as number) < 20_000 ? original.apply(this, args) : undefined;
          } as never,
      ),
    run: PARTITION,
    seenBy: "overlay",
  },
  {
    bug: "routing: a route leads in a circle",
    plant: () =>
      plant(
        Routes.prototype,
        "path",
        (original) =>
          function (this: Routes, ...args: unknown[]) {
            const path = original.apply(this, args) as readonly string[] | undefined;
            if (path === undefined || path.length < 2) return path;
            return path.flatMap((hop, i) => (i < path.length - 1 ? [hop, path[0] as string] : []));
          } as never,
      ),
    run: { scenario: "many sends", members: 40 },
    seenBy: "direct",
  },
  {
    bug: "routing: repeated messages are not recognised",
    plant: () => plant(DirectMessages.prototype, "isNew", () => () => true),
    run: { scenario: "lost acknowledgements", members: 20 },
    seenBy: "direct",
  },
  {
    bug: "broadcast: what was heard is forgotten",
    plant: () =>
      plantReady((ready) =>
        ready.flatMap((one) => (one.id.sequence % 10 === 0 ? [one, one] : [one])),
      ),
    run: { scenario: "broadcast", members: 12, options: { seconds: 1, perSecond: 20 } },
    seenBy: "delivery",
  },
  {
    bug: "broadcast: a payload is lost without a gap",
    plant: () => plantReady((ready) => ready.filter(({ id }) => id.sequence % 10 !== 0)),
    run: { scenario: "broadcast", members: 20, options: { seconds: 1, perSecond: 20 } },
    seenBy: "delivery",
  },
  {
    bug: "broadcast: a prune goes to the wrong side",
    plant: () =>
      plant(
        Broadcast.prototype,
        "onPrune",
        (original) =>
          function (this: Broadcast, ...[from, origin]: unknown[]) {
            return original.call(this, origin, from);
          } as never,
      ),
    run: { scenario: "broadcast", members: 20, options: { seconds: 15, perSecond: 30, bytes: 64 } },
    seenBy: "trees",
  },
  {
    bug: "broadcast: what was said to those who come later never reaches them",
    plant: () => plant(Broadcast.prototype, "onLasting", () => () => undefined),
    run: { scenario: "words for a newcomer", members: 20 },
    seenBy: "common",
  },
  {
    bug: "proofs: what fails its check is let in",
    plant: () =>
      plant(
        Gate.prototype,
        "onVerified",
        (original) =>
          function (this: Gate, ...[ticket, good]: unknown[]) {
            return original.call(
              this,
              ticket,
              (good as boolean[]).map(() => true),
            );
          } as never,
      ),
    run: { ...CHAOS, options: { faults: 40, proofs: 1 } },
    seenBy: "proofs",
  },
  {
    bug: "proofs: one proof serves for all that a member makes",
    plant: () => {
      const ofId = (id: string): Uint8Array => Uint8Array.from(id, (char) => char.charCodeAt(0));
      plant(Contents.prototype, "record", () => (({ id }: { id: string }) => ofId(id)) as never);
      plant(Contents.prototype, "state", () => ((owner: string) => ofId(owner)) as never);
    },
    run: { ...CHAOS, options: { faults: 40, proofs: 1 } },
    seenBy: "proofs",
  },
  {
    bug: "shared: the write that comes last holds",
    plant: () =>
      plant(
        Registers.prototype,
        "isNews",
        (original) =>
          function (this: Registers, ...[entry]: unknown[]) {
            const { key, ms } = entry as { key: string; ms: number };
            const held = this.get(key);
            return held === undefined ? original.call(this, entry) : held.ms !== ms;
          } as never,
      ),
    run: CHAOS,
    seenBy: "common",
  },
  {
    bug: "shared: what has ended is kept, and told to newcomers",
    plant: () =>
      plant(
        Registers.prototype,
        "put",
        (original) =>
          function (this: Registers, ...[entry, now]: unknown[]) {
            return original.call(this, { ...(entry as object), lifeMs: 0 }, now);
          } as never,
      ),
    run: CHAOS,
    seenBy: "common",
  },
  {
    bug: "state: a version is used twice",
    plant: () =>
      plant(
        Replica.prototype,
        "write",
        (original) =>
          function (this: Replica, ...args: unknown[]) {
            if (this.maxVersion % 4 === 3) this.maxVersion--;
            return original.apply(this, args);
          } as never,
      ),
    run: CHAOS,
    seenBy: "replication",
  },
  {
    bug: "state: a tombstone is forgotten",
    plant: () =>
      plant(
        Replica.prototype,
        "apply",
        (original) =>
          function (this: Replica, ...[part, ...rest]: unknown[]) {
            const { entries } = part as { entries: { value: unknown }[] };
            const kept = entries.filter(({ value }) => value !== undefined);
            return original.call(this, { ...(part as object), entries: kept }, ...rest);
          } as never,
      ),
    run: CHAOS,
    seenBy: "replication",
  },
  {
    bug: "state: a replica takes itself for further than it is",
    plant: () =>
      plant(
        Replica.prototype,
        "apply",
        (original) =>
          function (this: Replica, ...[part, ...rest]: unknown[]) {
            const { to } = part as { to: number };
            return original.call(this, { ...(part as object), to: to + 1 }, ...rest);
          } as never,
      ),
    run: CHAOS,
    seenBy: "replication",
  },
  {
    bug: "state: what has lived for its time is kept",
    plant: () => plant(Replica.prototype, "end", () => () => undefined),
    run: CHAOS,
    seenBy: "lives",
  },
  {
    bug: "state: a change of a log is lost without a gap",
    plant: () =>
      plant(
        Logs.prototype,
        "show",
        (original) =>
          function (this: Logs, ...[version, shown]: [number, ShowLog]) {
            return original.call(this, version, ((item, { number }) => {
              if (number % 3 !== 2) shown(item, { number, missed: 0 });
            }) satisfies ShowLog);
          } as never,
      ),
    run: CHAOS,
    seenBy: "lives",
  },
  {
    bug: "streams: what is said again is read again",
    plant: () =>
      plant(
        Receiving.prototype,
        "take",
        (original) =>
          function (this: Receiving, ...args: unknown[]) {
            const taken = original.apply(this, args) as Taken;
            const [, bytes] = args as [number, Uint8Array];
            return taken.refused || !taken.again ? taken : { ...taken, bytes: [bytes] };
          } as never,
      ),
    run: CHAOS,
    seenBy: "streams",
  },
  {
    bug: "seals: what fails is taken",
    plant: () =>
      plant(
        Seals.prototype,
        "open",
        (original) =>
          function (this: Seals, ...args: unknown[]) {
            const [, inner] = args as [string, Enclosed];
            const failed = inner.type === "sealed" ? readOpen(inner.bytes) : inner;
            return original.apply(this, args) ?? failed;
          } as never,
      ),
    run: { ...CHAOS, options: { faults: 40, proofs: 1 } },
    seenBy: "proofs",
  },
  {
    bug: "streams: an abort is told to nobody, and the stream goes on",
    plant: () => plant(Streams.prototype, "abort", () => () => undefined),
    run: CHAOS,
    seenBy: "streams",
  },
];

test.each(BUGS)("$bug: seen by $seenBy", ({ plant: plantIt, run, seenBy }) => {
  expect(oraclesThatSee(run), "without the bug").toEqual([]);
  plantIt();
  expect(oraclesThatSee(run), "with it").toContain(seenBy);
});
