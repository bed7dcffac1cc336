import { beforeEach, describe, expect, test } from "vitest";
import { Deadlines } from "../../../src/core/lib/deadlines.ts";
import type { MemberId } from "../../../src/core/machine.ts";
import { Membership } from "../../../src/core/membership/membership.ts";
import { frameCodec } from "../../../src/core/wire/codec.ts";
import type { Inner, Message, Opinion, Update } from "../../../src/core/wire/messages.ts";
import { configOf, memberId, opinionOf, recordOf } from "./support.ts";

const OWN = memberId(1);
const A = memberId(2);
const B = memberId(3);
const C = memberId(4);
const X = memberId(9);
const config = configOf({}, { id: OWN });
const SAME = { membersHigh: 1, membersLow: 2, stateHigh: 3, stateLow: 4, shared: 0 };

let membership: Membership;
let deadlines: Deadlines;
let neighbours: MemberId[];
let sent: { to: MemberId; message: Message }[];
let log: string[];
let carried: { to: MemberId; inner: Inner }[];

beforeEach(() => {
  deadlines = new Deadlines();
  neighbours = [];
  sent = [];
  log = [];
  carried = [];
  membership = new Membership(config, deadlines, 0, {
    now: () => 0,
    prove: (_record, then) => then(undefined),
    ready: () => log.push("ready"),
    neighbours: () => neighbours,
    send: (to, message, lane) => {
      // Reports race on both lanes: one of the two will do.
      if (lane === undefined || message.type !== "members") sent.push({ to, message });
    },
    changed: ({ after }) => log.push(`${Number.parseInt(after.record.id, 16)} ${after.state}`),
    forgotten: (id) => log.push(`${Number.parseInt(id, 16)} forgotten`),
    giveUp: (peer) => unlink(peer, false),
    bulkWaits: () => false,
    carry: (to, inner) => carried.push({ to, inner }),
    fingerprints: () => SAME,
    differs: (peer) => log.push(`${Number.parseInt(peer, 16)} knows other state`),
    sharedDiffers: (peer) => log.push(`${Number.parseInt(peer, 16)} shares other things`),
    reborn: (generation) => log.push(`reborn at ${generation}`),
    taken: () => log.push("taken"),
  });
});

function link(...peers: MemberId[]): void {
  for (const peer of peers) {
    neighbours.push(peer);
    membership.onLinkUp(peer, recordOf(peer), 0);
  }
  membership.gossip.flushNow(0);
  sent.length = 0;
  log.length = 0;
}

function unlink(peer: MemberId, onPurpose: boolean, now = 0): void {
  neighbours = neighbours.filter((id) => id !== peer);
  membership.onLinkDown(peer, onPurpose, now);
}

/** The news that were sent since the last call, as "to: what". */
function news(): string[] {
  membership.gossip.flushNow(0);
  const all = sent.flatMap(({ to, message }) =>
    message.type !== "members" && message.type !== "memberDelta"
      ? []
      : message.updates.map((one) => `${Number.parseInt(to, 16)}: ${wordOf(one)}`),
  );
  sent.length = 0;
  return all;
}

function wordOf(one: Update): string {
  if (one.type === "record") return `record of ${Number.parseInt(one.record.id, 16)}`;
  if (one.type === "claim") return `${one.state} ${Number.parseInt(one.id, 16)}`;
  return `${one.kind} by ${Number.parseInt(one.observer, 16)} on ${Number.parseInt(one.target, 16)}`;
}

const record = (id: MemberId, change = {}): Update => ({
  type: "record",
  record: recordOf(id, change),
});
const opinion = (kind: Opinion["kind"], observer: MemberId): Update => ({
  type: "opinion",
  ...opinionOf(kind, observer, X),
});
const report = (observer: MemberId, target: MemberId, change = {}): Update => ({
  type: "opinion",
  ...opinionOf("report", observer, target, change),
});

