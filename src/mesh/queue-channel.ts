/** One queue as this member uses it, over all lives. */

import type { QueueCommand, QueueEvent, QueueStats } from "../core/queue/contract.ts";
import type { HearsayError } from "../errors.ts";
import { Listeners, type ListenOptions, type Unlisten } from "./listeners.ts";
import type { Peer } from "./peers.ts";
import type {
  DeadLetter,
  Job,
  JobHandler,
  PublishOptions,
  QueueEvents,
  SubscribeOptions,
} from "./queue.ts";
import { Consumer, Consumers } from "./queue-consumers.ts";
import { HeldJob, type JobEvent } from "./queue-job.ts";
import {
  closed,
  concurrencyOf,
  limitOf,
  publishError,
  publishing,
  type QueueSettings,
  reasonOf,
} from "./queue-options.ts";
import { type Reading, read } from "./reading.ts";
import { decodeValue } from "./values.ts";

export type Question =
  Extract<QueueCommand, { ticket: number }> extends infer C
    ? C extends { ticket: number }
      ? Omit<C, "ticket">
      : never
    : never;
export type Answer = Extract<QueueEvent, { ticket: number }>;
export type ChannelEvent = Extract<QueueEvent, { channel: string }>;

export interface ChannelContext {
  readonly hasStore: boolean;
  peer(id: string): Peer | undefined;
  report(error: unknown): void;
  readonly isAttached: boolean;
  /** @throws HearsayError `mesh:left` */
  command(command: QueueCommand): void;
  /** Waits until the part is attached. @throws HearsayError `mesh:left`, `queue:store` */
  ask(question: Question, signal?: AbortSignal): Promise<Answer>;
  /** This is over. */
  forget(): void;
}

type Listening = { readonly [E in keyof QueueEvents]: Listeners<QueueEvents[E]> };

export class QueueChannel {
  readonly #name: string;
  readonly #context: ChannelContext;
  readonly #consumers: Consumers;
  readonly #listeners: Listening;
  /** By id and epoch. */
  readonly #jobs = new Map<string, HeldJob>();
  #settings: QueueSettings;
  #isClosed = false;

