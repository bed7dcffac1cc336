import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Redis as Client } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { type RedisClient, redisStore } from "../../src/store/redis.node.ts";
import { storeChecks } from "../../src/testing/store-suite.ts";
import { Redis } from "../support/redis.ts";

const without = (name: string): string =>
  new URL(`../support/without.mjs?${name}`, import.meta.url).href;
const CHILD = fileURLToPath(new URL("../support/store-child.ts", import.meta.url));

const KEYS = ["order", "values", "about", "owner"].map((key) => `hearsay:{test}:${key}`);
const [ORDER, VALUES, ABOUT, OWNER] = KEYS as [string, string, string, string];

const byte = (key: string, value: number) => ({ key, value: Uint8Array.of(value) });

function clientOf(redis: Redis): Client {
  const client = new Client(redis.url);
  client.on("error", () => undefined);
  onTestFinished(() => client.disconnect());
  return client;
}

/** Another process that writes batches of ten into the store `test`. */
function writer(redis: Redis): ChildProcess {
  const child = spawn(process.execPath, ["--import", "tsx", CHILD, redis.url, "1000"], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

/** A client whose commands wait while it stands still. */
function stallable(client: Client): { client: RedisClient; stall(): void; goOn(): void } {
  let gate = Promise.resolve();
  let goOn = (): void => {};
  return {
    client: {
      async callBuffer(command, ...args) {
        await gate;
        return await client.callBuffer(command, ...args);
      },
    },
    stall() {
      gate = new Promise((resolve) => {
        goOn = resolve;
      });
    },
    goOn: () => goOn(),
  };
}

/** Asks until Redis answers; each time waits for one attempt to connect. */
async function connected<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!/ECONN|closed|max retries/i.test(String(error))) throw error;
    }
  }
}

