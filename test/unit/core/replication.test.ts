// Replicas with their neighbours, in hand: what is asked of whom, who is served what, and what is said to whom.
import { beforeEach, describe, expect, test } from "vitest";
import { Deadlines } from "../../../src/core/lib/deadlines.ts";
import { Rng } from "../../../src/core/lib/rng.ts";
import type { MemberId } from "../../../src/core/machine.ts";
import type { StateDelta } from "../../../src/core/state/replica.ts";
import { Replication } from "../../../src/core/state/replication.ts";
import type {
  MessageOf,
  StateDigestEntry,
  StateWantEntry,
} from "../../../src/core/wire/messages.ts";
import { configOf, memberId, PLAIN } from "./support.ts";

const [OWN, A, B, C, O] = [1, 2, 3, 4, 9].map(memberId) as [string, string, string, string, string];
const n = (id: MemberId): number => Number.parseInt(id, 16);

/** What a want says it holds beyond a hole. */
function beyond(entry: StateDigestEntry | StateWantEntry): string {
  if (!("held" in entry)) return "";
  const upTo = (to: number): string => (to === Number.MAX_SAFE_INTEGER ? "∞" : `${to}`);
  return entry.held.map(({ from, to }) => `+(${from}, ${upTo(to)}]`).join("");
}

class Bench {
  readonly log: string[] = [];
  readonly deadlines = new Deadlines();
  readonly woken: MemberId[] = [];
  readonly digests: MessageOf<"stateDigest">[] = [];
  readonly state: Replication;
  neighbours = [A, B, C];
  full: MemberId[] = [];
  strangers: MemberId[] = [];
  busy: MemberId | undefined;
  isFullMesh = false;
  now = 0;
  wants = 0;

  constructor() {
    const config = configOf({}, { id: OWN });
    this.state = new Replication(config, this.deadlines, Rng.fromSeed(1), {
      now: () => this.now,
      neighbours: () => this.neighbours,
      isStale: () => false,
      mayTell: () => true,
      isFullMesh: () => this.isFullMesh,
      reaches: () => this.isFullMesh,
      generationOf: (owner) => (this.strangers.includes(owner) ? undefined : 1),
      prove: (_delta, _entry, then) => then(undefined),
      flood: (to, { owner, to: version }, surely) => {
        const taken = to.filter((peer) => !this.full.includes(peer));
        const how = surely ? "surely" : "lossy";
        if (taken.length > 0) {
          this.log.push(`flood ${n(owner)}@${version} ${how} to ${taken.map(n).join(" ")}`);
        }
        return to.filter((peer) => this.full.includes(peer));
      },
      wake: (to) => this.woken.push(to),
      tell: (to, message) => {
        if (message.type === "stateDigest") this.digests.push(message);
        const what =
          message.type === "stateParts"
            ? `${message.hashes.length} parts`
            : message.entries
                .map((one) => `${n(one.owner)}@${one.maxVersion}${beyond(one)}`)
                .join(" ");
        this.log.push(`${message.type} ${what} to ${n(to)}`);
      },
      bringsBulk: (from) => from === this.busy,
      changed: (changes) =>
        changes.forEach(({ owner, key }) => void this.log.push(`changed ${n(owner)} ${key}`)),
      refused: (key) => this.log.push(`refused ${key}`),
    });
  }

  taken(): string[] {
    return this.log.splice(0);
  }

  /** Performs what is due up to `until`. */
  pass(until: number): void {
    for (let at = this.deadlines.next; at <= until; at = this.deadlines.next) {
      this.now = at;
      const [scope, peer = ""] = (this.deadlines.take(at) ?? "").split(":");
      if (scope === "state-news") this.state.onNewsDeadline(peer);
      if (scope === "state-echo") this.state.onEchoDeadline(at);
      if (scope === "state-fetch") this.state.onFetchDeadline(at);
      if (scope === "state-compare") this.state.compare(peer);
    }
    this.now = until;
  }

