// A queue's face, over a part that does what the test says.
import { describe, expect, test } from "vitest";
import { HearsayError } from "../../../src/errors.ts";
import type { PartStore } from "../../../src/mesh/parts.ts";
import type { Job, QueueOptions } from "../../../src/mesh/queue.ts";
import { codeOf, encode, PUBLISHER, settled, stage, started } from "./queue-stage.ts";

describe("row 35: publish", () => {
  test("resolves with the job's id, or that of the job which was there", async () => {
    const { open, tell, last } = await started();
    const queue = open({ confirm: 2, leaseMs: 5_000 });
    expect(last("open").options).toMatchObject({ leaseMs: 5_000, replicas: 3, durable: true });
    const first = queue.publish(encode("one"), { key: "k", delayMs: 5, priority: 9, order: "o" });
    await settled();
    const asked = last("publish");
    expect(asked).toMatchObject({ confirm: 2, key: "k", delayMs: 5, priority: 9, order: "o" });
    tell({ type: "published", ticket: asked.ticket, job: "a.1.1" });
    expect(await first).toBe("a.1.1");
    const second = queue.publish(encode("two"), { key: "k" });
    await settled();
    const { ticket } = last("publish");
    tell({ type: "published", ticket, job: "a.1.2", duplicateOf: "a.1.1" });
    expect(await second).toBe("a.1.1");
  });

  test.each([
    ["full", "queue:full"],
    ["store", "queue:store"],
    ["unconfirmed", "queue:unconfirmed"],
    ["large", "value:too-large"],
    ["closed", "queue:closed"],
  ] as const)("that fails by %s rejects with %s", async (reason, code) => {
    const { open, tell, last } = await started();
    const published = open().publish(encode(1), {});
    await settled();
    tell({ type: "publishFailed", ticket: last("publish").ticket, reason, stores: 0 });
    expect(await codeOf(published)).toBe(code);
  });

  test("without a store says how to have one", async () => {
    const { open, tell, last } = await started();
    const published = open().publish(encode(1), {});
    await settled();
    tell({ type: "publishFailed", ticket: last("publish").ticket, reason: "store", stores: 0 });
    await expect(published).rejects.toThrow(/diskStore.*indexedDbStore.*durable: false/);
  });

  test("whose waiting is given up rejects with the signal's reason, and leaves nothing", async () => {
    const { open, tell, last } = await started();
    const ending = new AbortController();
    const published = open().publish(encode(1), { signal: ending.signal });
    await settled();
    ending.abort(new Error("enough"));
    await expect(published).rejects.toThrow("enough");
    tell({ type: "published", ticket: last("publish").ticket, job: "late" });
    await expect(open().publish(encode(1), { signal: ending.signal })).rejects.toThrow("enough");
  });

  test("of a mesh that was left, or is left meanwhile, rejects with mesh:left", async () => {
    const { queues, open } = await started();
    const published = open().publish(encode(1), {});
    await settled();
    queues.stopped(new HearsayError("mesh:left", "left"));
    expect(await codeOf(published)).toBe("mesh:left");
    expect(await codeOf(open().publish(encode(1), {}))).toBe("mesh:left");
  });
});

describe("row 35: options", () => {
  test.each([
    ["replicas", { replicas: 8 }],
    ["confirm", { replicas: 2, confirm: 3 }],
    ["leaseMs", { leaseMs: 1.5 }],
    ["maxDeliveries", { maxDeliveries: 0 }],
    ["backoff", { backoff: { minMs: 10, maxMs: 5 } }],
    ["backoff", { backoff: { factor: Number.NaN } }],
    ["dedupeMs", { dedupeMs: -1 }],
    ["durable", { durable: "yes" }],
    ["unknown", { leaseSeconds: 3 }],
  ])("a wrong %s is an error that says what is right", (option, options) => {
    const { open } = stage();
    expect(() => open(options as Partial<QueueOptions>)).toThrow(
      expect.objectContaining({ code: `options:${option}` }),
    );
  });

  test("of publish, subscribe, nack and the list, too", async () => {
    const { open, lease } = await started();
    const queue = open();
    for (const options of [{ priority: 10 }, { delayMs: -1 }, { key: "" }, { order: 5 as never }]) {
      expect(await codeOf(queue.publish(encode(1), options))).toMatch(/^options:/);
    }
    expect(await codeOf(queue.deadLetters({ limit: 0 }))).toBe("options:limit");
    expect(() => queue.subscribe(() => {}, { concurrency: 0 })).toThrow("concurrency");
    expect(() => queue.subscribe("handler" as never, {})).toThrow(TypeError);
    const jobs: Job[] = [];
    queue.subscribe((job: Job) => void jobs.push(job), {});
    lease("a", 1);
    expect(() => jobs[0]?.nack({ delayMs: -1 })).toThrow("delayMs");
  });
});

