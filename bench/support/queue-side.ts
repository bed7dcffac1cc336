/** What the benchmark of queues measures on one platform, beside that platform's own storage. Plain in and out. */

import {
  type Join,
  MemoryNetwork,
  type Mesh,
  memoryTransport,
  type OpenStore,
  type Queue,
} from "../../src/index.ts";

/** Storage as it is, without hearsay. */
export interface Raw {
  /** Durable when it resolves. */
  put(key: string, value: Uint8Array): Promise<void>;
  remove(key: string): Promise<void>;
  close(): Promise<void>;
}

export interface Platform {
  readonly join: Join;
  storeOf(name: string): OpenStore;
  raw(name: string): Promise<Raw>;
}

export interface Rates {
  /** Durable publishes a second, and bare durable writes of the same bytes. */
  readonly publishes: number;
  readonly puts: number;
  /** From publish to acknowledged, and the bare writes of it: put, put anew, remove. */
  readonly cycles: number;
  readonly rawCycles: number;
}

const CONCURRENCY = 64;
const DATA = new Uint8Array(100).fill(7);
/** What a member writes down for a job of that size, about. */
const RECORD = new Uint8Array(200).fill(7);

let count = 0;

/** Runs so many at once for a time; gives how many ended in a second. */
async function rateOf(ms: number, act: (number: number) => Promise<unknown>): Promise<number> {
  const from = performance.now();
  let ended = 0;
  let next = 0;
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (performance.now() - from < ms) {
        await act(next++);
        ended++;
      }
    }),
  );
  return (ended * 1_000) / (performance.now() - from);
}

function joined(
  { join, storeOf }: Platform,
  network: MemoryNetwork,
  store = `queue-bench-${count++}`,
): Promise<Mesh> {
  return join({
    cluster: "bench",
    tabs: false,
    transport: memoryTransport(network),
    store: storeOf(store),
    joinTimeoutMs: 0,
  });
}

const queueOf = (mesh: Mesh): Queue<Uint8Array> =>
  mesh.channel("bench", { kind: "queue", dedupeMs: 0, leaseMs: 60_000 }) as Queue<Uint8Array>;

export async function rates(platform: Platform, ms: number): Promise<Rates> {
  const raw = await platform.raw(`queue-raw-${count++}`);
  const key = (number: number): string => `job/${String(number).padStart(9, "0")}`;
  const mesh = await joined(platform, new MemoryNetwork());
  const queue = queueOf(mesh);
  const publish = (): Promise<string> => queue.publish(DATA);
  // Each once before, so that nothing is loaded or compiled in what is measured.
  await rateOf(ms / 4, (number) => raw.put(key(number), RECORD));
  await rateOf(ms / 4, publish);
  const puts = await rateOf(ms, (number) => raw.put(key(number), RECORD));
  const publishes = await rateOf(ms, publish);
  await queue.purge();
  const cycle = await cycling(queue);
  await rateOf(ms / 4, cycle);
  const rawCycles = await rateOf(ms, async (number) => {
    await raw.put(key(number), RECORD);
    await raw.put(key(number), RECORD);
    await raw.remove(key(number));
  });
  const cycles = await rateOf(ms, cycle);
  await Promise.all([mesh.leave(), raw.close()]);
  return { publishes, puts, cycles, rawCycles };
}

/** Publishes a job and waits until it is acknowledged; the jobs are done here. */
async function cycling(queue: Queue<Uint8Array>): Promise<() => Promise<void>> {
  const ended = new Map<string, () => void>();
  const early = new Set<string>();
  queue.subscribe(
    async (job) => {
      await job.ack();
      const end = ended.get(job.id);
      if (end === undefined) early.add(job.id);
      else end();
      ended.delete(job.id);
    },
    { concurrency: CONCURRENCY },
  );
  return async () => {
    const job = await queue.publish(DATA);
    if (early.delete(job)) return;
    await new Promise<void>((resolve) => ended.set(job, resolve));
  };
}

/** From publish to the handler at another member, ms, in order of size; publishing every so often. */
export async function latencies(platform: Platform, jobs: number): Promise<number[]> {
  const network = new MemoryNetwork();
  const [near, far] = [await joined(platform, network), await joined(platform, network)] as const;
  const { text, complete } = await near.invite();
  const { text: reply, linked } = await far.acceptInvite(text);
  await Promise.all([complete(reply), linked]);
  const begun = new Map<number, number>();
  const times: number[] = [];
  const all = new Promise<void>((resolve) => {
    queueOf(far).subscribe(
      ({ data }) => {
        times.push(performance.now() - (begun.get(data.length) ?? Number.NaN));
        if (times.length === jobs) resolve();
      },
      { concurrency: CONCURRENCY },
    );
  });
  const queue = queueOf(near);
  await queue.stats();
  // One after the other: the time of one, not of a crowd.
  for (let number = 1; number <= jobs; number++) {
    begun.set(number, performance.now());
    await queue.publish(new Uint8Array(number));
  }
  await all;
  await Promise.all([near.leave(), far.leave()]);
  return times.sort((one, other) => one - other);
}

/** Publishes so many jobs that nobody does. */
export async function fill(platform: Platform, jobs: number): Promise<void> {
  const queue = queueOf(await joined(platform, new MemoryNetwork()));
  let left = jobs;
  await Promise.all(
    Array.from({ length: 1_000 }, async () => {
      while (left-- > 0) await queue.publish(DATA);
    }),
  );
}
