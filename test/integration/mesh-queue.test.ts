// Work queues among members of one process, linked in memory: what the API promises.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as pathOf } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  diskStore,
  type HearsayError,
  type Job,
  type Mesh,
  memoryStore,
  memoryTransport,
  type OpenStore,
  type Queue,
  type QueueOptions,
} from "../../src/index.node.ts";
import { allLinked, Cluster } from "../support/memory-mesh.ts";

const quick = { leaseMs: 2_000, backoff: { minMs: 20, maxMs: 100 } };

function queueOf(mesh: Mesh, options: Partial<QueueOptions> = {}): Queue<number> {
  return mesh.channel("jobs", { kind: "queue", ...quick, ...options }) as Queue<number>;
}

async function membersWith(count: number, open = memoryStore): Promise<Mesh[]> {
  const cluster = await Cluster.start();
  const meshes: Mesh[] = [];
  for (let i = 0; i < count; i++) {
    meshes.push(await cluster.join({ name: `m${i}`, store: open() }));
  }
  await allLinked(meshes);
  return meshes;
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "resolved",
    (error: HearsayError) => error.code,
  );

/** Resolves with the first so many jobs that any of these queues gets, and acknowledges each. */
function done(queues: readonly Queue<number>[], count: number): Promise<Job<number>[]> {
  const jobs: Job<number>[] = [];
  return new Promise((resolve) => {
    for (const queue of queues) {
      queue.subscribe(
        (job) => {
          jobs.push(job);
          if (jobs.length === count) resolve(jobs);
        },
        { concurrency: 4 },
      );
    }
  });
}

describe("row 35: a work queue", () => {
  test("each job is done once, by one of all who subscribe, wherever it was published", async () => {
    const meshes = await membersWith(3);
    const queues = meshes.map((mesh) => queueOf(mesh, { confirm: 2 }));
    // All stores are known to all.
    const jobs = done(queues, 90);
    const ids = await Promise.all(
      queues.flatMap((queue, i) => Array.from({ length: 30 }, (_, n) => queue.publish(i * 30 + n))),
    );
    expect(new Set(ids).size).toBe(90);
    const handled = await jobs;
    expect(handled.map(({ data }) => data).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 90 }, (_, n) => n),
    );
    expect(handled.map(({ id }) => id).sort()).toEqual([...ids].sort());
    await queues[0]?.drain();
    expect(await queues[1]?.stats()).toMatchObject({ waiting: 0, leased: 0, dead: 0 });
  });

  test("what is tried in vain becomes a dead letter, that can be replayed and removed", async () => {
    const [one] = (await membersWith(1)) as [Mesh];
    const queue = queueOf(one, { maxDeliveries: 2 });
    const attempts: number[] = [];
    let works = false;
    const replayed = new Promise<Job<number>>((resolve) => {
      queue.subscribe((job) => {
        attempts.push(job.attempt);
        if (!works) throw new Error(`not today, ${job.data}`);
        resolve(job);
      });
    });
    const dead = new Promise<unknown[]>((resolve) =>
      queue.on("dead", (...about) => resolve(about)),
    );
    const id = await queue.publish(7);
    expect(await dead).toEqual([id, "deliveries", "not today, 7"]);
    expect(attempts).toEqual([1, 2]);
    const [letter] = await queue.deadLetters();
    expect(letter).toMatchObject({ id, data: 7, attempts: 2, publishedBy: one.self.id });
    works = true;
    const again = await letter?.replay();
    const job = await replayed;
    expect(job).toMatchObject({ id: again, data: 7, replayOf: id, attempt: 1 });
    expect(await queue.deadLetters()).toEqual([]);
    expect(await letter?.remove()).toBe(false);
  });

  test("delays, priorities, keys and order hold", async () => {
    const [one] = (await membersWith(1)) as [Mesh];
    const queue = queueOf(one);
    await queue.publish(5, { delayMs: 300 });
    await queue.publish(1, { priority: 1 });
    await queue.publish(2, { priority: 9 });
    const first = await queue.publish(3, { key: "k" });
    expect(await queue.publish(4, { key: "k" })).toBe(first);
    for (const n of [10, 11, 12]) await queue.publish(n, { order: "o", priority: 0 });
    expect(await queue.stats()).toMatchObject({ waiting: 6, delayed: 1 });
    const seen: number[] = [];
    await new Promise<void>((resolve) => {
      queue.subscribe(({ data }) => {
        seen.push(data);
        if (seen.length === 7) resolve();
      });
    });
    expect(seen.filter((n) => n < 5)).toEqual([2, 3, 1]);
    expect(seen.filter((n) => n >= 10)).toEqual([10, 11, 12]);
    expect(seen).toContain(5);
    expect(seen).not.toContain(4);
  });

  test("a lease that runs out tells its handler, and another does the job, with a higher epoch", async () => {
    const meshes = await membersWith(2);
    const [one, other] = meshes.map((mesh) => queueOf(mesh, { leaseMs: 500 })) as [
      Queue<number>,
      Queue<number>,
    ];
    const aborted = new Promise<[Job<number>, unknown]>((resolve) => {
      one.subscribe(
        (job) =>
          new Promise<void>(() => {
            job.signal.addEventListener("abort", () => resolve([job, job.signal.reason]));
          }),
      );
    });
    await one.publish(1);
    const [first, why] = await aborted;
    expect(why).toMatchObject({ code: "queue:lease-lost" });
    const jobs = other.subscribe();
    const { value: second } = await jobs.next();
    expect(second.id).toBe(first.id);
    expect(second.epoch).toBeGreaterThan(first.epoch);
    expect(second.attempt).toBe(2);
    expect(await codeOf(first.ack())).toBe("queue:lease-lost");
    await second.ack();
    await jobs.return();
    await one.drain();
  });

  test("extending keeps a lease for longer than it was given for", async () => {
    const [one] = (await membersWith(1)) as [Mesh];
    const queue = queueOf(one, { leaseMs: 500 });
    const jobs = queue.subscribe();
    await queue.publish(1);
    const { value: job } = await jobs.next();
    const from = performance.now();
    let left = 0;
    // Each extension is asked for when the one before has been given.
    while (performance.now() - from < 1_500) {
      left = await job.extend();
      await new Promise((resolve) => one.after(100, () => resolve(undefined)));
    }
    expect(left).toBeGreaterThan(300);
    expect(job.signal.aborted).toBe(false);
    await job.ack();
    expect(await queue.stats()).toMatchObject({ done: 1, expired: 0, redelivered: 0 });
    await jobs.return();
  });

  test("pause, resume, purge and close", async () => {
    const [one] = (await membersWith(1)) as [Mesh];
    const queue = queueOf(one);
    const seen: number[] = [];
    queue.subscribe(({ data }) => void seen.push(data));
    queue.pause();
    for (const n of [1, 2, 3]) await queue.publish(n);
    expect(await queue.stats()).toMatchObject({ waiting: 3, leased: 0 });
    expect(await queue.purge()).toBe(3);
    expect(seen).toEqual([]);
    queue.resume();
    await queue.publish(4);
    await queue.drain();
    expect(seen).toEqual([4]);
    await queue.close();
    expect(await codeOf(queue.publish(5))).toBe("queue:closed");
    expect(await queueOf(one).publish(6)).toMatch(/\.\d+$/);
  });
});

