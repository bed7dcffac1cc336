// The work queue among real members: published, replicated, leased, settled, and forgotten.
import { describe, expect, test } from "vitest";
import type { SimMember, World } from "../../src/sim/index.ts";
import { grown, within } from "./graph.ts";
import { numberOf, Worker } from "./queue-team.ts";

function team(world: World, count = world.members.length): Worker[] {
  const workers = world.members.slice(0, count).map((member) => new Worker(world, member));
  world.run(5_000);
  return workers;
}

const handledBy = (workers: readonly Worker[]): number[] =>
  workers.flatMap((worker) => worker.of("job").map(numberOf)).sort((a, b) => a - b);

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe("a work queue", () => {
  test("alone: each job is done once, and nothing stays", () => {
    const world = grown(1, 2);
    const worker = new Worker(world, world.members[0] as SimMember).consume(4);
    for (const i of upTo(50)) worker.publish(i, { confirm: 1 });
    within(world, 10_000, "all are done", () => worker.of("settled").length === 50);
    expect(worker.of("published")).toHaveLength(50);
    expect(handledBy([worker])).toEqual(upTo(50));
    within(world, 10_000, "all are forgotten", () => worker.queue.ground.ledger.jobs.size === 0);
    within(world, 1_000, "the disk is empty", () =>
      [...world.members[0]!.disk.of("queue").keys()].every((key) => key === "alive"),
    );
  });

  test("many: each is done once, and forgotten by all", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const world = grown(seed, 6, { loss: 0.1 });
      const workers = team(world);
      for (const worker of workers.slice(3)) worker.consume(3);
      for (const i of upTo(120)) (workers[i % 3] as Worker).publish(i);
      within(
        world,
        30_000,
        "all are published and done",
        () => workers.reduce((sum, worker) => sum + worker.of("settled").length, 0) === 120,
      );
      expect(workers.flatMap((worker) => worker.of("published"))).toHaveLength(120);
      expect(handledBy(workers)).toEqual(upTo(120));
      expect(workers.flatMap((worker) => worker.of("settled")).every(({ ok }) => ok)).toBe(true);
      within(world, 30_000, "all are forgotten", () =>
        workers.every(({ queue }) => queue.ground.ledger.jobs.size === 0),
      );
      const shares = workers.slice(3).map((worker) => worker.of("job").length);
      expect(Math.min(...shares)).toBeGreaterThan(15);
      expect(workers.every(({ queue }) => queue.ground.counters.refused === 0)).toBe(true);
    }
  });
});
