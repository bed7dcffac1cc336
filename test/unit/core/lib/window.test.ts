import fc from "fast-check";
import { expect, test } from "vitest";
import { SeenWindow } from "../../../../src/core/lib/window.ts";

const REACH = 1_024;

test("a number is new once, in any order", () => {
  const window = new SeenWindow();
  expect([3, 1, 3, 2, 1, 2].map((n) => window.add(n))).toEqual([
    true,
    true,
    false,
    true,
    false,
    false,
  ]);
  expect(window.watermark).toBe(3);
});

test("everything up to the first watermark counts as seen", () => {
  const window = new SeenWindow(10);
  expect([window.add(0), window.add(10), window.add(11)]).toEqual([false, false, true]);
  expect(window.watermark).toBe(11);
});

test("the reach is exact: one further moves the window up, and what it left behind counts as seen", () => {
  const window = new SeenWindow();
  expect(window.add(REACH)).toBe(true);
  expect(window.watermark).toBe(0);
  expect(window.add(REACH + 1)).toBe(true);
  expect(window.watermark).toBe(1);
  expect(window.has(1)).toBe(true);
  expect(window.has(2)).toBe(false);
});

test("against the plain model: a set of all that was seen, and the highest it could not reach", () => {
  const near = fc.integer({ min: 1, max: 40 });
  const far = fc.integer({ min: 1, max: 5_000 });
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 4, arbitrary: near }, far), { maxLength: 200 }),
      (numbers) => {
        const window = new SeenWindow();
        const seen = new Set<number>();
        let floor = 0;
        for (const n of numbers) {
          const isNew = n > floor && !seen.has(n);
          expect(window.has(n)).toBe(!isNew);
          expect(window.add(n)).toBe(isNew);
          if (!isNew) continue;
          seen.add(n);
          floor = Math.max(floor, n - REACH);
          while (seen.has(floor + 1)) floor++;
          expect(window.watermark).toBe(floor);
        }
      },
    ),
    { numRuns: 500 },
  );
});