  holds(from: MemberId, ...entries: StateDigestEntry[]): void {
    const digest = { entries, count: 1, parts: [], answer: false } as const;
    this.state.onDigest(from, { type: "stateDigest", ...digest }, this.now);
  }

  hear(from: MemberId, change: Partial<StateDelta> & { size?: number } = {}): void {
    const { size = 1_000, ...rest } = change;
    const to = rest.to ?? 1;
    const entries = [{ key: "k", version: to, value: new Uint8Array(size), ...PLAIN }];
    const delta = { owner: O, generation: 1, from: to - 1, to, last: to, floor: 0, entries };
    this.state.onDelta(from, { type: "stateDelta", kept: undefined, ...delta, ...rest }, this.now);
  }

  want(
    from: MemberId,
    owner: MemberId,
    maxVersion: number,
    held: StateWantEntry["held"] = [],
    number = ++this.wants,
  ): void {
    this.state.onWant(from, {
      type: "stateWant",
      number,
      entries: [{ owner, generation: 1, maxVersion, held }],
    });
  }

  served(to: MemberId): string[] {
    const deltas: string[] = [];
    for (let delta = this.state.next(to); delta !== undefined; delta = this.state.next(to)) {
      deltas.push(`${n(delta.owner)} (${delta.from}, ${delta.to}]`);
    }
    return deltas;
  }
}

const entry = (maxVersion: number, owner = O): StateDigestEntry => ({
  owner,
  generation: 1,
  maxVersion,
});

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});

describe("our own writes", () => {
  test("flood when they are small: over every link, or surely where all are linked", () => {
    bench.state.write("k", new Uint8Array(256));
    expect(bench.taken()).toEqual(["flood 1@1 lossy to 2 3 4"]);
    bench.isFullMesh = true;
    bench.state.write("k", undefined);
    expect(bench.taken()).toEqual(["flood 1@2 surely to 2 3 4"]);
  });

  test("wait for the link of who asked when they are large; what is written again meanwhile travels once", () => {
    bench.want(A, OWN, 0);
    for (let i = 0; i < 5; i++) bench.state.write("k", new Uint8Array(1_000));
    expect(bench.taken()).toEqual([]);
    expect(bench.woken).toContain(A);
    expect([bench.served(A), bench.served(B)]).toEqual([["1 (0, 5]"], []]);
    bench.state.write("k", new Uint8Array(1_000));
    expect(bench.served(A)).toEqual(["1 (5, 6]"]);
  });

  test("that flooded are not served again, but where the link was full they are", () => {
    for (const peer of [A, B]) bench.want(peer, OWN, 0);
    bench.full = [B];
    bench.state.write("k", new Uint8Array(1));
    expect([bench.served(A), bench.served(B)]).toEqual([[], ["1 (0, 1]"]]);
  });

  test("that flooded as datagrams are sent once more to who was not heard passing them on", () => {
    bench.state.write("k", new Uint8Array(1));
    bench.hear(B, { owner: OWN, size: 1 });
    bench.taken();
    bench.pass(199);
    expect(bench.taken()).toEqual([]);
    bench.neighbours = [A, B];
    bench.pass(10_000);
    expect(bench.taken()).toEqual(["flood 1@1 lossy to 2"]);
  });

  test("are served with what still holds once tombstones were forgotten, however long the link has been open", () => {
    bench.want(A, OWN, 0);
    bench.state.write("k", new Uint8Array(1_000));
    expect(bench.state.next(A)).toMatchObject({ from: 0, to: 1, kept: undefined });
    for (let i = 0; i <= 1_000; i++) {
      bench.state.write(`${i}`, new Uint8Array(1));
      bench.state.write(`${i}`, undefined);
    }
    bench.full = [A];
    bench.state.write("k", undefined);
    const missed = 1 + 2 * 50;
    expect(bench.state.next(A)).toMatchObject({ from: missed, to: 2_004, kept: [] });
    expect(bench.state.next(A)).toBeUndefined();
  });

  test("flood no more than so many in a second; the rest waits for its turn on the links", () => {
    bench.want(A, OWN, 0);
    for (let i = 0; i < 1_000; i++) bench.state.write("k", new Uint8Array(4));
    expect(bench.taken().length).toBe(100);
    expect(bench.served(A)).toEqual(["1 (100, 1000]"]);
  });
});

