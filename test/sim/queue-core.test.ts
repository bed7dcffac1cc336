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

/** One publisher, one store, one consumer. */
function alone(options = {}): { readonly world: World; readonly worker: Worker } {
  const world = grown(1, 2);
  const worker = new Worker(world, world.members[0] as SimMember, { options });
  return { world, worker };
}

describe("a job", () => {
  test("is tried again after a pause that grows, and then is a dead letter", () => {
    const options = { maxDeliveries: 3, backoff: { minMs: 1_000, maxMs: 60_000, factor: 3 } };
    const { world, worker } = alone(options);
    const at: number[] = [];
    worker.handle = (job) => {
      at.push(world.now);
      worker.settle(job, { type: "nack", reason: `no ${job.attempt}` });
    };
    worker.consume(1).publish(1, { confirm: 1 });
    within(world, 30_000, "it is dead", () => worker.of("dead").length === 1);
    expect(worker.of("job").map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    const [first, second, third] = at as [number, number, number];
    expect((second - first) / 1_000).toBeCloseTo(1, 0);
    expect((third - second) / 3_000).toBeCloseTo(1, 0);
    expect(worker.of("dead")).toMatchObject([{ reason: "deliveries", detail: "no 3" }]);
    worker.ask({ type: "list", limit: 10 });
    world.run(3_000);
    const [{ letters } = { letters: [] }] = worker.of("deadLetters");
    expect(letters).toMatchObject([{ reason: "deliveries", attempts: 3, detail: "no 3" }]);
    // Again, as another job; and the letter is gone.
    worker.handle = (job) => worker.settle(job, { type: "ack" });
    const { job } = letters[0] as { job: string };
    worker.command({ type: "replay", ticket: 99, channel: "jobs", job });
    within(world, 5_000, "done at last", () => worker.of("settled").some(({ ok }) => ok));
    within(world, 5_000, "replayed", () => worker.of("replayed").length === 1);
    expect(worker.of("job").at(-1)).toMatchObject({ replayOf: job, attempt: 1 });
    within(world, 20_000, "nothing stays", () => worker.queue.ground.ledger.jobs.size === 0);
  });

  test("waits for its time, and the highest priority goes first", () => {
    const { world, worker } = alone();
    worker.publish(1, { confirm: 1, delayMs: 4_000 });
    for (const [i, priority] of [4, 9, 0, 9].entries())
      worker.publish(10 + i, { confirm: 1, priority });
    world.run(1_000);
    worker.consume(1);
    world.run(2_000);
    expect(worker.of("job").map(numberOf)).toEqual([11, 13, 10, 12]);
    within(world, 5_000, "its time has come", () => worker.of("job").length === 5);
    expect(world.now).toBeGreaterThan(4_000);
  });

  test("comes after those of its order, and others pass", () => {
    const { world, worker } = alone();
    worker.workMs = 200;
    for (const i of upTo(10)) worker.publish(i, { confirm: 1, order: "a" });
    for (const i of upTo(10)) worker.publish(100 + i, { confirm: 1 });
    worker.consume(8);
    within(world, 20_000, "all are done", () => worker.of("settled").length === 20);
    const order = worker.of("job").map(numberOf);
    expect(order.filter((number) => number < 100)).toEqual(upTo(10));
    expect(order.indexOf(105)).toBeLessThan(order.indexOf(5));
  });

  test("with the key of another is that one", () => {
    const { world, worker } = alone({ dedupeMs: 10_000 });
    worker.consume(1);
    worker.publish(1, { confirm: 1, key: "k" });
    world.run(1_000);
    worker.publish(2, { confirm: 1, key: "k" });
    world.run(1_000);
    expect(worker.of("published").map(({ duplicateOf }) => duplicateOf)).toEqual([
      undefined,
      worker.of("job")[0]?.job,
    ]);
    world.run(15_000);
    worker.publish(3, { confirm: 1, key: "k" });
    within(world, 5_000, "done again", () => worker.of("job").length === 2);
    expect(worker.of("job").map(numberOf)).toEqual([1, 3]);
  });

  test("is given up at 0.8 of its lease, and an ack that comes late is refused once another has it", () => {
    const { world, worker } = alone({ leaseMs: 2_000 });
    worker.handle = () => {};
    worker.consume(1).publish(1, { confirm: 1 });
    within(world, 5_000, "leased", () => worker.of("job").length === 1);
    const [first] = worker.of("job") as [ReturnType<typeof worker.of<"job">>[number]];
    const ms = within(world, 5_000, "revoked", () => worker.of("revoked").length === 1, 10);
    expect(Math.abs(ms - 1_600)).toBeLessThan(100);
    within(world, 5_000, "leased again", () => worker.of("job").length === 2);
    worker.settle(first, { type: "ack" });
    world.run(100);
    expect(worker.of("settled")).toMatchObject([{ ok: false }]);
    const second = worker.of("job")[1] as typeof first;
    for (let i = 0; i < 5; i++) {
      const { job, epoch } = second;
      worker.command({ type: "extend", channel: "jobs", job, epoch });
      world.run(1_200);
    }
    expect(worker.of("extended")).toHaveLength(5);
    worker.settle(second, { type: "ack" });
    within(world, 1_000, "done", () => worker.of("settled").length === 2);
    expect(worker.of("settled")[1]).toMatchObject({ ok: true });
    expect(worker.of("job")).toHaveLength(2);
  });

  test("is refused where there is no room, and its publisher told", () => {
    const world = grown(1, 2);
    const part = { limits: { channelJobsMax: 3, valueBytesMax: 10 } };
    const worker = new Worker(world, world.members[0] as SimMember, { part });
    for (const i of upTo(5)) worker.publish(i, { confirm: 1 });
    worker.publish(0, { confirm: 1, value: new Uint8Array(11) });
    world.run(1_000);
    expect(worker.of("published")).toHaveLength(3);
    expect(worker.of("publishFailed").map(({ reason }) => reason)).toEqual([
      "full",
      "full",
      "large",
    ]);
    worker.member.disk.problem = "full";
    worker.consume(3);
    world.run(2_000);
    expect(worker.of("job")).toEqual([]);
    worker.member.disk.problem = undefined;
    within(world, 30_000, "there is room again", () => worker.of("settled").length === 3);
  });
});

describe("a channel", () => {
  test("is counted, purged and drained", () => {
    const { world, worker } = alone();
    for (const i of upTo(6)) worker.publish(i, { confirm: 1, ...(i > 3 && { delayMs: 60_000 }) });
    world.run(1_000);
    worker.ask({ type: "stats" });
    world.run(1_000);
    expect(worker.of("stats")[0]?.stats).toMatchObject({
      waiting: 4,
      delayed: 2,
      leased: 0,
      bytes: 12,
    });
    worker.ask({ type: "drain" });
    world.run(5_000);
    expect(worker.of("drained")).toEqual([]);
    worker.ask({ type: "purge" });
    within(world, 5_000, "purged", () => worker.of("removed").length === 1);
    expect(worker.of("removed")[0]?.count).toBe(6);
    within(world, 5_000, "drained", () => worker.of("drained").length === 1);
    worker.consume(5);
    world.run(2_000);
    expect(worker.of("job")).toEqual([]);
    within(world, 20_000, "nothing stays", () => worker.queue.ground.ledger.jobs.size === 0);
  });

  test("that is not durable needs no store, and lives in the memory of several", () => {
    const world = grown(1, 5);
    const given = { hasStore: false, options: { durable: false, leaseMs: 5_000 } };
    const workers = world.members.map((member) => new Worker(world, member, given));
    world.run(5_000);
    const [publisher, consumer, ...others] = workers as [Worker, Worker, ...Worker[]];
    for (const i of upTo(20)) publisher.publish(i);
    within(world, 5_000, "published", () => publisher.of("published").length === 20);
    world.crash(publisher.member);
    consumer.consume(3);
    within(world, 60_000, "all are done", () => new Set(consumer.handled).size === 20);
    expect([consumer, ...others].every(({ member }) => member.disk.of("queue").size === 0)).toBe(
      true,
    );
  });

  test("gives nobody more than asked for, and nothing while paused", () => {
    const world = grown(1, 4);
    const workers = team(world);
    const [publisher, consumer] = workers as [Worker, Worker];
    consumer.workMs = 500;
    consumer.consume(3);
    for (const i of upTo(30)) publisher.publish(i);
    let most = 0;
    within(world, 30_000, "all are done", () => {
      const settled = consumer.of("settled").length;
      most = Math.max(most, consumer.of("job").length - consumer.handled.length);
      if (settled === 12) consumer.consume(0);
      if (settled >= 12 && settled < 15) world.later(3_000, () => void consumer.consume(3));
      return settled === 30;
    });
    expect(most).toBe(3);
  });
});
