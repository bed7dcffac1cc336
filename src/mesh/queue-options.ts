/** Options of queues, checked, and the errors of queues: each says what to do. */

import {
  type PublishProblem,
  QUEUE_OPTIONS,
  type QueueCommand,
  type QueueOptions as QueuePolicy,
} from "../core/queue/contract.ts";
import { HearsayError } from "../errors.ts";
import type { NackOptions, PublishOptions, QueueOptions, SubscribeOptions } from "./queue.ts";

type Publish = Extract<QueueCommand, { type: "publish" }>;

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const REPLICAS_MAX = 7;
const PRIORITY_MAX = 9;
const TEXT_MAX = 128;
const REASON_MAX = 256;

const KNOWN: ReadonlySet<string> = new Set<keyof QueueOptions>([
  "kind",
  "durable",
  "replicas",
  "confirm",
  "leaseMs",
  "maxDeliveries",
  "backoff",
  "dedupeMs",
  "rehomeMs",
  "forgetMs",
]);

export interface QueueSettings {
  readonly policy: QueuePolicy;
  readonly confirm: "local" | number;
}

/** @throws HearsayError `options:…` */
export function settingsOf(options: QueueOptions): QueueSettings {
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) {
      throw wrong("unknown", `a queue has no option ${name}; it has ${[...KNOWN].join(", ")}`);
    }
  }
  const { kind: _, confirm = "local", backoff = {}, ...given } = options;
  const policy = {
    ...QUEUE_OPTIONS,
    ...given,
    backoff: { ...QUEUE_OPTIONS.backoff, ...backoff },
  };
  if (typeof policy.durable !== "boolean") throw wrong("durable", "durable must be true or false");
  whole("replicas", policy.replicas, 1, REPLICAS_MAX);
  if (confirm !== "local") whole("confirm", confirm, 1, policy.replicas, ' or "local"');
  whole("leaseMs", policy.leaseMs, 100, DAY_MS);
  whole("maxDeliveries", policy.maxDeliveries, 1, 1_000);
  const { minMs, maxMs, factor } = policy.backoff;
  whole("backoff.minMs", minMs, 0, DAY_MS);
  whole("backoff.maxMs", maxMs, minMs, DAY_MS);
  if (!(factor >= 1 && factor <= 10)) {
    throw wrong("backoff", `backoff.factor must be from 1 to 10, and is ${factor}`);
  }
  whole("dedupeMs", policy.dedupeMs, 0, DAY_MS);
  whole("rehomeMs", policy.rehomeMs, 100, YEAR_MS);
  whole("forgetMs", policy.forgetMs, 1_000, YEAR_MS);
  return { policy, confirm };
}

/** @throws HearsayError `options:…` */
export function publishing(
  options: PublishOptions,
): Pick<Publish, "key" | "order" | "delayMs" | "priority"> {
  const { key, order, delayMs, priority } = options;
  if (key !== undefined) text("key", key);
  if (order !== undefined) text("order", order);
  if (delayMs !== undefined) whole("delayMs", delayMs, 0, YEAR_MS);
  if (priority !== undefined) whole("priority", priority, 0, PRIORITY_MAX);
  return {
    ...(key !== undefined && { key }),
    ...(order !== undefined && { order }),
    ...(delayMs !== undefined && { delayMs }),
    ...(priority !== undefined && { priority }),
  };
}

/** @throws HearsayError `options:concurrency` */
export function concurrencyOf({ concurrency = 1 }: SubscribeOptions): number {
  whole("concurrency", concurrency, 1, 1_000);
  return concurrency;
}

/** @throws HearsayError `options:limit` */
export function limitOf({ limit = 100 }: { readonly limit?: number }): number {
  whole("limit", limit, 1, 10_000);
  return limit;
}

/** @throws HearsayError `options:delayMs` */
export function nacking({ delayMs, reason }: NackOptions): { delayMs?: number; reason?: string } {
  if (delayMs !== undefined) whole("delayMs", delayMs, 0, YEAR_MS);
  return {
    ...(delayMs !== undefined && { delayMs }),
    ...(reason !== undefined && { reason: String(reason).slice(0, REASON_MAX) }),
  };
}

/** What an error says, for the dead letter. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, REASON_MAX);
}

export function publishError(
  problem: PublishProblem,
  hasStore: boolean,
  stores: number,
): HearsayError {
  switch (problem) {
    case "large":
      return new HearsayError(
        "value:too-large",
        "a job is no place for so much: put the data elsewhere, such as in a stream, and its name into the job",
      );
    case "full":
      return new HearsayError(
        "queue:full",
        "no room for more jobs: publish slower, add consumers, or purge what nobody wants",
      );
    case "store":
      return hasStore ? storeFailed() : noStore();
    case "unconfirmed":
      return new HearsayError(
        "queue:unconfirmed",
        `${stores} stores have said in time that they have the job, fewer than confirm asks for. It may be done all the same: ` +
          "publish it again with the same key, or ask for fewer",
      );
    case "closed":
      return closed();
  }
}

function noStore(): HearsayError {
  return new HearsayError(
    "queue:store",
    "a durable job needs a store: give join one (store: diskStore(folder), in a page indexedDbStore(name)), leave the " +
      "keeping to others with confirm: 1, or take durable: false",
  );
}

export function storeFailed(cause?: unknown): HearsayError {
  const message = "the store has failed: mesh.health and the event store say why";
  return new HearsayError("queue:store", message, { cause });
}

export function closed(): HearsayError {
  return new HearsayError(
    "queue:closed",
    "the queue was closed here: get it by mesh.channel again",
  );
}

export function leaseLost(why: string): HearsayError {
  const message = `the job is not ours any more (${why}): stop, for another may do it`;
  return new HearsayError("queue:lease-lost", `${message}. Extend the lease, or raise leaseMs`);
}

export function unconfirmed(): HearsayError {
  return new HearsayError(
    "queue:unconfirmed",
    "too few stores of the job have answered: it counts if one of them got it, else the job is delivered again",
  );
}

function whole(name: string, value: number, min: number, max: number, or = ""): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  const [option = name] = name.split(".");
  const range = `a whole number from ${min} to ${max}${or}`;
  throw wrong(option, `${name} must be ${range}, and is ${value}`);
}

function text(name: string, value: string): void {
  if (typeof value === "string" && value.length > 0 && value.length <= TEXT_MAX) return;
  throw wrong(name, `${name} must be a text of 1 to ${TEXT_MAX} characters`);
}

function wrong(option: string, message: string): HearsayError {
  return new HearsayError(`options:${option}`, message);
}