describe("what others wrote", () => {
  test("floods on when it is small, and is announced when it is large, to who did not bring it", () => {
    bench.hear(A, { size: 256 });
    expect(bench.taken()).toEqual(["changed 9 k", "flood 9@1 lossy to 3 4"]);
    bench.hear(A, { to: 2 });
    expect(bench.taken()).toEqual(["changed 9 k"]);
    bench.pass(100);
    expect(bench.taken()).toEqual(["stateDigest 9@2 to 3", "stateDigest 9@2 to 4"]);
    bench.hear(C, { size: 256 });
    bench.pass(1_000);
    expect(bench.taken()).toEqual(["flood 9@1 lossy to 3"]);
  });

  test("is not passed on where its owner reaches everybody, nor announced to who has it", () => {
    bench.isFullMesh = true;
    bench.hear(A, { size: 1 });
    bench.hear(A, { to: 2 });
    bench.pass(100);
    expect(bench.taken()).toEqual(["changed 9 k", "changed 9 k"]);
  });

  test("is refused of strangers and of who is gone", () => {
    bench.strangers = [O];
    bench.hear(A);
    bench.holds(A, entry(5));
    bench.pass(10_000);
    expect(bench.taken()).toEqual([]);
  });
});

describe("what is missing", () => {
  test("is asked of one, and of the next when that one brings nothing or is gone", () => {
    bench.holds(A, entry(5));
    bench.holds(B, entry(5));
    bench.holds(C, entry(7));
    expect(bench.taken()).toEqual(["stateWant 9@0 to 2"]);
    bench.pass(499);
    expect(bench.taken()).toEqual([]);
    bench.pass(500);
    expect(bench.taken()).toEqual(["stateWant 9@0 to 3"]);
    bench.pass(1_499);
    expect(bench.taken()).toEqual([]);
    bench.pass(1_500);
    expect(bench.taken()).toEqual(["stateWant 9@0 to 4"]);
    bench.neighbours = [A, C];
    bench.state.onLinkDown(B, bench.now);
    expect(bench.taken()).toEqual([]);
    bench.state.onLinkDown(C, bench.now);
    expect(bench.taken()).toEqual(["stateWant 9@0 to 2"]);
  });

  test("is waited for while who was asked brings some of it", () => {
    for (const peer of [A, B]) bench.holds(peer, entry(5));
    bench.hear(A, { to: 1, last: 5 });
    bench.taken();
    bench.pass(1_999);
    expect(bench.taken().filter((one) => one.startsWith("stateWant"))).toEqual([]);
    bench.pass(2_000);
    expect(bench.taken()).toContain("stateWant 9@1 to 3");
  });

  test("is a hole that has stood for long: another is asked for that alone", () => {
    for (const peer of [A, B, C]) bench.holds(peer, entry(9));
    bench.hear(A, { to: 1, last: 9 });
    bench.hear(A, { to: 3, last: 9 });
    bench.hear(A, { to: 5, last: 9 });
    bench.pass(500);
    bench.taken();
    bench.hear(A, { to: 7, last: 9 });
    bench.pass(1_000);
    const holes = "stateWant 9@1+(2, 3]+(4, ∞]";
    expect(bench.taken().filter((one) => one.startsWith("stateWant"))).toEqual([`${holes} to 3`]);
    bench.hear(A, { to: 9, last: 9 });
    bench.pass(1_500);
    expect(bench.taken().filter((one) => one.startsWith("stateWant"))).toEqual([
      "stateWant 9@1+(2, 3]+(4, 5]+(6, ∞] to 4",
    ]);
    bench.hear(B, { to: 2, last: 9 });
    bench.hear(B, { to: 4, last: 9 });
    bench.hear(A, { to: 6, last: 9 });
    bench.hear(A, { to: 8, last: 9 });
    bench.pass(60_000);
    expect(bench.taken().filter((one) => one.startsWith("stateWant"))).toEqual([]);
  });

  test("is asked of the next for the rest when who was asked has no more", () => {
    bench.holds(A, entry(1));
    bench.holds(B, entry(2));
    bench.taken();
    bench.hear(A);
    expect(bench.taken()).toContain("stateWant 9@1 to 3");
    bench.hear(B, { to: 2 });
    bench.pass(60_000);
    expect(bench.taken().filter((one) => one.startsWith("stateWant"))).toEqual([]);
  });

  test("is waited for while who brings it is in the middle of something large", () => {
    bench.holds(A, entry(5));
    bench.holds(B, entry(5));
    bench.busy = A;
    bench.pass(29_999);
    expect(bench.taken()).toEqual(["stateWant 9@0 to 2"]);
    bench.pass(30_000);
    expect(bench.taken()).toEqual(["stateWant 9@0 to 3"]);
  });

  test("of a new neighbour comes from itself only behind what another is bringing", () => {
    bench.holds(A, entry(2));
    bench.neighbours = [A, O];
    bench.state.onLinkUp(O, 1);
    expect(bench.taken()).toEqual(["stateWant 9@0 to 2", "stateDigest  to 9"]);
    bench.hear(A, { to: 1, last: 2 });
    bench.hear(A, { to: 2 });
    expect(bench.taken()).toContain("stateWant 9@2 to 9");
  });

  test("of a neighbour comes unasked; another is asked when it does not", () => {
    bench.neighbours = [A, O];
    bench.holds(A, entry(5));
    bench.pass(499);
    expect(bench.taken()).toEqual([]);
    bench.pass(500);
    expect(bench.taken()).toEqual(["stateWant 9@0 to 2"]);
  });

  test("comes unasked from who was asked before, as long as it goes on", () => {
    bench.holds(A, entry(1));
    bench.hear(A);
    bench.holds(B, entry(2));
    bench.taken();
    bench.hear(A, { to: 2 });
    bench.holds(B, entry(3));
    expect(bench.taken().filter((one) => one.startsWith("stateWant"))).toEqual([]);
    bench.pass(1_000);
    expect(bench.taken()).toContain("stateWant 9@2 to 3");
  });

  test("and comes from two: who was not asked is told to stop", () => {
    bench.holds(A, entry(2));
    bench.hear(A, { to: 1, last: 2 });
    bench.hear(A, { to: 2 });
    bench.taken();
    bench.hear(B, { to: 2 });
    expect(bench.taken()).toEqual([`stateWant 9@${Number.MAX_SAFE_INTEGER} to 3`]);
    bench.hear(A, { to: 2 });
    expect(bench.taken()).toEqual([]);
  });
});