  constructor(name: string, settings: QueueSettings, context: ChannelContext) {
    this.#name = name;
    this.#settings = settings;
    this.#context = context;
    const { report } = context;
    this.#listeners = {
      dead: new Listeners(report),
      failed: new Listeners(report),
      lost: new Listeners(report),
    };
    this.#consumers = new Consumers((credit) => {
      if (context.isAttached) context.command({ type: "subscribe", channel: name, credit });
    });
  }

  set settings(settings: QueueSettings) {
    this.#settings = settings;
    if (this.#context.isAttached) this.attached();
  }

  /** The part is there: it learns of us. */
  attached(): void {
    const channel = this.#name;
    const { command } = this.#context;
    command({ type: "open", channel, options: this.#settings.policy });
    const { credit } = this.#consumers;
    if (credit > 0) command({ type: "subscribe", channel, credit });
  }

  /** The life is over: what was ours is not. */
  stopped(error: HearsayError): void {
    this.#consumers.dropWaiting();
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    for (const job of jobs) job.onRevoked("closed", error);
    this.#consumers.look();
  }

  take(event: ChannelEvent): void {
    if (event.type === "job") return this.#onJob(event);
    if (event.type === "dead") {
      return this.#listeners.dead.tell(event.job, event.reason, event.detail);
    }
    // It counts as another, which is looked after like any.
    if (event.type === "duplicate") return;
    const key = keyOf(event);
    const job = this.#jobs.get(key);
    if (job === undefined) return;
    if (event.type === "extended") job.onExtended(event.leftMs);
    else if (event.type === "settled") {
      this.#jobs.delete(key);
      job.onSettled(event);
    } else {
      job.onRevoked(event.reason);
      if (!job.isSettled) {
        this.#jobs.delete(key);
        this.#listeners.lost.tell(job, event.reason);
      }
      this.#consumers.look();
    }
  }

  /** @param value encoded */
  async publish(value: Uint8Array, options: PublishOptions): Promise<string> {
    const given = publishing(options);
    const { confirm } = this.#settings;
    const answer = await this.#ask({ type: "publish", value, confirm, ...given }, options.signal);
    if (answer.type === "published") return answer.duplicateOf ?? answer.job;
    const { reason, stores } = answer as Extract<Answer, { type: "publishFailed" }>;
    throw publishError(reason, this.#context.hasStore, stores);
  }

  subscribe(handler: JobHandler<never>, options: SubscribeOptions): Unlisten {
    if (typeof handler !== "function") throw new TypeError("a handler must be a function");
    const run = (job: HeldJob): Promise<void> => this.#run(job, handler as JobHandler);
    return this.#consume(options, new Consumer(concurrencyOf(options), run));
  }

  read(options: SubscribeOptions): Reading<Job> {
    const concurrency = concurrencyOf(options);
    const unread = new Set<HeldJob>();
    const jobs = read<HeldJob>(
      (push) => {
        const end = this.#consume(
          options,
          new Consumer(concurrency, (job) => {
            unread.add(job);
            push(job);
            return job.over;
          }),
        );
        return () => {
          end();
          for (const job of unread) void job.nack({ delayMs: 0 });
        };
      },
      { ...(options.signal && { signal: options.signal }), bufferMax: 1_000_000 },
    );
    return {
      droppedCount: 0,
      async next() {
        for (;;) {
          const { done, value } = await jobs.next();
          if (done) return { done, value: undefined };
          unread.delete(value);
          if (value.lost === undefined && !value.isSettled) return { done: false, value };
        }
      },
      async return() {
        await jobs.return();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  pause(isPaused: boolean): void {
    this.#consumers.pause(isPaused);
  }

  async drain({ signal }: ListenOptions): Promise<void> {
    await this.#ask({ type: "drain" }, signal);
  }

  async purge(): Promise<number> {
    return countOf(await this.#ask({ type: "purge" }));
  }

  async stats(): Promise<QueueStats> {
    const answer = await this.#ask({ type: "stats" });
    return (answer as Extract<Answer, { type: "stats" }>).stats;
  }

  async deadLetters(options: { readonly limit?: number }): Promise<DeadLetter[]> {
    const answer = await this.#ask({ type: "list", limit: limitOf(options) });
    const { letters } = answer as Extract<Answer, { type: "deadLetters" }>;
    return letters.map(({ job, value, key, order, ...rest }) => {
      const decoded = decodeValue(value);
      return {
        ...rest,
        id: job,
        data: decoded.ok ? decoded.value : undefined,
        key,
        order,
        replay: async () => {
          const replayed = await this.#ask({ type: "replay", job });
          return (replayed as Extract<Answer, { type: "replayed" }>).job;
        },
        remove: async () => countOf(await this.#ask({ type: "remove", job })) > 0,
      };
    });
  }

  on<E extends keyof QueueEvents>(
    event: E,
    handler: (...args: QueueEvents[E]) => unknown,
    options?: ListenOptions,
  ): Unlisten {
    const listeners = this.#listeners[event] as Listeners<QueueEvents[E]>;
    return listeners.add(handler, options);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#consumers.endAll();
    await this.#consumers.idle();
    if (this.#context.isAttached) this.#context.command({ type: "close", channel: this.#name });
    this.#context.forget();
  }

  #ask(question: Omitted, signal?: AbortSignal): Promise<Answer> {
    if (this.#isClosed) return Promise.reject(closed());
    return this.#context.ask({ ...question, channel: this.#name } as Question, signal);
  }

  #consume({ signal }: SubscribeOptions, consumer: Consumer): Unlisten {
    if (this.#isClosed) throw closed();
    if (signal?.aborted) return () => {};
    this.#consumers.add(consumer);
    const end = (): void => {
      this.#consumers.end(consumer);
      signal?.removeEventListener("abort", end);
    };
    signal?.addEventListener("abort", end, { once: true });
    return end;
  }

  async #run(job: HeldJob, handler: JobHandler): Promise<void> {
    let settled: Promise<void> | undefined;
    try {
      await handler(job);
      // Late is better than never: nobody else may have it yet.
      if (!job.isSettled) settled = job.ack();
    } catch (error) {
      this.#listeners.failed.tell(job, error);
      if (!job.isSettled) settled = job.nack({ reason: reasonOf(error) });
    }
    settled?.catch((error: HearsayError) => {
      if (job.lost !== undefined) return;
      const isUnconfirmed = error.code === "queue:unconfirmed";
      this.#listeners.lost.tell(job, isUnconfirmed ? "unconfirmed" : "taken");
    });
  }

  #onJob(event: JobEvent): void {
    const decoded = decodeValue(event.value);
    const job = new HeldJob(event, decoded.ok ? decoded.value : undefined, {
      from: this.#context.peer(event.publishedBy),
      command: (job, command) => this.#command(job, keyOf(event), command),
    });
    this.#jobs.set(keyOf(event), job);
    // Nobody here can do anything with it; it ends as a dead letter, which says so.
    if (!decoded.ok) void job.nack({ reason: `unreadable: ${decoded.reason}` });
    else this.#consumers.take(job);
  }

  /** The answer finds the job, also one that was let go of meanwhile. */
  #command(job: HeldJob, key: string, command: QueueCommand): void {
    this.#jobs.set(key, job);
    try {
      this.#context.command(command);
    } catch (error) {
      this.#jobs.delete(key);
      throw error;
    }
  }
}

type Omitted = Question extends infer Q ? (Q extends unknown ? Omit<Q, "channel"> : never) : never;

function keyOf({ job, epoch }: { readonly job: string; readonly epoch: number }): string {
  return `${job} ${epoch}`;
}

function countOf(answer: Answer): number {
  return (answer as Extract<Answer, { type: "removed" }>).count;
}
