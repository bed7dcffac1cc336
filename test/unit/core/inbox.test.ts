import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { Payload } from "../../../src/core/broadcast/cache.ts";
import { Inbox } from "../../../src/core/broadcast/inbox.ts";
import { configOf, memberId } from "./support.ts";

const config = configOf({ gapMs: 2_000, gapMessagesMax: 4 });
const NEVER = Number.NEGATIVE_INFINITY;

function payload(sequence: number): Payload {
  const id = { origin: memberId(2), generation: 1, sequence };
  return { type: "payload", id, hop: 0, name: "n", value: new Uint8Array(1) };
}

let inbox: Inbox;
beforeEach(() => {
  inbox = new Inbox(config, 1, 0);
});

const add = (sequence: number, now = 0): number[] | undefined =>
  inbox.add(payload(sequence), now)?.map(({ id }) => id.sequence);
const skip = (now: number, progressAt = NEVER): [number, number, ...number[]] | undefined => {
  const skipped = inbox.skip(now, progressAt);
  if (skipped === undefined) return undefined;
  return [skipped.gap.from, skipped.gap.to, ...skipped.ready.map(({ id }) => id.sequence)];
};

describe("delivery", () => {
  test("in order, at once, once", () => {
    expect([add(1), add(2), add(2), add(1)]).toEqual([[1], [2], undefined, undefined]);
  });

  test("what follows a missing one waits for it", () => {
    expect([add(3), add(2), add(3)]).toEqual([[], [], undefined]);
    expect(add(1)).toEqual([1, 2, 3]);
    expect(inbox.missingSince).toBeUndefined();
  });

  test("nothing before the baseline", () => {
    inbox = new Inbox(config, 1, 10);
    expect([add(10), add(3), add(11)]).toEqual([undefined, undefined, [11]]);
  });

  test("nothing absurdly far ahead, by arrival or by announcement", () => {
    expect(add(65_537)).toBeUndefined();
    inbox.announce(65_537, 0);
    expect(inbox.missing(10)).toEqual([]);
    expect(add(65_536)).toEqual([]);
  });
});

describe("gaps", () => {
  test("are missed from the moment they show, lowest first", () => {
    add(5, 100);
    expect(inbox.missingSince).toBe(100);
    expect(inbox.missing(10)).toEqual([1, 2, 3, 4]);
    expect(inbox.missing(2)).toEqual([1, 2]);
  });

  test("are given up by time: named, skipped, and what comes of them later is dropped", () => {
    add(3, 100);
    expect(skip(2_099)).toBeUndefined();
    expect(skip(2_100)).toEqual([1, 2, 3]);
    expect([add(1), add(2), add(4)]).toEqual([undefined, undefined, [4]]);
  });

  test("are given up by count, however young", () => {
    for (const sequence of [2, 3, 4]) add(sequence, 0);
    expect(skip(1)).toBeUndefined();
    add(5, 1);
    expect(skip(1)).toEqual([1, 1, 2, 3, 4, 5]);
  });

  test("are not given up while a large message moves towards us", () => {
    add(2, 0);
    expect(skip(5_000, 4_000)).toBeUndefined();
    expect(skip(6_000, 4_000)).toEqual([1, 1, 2]);
  });

  test("show by announcement alone, without any arrival", () => {
    inbox.announce(2, 100);
    expect(inbox.missing(10)).toEqual([1, 2]);
    expect(skip(2_100)).toEqual([1, 2]);
    expect(inbox.missingSince).toBeUndefined();
    inbox.announce(2, 3_000);
    expect(inbox.missingSince).toBeUndefined();
  });

  test("each has its own time", () => {
    add(2, 0);
    add(4, 1_500);
    expect(skip(2_000)).toEqual([1, 1, 2]);
    expect(skip(3_999)).toBeUndefined();
    expect(skip(4_000)).toEqual([3, 3, 4]);
  });

  test("what is missed behind one that was filled is missed from then on", () => {
    add(2, 0);
    add(4, 0);
    expect(add(1, 1_500)).toEqual([1, 2]);
    expect(inbox.missingSince).toBe(1_500);
    expect(skip(3_499)).toBeUndefined();
    expect(skip(3_500)).toEqual([3, 3, 4]);
  });

  test("filled in time are none", () => {
    add(2, 0);
    add(1, 1_999);
    expect(skip(60_000)).toBeUndefined();
  });
});

test("in any order of arrival, repeated, announced and skipped: at most once, in order, nothing unsaid", () => {
  const sequence = fc.integer({ min: 1, max: 30 });
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("add" as const), sequence }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("announce" as const), sequence }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), sequence }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
      inbox = new Inbox(config, 1, 0);
      let now = 0;
      let last = 0;
      const arrived = new Set<number>();
      const seen = new Set<number>();
      const given = new Set<number>();
      const deliver = (n: number): void => {
        expect(n).toBe(last + 1);
        expect(arrived.has(n)).toBe(true);
        last = n;
        given.add(n);
      };
      for (const one of steps) {
        seen.add(one.sequence);
        if (one.do === "add") {
          const ready = add(one.sequence, now);
          expect(ready === undefined).toBe(
            arrived.has(one.sequence) || one.sequence <= inbox.delivered - (ready?.length ?? 0),
          );
          arrived.add(one.sequence);
          ready?.forEach(deliver);
        } else if (one.do === "announce") inbox.announce(one.sequence, now);
        else now += 100 * one.sequence;
        const skipped = skip(now);
        if (skipped === undefined) continue;
        const [from, to, ...ready] = skipped;
        expect(from).toBe(last + 1);
        for (let n = from; n <= to; n++) expect(given.has(n)).toBe(false);
        last = to;
        ready.forEach(deliver);
      }
      // Whatever still waits comes or is named as long as time goes on.
      for (let rounds = 0; inbox.missingSince !== undefined; rounds++) {
        expect(rounds).toBeLessThan(40);
        now += 2_000;
        const [, to = 0, ...ready] = skip(now) ?? [];
        last = to;
        ready.forEach(deliver);
      }
      const shown = steps.filter((one) => one.do !== "wait").map((one) => one.sequence);
      expect(last).toBe(Math.max(0, ...shown));
    }),
    { numRuns: 500 },
  );
});