describe("who asked", () => {
  beforeEach(() => {
    for (let to = 1; to <= 3; to++) bench.hear(A, { to });
  });

  test("is sent what it lacks, and what follows, until it has enough or the owner is long silent", () => {
    bench.want(B, O, 1);
    expect(bench.served(B)).toEqual(["9 (1, 3]"]);
    bench.hear(A, { to: 4 });
    expect(bench.served(B)).toEqual(["9 (3, 4]"]);
    bench.want(B, O, Number.MAX_SAFE_INTEGER);
    bench.hear(A, { to: 5 });
    expect(bench.served(B)).toEqual([]);
    bench.want(B, O, 4);
    expect(bench.served(B)).toEqual(["9 (4, 5]"]);
    bench.now = 10_001;
    bench.hear(A, { to: 6 });
    bench.pass(bench.now + 100);
    expect(bench.taken()).toContain("stateDigest 9@6 to 3");
  });

  test("is told what lies around a hole, and what closes it when it has come", () => {
    bench.want(B, O, 0);
    bench.hear(A, { to: 5 });
    expect(bench.served(B)).toEqual(["9 (0, 3]", "9 (4, 5]"]);
    bench.hear(A, { to: 4 });
    expect(bench.served(B)).toEqual(["9 (3, 4]"]);
    bench.hear(A, { to: 6 });
    expect(bench.served(B)).toEqual(["9 (5, 6]"]);
  });

  test("is not sent what it holds beyond a hole, nor, asking for a hole alone, what follows", () => {
    bench.want(B, O, 0, [{ from: 1, to: 2 }]);
    expect(bench.served(B)).toEqual(["9 (0, 1]", "9 (2, 3]"]);
    bench.want(C, O, 0, [{ from: 1, to: Number.MAX_SAFE_INTEGER }]);
    expect(bench.served(C)).toEqual(["9 (0, 1]"]);
    bench.taken();
    bench.hear(A, { to: 4 });
    bench.pass(100);
    expect([bench.served(B), bench.served(C)]).toEqual([["9 (3, 4]"], []]);
    expect(bench.taken()).toContain("stateDigest 9@4 to 4");
  });

  test("and has enough is served all the same when it has asked anew, in whatever order that comes", () => {
    bench.want(B, O, 2, [], 2);
    bench.want(B, O, Number.MAX_SAFE_INTEGER, [], 1);
    expect(bench.served(B)).toEqual(["9 (2, 3]"]);
  });

  test("has the longest backlog served first, but for what waits for long", () => {
    const other = memberId(8);
    bench.hear(A, { owner: other });
    bench.want(B, other, 0);
    bench.want(B, O, 0);
    expect(bench.served(B)).toEqual(["9 (0, 3]", "8 (0, 1]"]);
    bench.want(B, other, 0);
    bench.want(B, O, 0);
    bench.now = 251;
    expect(bench.served(B)).toEqual(["8 (0, 1]", "9 (0, 3]"]);
  });

  test("and says that it has it is not sent it", () => {
    bench.want(B, O, 0);
    bench.holds(B, entry(3));
    expect(bench.served(B)).toEqual([]);
  });
});