describe("news", () => {
  beforeEach(() => link(A, B));

  test("goes on to every neighbour but the one that it came from, once", () => {
    membership.onUpdates(A, [record(X)], 0);
    expect(news()).toEqual(["3: record of 9"]);
    membership.onUpdates(B, [record(X)], 0);
    membership.onUpdates(A, [record(X)], 0);
    expect(news()).toEqual([]);
    expect(log).toEqual(["9 alive"]);
  });

  test("goes together, and the latest word only", () => {
    membership.onUpdates(A, [record(X), record(C), record(X, { version: 2 })], 0);
    membership.gossip.flushNow(0);
    expect(sent.map(({ message }) => message.type)).toEqual(["members"]);
    expect(news()).toEqual(["3: record of 9", "3: record of 4"]);
  });

  test("much of it goes in messages that decode", () => {
    const many = Array.from({ length: 1_000 }, (_, i) => record(memberId(100 + i)));
    membership.onUpdates(A, many, 0);
    membership.gossip.flushNow(0);
    const codec = frameCodec(7);
    expect(sent.length).toBe(16);
    expect(sent.every(({ message }) => codec.decode(codec.encode(message)).ok)).toBe(true);
  });

  test("a claim about us is answered by a higher incarnation, told to all", () => {
    const claim = { type: "claim", id: OWN, generation: 1, incarnation: 0, state: "down" } as const;
    membership.onUpdates(A, [claim], 0);
    expect(news()).toEqual(["2: record of 1", "3: record of 1"]);
    expect(membership.table.own.incarnation).toBe(1);
    membership.onUpdates(A, [claim], 0);
    expect(news()).toEqual([]);
  });

  test("so is a report about us; a vouch for us needs no answer", () => {
    membership.onUpdates(A, [report(B, OWN)], 0);
    expect(membership.table.own.incarnation).toBe(1);
    const vouch = { type: "opinion", ...opinionOf("vouch", B, OWN, { incarnation: 1 }) } as const;
    membership.onUpdates(A, [vouch], 0);
    expect(membership.table.own.incarnation).toBe(1);
  });

  test("our leave goes to all before anything else", () => {
    membership.leave(0);
    expect(news()).toEqual(["2: record of 1", "3: record of 1"]);
    expect(membership.table.own.state).toBe("left");
  });
});

