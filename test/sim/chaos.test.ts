import { expect, test } from "vitest";
import { runChaos, seeds } from "./chaos-support.ts";

test.each(seeds(0, 120))("all oracles hold among up to 8 members, seed %i", (seed) => {
  const { violations, replay } = runChaos(seed, 8, 30);
  expect(violations, replay).toEqual([]);
});

test("the same seed gives the same run", () => {
  const { traceHash } = runChaos(3, 8, 20);
  expect(runChaos(3, 8, 20).traceHash).toBe(traceHash);
  expect(runChaos(4, 8, 20).traceHash).not.toBe(traceHash);
});