describe("store on Redis", () => {
  for (const check of storeChecks(async () => redisStore((await Redis.start()).url, "test"))) {
    test(check.name, check.run);
  }

  test("by a client of the application's own, which stays open", async () => {
    const client = clientOf(await Redis.start());
    const store = await redisStore(client, "test")();
    await store.write([byte("a", 1)]);
    await store.close();
    expect(await client.hlen(VALUES)).toBe(1);
    expect(await client.exists(OWNER)).toBe(0);
  });

  test("held by another process: says store:locked; when that is killed, who waits has it after the lease", async () => {
    const redis = await Redis.start();
    const child = writer(redis);
    let acknowledged = -1;
    await new Promise<void>((resolve) => {
      child.on("message", ({ batch = -1 }: { batch?: number }) => {
        acknowledged = Math.max(acknowledged, batch);
        if (batch === 20) resolve();
      });
    });
    await expect(redisStore(redis.url, "test")()).rejects.toMatchObject({ code: "store:locked" });
    const next = redisStore(redis.url, "test", { wait: true })();
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
    const store = await next;
    const entries = await store.range("", "\uffff");
    expect(entries.length % 10).toBe(0);
    expect(entries.length / 10).toBeGreaterThan(acknowledged);
    await store.close();
  });

  test("who waits for it may give up", async () => {
    const redis = await Redis.start();
    const store = await redisStore(redis.url, "test")();
    const ending = new AbortController();
    const waiting = redisStore(redis.url, "test", { wait: true })(undefined, ending.signal);
    ending.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await store.close();
  });

  test("an owner that stood still too long writes nothing over its successor", async () => {
    const redis = await Redis.start();
    const client = clientOf(redis);
    const { client: slow, stall, goOn } = stallable(client);
    const former = await redisStore(slow, "test")();
    await former.write([byte("a", 1)]);
    stall();
    const late = former.write([byte("a", 2)]);
    // As when its lease has run out.
    await client.del(OWNER);
    const next = await redisStore(client, "test")();
    await next.write([byte("a", 3)]);
    goOn();
    await expect(late).rejects.toMatchObject({ code: "store:locked" });
    await expect(former.range("", "z")).rejects.toMatchObject({ code: "store:locked" });
    await former.close();
    expect(await next.range("", "z")).toEqual([byte("a", 3)]);
    await next.close();
    // Also when that has come and gone meanwhile.
    await expect(redisStore(client, "test")()).resolves.toBeDefined();
  });

  test("an owner whose lease ran out goes on when nobody else came", async () => {
    const client = clientOf(await Redis.start());
    const store = await redisStore(client, "test")();
    await client.del(OWNER);
    await store.write([byte("a", 1)]);
    expect(await client.pttl(OWNER)).toBeGreaterThan(5_000);
    await expect(redisStore(client, "test")()).rejects.toMatchObject({ code: "store:locked" });
    await store.close();
  });

  test("leaves out what others wrote into its keys, and says so once", async () => {
    const client = clientOf(await Redis.start());
    const repairs: unknown[] = [];
    const store = await redisStore(client, "test")((error) => repairs.push(error));
    await store.write([byte("a", 1), byte("b", 2), byte("c", 3), byte("d", 4)]);
    const key = (text: string) => Buffer.from(text, "utf16le").swap16();
    await client.hset(VALUES, key("a"), "no sum");
    await client.hdel(VALUES, key("b"));
    for (let i = 0; i < 2; i++) {
      expect(await store.range("", "z", 2)).toEqual([byte("c", 3), byte("d", 4)]);
    }
    expect(repairs).toMatchObject([{ code: "store:corrupt" }, { code: "store:corrupt" }]);
    await store.write([byte("a", 5)]);
    expect(await store.range("", "b")).toEqual([byte("a", 5)]);
    await store.close();
  });

  test("of a newer version: says store:newer, and touches nothing", async () => {
    const client = clientOf(await Redis.start());
    const store = await redisStore(client, "test")();
    await store.write([byte("a", 1)]);
    await store.close();
    await client.hset(ABOUT, "version", "3");
    const dump = () => Promise.all(KEYS.map((key) => client.dump(key)));
    const before = await dump();
    await expect(redisStore(client, "test")()).rejects.toMatchObject({ code: "store:newer" });
    expect(await dump()).toEqual(before);
  });

  test("no room left: says store:full, keeps what was there, and takes what fits", async () => {
    const client = clientOf(await Redis.start());
    const store = await redisStore(client, "test")();
    await store.write([byte("a", 1), byte("b", 2)]);
    await client.config("SET", "maxmemory", "1");
    const both = [byte("c", 3), { key: "a", value: undefined }];
    await expect(store.write(both)).rejects.toMatchObject({ code: "store:full" });
    expect(await store.range("", "z")).toEqual([byte("a", 1), byte("b", 2)]);
    await store.write([{ key: "a", value: undefined }]);
    expect(await client.zcard(ORDER)).toBe(1);
    await client.config("SET", "maxmemory", "0");
    await store.write(both);
    expect(await store.range("", "z")).toEqual([byte("b", 2), byte("c", 3)]);
    await store.close();
  });

  test("a server that syncs every write keeps all over its end, and the store goes on by itself", async () => {
    const redis = await Redis.start("--appendonly", "yes", "--appendfsync", "always");
    const store = await redisStore(redis.url, "test")();
    await store.write([byte("a", 1)]);
    await redis.kill();
    await expect(store.write([byte("b", 2)])).rejects.toMatchObject({ code: "store:failed" });
    await redis.start();
    await connected(() => store.write([byte("c", 3)]));
    expect(await store.range("", "z")).toEqual([byte("a", 1), byte("c", 3)]);
    await store.close();
  });

  test("a server that kept nothing is not taken for the same", async () => {
    const redis = await Redis.start();
    const store = await redisStore(redis.url, "test")();
    await store.write([byte("a", 1)]);
    await redis.kill();
    await redis.start();
    const lost = { code: "store:failed", message: expect.stringMatching(/lost/) };
    await expect(connected(() => store.range("", "z"))).rejects.toMatchObject(lost);
    await expect(store.write([byte("a", 2)])).rejects.toMatchObject(lost);
    await store.close();
  });

  test("says what is missing, and how a URL looks", async () => {
    const bad = { code: "store:failed", message: expect.stringMatching(/redis:\/\/host/) };
    await expect(redisStore("localhost:1", "test")()).rejects.toMatchObject(bad);
    expect(() => redisStore("redis://a", "test", { leaseMs: 0 })).toThrow(RangeError);
    const args = ["--import", "tsx", "--import", without("ioredis"), CHILD, "redis://127.0.0.1:1"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const [said] = await once(child, "message");
    expect(said).toMatchObject({
      code: "store:missing",
      error: expect.stringMatching(/npm install ioredis/),
    });
  });
});