describe("a member that falls silent", () => {
  beforeEach(() => {
    link(A, X);
    membership.onUpdates(A, [record(X, { version: 2, neighbours: [OWN, A, B] }), record(B)], 0);
    news();
    log.length = 0;
  });

  /** Time passes; every probe due is performed, and A answers. */
  function pass(from: number, until: number): void {
    for (let now = from; now <= until; now += 50) {
      for (let key = deadlines.take(now); key !== undefined; key = deadlines.take(now)) {
        const [scope, subject = ""] = key.split(":");
        if (scope === "probe") membership.onProbeDeadline(subject, now);
        if (scope === "lost") membership.failures.onLostDeadline(subject, now);
        if (scope === "suspicion") membership.failures.onSuspicionDeadline(subject, now);
        if (scope === "doubt") membership.failures.onDoubtDeadline(now);
        if (scope === "audit") membership.failures.onAuditDeadline(subject, now);
      }
      for (const { to, message } of sent.slice()) {
        if (to !== A || message.type !== "ping") continue;
        const { sequence } = message;
        membership.onAck(A, { type: "ack", sequence, mayFreeze: false, fingerprints: SAME }, now);
      }
    }
  }

  test("is reported by its neighbours; two reports suspect it, the third decides", () => {
    pass(0, 4_000);
    expect(neighbours).toEqual([A, X]);
    expect(news()).toContain("2: report by 1 on 9");
    expect(log).toEqual([]);
    membership.onUpdates(A, [report(A, X)], 4_000);
    expect(log).toEqual(["9 suspect"]);
    membership.onUpdates(A, [report(B, X)], 4_000);
    expect(log).toEqual(["9 suspect"]);
    pass(4_000, 4_650);
    expect(log).toEqual(["9 suspect", "9 down"]);
    expect(neighbours).toEqual([A]);
    expect(news()).toEqual([]);
  });

  test("the link with it is given up a period after all could have decided", () => {
    pass(0, 4_500);
    expect(neighbours).toEqual([A, X]);
    pass(4_500, 5_000);
    expect(neighbours).toEqual([A]);
    expect(news().filter((one) => one.includes("report"))).toEqual(["2: report by 1 on 9"]);
  });

  test("nobody is accused while we hear from nobody at all; one answer ends the doubt", () => {
    neighbours = [X];
    unlink(A, true);
    pass(0, 6_000);
    expect([neighbours, news()]).toEqual([[], []]);
    link(B);
    membership.onAck(B, { type: "ack", sequence: 0, mayFreeze: false, fingerprints: SAME }, 6_000);
    expect(news().filter((one) => one.includes("report"))).toEqual([]);
    const ping = membership.detector.nextPing(B, 6_000);
    membership.onAck(
      B,
      { type: "ack", sequence: ping?.sequence ?? 0, mayFreeze: false, fingerprints: SAME },
      6_050,
    );
    expect(news()).toContain("3: report by 1 on 9");
  });

  test("a late member's observations are void for a period", () => {
    pass(0, 2_950);
    membership.onLate(300, 2_950);
    pass(3_000, 3_900);
    expect(news().filter((one) => one.includes("report"))).toEqual([]);
    pass(3_950, 4_150);
    expect(news()).toContain("2: report by 1 on 9");
  });

  test("whom others report we report too, as soon as it has been silent for 1.5 s", () => {
    pass(0, 1_000);
    membership.onUpdates(A, [report(A, X)], 1_000);
    expect(news()).not.toContain("2: report by 1 on 9");
    pass(1_000, 1_700);
    expect(news()).toContain("2: report by 1 on 9");
  });

  test("whom we are said to observe and have no link with: we abstain", () => {
    unlink(X, true);
    news();
    membership.onUpdates(A, [report(B, X)], 10);
    expect(news()).toContain("2: abstain by 1 on 9");
  });

  test("one that may be frozen is asleep instead of down", () => {
    membership.onPing(X, { type: "ping", sequence: 1, echo: 0, mayFreeze: true }, 0);
    pass(0, 5_000);
    expect(news()).toContain("2: asleep by 1 on 9");
    membership.onUpdates(A, [report(A, X), report(B, X)], 5_000);
    expect(log).toEqual(["9 suspect", "9 asleep"]);
    membership.onAsleepDeadline(X, 5_000 + config.asleepMs);
    expect(log).toEqual(["9 suspect", "9 asleep", "9 down"]);
  });

  test("alone, its report ends in down when nobody else decides", () => {
    pass(0, 5_000);
    pass(5_000, 5_000 + 1.5 * config.suspicionMaxMs);
    expect(carried).toContainEqual({ to: X, inner: { type: "probe", sequence: 1 } });
    expect(log).toEqual(["9 suspect", "9 down"]);
  });

  test("a refutation ends the suspicion", () => {
    pass(0, 5_000);
    membership.onUpdates(A, [record(X, { version: 3, incarnation: 1, neighbours: [A, B] })], 5_000);
    pass(5_000, 20_000);
    expect(membership.table.get(X)?.state).toBe("alive");
  });

  test("another's report makes us look at once, and the answer is our vouch", () => {
    sent.length = 0;
    membership.onUpdates(A, [report(B, X)], 10);
    const ping = sent.find(({ to, message }) => to === X && message.type === "ping")?.message;
    const sequence = ping?.type === "ping" ? ping.sequence : -1;
    expect(news()).toContain("9: report by 3 on 9");
    membership.onAck(X, { type: "ack", sequence, mayFreeze: false, fingerprints: SAME }, 20);
    expect(news()).toEqual(["2: vouch by 1 on 9", "9: vouch by 1 on 9"]);
    membership.onUpdates(A, [report(A, X)], 30);
    expect(membership.table.get(X)?.state).toBe("suspect");
  });

  test("a link that broke without a word is reported when it has been silent for 3 s", () => {
    pass(0, 600);
    unlink(X, false, 600);
    pass(600, config.giveUpMinMs - 50);
    expect(news().filter((one) => one.includes("report"))).toEqual([]);
    pass(config.giveUpMinMs, config.giveUpMinMs + 50);
    expect(news()).toContain("2: report by 1 on 9");
  });

  test("… unless a sign of life comes another way, or the link ended on purpose", () => {
    unlink(X, false, 600);
    membership.failures.settle(X);
    pass(600, 10_000);
    expect(news().filter((one) => one.includes("report"))).toEqual([]);
    unlink(A, true, 10_000);
    expect(deadlines.has(`lost:${A}`)).toBe(false);
  });

  test("after a standstill it gets its whole time again", () => {
    pass(0, 3_000);
    membership.resume(3_000, 3_000);
    pass(3_000, 3_000 + config.giveUpMinMs - 50);
    expect(neighbours).toEqual([A, X]);
  });
});

