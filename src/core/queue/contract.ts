/**
 * What the application's face of the work queue and its part in the core say to each other. The part (`queue.ts`) is
 * made by `queuePart(options)` and attached under the name "queue"; commands go to it, events come from it.
 *
 * Times are milliseconds, values opaque bytes. A ticket is a number that the application chooses for a question; the
 * answer carries it.
 */

import type { MemberId } from "../lib/ids.ts";

/** `origin.generation.sequence`: who published it, in which life, its number there. Never used twice. */
export type JobId = string;

/** 32 lower-case hex digits, drawn at random when a store is made and kept in it: a wiped store is another one. */
export type StoreId = string;

export interface QueuePartOptions {
  /** Of the durable store behind the effect `store`. Undefined: there is none, and durable jobs are not held here. */
  readonly storeId?: StoreId | undefined;
  /** All that the part wrote by `store` in former lives: keys and values as they were given. */
  readonly entries?: Iterable<readonly [key: string, value: Uint8Array]>;
  /** How many jobs this store takes in comparison with others: 1 for a tab, 4 for a Node process. 1 … 16, default 1. */
  readonly weight?: number;
  /** Bounds other than the defaults of `limits.ts`. */
  readonly limits?: Partial<QueueLimits>;
}

export interface QueueLimits {
  /** Jobs of one channel that this member holds, those that are over aside. */
  readonly channelJobsMax: number;
  /** … and the bytes of their values. */
  readonly channelBytesMax: number;
  /** Bytes of one value. */
  readonly valueBytesMax: number;
  /** An attempt to publish ends by then. */
  readonly publishMs: number;
}

/** How jobs of a channel are treated. They travel with each job: what held when it was published holds for its life. */
export interface QueueOptions {
  /** Whether replicas keep it in their stores, or only in memory. */
  readonly durable: boolean;
  /** How many stores keep it, besides the publisher's own. 1 … 7, default 3. */
  readonly replicas: number;
  /** A consumer has so long for a job; extensions begin anew. It is told to stop after 0.8 of it. */
  readonly leaseMs: number;
  /** After so many deliveries without success it is a dead letter. */
  readonly maxDeliveries: number;
  /** The pause before the second delivery is about `minMs`, each further one `factor` times as long, `maxMs` at most. */
  readonly backoff: { readonly minMs: number; readonly maxMs: number; readonly factor: number };
  /** A `key` published again within this time is the same job. 0: never. */
  readonly dedupeMs: number;
  /** No majority of its stores for so long: a holder looks for others, at the risk of a repetition. */
  readonly rehomeMs: number;
  /** Who was away for longer never runs what it held: it becomes a dead letter, `stale`. */
  readonly forgetMs: number;
}

export const QUEUE_OPTIONS: QueueOptions = {
  durable: true,
  replicas: 3,
  leaseMs: 30_000,
  maxDeliveries: 5,
  backoff: { minMs: 1_000, maxMs: 60_000, factor: 2 },
  dedupeMs: 60_000,
  rehomeMs: 60_000,
  forgetMs: 604_800_000,
};

export type QueueCommand =
  /** We use this channel from now on: our store takes its jobs. Before anything else of it; again changes the options. */
  | { readonly type: "open"; readonly channel: string; readonly options: QueueOptions }
  /** We do not use it any more. What we hold stays until it is over, and is served. Leased jobs are given back. */
  | { readonly type: "close"; readonly channel: string }
  /** Ends in `published` or `publishFailed`. */
  | {
      readonly type: "publish";
      readonly ticket: number;
      readonly channel: string;
      readonly value: Uint8Array;
      /** The same job as another with this key (and this `order`), published within `dedupeMs`. */
      readonly key?: string;
      /** Jobs of one publisher with the same `order` are done one after another, as published. */
      readonly order?: string;
      /** Not before so long. */
      readonly delayMs?: number;
      /** 0 … 9, the highest first; default 4. */
      readonly priority?: number;
      /** "local": when our own store has it. A number: when so many of its `replicas` have it. */
      readonly confirm: "local" | number;
    }
  /** So many of its jobs may be ours at a time. 0: none more; those that are ours stay (pause, unsubscribe). */
  | { readonly type: "subscribe"; readonly channel: string; readonly credit: number }
  /** Ends in `settled`. `delayMs` of a nack: instead of the backoff. */
  | {
      readonly type: "settle";
      readonly channel: string;
      readonly job: JobId;
      readonly epoch: number;
      readonly how:
        | { readonly type: "ack" }
        | { readonly type: "nack"; readonly delayMs?: number; readonly reason?: string };
    }
  /** Asks for the whole lease again, from now. Ends in `extended`, or in `revoked`. */
  | {
      readonly type: "extend";
      readonly channel: string;
      readonly job: JobId;
      readonly epoch: number;
    }
  /** Ends in `deadLetters`: those that the stores hold that are there, up to `limit`. */
  | {
      readonly type: "list";
      readonly ticket: number;
      readonly channel: string;
      readonly limit: number;
    }
  /** Publishes a dead letter again, as a new job, and removes it. Ends in `replayed`. */
  | {
      readonly type: "replay";
      readonly ticket: number;
      readonly channel: string;
      readonly job: JobId;
    }
  /** Removes a dead letter. Ends in `removed`. */
  | {
      readonly type: "remove";
      readonly ticket: number;
      readonly channel: string;
      readonly job: JobId;
    }
  /** Removes all that waits, also what is delayed; not what is leased or dead. Ends in `removed`. */
  | { readonly type: "purge"; readonly ticket: number; readonly channel: string }
  /** Ends in `stats`. */
  | { readonly type: "stats"; readonly ticket: number; readonly channel: string }
  /** Ends in `drained` when nothing of the channel waits, is delayed or leased, as far as the stores know that are there. */
  | { readonly type: "drain"; readonly ticket: number; readonly channel: string }
  /** Takes a `drain` back. */
  | { readonly type: "undrain"; readonly ticket: number };

