import { beforeEach, describe, expect, test } from "vitest";
import { Pace } from "../../../src/core/state/pace.ts";

let pace: Pace;
beforeEach(() => {
  pace = new Pace();
});

/** How many of `perMs` tries a millisecond may flood from `from` to `to`. */
function taken(from: number, to: number, perMs = 5): number {
  let count = 0;
  for (let now = from; now < to; now++) {
    for (let i = 0; i < perMs; i++) if (pace.take(now)) count++;
  }
  return count;
}

describe("row 50: rates", () => {
  test("half a second's worth may flood at once, then as many as the rate says", () => {
    expect(taken(0, 1, 1_000)).toBe(100);
    expect(taken(1, 1_001)).toBeGreaterThan(195);
    expect(pace.rate).toBeCloseTo(215, 0);
  });

  test("rises by 0.75 every 50 ms, up to a limit", () => {
    pace.take(10_000);
    expect(pace.rate).toBeCloseTo(350, 5);
    pace.take(1_000_000);
    expect(pace.rate).toBe(1_000);
  });

  test("falls by a fifth at congestion, once in 200 ms, and never to nothing", () => {
    for (const now of [0, 1, 199, 200]) pace.ease(now);
    expect(pace.rate).toBeCloseTo(128, 5);
    for (let now = 400; now < 20_000; now += 200) pace.ease(now);
    expect(pace.rate).toBe(20);
    expect(taken(20_000, 20_001, 1_000)).toBeGreaterThanOrEqual(10);
  });
});