describe("neighbours", () => {
  test("answer a probe at once, and its sender compares what they know", () => {
    link(A, B);
    const other = { ...SAME, membersLow: 9, stateHigh: 9 };
    membership.onDelta(A, { type: "memberDelta", updates: [], more: false }, 0);
    membership.onPing(A, { type: "ping", sequence: 4, echo: 0, mayFreeze: false }, 5);
    expect(sent).toEqual([
      { to: A, message: { type: "ack", sequence: 4, mayFreeze: false, fingerprints: SAME } },
    ]);
    membership.onAck(A, { type: "ack", sequence: 1, mayFreeze: false, fingerprints: SAME }, 5);
    expect([log, sent.length]).toEqual([[], 1]);
    membership.onAck(A, { type: "ack", sequence: 1, mayFreeze: false, fingerprints: other }, 5);
    expect(log).toEqual(["2 knows other state"]);
    expect(sent[1]).toMatchObject({ to: A, message: { type: "memberDigest" } });
  });

  test("a digest is answered by what is newer here, and by ours when it shows what is newer there", () => {
    link(A);
    membership.onUpdates(A, [record(X, { version: 5 })], 0);
    news();
    const entry = { id: X, generation: 1, incarnation: 0, state: "alive" } as const;
    const known = membership.table.digest().filter(({ id }) => id !== X);
    const digested = (version: number, answer: boolean): void => {
      const entries = [...known, { ...entry, version }];
      const digest = { type: "memberDigest", count: 1, parts: [0], entries, answer } as const;
      membership.repair.onDigest(A, digest, 0);
    };
    digested(5, true);
    expect(sent.map(({ message }) => message)).toEqual([
      { type: "memberDelta", updates: [], more: false },
    ]);
    expect(news()).toEqual([]);
    digested(4, true);
    expect(news()).toEqual(["2: record of 9"]);
    digested(6, true);
    expect(sent.map(({ message }) => message.type)).toEqual(["memberDelta", "memberDigest"]);
    sent.length = 0;
    digested(6, false);
    expect(sent.map(({ message }) => message.type)).toEqual(["memberDelta"]);
  });

  test("a latecomer hears of open suspicions", () => {
    link(A, X);
    membership.onUpdates(A, [record(X, { version: 2, neighbours: [OWN, A] }), report(A, X)], 0);
    news();
    neighbours.push(B);
    membership.onLinkUp(B, recordOf(B), 0);
    expect(news()).toContain("3: report by 2 on 9");
  });

  test("are announced sorted, once, and only when they changed", () => {
    link(B, A);
    membership.onAnnounceDeadline(100);
    expect(membership.table.own).toMatchObject({ version: 2, neighbours: [A, B] });
    membership.onAnnounceDeadline(200);
    expect(membership.table.own.version).toBe(2);
  });

  test("more of them than a record may name: the record still decodes", () => {
    link(...Array.from({ length: 70 }, (_, i) => memberId(100 + i)));
    membership.onAnnounceDeadline(100);
    const codec = frameCodec(7);
    const message: Message = { type: "hello", record: membership.table.own, features: 0 };
    expect(codec.decode(codec.encode(message)).ok).toBe(true);
    membership.onAnnounceDeadline(200);
    expect(membership.table.own.version).toBe(2);
  });
});

describe("a member whose observers are all gone", () => {
  beforeEach(() => {
    link(A);
    membership.onUpdates(A, [record(C), record(X, { neighbours: [C] })], 0);
    membership.onUpdates(A, [record(C, { version: 2, state: "left" })], 0);
    log.length = 0;
    membership.failures.onUnobservedDeadline(1_000);
    expect(carried).toEqual([]);
    membership.failures.onUnobservedDeadline(3_500);
    expect(carried).toEqual([{ to: X, inner: { type: "probe", sequence: 1 } }]);
    news();
  });

  test("is asked over a route; unreachable for 3 s and nobody else to ask: down", () => {
    for (let now = 4_000; now <= 6_500; now += 500) membership.failures.onAuditDeadline(X, now);
    expect(news()).toContain("2: unreachable by 1 on 9");
    membership.onUpdates(A, [opinion("unreachable", A)], 6_600);
    expect(log).toEqual(["9 suspect", "9 down"]);
  });

  test("… and stays when it answers", () => {
    membership.failures.onProbeAck(X, 4_200);
    for (let now = 4_500; now <= 6_500; now += 500) membership.failures.onAuditDeadline(X, now);
    expect(log).toEqual([]);
    expect(news()).toEqual([]);
  });
});

test("our former life is outlived at first, and a clone is one later", () => {
  link(A);
  membership.onUpdates(A, [record(OWN, { generation: 4 })], 1_000);
  expect(log).toEqual(["reborn at 5", "1 alive"]);
  expect(news()).toEqual(["2: record of 1"]);
  log.length = 0;
  membership.onUpdates(A, [record(OWN, { generation: 6 })], 60_000);
  expect(log).toEqual(["taken"]);
});