describe("digests", () => {
  test("row 31: are compared once a period, a little later than the difference is seen; less often while others write", () => {
    bench.now = 5_000;
    for (const peer of [A, B]) bench.state.onDiffers(peer, bench.now);
    expect(bench.taken()).toEqual([]);
    bench.pass(5_300);
    expect(bench.taken().sort()).toEqual(["stateDigest  to 2", "stateDigest  to 3"]);
    bench.state.onDiffers(A, bench.now);
    bench.pass(6_000);
    bench.hear(C);
    bench.state.onDiffers(A, bench.now);
    bench.pass(6_400);
    bench.state.onDiffers(A, bench.now);
    bench.taken();
    bench.pass(10_999);
    bench.state.onDiffers(A, bench.now);
    bench.pass(11_400);
    expect(bench.taken()).toEqual([]);
  });

  test("are answered once in 250 ms at the most", () => {
    const question = { type: "stateDigest", entries: [], count: 1, parts: [0] } as const;
    for (let i = 0; i < 10; i++) bench.state.onDigest(A, { ...question, answer: true }, 0);
    expect(bench.taken()).toEqual(["stateDigest  to 2"]);
  });

  test("row 50: of many owners go in the parts that differ", () => {
    for (let i = 0; i < 300; i++) bench.hear(A, { owner: memberId(100 + i), size: 1 });
    bench.pass(10_000);
    bench.taken();
    bench.state.compare(B);
    expect(bench.taken()).toEqual(["stateParts 16 parts to 3"]);
    const { hash } = bench.state.store;
    bench.state.onParts(B, hash.parts(16), 0);
    expect(bench.taken()).toEqual([]);
    const theirs = hash.parts(16).map((one, part) => (part === 5 ? one ^ 1 : one));
    bench.state.onParts(C, theirs, 0);
    const digest = bench.digests.at(-1);
    expect(digest).toMatchObject({ count: 16, parts: [5], answer: true });
    expect(digest?.entries.length).toBeGreaterThan(5);
    expect(digest?.entries.length).toBeLessThan(50);
  });
});