describe("row 35: persisted or not", () => {
  test("without a store a durable job says what it needs; others keep it, or memory does", async () => {
    const cluster = await Cluster.start();
    const bare = await cluster.join({ name: "bare", store: false });
    const keeper = await cluster.join({ name: "keeper", store: memoryStore() });
    await allLinked([bare, keeper]);
    const refused = queueOf(bare).publish(1);
    await expect(refused).rejects.toThrow(/diskStore/);
    expect(await codeOf(refused)).toBe("queue:store");
    const kept = queueOf(keeper);
    await kept.stats();
    const confirmed = queueOf(bare, { confirm: 1 });
    const jobs = done([confirmed], 1);
    await confirmed.publish(2);
    expect((await jobs)[0]?.data).toBe(2);
    const volatile = (mesh: Mesh): Queue<number> =>
      mesh.channel("volatile", { kind: "queue", durable: false }) as Queue<number>;
    const others = done([volatile(keeper)], 1);
    await volatile(bare).publish(3);
    expect((await others)[0]?.data).toBe(3);
  });

  test("jobs outlive the end of all, on disk, and a life that was left and begun again", async () => {
    const folder = await mkdtemp(pathOf(tmpdir(), "hearsay-mesh-queue-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const cluster = await Cluster.start();
    const first = await cluster.join({ store: diskStore(folder) });
    for (const n of [1, 2, 3]) await queueOf(first).publish(n);
    await first.leave();
    const transport = () => memoryTransport(cluster.network);
    const second = await cluster.join({ store: diskStore(folder), transport });
    const queue = queueOf(second);
    expect(await queue.stats()).toMatchObject({ waiting: 3 });
    await second.leave();
    expect(await codeOf(queue.publish(4))).toBe("mesh:left");
    const jobs = done([queue], 4);
    await second.start();
    await queue.publish(4);
    expect((await jobs).map(({ data }) => data).sort()).toEqual([1, 2, 3, 4]);
    await queue.drain();
    await second.leave();
    const third = await cluster.join({ store: diskStore(folder) });
    expect(await queueOf(third).stats()).toMatchObject({ waiting: 0, leased: 0, dead: 0 });
  });

  test("a store that fails rejects what it did not keep, and loses nothing else", async () => {
    let fails = false;
    const inner = memoryStore();
    const open: OpenStore = async () => {
      const store = await inner();
      return {
        ...store,
        range: (...range) => store.range(...range),
        close: () => store.close(),
        write: async (changes) => {
          if (fails) throw Object.assign(new Error("no room"), { code: "store:full" });
          await store.write(changes);
        },
      };
    };
    const [one] = (await membersWith(1, () => open)) as [Mesh];
    const queue = queueOf(one);
    one.on("store", () => {});
    await queue.publish(1);
    fails = true;
    expect(await codeOf(queue.publish(2))).toMatch(/^queue:(store|full)$/);
    fails = false;
    await queue.publish(3);
    const jobs = await done([queue], 2);
    expect(jobs.map(({ data }) => data).sort()).toEqual([1, 3]);
  });
});
