/** A work queue as the application sees it: jobs that are published, held by stores, and done by one consumer each. */

import type { DeadReason, QueueStats, RevokeReason } from "../core/queue/contract.ts";
import type { ListenOptions, Unlisten } from "./listeners.ts";
import type { Peer } from "./peers.ts";
import type { Reading } from "./reading.ts";

/** How jobs of a channel are treated. What held when a job was published holds for its life. */
export interface QueueOptions {
  readonly kind: "queue";
  /**
   * Whether jobs are kept in stores, or in the memory of their replicas only. Who consumes needs no store, and neither
   * does who publishes and leaves the keeping to others (`confirm: 1`). Default true.
   */
  readonly durable?: boolean;
  /** How many stores keep a job besides the publisher's own, 1 to 7; fewer where there are not so many. Default 3. */
  readonly replicas?: number;
  /**
   * When `publish` resolves: when our own store has the job (`local`), or when so many of its replicas have it, 1 to
   * `replicas`. Default `local`.
   */
  readonly confirm?: "local" | number;
  /** A consumer has so long for a job, unless it extends, 100 to 86,400,000 ms. Default 30,000. */
  readonly leaseMs?: number;
  /** After so many deliveries in vain a job is a dead letter, 1 to 1,000. Default 5. */
  readonly maxDeliveries?: number;
  /**
   * The pause before the second delivery is about `minMs`, each further one `factor` times as long, `maxMs` at most.
   * Default 1,000, 60,000 and 2.
   */
  readonly backoff?: {
    readonly minMs?: number;
    readonly maxMs?: number;
    readonly factor?: number;
  };
  /** A `key` that is published again within this time is the same job, ms. 0: never. Default 60,000. */
  readonly dedupeMs?: number;
  /**
   * When most stores of a job are away for so long, one that has it looks for others, at the risk that it is done
   * twice, ms. Default 60,000.
   */
  readonly rehomeMs?: number;
  /** Jobs of a store that was away for longer are not run but become dead letters, ms. Default a week. */
  readonly forgetMs?: number;
}

export interface PublishOptions extends ListenOptions {
  /** The same job as another with this key (and this `order`) that was published within `dedupeMs`. */
  readonly key?: string;
  /** Jobs of one publisher with the same `order` are done one after another, as they were published. */
  readonly order?: string;
  /** Not before so long, ms. Default 0. */
  readonly delayMs?: number;
  /** 0 to 9: the highest first. Default 4. */
  readonly priority?: number;
}

export interface SubscribeOptions extends ListenOptions {
  /** So many jobs at a time, 1 to 1,000. Default 1. */
  readonly concurrency?: number;
}

export interface NackOptions {
  /** Not again before so long, ms, instead of the backoff. */
  readonly delayMs?: number;
  /** Why, for people: shown with the dead letter. */
  readonly reason?: string;
}

/** A job that is ours to do until its lease is over. */
export interface Job<D = unknown> {
  /** The same at each delivery: what it has done can be told by it. */
  readonly id: string;
  /** Rises with each lease: of two that do the job, the higher is the one that counts. */
  readonly epoch: number;
  /** Which delivery this is, from 1. */
  readonly attempt: number;
  readonly data: D;
  readonly key: string | undefined;
  readonly order: string | undefined;
  readonly priority: number;
  /** Who published it; undefined when that member is forgotten by now. */
  readonly from: Peer | undefined;
  /** The id of who published it. */
  readonly publishedBy: string;
  /** The dead letter that it repeats. */
  readonly replayOf: string | undefined;
  /** Aborts with `queue:lease-lost` when 0.8 of the lease is over, or somebody else has the job. */
  readonly signal: AbortSignal;
  /** It is done. Resolves when most of its stores know. @throws HearsayError `queue:lease-lost`, `queue:unconfirmed` */
  ack(): Promise<void>;
  /** It is not done, and to be delivered again. @throws HearsayError as `ack` */
  nack(options?: NackOptions): Promise<void>;
  /** Asks for the whole lease anew. Resolves with how long that is, ms. @throws HearsayError `queue:lease-lost` */
  extend(): Promise<number>;
}

/** Returning acknowledges the job; throwing has it delivered again, with the error's message as the reason. */
export type JobHandler<D = unknown> = (job: Job<D>) => unknown;

/** A job that was given up. */
export interface DeadLetter<D = unknown> {
  readonly id: string;
  readonly data: D;
  /** `deliveries`: `maxDeliveries` were in vain. `stale`: its store was away for longer than `forgetMs`. */
  readonly reason: DeadReason;
  /** What the last handler said. */
  readonly detail: string;
  readonly attempts: number;
  readonly publishedBy: string;
  readonly ageMs: number;
  readonly key: string | undefined;
  readonly order: string | undefined;
  /** Publishes it as a new job, and removes it here; resolves with the new id, undefined when it is gone. */
  replay(): Promise<string | undefined>;
  /** False when it was gone. */
  remove(): Promise<boolean>;
}

export interface QueueEvents<D = unknown> {
  /** A job that this member holds or has published is a dead letter. */
  dead: [id: string, reason: DeadReason, detail: string];
  /** A handler threw: the job is delivered again. */
  failed: [job: Job<D>, error: unknown];
  /** A job that was ours here may be done by another, too. */
  lost: [job: Job<D>, why: RevokeReason | "unconfirmed"];
}

export interface Queue<D = unknown> {
  readonly name: string;
  /**
   * Adds a job. Resolves with its id when it is held as `confirm` says; that of the earlier job for a `key` that was
   * there.
   * @throws HearsayError `queue:full`, `queue:store`, `queue:unconfirmed`, `value:…`, `options:…`, `mesh:left`; the
   * reason of `signal`
   */
  publish(data: D, options?: PublishOptions): Promise<string>;
  /**
   * Does jobs. Gives the function that ends it: what is under way is finished. Without a handler: an async iterator,
   * whose jobs are to be acknowledged.
   */
  subscribe(handler: JobHandler<D>, options?: SubscribeOptions): Unlisten;
  subscribe(options?: SubscribeOptions): Reading<Job<D>>;
  /** Takes no more jobs here until {@link resume}; what is under way goes on. */
  pause(): void;
  resume(): void;
  /** Resolves when nothing waits, is delayed or is being done, as far as the stores know that are there. */
  drain(options?: ListenOptions): Promise<void>;
  /** Removes all that waits, also what is delayed; not what is being done, nor dead letters. Resolves with how many. */
  purge(): Promise<number>;
  stats(): Promise<QueueStats>;
  /** What was given up, as far as the stores have it that are there. `limit`: 1 to 10,000, default 100. */
  deadLetters(options?: { readonly limit?: number }): Promise<DeadLetter<D>[]>;
  on<E extends keyof QueueEvents<D>>(
    event: E,
    handler: (...args: QueueEvents<D>[E]) => unknown,
    options?: ListenOptions,
  ): Unlisten;
  /** Takes no more jobs and keeps no new ones here. Resolves when what is under way here is finished. */
  close(): Promise<void>;
}
