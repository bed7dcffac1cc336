// What a work queue keeps when members crash, part and come back: for each fault the promise, and its limit.
import { describe, expect, test } from "vitest";
import type { SimMember, World } from "../../src/sim/index.ts";
import { grown, within } from "./graph.ts";
import { numberOf, Worker, type WorkerOptions } from "./queue-team.ts";

/** Leases end early here, so that little time shows much. */
const OPTIONS = { leaseMs: 5_000, rehomeMs: 20_000, dedupeMs: 0 };

function team(world: World, given: WorkerOptions = {}): Worker[] {
  const options = { ...OPTIONS, ...given.options };
  const workers = world.members.map((member) => new Worker(world, member, { ...given, options }));
  world.run(5_000);
  return workers;
}

/** The application of a member that starts again. */
function again(world: World, { member, given }: Worker, store = true): Worker {
  return new Worker(world, world.restart(member, { store }), given);
}

function acked(workers: readonly Worker[]): Set<number> {
  const done = new Set<number>();
  for (const worker of workers) {
    for (const { job, ok } of worker.of("settled")) {
      const handled = worker.of("job").find((one) => one.job === job);
      if (ok && handled !== undefined) done.add(numberOf(handled));
    }
  }
  return done;
}

const custodianOf = (worker: Worker, workers: readonly Worker[]): Worker => {
  const [job] = worker.queue.ground.ledger.jobs.values();
  const [store] = job?.placement.stores ?? [];
  return workers.find(({ queue }) => queue.ground.disk === store) as Worker;
};

const SEEDS = [1, 2, 3, 4, 5, 6];