/**
 * Why a publish failed: `closed`, the channel is not open; `large`, the value is beyond its bound; `full`, here or at so
 * many stores that it cannot be confirmed; `store`, our own store failed, or there is none; `unconfirmed`, not enough
 * stores have said in time that they have it.
 */
export type PublishProblem = "closed" | "large" | "full" | "store" | "unconfirmed";

/** `done`: by another. `taken`: another has it now. `expired`: 0.8 of the lease is over. `closed`: we closed the channel. */
export type RevokeReason = "done" | "taken" | "expired" | "closed";

/**
 * `deliveries`: `maxDeliveries` were in vain. `stale`: the store that held it was away for longer than `forgetMs`.
 * Whatever was said at the last nack comes in `detail`.
 */
export type DeadReason = "deliveries" | "stale";

/** Of the channel, over the stores that are there; each job is counted once. */
export interface QueueStats {
  readonly waiting: number;
  readonly delayed: number;
  readonly leased: number;
  readonly dead: number;
  /** Since the stores' members started: ended well; leased again; leases that ran out. */
  readonly done: number;
  readonly redelivered: number;
  readonly expired: number;
  /** Of the values of what is not over. */
  readonly bytes: number;
  /** The age of what waits longest; 0 when nothing waits. */
  readonly oldestMs: number;
  /** How many stores have answered, and how many there are. */
  readonly stores: number;
  readonly storesKnown: number;
}

export interface DeadLetter {
  readonly job: JobId;
  readonly value: Uint8Array;
  readonly reason: DeadReason;
  readonly detail: string;
  readonly attempts: number;
  readonly publishedBy: MemberId;
  /** Since it was published. */
  readonly ageMs: number;
  readonly key?: string;
  readonly order?: string;
}

export type QueueEvent =
  /** `duplicateOf`: it was there already, as this job, and that one counts; `job` is not run. */
  | {
      readonly type: "published";
      readonly ticket: number;
      readonly job: JobId;
      readonly duplicateOf?: JobId;
    }
  /** `job`: it exists all the same, on `stores` stores that we know of, and may be run. Undefined: it never will. */
  | {
      readonly type: "publishFailed";
      readonly ticket: number;
      readonly reason: PublishProblem;
      readonly job?: JobId;
      readonly stores: number;
    }
  /** Leased to us. Stop when `revoked` comes; `epoch` rises with each lease, so that what it writes can be fenced. */
  | {
      readonly type: "job";
      readonly channel: string;
      readonly job: JobId;
      readonly epoch: number;
      /** Which delivery this is, from 1. */
      readonly attempt: number;
      readonly value: Uint8Array;
      readonly key?: string;
      readonly order?: string;
      readonly priority: number;
      readonly publishedBy: MemberId;
      /** The dead letter that it repeats. */
      readonly replayOf?: JobId;
      /** The time until `revoked`. */
      readonly leftMs: number;
    }
  /** The lease is over. It may still be settled: an ack counts if nobody else was given the job meanwhile. */
  | {
      readonly type: "revoked";
      readonly channel: string;
      readonly job: JobId;
      readonly epoch: number;
      readonly reason: RevokeReason;
    }
  /**
   * What a `settle` came to. `ok`: a majority of its stores have it on their disks. `stale`: another was given the job
   * meanwhile. `unknown`: we have no such lease. `unconfirmed`: no majority has answered; it may count.
   */
  | {
      readonly type: "settled";
      readonly channel: string;
      readonly job: JobId;
      readonly epoch: number;
      readonly ok: boolean;
      readonly reason?: "stale" | "unknown" | "unconfirmed";
    }
  | {
      readonly type: "extended";
      readonly channel: string;
      readonly job: JobId;
      readonly epoch: number;
      readonly leftMs: number;
    }
  /** A job of ours that was confirmed turns out to be there already, as another job: that one counts, ours is not run. */
  | {
      readonly type: "duplicate";
      readonly channel: string;
      readonly job: JobId;
      readonly duplicateOf: JobId;
    }
  /** A job that we hold or published is a dead letter: once at each of its holders. */
  | {
      readonly type: "dead";
      readonly channel: string;
      readonly job: JobId;
      readonly reason: DeadReason;
      readonly detail: string;
    }
  | {
      readonly type: "deadLetters";
      readonly ticket: number;
      readonly letters: readonly DeadLetter[];
    }
  /** `job`: the new one. Undefined: no store that is there has this dead letter. */
  | { readonly type: "replayed"; readonly ticket: number; readonly job?: JobId }
  /** How many. */
  | { readonly type: "removed"; readonly ticket: number; readonly count: number }
  | { readonly type: "stats"; readonly ticket: number; readonly stats: QueueStats }
  | { readonly type: "drained"; readonly ticket: number };
