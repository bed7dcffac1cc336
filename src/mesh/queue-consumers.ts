/**
 * Who does the jobs of a queue here, and how many at a time. The core leases no more than there is room for; a handler
 * that goes on with a job which is not ours any more still takes its room.
 */

import type { HeldJob } from "./queue-job.ts";

/** Does one job, and settles it. Never rejects. */
type Run = (job: HeldJob) => Promise<void>;

export class Consumer {
  readonly concurrency: number;
  readonly run: Run;
  busy = 0;

  constructor(concurrency: number, run: Run) {
    this.concurrency = concurrency;
    this.run = run;
  }
}

export class Consumers {
  readonly #onCredit: (credit: number) => void;
  readonly #consumers = new Set<Consumer>();
  /** What came when all were busy: a lease that was granted as another ran out, or as one went. */
  #waiting: HeldJob[] = [];
  /** Jobs under way, whether or not they are ours still. */
  readonly #running = new Set<HeldJob>();
  #isPaused = false;
  #credit = 0;
  readonly #idle: (() => void)[] = [];

  /** @param onCredit told how many jobs may be ours at a time, when that changes */
  constructor(onCredit: (credit: number) => void) {
    this.#onCredit = onCredit;
  }

  get credit(): number {
    return this.#credit;
  }

  add(consumer: Consumer): void {
    this.#consumers.add(consumer);
    this.look();
  }

  /** It gets no more; what it has goes on. */
  end(consumer: Consumer): void {
    this.#consumers.delete(consumer);
    this.look();
  }

  endAll(): void {
    this.#consumers.clear();
    this.look();
  }

  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.look();
  }

  take(job: HeldJob): void {
    this.#waiting.push(job);
    this.look();
  }

  /** What has not begun never will. */
  dropWaiting(): void {
    this.#waiting = [];
  }

  /** Resolves when nothing is under way. */
  idle(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Something has changed: begins what there is room for, and says how much that is. */
  look(): void {
    while (this.#waiting.length > 0) {
      const consumer = this.#free();
      if (consumer === undefined) break;
      const job = this.#waiting.shift() as HeldJob;
      if (job.lost === undefined) void this.#run(consumer, job);
    }
    // Nobody is left to do it: others get it at once.
    if (this.#consumers.size === 0) {
      for (const job of this.#waiting.splice(0)) void job.nack({ delayMs: 0 });
    }
    let credit = 0;
    for (const { concurrency } of this.#consumers) credit += concurrency;
    for (const { lost } of this.#running) if (lost !== undefined) credit--;
    credit = this.#isPaused ? 0 : Math.max(0, credit);
    if (credit === this.#credit) return;
    this.#credit = credit;
    this.#onCredit(credit);
  }

  #free(): Consumer | undefined {
    let best: Consumer | undefined;
    for (const one of this.#consumers) {
      const room = one.concurrency - one.busy;
      if (room > 0 && (best === undefined || room > best.concurrency - best.busy)) best = one;
    }
    return best;
  }

  async #run(consumer: Consumer, job: HeldJob): Promise<void> {
    consumer.busy++;
    this.#running.add(job);
    await consumer.run(job);
    consumer.busy--;
    this.#running.delete(job);
    this.look();
    if (this.#running.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
