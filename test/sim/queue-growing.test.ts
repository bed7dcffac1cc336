// Jobs that were published when no other store was known are given more as soon as there are some.
import { describe, expect, test } from "vitest";
import type { SimMember } from "../../src/sim/index.ts";
import { grown, within } from "./graph.ts";
import { numberOf, Worker } from "./queue-team.ts";

const COUNT = 40;
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe("a job with one store", () => {
  test("is confirmed by others once they are there, and outlives its publisher", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const world = grown(seed, 4, { loss: 0.1 });
      const [near, ...others] = world.members as [SimMember, ...SimMember[]];
      const publisher = new Worker(world, near);
      for (const i of upTo(COUNT)) publisher.publish(i, { confirm: 2 });
      world.run(500);
      expect(publisher.of("published")).toEqual([]);
      const keepers = others.map((member) => new Worker(world, member));
      within(world, 8_000, `seed ${seed}: all are confirmed`, () => {
        return publisher.of("published").length === COUNT;
      });
      world.crash(near);
      for (const keeper of keepers) keeper.consume(4);
      const handled = (): number[] =>
        keepers.flatMap((keeper) => keeper.of("job").map(numberOf)).sort((a, b) => a - b);
      // At the latest when those that have only one of two stores left are given others.
      within(world, 90_000, `seed ${seed}: all are done`, () => handled().length >= COUNT);
      world.run(5_000);
      expect(handled()).toEqual(upTo(COUNT));
    }
  });

  test("is done once, also while it is given more", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = grown(seed, 4, { loss: 0.1 });
      const [near, ...others] = world.members as [SimMember, ...SimMember[]];
      const publisher = new Worker(world, near).consume(2);
      for (const i of upTo(COUNT)) publisher.publish(i, { confirm: "local", delayMs: i * 20 });
      world.run(300);
      const workers = [publisher, ...others.map((member) => new Worker(world, member).consume(2))];
      const handled = (): number[] =>
        workers.flatMap((worker) => worker.of("job").map(numberOf)).sort((a, b) => a - b);
      within(world, 30_000, `seed ${seed}: all are done`, () => handled().length >= COUNT);
      world.run(5_000);
      expect(handled()).toEqual(upTo(COUNT));
      within(world, 30_000, `seed ${seed}: all are forgotten`, () =>
        workers.every(({ queue }) => queue.ground.ledger.jobs.size === 0),
      );
    }
  });
});
