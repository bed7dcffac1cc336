import { expect, test } from "vitest";
import { runChaos, seeds } from "./chaos-support.ts";

test.each(seeds(1_000, 80))("all oracles hold among up to 16 members, seed %i", (seed) => {
  const { violations, replay } = runChaos(seed, 16, 25);
  expect(violations, replay).toEqual([]);
});

test.each(seeds(2_000, 4))("all oracles hold among up to 40 members, seed %i", (seed) => {
  const { violations, replay } = runChaos(seed, 40, 20);
  expect(violations, replay).toEqual([]);
});
