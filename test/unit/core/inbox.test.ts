import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { Payload } from "../../../src/core/broadcast/cache.ts";
import { Inbox } from "../../../src/core/broadcast/inbox.ts";
import { configOf, memberId } from "./support.ts";

const config = configOf({ gapMs: 2_000, gapMessagesMax: 4 });
const NEVER = Number.NEGATIVE_INFINITY;

function payload(sequence: number): Payload {
  const id = { origin: memberId(2), generation: 1, sequence };
  return { type: "payload", id, hop: 0, flood: false, name: "n", value: new Uint8Array(1) };
}

let inbox: Inbox;
beforeEach(() => {
  inbox = new Inbox(config, 1, 0);
});

const ready = (now: number): number[] => inbox.takeReady(now).map(({ id }) => id.sequence);
const add = (sequence: number, now = 0): number[] | undefined => {
  if (inbox.has(sequence)) return undefined;
  expect(inbox.add(payload(sequence), now)).toBeUndefined();
  return ready(now);
};
const skip = (now: number, progressAt = NEVER): [number, number, ...number[]] | undefined => {
  const gap = inbox.skip(now, progressAt);
  return gap && [gap.from, gap.to, ...ready(now)];
};
const missed = (countMax: number): number[] => {
  const all = inbox.ask(0, -1_000_000, 0, memberId(3)).get(memberId(3)) ?? [];
  return all.slice(0, countMax);
};

describe("delivery", () => {
  test("in order, at once, once", () => {
    expect([add(1), add(2), add(2), add(1)]).toEqual([[1], [2], undefined, undefined]);
  });

  test("what follows a missing one waits for it", () => {
    expect([add(3), add(2), add(3)]).toEqual([[], [], undefined]);
    expect(add(1)).toEqual([1, 2, 3]);
    expect(inbox.stuckSince).toBeUndefined();
  });

  test("nothing before the baseline", () => {
    inbox = new Inbox(config, 1, 10);
    expect([add(10), add(3), add(11)]).toEqual([undefined, undefined, [11]]);
  });

  test("what lies beyond the window moves it on: the rest is a gap", () => {
    add(3);
    expect(inbox.announce(1_024, 0)).toBeUndefined();
    expect(missed(2_000).length).toBe(1_023);
    expect(inbox.add(payload(1_034), 0)).toEqual({ from: 1, to: 10 });
    expect(missed(2_000).length).toBe(1_023);
    expect([add(3), add(10), add(11)]).toEqual([undefined, undefined, [11]]);
    expect(inbox.announce(1_000_000, 0)).toEqual({ from: 12, to: 998_976 });
    expect([inbox.delivered, missed(2_000).length]).toEqual([998_976, 1_024]);
  });

  test("what is asked for is asked again only after a while, and what is young not yet", () => {
    inbox.announce(2, 0);
    inbox.announce(3, 50);
    const asked = (now: number): unknown => [...inbox.ask(now, 100, 500, memberId(3)).values()];
    expect(asked(99)).toEqual([]);
    expect(asked(100)).toEqual([[1, 2]]);
    expect(asked(150)).toEqual([[3]]);
    expect(asked(600)).toEqual([[1, 2]]);
  });

  test("each is asked of one that has it, then of the next two; where nobody says so, of who has a later one", () => {
    const [a, b, c, other] = [3, 4, 5, 6].map(memberId) as [string, string, string, string];
    for (const holder of [a, b, c]) inbox.announce(2, 0, holder);
    inbox.announce(3, 0, b);
    const asked = (now: number): unknown => Object.fromEntries(inbox.ask(now, 100, 500, other));
    expect(asked(100)).toEqual({ [a]: [1, 2], [b]: [3] });
    expect(inbox.wasAsked(2, a)).toBe(true);
    expect(inbox.wasAsked(2, b)).toBe(false);
    expect(asked(600)).toEqual({ [b]: [1, 2, 3], [c]: [2] });
    inbox.removeHolder(a);
    inbox.removeHolder(b);
    expect(asked(1_100)).toEqual({ [c]: [1, 2, 3] });
  });
});

describe("gaps", () => {
  test("are missed from the moment they show, lowest first", () => {
    add(5, 100);
    expect(inbox.stuckSince).toBe(100);
    expect(missed(10)).toEqual([1, 2, 3, 4]);
    expect(missed(2)).toEqual([1, 2]);
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

  test("are given up by bytes", () => {
    inbox = new Inbox(configOf({ gapBytesMax: 65_536 }), 1, 0);
    const large = (n: number): Payload => ({ ...payload(n), value: new Uint8Array(40_000) });
    inbox.add(large(2), 0);
    expect(skip(1)).toBeUndefined();
    inbox.add(large(3), 0);
    expect(skip(1)).toEqual([1, 1, 2, 3]);
    inbox.add(large(5), 2);
    expect(skip(3)).toBeUndefined();
  });

  test("are not given up while a large message moves towards us", () => {
    add(2, 0);
    expect(skip(5_000, 4_000)).toBeUndefined();
    expect(skip(6_000, 4_000)).toEqual([1, 1, 2]);
  });

  test("show by announcement alone, without any arrival", () => {
    inbox.announce(2, 100);
    expect(missed(10)).toEqual([1, 2]);
    expect(skip(2_100)).toEqual([1, 2]);
    expect(inbox.stuckSince).toBeUndefined();
    inbox.announce(2, 3_000);
    expect(inbox.stuckSince).toBeUndefined();
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
    expect(inbox.stuckSince).toBe(1_500);
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
          const given = add(one.sequence, now);
          expect(given === undefined).toBe(
            arrived.has(one.sequence) || one.sequence <= inbox.delivered - (given?.length ?? 0),
          );
          arrived.add(one.sequence);
          given?.forEach(deliver);
        } else if (one.do === "announce") inbox.announce(one.sequence, now);
        else now += 100 * one.sequence;
        const skipped = skip(now);
        if (skipped === undefined) continue;
        const [from, to, ...next] = skipped;
        expect(from).toBe(last + 1);
        for (let n = from; n <= to; n++) expect(given.has(n)).toBe(false);
        last = to;
        next.forEach(deliver);
      }
      // Whatever still waits comes or is named as long as time goes on.
      for (let rounds = 0; inbox.stuckSince !== undefined; rounds++) {
        expect(rounds).toBeLessThan(40);
        now += 2_000;
        const [, to = 0, ...next] = skip(now) ?? [];
        last = to;
        next.forEach(deliver);
      }
      const shown = steps.filter((one) => one.do !== "wait").map((one) => one.sequence);
      expect(last).toBe(Math.max(0, ...shown));
    }),
    { numRuns: 500 },
  );
});
