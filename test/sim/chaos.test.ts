import process from "node:process";
import { expect, test } from "vitest";
import { Chaos } from "./chaos.ts";

const replayed = process.env["CHAOS_SEED"];
const seeds =
  replayed === undefined ? Array.from({ length: 60 }, (_, seed) => seed) : [Number(replayed)];

test.each(seeds)("after a mixed schedule of faults all agree again, seed %i", (seed) => {
  expect(new Chaos(seed).run(25), `CHAOS_SEED=${seed} replays this`).toEqual([]);
});

test("the same seed gives the same run", () => {
  const hashOf = (seed: number): string => {
    const chaos = new Chaos(seed);
    chaos.run(10);
    return chaos.world.traceHash;
  };
  expect(hashOf(3)).toBe(hashOf(3));
  expect(hashOf(3)).not.toBe(hashOf(4));
});
