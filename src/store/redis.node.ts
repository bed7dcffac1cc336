/**
 * A store on a Redis server, by the package ioredis, which is loaded when it is asked for. As durable as that server is:
 * `appendonly yes` and `appendfsync always` are what makes a write last before it is over.
 *
 * Keys stand in a sorted set, whose order by bytes is ours; values in a hash. One owner at a time, by a lease, see
 * redis-scripts.ts.
 */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { HearsayError } from "../errors.ts";
import { BackedStore, type Backend, type FoundEntry } from "./backed.ts";
import { ACQUIRE, PROLONG, READ, RELEASE, WRITE } from "./redis-scripts.ts";
import { type OpenStore, STORE_VERSION, type StoreChange } from "./store.ts";
import { newerStore, storeError } from "./store-error.ts";
import { keyBytes, keyOf, summed, unsummed } from "./summed.node.ts";

const LEASE_MS = 10_000;
const LEASE_MS_MIN = 100;

/** How often who waits looks whether the store is free. */
const LOOK_MS = 250;

export interface RedisStoreOptions {
  /** So long after its end without a word an owner has the store still. Default 10,000. */
  readonly leaseMs?: number;
  /** While another has the store open, wait until it is free. Default: `store:locked`. */
  readonly wait?: boolean;
}

/** What is used of a client of ioredis. */
export interface RedisClient {
  callBuffer(command: string, ...args: (string | Buffer)[]): Promise<unknown>;
}

/** One of our own. */
interface OwnClient extends RedisClient {
  disconnect(): void;
  on(event: "error", listener: (error: Error) => void): void;
}

/**
 * A store on a Redis server, which must not evict (`maxmemory-policy noeviction`).
 * @param redis `redis://host:port`, or a client of ioredis, which stays open when the store is closed
 * @param name stores of different names are apart
 */
export function redisStore(
  redis: string | RedisClient,
  name: string,
  { leaseMs = LEASE_MS, wait = false }: RedisStoreOptions = {},
): OpenStore {
  if (!(leaseMs >= LEASE_MS_MIN)) throw new RangeError(`leaseMs is ${LEASE_MS_MIN} or more`);
  const lease = String(Math.ceil(leaseMs));
  return async (onRepair, signal) => {
    const own = typeof redis === "string" ? await connect(redis) : undefined;
    const backend = new RedisBackend(own ?? (redis as RedisClient), own, name, lease);
    try {
      while (!(await backend.acquire())) {
        if (!wait) throw lockedBy("another process has the store open: end it, or use wait");
        await sleep(LOOK_MS, undefined, signal && { signal }).catch(() => undefined);
        signal?.throwIfAborted();
      }
    } catch (error) {
      own?.disconnect();
      throw signal?.aborted ? error : errorOf(error);
    }
    return new BackedStore(backend, onRepair);
  };
}

class RedisBackend implements Backend {
  readonly errorOf = errorOf;
  readonly #client: RedisClient;
  readonly #own: OwnClient | undefined;
  readonly #name: string;
  readonly #keys: readonly string[];
  readonly #lease: string;
  readonly #token: string = randomUUID();
  #epoch = "";
  #prolonging: NodeJS.Timeout | undefined;

  constructor(client: RedisClient, own: OwnClient | undefined, name: string, lease: string) {
    this.#client = client;
    this.#own = own;
    this.#name = name;
    // The braces keep them on one server of several.
    this.#keys = ["order", "values", "about", "owner"].map((key) => `hearsay:{${name}}:${key}`);
    this.#lease = lease;
  }

  /** False while another has it. */
  async acquire(): Promise<boolean> {
    const args = [this.#token, this.#lease, String(STORE_VERSION)];
    const [version, epoch] = (await this.#run(ACQUIRE, args)) as Buffer[];
    if (`${version}` !== String(STORE_VERSION)) throw newerStore(this.#name, version);
    if (epoch === undefined) return false;
    this.#epoch = `${epoch}`;
    const prolong = (): void => {
      // What fails shows at the next write.
      this.#run(PROLONG, [this.#token, this.#epoch, this.#lease]).catch(() => undefined);
    };
    this.#prolonging = setInterval(prolong, Number(this.#lease) / 3).unref();
    return true;
  }

  async read(from: string, to: string, limit = -1): Promise<FoundEntry[]> {
    const between = [bound("[", from), bound("(", to)];
    const args = [this.#token, this.#epoch, ...between, String(limit)];
    const found = (await this.#run(READ, args)) as (Buffer | null)[];
    const entries: FoundEntry[] = [];
    for (let i = 0; i < found.length; i += 2) {
      const [key, stored] = [found[i] as Buffer, found[i + 1]];
      entries.push({ key: keyOf(key), value: stored ? unsummed(key, stored) : undefined });
    }
    return entries;
  }

  async commit(changes: readonly StoreChange[]): Promise<void> {
    // Each key once, so that deletions may come last: Redis decides by the first command whether it has room.
    const puts: Buffer[] = [];
    const deletions: Buffer[] = [];
    for (const [text, value] of new Map(changes.map((change) => [change.key, change.value]))) {
      const key = keyBytes(text);
      if (value === undefined) deletions.push(key);
      else puts.push(key, summed(key, value));
    }
    const head = [this.#token, this.#epoch, this.#lease, String(puts.length / 2)];
    await this.#run(WRITE, [...head, ...puts, ...deletions]);
  }

  async close(): Promise<void> {
    clearInterval(this.#prolonging);
    // When Redis is away, the lease ends by itself.
    await this.#run(RELEASE, [this.#token]).catch(() => undefined);
    this.#own?.disconnect();
  }

  #run(script: string, args: readonly (string | Buffer)[]): Promise<unknown> {
    const { length } = this.#keys;
    return this.#client.callBuffer("EVAL", script, String(length), ...this.#keys, ...args);
  }
}

function bound(kind: "[" | "(", key: string): Buffer {
  return Buffer.concat([Buffer.from(kind), keyBytes(key)]);
}

async function connect(url: string): Promise<OwnClient> {
  if (!URL.canParse(url) || !/^rediss?:$/.test(new URL(url).protocol)) {
    const message =
      "the URL of Redis is like redis://host:6379 or rediss://user:password@host:6379/0";
    throw storeError("store:failed", message);
  }
  // By a name that no compiler looks up: the package is there only where somebody wants it.
  const name: string = "ioredis";
  const { Redis } = await import(name).catch((error) => {
    const remedy = "npm install ioredis";
    throw storeError("store:missing", `redisStore needs the package ioredis: ${remedy}`, error);
  });
  const client: OwnClient = new Redis(url, {
    // While it is away a write fails at once, and the mesh tries it again.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: 5_000,
    connectionName: "hearsay",
  });
  // Who asks for something is told.
  client.on("error", () => undefined);
  return client;
}

function lockedBy(message: string, cause?: unknown): HearsayError {
  return storeError("store:locked", message, cause);
}

function errorOf(error: unknown): HearsayError {
  if (error instanceof HearsayError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (/\bFENCED\b/.test(message)) {
    return lockedBy("this process stood still, and another has taken the store over", error);
  }
  if (/\bFORGOTTEN\b/.test(message)) {
    return storeError("store:failed", "Redis has lost all of the store: open it anew", error);
  }
  if (/\bOOM\b|no space left/i.test(message)) {
    return storeError("store:full", `Redis has no room left: ${message}`, error);
  }
  return storeError("store:failed", `Redis: ${message}`, error);
}
