/** A job that is ours, from its lease to what became of it. */

import type { QueueCommand, QueueEvent, RevokeReason } from "../core/queue/contract.ts";
import type { HearsayError } from "../errors.ts";
import type { Peer } from "./peers.ts";
import type { Job, NackOptions } from "./queue.ts";
import { leaseLost, nacking, unconfirmed } from "./queue-options.ts";

export type JobEvent = Extract<QueueEvent, { type: "job" }>;
type Settle = Extract<QueueCommand, { type: "settle" }>;
type Settled = Extract<QueueEvent, { type: "settled" }>;

interface PromiseWithEnd {
  readonly promise: Promise<void>;
  end(): void;
}

interface Waiting<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

export interface JobContext {
  readonly from: Peer | undefined;
  /** Of this job; answers come to it. @throws HearsayError `mesh:left` */
  command(job: HeldJob, command: QueueCommand): void;
}

export class HeldJob<D = unknown> implements Job<D> {
  readonly data: D;
  /** Why it is not ours any more. */
  lost: RevokeReason | undefined;
  readonly #event: JobEvent;
  readonly #context: JobContext;
  #abort: AbortController | undefined;
  #settling: Promise<void> | undefined;
  #settled: Waiting<void> | undefined;
  #extending: Waiting<number>[] = [];
  #over: PromiseWithEnd | undefined;

  constructor(event: JobEvent, data: D, context: JobContext) {
    this.#event = event;
    this.data = data;
    this.#context = context;
  }

  get id(): string {
    return this.#event.job;
  }

  get epoch(): number {
    return this.#event.epoch;
  }

  get attempt(): number {
    return this.#event.attempt;
  }

  get key(): string | undefined {
    return this.#event.key;
  }

  get order(): string | undefined {
    return this.#event.order;
  }

  get priority(): number {
    return this.#event.priority;
  }

  get from(): Peer | undefined {
    return this.#context.from;
  }

  get publishedBy(): string {
    return this.#event.publishedBy;
  }

  get replayOf(): string | undefined {
    return this.#event.replayOf;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.lost !== undefined) this.#abort.abort(leaseLost(this.lost));
    return this.#abort.signal;
  }

  /** Resolves when it is settled, or not ours any more. */
  get over(): Promise<void> {
    if (this.#over === undefined) {
      let end = (): void => {};
      const promise = new Promise<void>((resolve) => {
        end = resolve;
      });
      this.#over = { promise, end };
      if (this.isSettled || this.lost !== undefined) end();
    }
    return this.#over.promise;
  }

  /** The application, or what calls its handler, has said what is to become of it. */
  get isSettled(): boolean {
    return this.#settling !== undefined;
  }

  ack(): Promise<void> {
    return this.#settle({ type: "ack" });
  }

  nack(options: NackOptions = {}): Promise<void> {
    return this.#settle({ type: "nack", ...nacking(options) });
  }

  extend(): Promise<number> {
    const extended = new Promise<number>((resolve, reject) => {
      if (this.lost !== undefined) return reject(leaseLost(this.lost));
      this.#extending.push({ resolve, reject });
      this.#context.command(this, { type: "extend", ...this.#which() });
    });
    return unawaited(extended);
  }

  onSettled({ ok, reason }: Settled): void {
    if (ok) this.#settled?.resolve();
    else this.#settled?.reject(reason === "unconfirmed" ? unconfirmed() : leaseLost("taken"));
  }

  onExtended(leftMs: number): void {
    for (const { resolve } of this.#extending.splice(0)) resolve(leftMs);
  }

  /** An acknowledgement may still count, unless the life is over: that is the `error`. */
  onRevoked(reason: RevokeReason, error?: HearsayError): void {
    this.lost = reason;
    const why = error ?? leaseLost(reason);
    this.#abort?.abort(why);
    for (const { reject } of this.#extending.splice(0)) reject(why);
    if (error !== undefined) this.#settled?.reject(error);
    this.#over?.end();
  }

  #settle(how: Settle["how"]): Promise<void> {
    if (this.#settling !== undefined) return this.#settling;
    const settled = new Promise<void>((resolve, reject) => {
      this.#settled = { resolve, reject };
      this.#context.command(this, { type: "settle", ...this.#which(), how });
    });
    this.#settling = unawaited(settled);
    this.#over?.end();
    return this.#settling;
  }

  #which(): Pick<Settle, "channel" | "job" | "epoch"> {
    const { channel, job, epoch } = this.#event;
    return { channel, job, epoch };
  }
}

/** Acknowledging without awaiting is normal use: a failure then is nobody's unhandled rejection. */
function unawaited<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
