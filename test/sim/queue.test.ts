// The work queue under all faults: what was confirmed is handled, by one at a time, and forgotten in the end.
import { describe, expect, test } from "vitest";
import { seeds } from "./chaos-support.ts";
import { runQueue } from "./queue-support.ts";

/** So many are one test: it says which one fails. */
const SEEDS_PER_TEST = 10;
const FIRST_SEEDS = [...seeds(0, 44), ...seeds(45, 6)].map((tenth) => tenth * SEEDS_PER_TEST);

test.each(FIRST_SEEDS)("no confirmed job is lost, nor given to two, from seed %i on", (first) => {
  for (const seed of seeds(first, SEEDS_PER_TEST)) {
    const { violations, replay } = runQueue(seed);
    expect(violations, replay).toEqual([]);
  }
});

// A store was taken for one that had been away for long: its times were compared with those of another clock.
test.each([1816, 1891, 1908, 1927])("hosts whose clocks are wrong, seed %i", (seed) => {
  const { violations, replay } = runQueue(seed);
  expect(violations, replay).toEqual([]);
});

describe("when all is well", () => {
  test("all are handled, once, soon", () => {
    const { violations, replay, result } = runQueue(1, { faults: 0, jobs: 400 });
    expect(violations, replay).toEqual([]);
    const { figures } = result;
    expect(figures).toMatchObject({ failed: 0, dead: 0, lost: 0, gone: 0, redundantLeases: 0 });
    expect(figures["confirmed"]).toBe(400);
    expect(figures["handled"]).toBe(400 - (figures["duplicates"] as number));
    expect(figures["repeated"]).toBe(0);
  });
});
