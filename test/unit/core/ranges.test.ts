import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Ranges } from "../../../src/core/state/ranges.ts";

const REACH = 40;
const range = fc
  .tuple(fc.nat({ max: REACH }), fc.integer({ min: 1, max: 8 }))
  .map(([from, length]) => [from, from + length] as const);

/** The versions of (from, to]. */
function versions(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + 1 + i);
}

describe("ranges of versions", () => {
  test("hold what was added, apart and ascending, and show the first gap", () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), range, (added, [from, to]) => {
        const ranges = new Ranges();
        const held = new Set<number>();
        for (const [a, b] of added) {
          expect(ranges.add(a, b)).toBe(true);
          for (const version of versions(a, b)) held.add(version);
        }
        const parts = [...ranges];
        expect(parts.flatMap(([a, b]) => versions(a, b))).toEqual([...held].sort((a, b) => a - b));
        const isApart = parts.every(([a], i) => i === 0 || a > (parts[i - 1]?.[1] ?? a));
        expect(isApart).toBe(true);
        expect(ranges.last).toBe(Math.max(0, ...held));
        expect(ranges.covers(from, to)).toBe(versions(from, to).every((one) => held.has(one)));
        const missing = versions(from, to).filter((version) => !held.has(version));
        const gap = ranges.gap(from, to);
        expect(gap === undefined).toBe(missing.length === 0);
        if (gap === undefined) return;
        expect(versions(...gap)).toEqual(missing.slice(0, gap[1] - gap[0]));
        expect(gap[1] === to || held.has(gap[1] + 1)).toBe(true);
      }),
    );
  });

  test("are followed as far as they go on, and forgotten below", () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), fc.nat({ max: REACH }), (added, to) => {
        const ranges = new Ranges();
        const held = new Set(versions(0, to));
        for (const [a, b] of added) {
          ranges.add(a, b);
          for (const version of versions(a, b)) held.add(version);
        }
        let end = to;
        while (held.has(end + 1)) end++;
        expect(ranges.follow(to)).toBe(end);
        expect([...ranges].every(([a]) => a > end)).toBe(true);
        expect(ranges.isEmpty).toBe([...held].every((version) => version <= end));
      }),
    );
  });

  test("are 64 at the most: one more is not remembered, one that joins others is", () => {
    const ranges = new Ranges();
    for (let i = 0; i < 64; i++) expect(ranges.add(3 * i, 3 * i + 1)).toBe(true);
    expect(ranges.add(1_000, 1_001)).toBe(false);
    expect(ranges.covers(1_000, 1_001)).toBe(false);
    expect(ranges.add(1, 3)).toBe(true);
    expect(ranges.add(1_000, 1_001)).toBe(true);
  });
});
