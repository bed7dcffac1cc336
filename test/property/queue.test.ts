// The lattice of a job's states, where jobs are placed, and what is read of the wire and of disks.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Heap } from "../../src/core/queue/heap.ts";
import {
  compareStates,
  type JobState,
  mergeStates,
  nextEpoch,
  nextPlacement,
  PHASES,
} from "../../src/core/queue/job.ts";
import { Over } from "../../src/core/queue/over.ts";
import {
  channelKey,
  encodeConduct,
  encodeStores,
  Holders,
} from "../../src/core/queue/placement.ts";
import { decode } from "../../src/core/queue/wire.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");

const state: fc.Arbitrary<JobState> = fc.record({
  phase: fc.constantFrom(...PHASES),
  epoch: fc.nat(3),
  attempts: fc.nat(2),
  readyAt: fc.nat(2),
  holder: fc.constantFrom(undefined, id(1), id(2)),
  holderGeneration: fc.nat(1),
  reason: fc.constantFrom("" as const, "deliveries" as const, "stale" as const),
  detail: fc.constantFrom("", "x"),
});

describe("the states of a job", () => {
  test("merge in any order, in any grouping, and any number of times", () => {
    fc.assert(
      fc.property(state, state, state, (a, b, c) => {
        expect(mergeStates(a, a)).toEqual(a);
        expect(mergeStates(a, b)).toEqual(mergeStates(b, a));
        expect(mergeStates(mergeStates(a, b), c)).toEqual(mergeStates(a, mergeStates(b, c)));
        expect(compareStates(mergeStates(a, b), a)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test("done wins over all, and what is over never begins again", () => {
    fc.assert(
      fc.property(state, state, (a, b) => {
        const { phase } = mergeStates(a, b);
        if (a.phase === "done" || b.phase === "done") expect(phase).toBe("done");
        const ends = ["dead", "removed", "done"];
        if (ends.includes(a.phase) || ends.includes(b.phase)) expect(ends).toContain(phase);
      }),
    );
  });

  test("an epoch is higher than those before, and no two custodians ever choose the same", () => {
    const where = fc.record({ number: fc.nat(2 ** 20 - 1), stores: fc.constant([id(1)]) });
    const place = fc.nat(7);
    fc.assert(
      fc.property(where, fc.nat(2 ** 50), fc.nat(2 ** 50), place, place, (at, a, b, one, other) => {
        const [first, second] = [nextEpoch(a, at, one), nextEpoch(b, at, other)];
        expect(first).toBeGreaterThan(Math.min(a, at.number * 2 ** 32));
        expect(nextEpoch(first, at, other)).toBeGreaterThan(first);
        if (one !== other) expect(first).not.toBe(second);
        const [next, another] = [nextPlacement(at, one), nextPlacement(at, other)];
        if (next !== undefined) expect(next).toBeGreaterThan(at.number);
        if (one !== other && next !== undefined) expect(next).not.toBe(another);
      }),
    );
  });
});

describe("the placement of jobs", () => {
  const all = (count: number, weightOf = (_: number): number => 1): Holders => {
    const holders = new Holders(id(1), 1);
    for (let n = 1; n <= count; n++) {
      holders.onMember(id(n), 1, true, 0);
      const stores = { disk: id(1_000 + n), memory: id(2_000 + n), weight: weightOf(n) };
      holders.onAnnounced(id(n), "", encodeStores(stores), 0);
      holders.onAnnounced(
        id(n),
        channelKey("jobs"),
        encodeConduct({ takes: true, consumes: true }),
        0,
      );
    }
    return holders;
  };
  const jobs = Array.from({ length: 3_000 }, (_, i) => `job ${i}`);

  test("all agree, whatever the order in which they heard of each other", () => {
    const [one, other] = [all(12), all(12)];
    other.onMember(id(3), 1, false, 5);
    other.onMember(id(3), 2, true, 6);
    for (const job of jobs.slice(0, 100)) {
      expect(one.place("jobs", true, job, 3)).toEqual(other.place("jobs", true, job, 3));
    }
  });

  test("a store that goes moves only what was on it", () => {
    const [before, after] = [all(12), all(12)];
    after.onMember(id(7), 1, false, 0);
    for (const job of jobs) {
      const [was, is] = [before.place("jobs", true, job, 3), after.place("jobs", true, job, 3)];
      expect(is).toHaveLength(3);
      expect(was.filter((store) => store !== id(1_007) && !is.includes(store))).toEqual([]);
    }
  });

  test("each store takes its share, and the heavier ones more", () => {
    const holders = all(8, (n) => (n > 6 ? 4 : 1));
    const counts = new Map<string, number>();
    for (const job of jobs) {
      const [first = ""] = holders.place("jobs", true, job, 3);
      counts.set(first, (counts.get(first) ?? 0) + 1);
    }
    // 14 draws in all.
    for (let n = 1; n <= 8; n++) {
      const share = ((counts.get(id(1_000 + n)) ?? 0) / jobs.length) * 14;
      expect(share / (n > 6 ? 4 : 1)).toBeGreaterThan(0.6);
      expect(share / (n > 6 ? 4 : 1)).toBeLessThan(1.5);
    }
  });

  test("nobody takes another's store while that one is there", () => {
    const holders = all(3);
    const thief = encodeStores({ disk: id(1_002), memory: id(2_009), weight: 1 });
    holders.onMember(id(9), 1, true, 0);
    holders.onAnnounced(id(9), "", thief, 0);
    expect(holders.memberOf(id(1_002))).toBe(id(2));
    expect(holders.hasOne(id(9), [id(1_002)])).toBe(false);
    holders.onMember(id(2), 1, false, 0);
    holders.onAnnounced(id(9), "", thief, 0);
    expect(holders.memberOf(id(1_002))).toBe(id(9));
  });
});

test("a heap gives the least first", () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), (items) => {
      const heap = new Heap<number>((a, b) => a < b);
      for (const item of items) heap.push(item);
      const taken = items.map(() => heap.take());
      expect(taken).toEqual([...items].sort((a, b) => a - b));
      expect(heap.size).toBe(0);
    }),
  );
});

test("what is over stays over, in whatever order it ends", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 50 })), fc.nat(20), (ends, floor) => {
      const over = new Over();
      for (const sequence of ends) over.add(`${id(1)}.1.${sequence}`);
      over.raise(id(1), 1, floor);
      for (let sequence = 1; sequence <= 50; sequence++) {
        const isOver = ends.includes(sequence) || sequence <= floor;
        expect(over.has(`${id(1)}.1.${sequence}`)).toBe(isOver);
      }
      expect(over.has(`${id(1)}.2.1`)).toBe(false);
    }),
  );
});

test("what cannot be read of the wire is no message, and nothing is thrown", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(20), (bytes, type) => {
      decode(bytes);
      decode(Uint8Array.of(1, type, ...bytes));
    }),
    { numRuns: 2_000 },
  );
});