describe("row 35: a consumer", () => {
  test("acknowledges what its handler returns from, as many at a time as it says", async () => {
    const { open, lease, commands, last, settle } = await started();
    const ends: (() => void)[] = [];
    const seen: unknown[] = [];
    open().subscribe(
      ({ data, from, attempt, priority }: Job) => {
        seen.push([data, from?.name, attempt, priority]);
        return new Promise<void>((resolve) => ends.push(resolve));
      },
      { concurrency: 2 },
    );
    expect(last("subscribe")).toEqual({ type: "subscribe", channel: "jobs", credit: 2 });
    lease("a", { n: 1 });
    lease("b", { n: 2 });
    // More than it has asked for: it waits.
    lease("c", { n: 3 });
    expect(seen).toEqual([
      [{ n: 1 }, "ann", 1, 4],
      [{ n: 2 }, "ann", 1, 4],
    ]);
    ends[0]?.();
    await settled();
    expect(seen).toHaveLength(3);
    const acks = commands.filter(({ type }) => type === "settle");
    expect(acks).toEqual([
      { type: "settle", channel: "jobs", job: "a", epoch: 1, how: { type: "ack" } },
    ]);
    settle("a");
  });

  test("that throws has the job delivered again, and says why", async () => {
    const { open, lease, last, reported } = await started();
    const failed: unknown[] = [];
    const queue = open();
    queue.on("failed", (job, error) => failed.push([job.id, error]));
    const error = new Error("no such file");
    queue.subscribe(() => {
      throw error;
    }, {});
    lease("a", 1);
    await settled();
    expect(last("settle").how).toEqual({ type: "nack", reason: "no such file" });
    expect(failed).toEqual([["a", error]]);
    expect(reported).toEqual([]);
  });

  test("may settle by itself, once, and extend", async () => {
    const { open, lease, commands, last, settle, tell } = await started();
    let held: Job | undefined;
    open().subscribe(async (job: Job) => {
      held = job;
      const left = await job.extend();
      await Promise.all([job.nack({ delayMs: 7, reason: `${left}` }), job.ack()]);
    }, {});
    lease("a", 1);
    expect(last("extend")).toMatchObject({ job: "a", epoch: 1 });
    tell({ type: "extended", channel: "jobs", job: "a", epoch: 1, leftMs: 100 });
    await settled();
    settle("a");
    await settled();
    const settles = commands.filter(({ type }) => type === "settle");
    expect(settles).toHaveLength(1);
    expect(last("settle").how).toEqual({ type: "nack", delayMs: 7, reason: "100" });
    await expect(held?.ack()).resolves.toBeUndefined();
  });

  test("is told to stop when the lease is over; what it says then may still count", async () => {
    const { open, lease, last, tell, settle } = await started();
    const lost: unknown[] = [];
    const queue = open();
    queue.on("lost", (job, why) => lost.push([job.id, why]));
    let job: Job | undefined;
    let end = (): void => {};
    queue.subscribe(
      (one: Job) => {
        job = one;
        return new Promise<void>((resolve) => {
          end = resolve;
        });
      },
      { concurrency: 3 },
    );
    lease("a", 1);
    expect(job?.signal.aborted).toBe(false);
    const extending = job?.extend() ?? Promise.resolve();
    tell({ type: "revoked", channel: "jobs", job: "a", epoch: 1, reason: "expired" });
    expect(job?.signal.reason).toMatchObject({ code: "queue:lease-lost" });
    expect(await codeOf(extending)).toBe("queue:lease-lost");
    expect(lost).toEqual([["a", "expired"]]);
    // Its handler goes on, so there is room for two others.
    expect(last("subscribe").credit).toBe(2);
    end();
    await settled();
    expect(last("settle")).toMatchObject({ job: "a", how: { type: "ack" } });
    expect(last("subscribe").credit).toBe(3);
    settle("a", { ok: false, reason: "stale" });
    await settled();
    expect(lost).toHaveLength(1);
    expect(await codeOf(job?.ack() ?? Promise.resolve())).toBe("queue:lease-lost");
  });

  test("hears when what it did may be done again", async () => {
    const { open, lease, settle } = await started();
    const lost: unknown[] = [];
    const queue = open();
    queue.on("lost", (job, why) => lost.push([job.id, why]));
    queue.subscribe(() => {}, { concurrency: 2 });
    lease("a", 1);
    lease("b", 1);
    await settled();
    settle("a", { ok: false, reason: "unconfirmed" });
    settle("b", { ok: false, reason: "stale" });
    await settled();
    expect(lost).toEqual([
      ["a", "unconfirmed"],
      ["b", "taken"],
    ]);
  });

  test("pauses and goes on; ends by its function or signal; what came too late goes to others", async () => {
    const { open, lease, last } = await started();
    const queue = open();
    const seen: string[] = [];
    const ending = new AbortController();
    const note = (job: Job): void => void seen.push(job.id);
    const end = queue.subscribe(note, { concurrency: 3 });
    queue.subscribe(note, { concurrency: 4, signal: ending.signal });
    expect(last("subscribe").credit).toBe(7);
    queue.pause(true);
    expect(last("subscribe").credit).toBe(0);
    queue.pause(false);
    expect(last("subscribe").credit).toBe(7);
    end();
    end();
    expect(last("subscribe").credit).toBe(4);
    ending.abort();
    expect(last("subscribe").credit).toBe(0);
    lease("late", 1);
    expect(last("settle")).toMatchObject({ job: "late", how: { type: "nack", delayMs: 0 } });
    expect(seen).toEqual([]);
  });

  test("never sees what cannot be read: it ends as a dead letter that says so", async () => {
    const { open, lease, last } = await started();
    const seen: unknown[] = [];
    open().subscribe((job: Job) => void seen.push(job), {});
    lease("bad", Uint8Array.of(0xc1));
    expect(seen).toEqual([]);
    const { how } = last("settle");
    expect(how).toMatchObject({ type: "nack", reason: expect.stringContaining("unreadable") });
  });

  test("of one life holds nothing in the next, and gets more there", async () => {
    const { queues, open, lease, commands, last } = await started();
    const jobs: Job[] = [];
    const queue = open();
    queue.subscribe(
      (job: Job) => {
        jobs.push(job);
        return new Promise(() => {});
      },
      { concurrency: 2 },
    );
    lease("a", 1);
    const { signal } = jobs[0] as Job;
    queues.stopped(new HearsayError("mesh:left", "left"));
    expect(signal.reason).toMatchObject({ code: "mesh:left" });
    expect(await codeOf((jobs[0] as Job).ack())).toBe("mesh:left");
    commands.length = 0;
    queues.started();
    await settled();
    expect(commands.map(({ type }) => type).slice(0, 2)).toEqual(["open", "subscribe"]);
    // Its handler has not ended, and takes the room of one.
    expect(last("subscribe").credit).toBe(1);
  });
});