describe("a work queue keeps its jobs", () => {
  test("when the custodian crashes for good", () => {
    for (const seed of SEEDS) {
      const world = grown(seed, 6);
      const workers = team(world);
      workers[0]?.publish(7);
      within(world, 5_000, "published", () => workers[0]?.of("published").length === 1);
      const custodian = custodianOf(workers[0] as Worker, workers);
      world.crash(custodian.member);
      for (const worker of workers) if (worker !== custodian) worker.consume(1);
      within(world, 60_000, `done, seed ${seed}`, () => acked(workers).has(7));
    }
  });

  test("when the consumer crashes in the middle: another has it after the lease", () => {
    for (const seed of SEEDS) {
      const world = grown(seed, 6);
      const workers = team(world);
      const [publisher, first, second] = workers as [Worker, Worker, Worker];
      first.workMs = 3_000;
      first.consume(1);
      world.run(1_000);
      publisher.publish(7);
      within(world, 5_000, "somebody has it", () => first.of("job").length === 1);
      world.crash(first.member);
      second.consume(1);
      const ms = within(world, 60_000, `done, seed ${seed}`, () => acked(workers).has(7));
      expect(ms).toBeGreaterThan(3_000);
      const [before, after] = [first.of("job")[0], second.of("job")[0]];
      expect(after?.epoch).toBeGreaterThan(before?.epoch ?? Infinity);
      expect(after?.attempt).toBe(2);
    }
  });

  test("when the publisher is gone right after its publish was confirmed", () => {
    for (const seed of SEEDS) {
      const world = grown(seed, 6);
      const workers = team(world);
      const [publisher, ...others] = workers as [Worker, ...Worker[]];
      for (let i = 0; i < 5; i++) publisher.publish(i, { confirm: 1 });
      within(world, 5_000, "published", () => publisher.of("published").length === 5, 1);
      world.crash(publisher.member);
      for (const other of others) other.consume(2);
      within(world, 60_000, `done, seed ${seed}`, () => acked(others).size === 5);
    }
  });

  test("when it was confirmed by its publisher alone: they are done once that one is back", () => {
    for (const seed of SEEDS) {
      const world = grown(seed, 4);
      const workers = team(world);
      const [publisher, ...others] = workers as [Worker, ...Worker[]];
      const rest = others.map(({ member }) => member);
      world.block([publisher.member], rest);
      for (let i = 0; i < 5; i++) publisher.publish(i, { confirm: "local" });
      within(world, 5_000, "published", () => publisher.of("published").length === 5, 1);
      world.crash(publisher.member);
      for (const other of others) other.consume(2);
      world.run(20_000);
      world.heal();
      world.run(10_000);
      expect(acked(others).size).toBe(0);
      const back = again(world, publisher);
      within(world, 60_000, `done, seed ${seed}`, () => acked([...others, back]).size === 5);
    }
  });

  test("when all crash in the middle of everything, and come back", () => {
    for (const seed of SEEDS) {
      const world = grown(seed, 5);
      const workers = team(world);
      for (const worker of workers) worker.consume(2).workMs = 400;
      for (let i = 0; i < 40; i++) workers[i % 5]?.publish(i, { confirm: 2 });
      world.run(300 + 40 * seed);
      const published = workers.flatMap((worker) => {
        return worker.of("published").map(({ ticket }) => worker.tickets.get(ticket) as number);
      });
      for (const { member } of workers) world.crash(member);
      world.run(1_000);
      const next = workers.map((worker) => again(world, worker).consume(2));
      const all = [...workers, ...next];
      within(world, 90_000, `all that were confirmed are done, seed ${seed}`, () => {
        const done = new Set(all.flatMap((worker) => worker.handled));
        return published.every((number) => done.has(number));
      });
      within(world, 60_000, `nothing stays, seed ${seed}`, () =>
        next.every(({ queue }) => queue.ground.ledger.jobs.size === 0),
      );
    }
  });

  test("while parts of the mesh are cut off, with consumers on both sides", () => {
    for (const seed of SEEDS) {
      const world = grown(seed, 6, { loss: 0.05 });
      const workers = team(world, { options: { rehomeMs: 600_000 } });
      for (const worker of workers) worker.consume(2);
      const groups = new Map<SimMember, number>();
      for (const [i, { member }] of workers.entries()) groups.set(member, i % 2);
      world.partition(groups);
      for (let i = 0; i < 30; i++) workers[i % 6]?.publish(i, { confirm: "local" });
      world.run(20_000);
      const before = acked(workers).size;
      expect(before).toBeGreaterThan(0);
      world.heal();
      within(world, 90_000, `all done, seed ${seed}`, () => acked(workers).size === 30);
      // Without a re-homing a majority has leased each, and nobody was given what another had settled.
      expect(workers.flatMap((worker) => worker.of("job"))).toHaveLength(30);
    }
  });

  test("when a majority of its stores is lost: nobody runs it for a while, then it has other stores", () => {
    for (const seed of SEEDS) {
      const world = grown(seed, 6);
      const workers = team(world);
      const [publisher] = workers as [Worker];
      publisher.publish(7, { confirm: 3 });
      within(world, 5_000, "published", () => publisher.of("published").length === 1);
      const [job] = publisher.queue.ground.ledger.jobs.values();
      const stores = job?.placement.stores ?? [];
      const holders = workers.filter(({ queue }) => stores.includes(queue.ground.disk ?? ""));
      const lost = holders.filter((worker) => worker !== publisher).slice(0, 2);
      for (const { member } of lost) world.crash(member);
      const left = workers.filter((worker) => !lost.includes(worker));
      for (const worker of left) worker.consume(1);
      world.run(15_000);
      expect(acked(left).size).toBe(0);
      within(world, 60_000, `given to other stores, seed ${seed}`, () => acked(left).has(7));
      // They may run it once more, for they are a majority of those that had it; then all know.
      const back = lost.map((worker) => again(world, worker).consume(1));
      within(world, 60_000, "forgotten by all", () =>
        [...left, ...back].every(({ queue }) => queue.ground.ledger.jobs.size === 0),
      );
    }
  });

  test("when a store is wiped: it is another store, and the others go on", () => {
    for (const seed of SEEDS) {
      const world = grown(seed, 5);
      const workers = team(world);
      const [publisher, ...others] = workers as [Worker, ...Worker[]];
      for (let i = 0; i < 10; i++) publisher.publish(i, { confirm: 3 });
      within(world, 5_000, "published", () => publisher.of("published").length === 10);
      const wiped = again(world, others[0] as Worker, false);
      const all = [publisher, ...others.slice(1), wiped];
      for (const worker of all) worker.consume(2);
      within(world, 60_000, `done, seed ${seed}`, () => acked(all).size === 10);
      expect(all.flatMap((worker) => worker.of("job"))).toHaveLength(10);
    }
  });

  test("when it was away for too long, it runs nothing of what it held", () => {
    const world = grown(1, 3);
    const [first, ...rest] = team(world, { options: { forgetMs: 30_000 } }) as [
      Worker,
      Worker,
      Worker,
    ];
    world.block(
      [first.member],
      rest.map(({ member }) => member),
    );
    first.publish(7, { confirm: "local" });
    world.run(15_000);
    world.crash(first.member);
    world.heal();
    world.run(60_000);
    const back = again(world, first).consume(1);
    for (const worker of rest) worker.consume(1);
    world.run(30_000);
    expect([back, ...rest].flatMap((worker) => worker.of("job"))).toEqual([]);
    expect(back.of("dead").map(({ reason }) => reason)).toEqual(["stale"]);
  });
});