describe("row 35: a consumer that reads", () => {
  test("gets jobs, and settles each by itself", async () => {
    const { open, lease, settle, last, commands } = await started();
    const jobs = open().read({ concurrency: 2 });
    lease("a", "one");
    lease("b", "two");
    for (const data of ["one", "two"]) {
      const { value } = await jobs.next();
      expect(value.data).toBe(data);
      void value.ack();
      settle(value.id);
    }
    expect(last("subscribe").credit).toBe(2);
    lease("c", "three");
    lease("d", "four");
    const { value: third } = await jobs.next();
    await jobs.return();
    // What was not read goes to others; what was read is the reader's.
    const nacks = commands.filter((one) => one.type === "settle" && one.how.type === "nack");
    expect(nacks).toEqual([expect.objectContaining({ job: "d" })]);
    void third.ack();
    expect(last("settle")).toMatchObject({ job: "c", how: { type: "ack" } });
    expect(await jobs.next()).toEqual({ done: true, value: undefined });
  });

  test("does not see what was lost before it was read", async () => {
    const { open, lease, tell } = await started();
    const jobs = open().read({ concurrency: 2 });
    lease("a", "one");
    lease("b", "two");
    tell({ type: "revoked", channel: "jobs", job: "a", epoch: 1, reason: "expired" });
    expect((await jobs.next()).value.id).toBe("b");
  });
});

describe("row 35: the queue as a whole", () => {
  test("stats, purge, drain, dead letters: asked, replayed, removed", async () => {
    const { open, tell, last } = await started();
    const queue = open();
    const purged = queue.purge();
    await settled();
    tell({ type: "removed", ticket: last("purge").ticket, count: 3 });
    expect(await purged).toBe(3);
    const drained = queue.drain({});
    await settled();
    tell({ type: "drained", ticket: last("drain").ticket });
    await drained;
    const listed = queue.deadLetters({ limit: 5 });
    await settled();
    expect(last("list").limit).toBe(5);
    const letter = {
      job: "d",
      value: encode("dead"),
      reason: "deliveries",
      detail: "why",
    } as const;
    const about = { attempts: 5, publishedBy: PUBLISHER, ageMs: 10 };
    tell({ type: "deadLetters", ticket: last("list").ticket, letters: [{ ...letter, ...about }] });
    const [dead] = await listed;
    expect(dead).toMatchObject({ id: "d", data: "dead", reason: "deliveries", detail: "why" });
    const replayed = dead?.replay();
    await settled();
    tell({ type: "replayed", ticket: last("replay").ticket, job: "e" });
    expect(await replayed).toBe("e");
    const removed = dead?.remove();
    await settled();
    tell({ type: "removed", ticket: last("remove").ticket, count: 0 });
    expect(await removed).toBe(false);
  });

  test("a drain that is given up is taken back", async () => {
    const { open, last } = await started();
    const ending = new AbortController();
    const drained = open().drain({ signal: ending.signal });
    await settled();
    ending.abort(new Error("enough"));
    await expect(drained).rejects.toThrow("enough");
    expect(last("undrain").ticket).toBe(last("drain").ticket);
  });

  test("tells of the dead", async () => {
    const { open, tell } = await started();
    const dead: unknown[] = [];
    open().on("dead", (...about) => dead.push(about));
    tell({ type: "dead", channel: "jobs", job: "d", reason: "stale", detail: "away" });
    expect(dead).toEqual([["d", "stale", "away"]]);
  });

  test("closes when what is under way is finished, and is another one afterwards", async () => {
    const { open, lease, commands, last } = await started();
    const queue = open();
    let end = (): void => {};
    queue.subscribe(
      () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
      {},
    );
    lease("a", 1);
    const closing = queue.close();
    expect(last("subscribe").credit).toBe(0);
    await settled();
    expect(commands.some(({ type }) => type === "close")).toBe(false);
    end();
    await closing;
    expect(commands.slice(-2).map(({ type }) => type)).toEqual(["settle", "close"]);
    expect(await codeOf(queue.publish(encode(1), {}))).toBe("queue:closed");
    expect(() => queue.subscribe(() => {}, {})).toThrow("closed");
    expect(open()).not.toBe(queue);
    expect(open()).toBe(open());
  });

  test("takes up what its store has kept before it says anything", async () => {
    const pages = [
      [{ key: "a", value: Uint8Array.of(1) }],
      [{ key: "b", value: Uint8Array.of(2) }],
    ];
    const store: PartStore = {
      storeId: async () => Uint8Array.of(0, 255),
      readPart: async function* () {
        yield* pages;
      },
      writePart: async () => {},
    };
    const { made } = await started(store);
    expect(made).toEqual([
      {
        storeId: "00ff",
        weight: 4,
        entries: [
          ["a", Uint8Array.of(1)],
          ["b", Uint8Array.of(2)],
        ],
      },
    ]);
  });

  test("whose store cannot be read says so, and tries again when it is used", async () => {
    let fails = true;
    const store: PartStore = {
      storeId: async () => {
        if (fails) throw new HearsayError("store:failed", "broken");
        return Uint8Array.of(1);
      },
      readPart: async function* () {},
      writePart: async () => {},
    };
    const { queues, open, reported, commands, last, tell } = stage(store);
    queues.started();
    const queue = open();
    await settled();
    expect(reported).toEqual([expect.objectContaining({ code: "queue:store" })]);
    expect(await codeOf(queue.publish(encode(1), {}))).toBe("queue:store");
    fails = false;
    const published = queue.publish(encode(1), {});
    await settled();
    expect(commands.map(({ type }) => type)).toEqual(["open", "publish"]);
    tell({ type: "published", ticket: last("publish").ticket, job: "a" });
    expect(await published).toBe("a");
  });
});
