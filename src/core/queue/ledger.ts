/**
 * The jobs that this member holds, what they take, and their way to the disk. What has to be on the disk before a word
 * is said of it is written with what is to follow. Writes are batched as a database's group commit does it: while one
 * batch is written, the next one fills.
 */

import type { PartChange, StoreProblem } from "../part.ts";
import type { JobId, StoreId } from "./contract.ts";
import { isOver, type Job, type JobState, type Placement } from "./job.ts";
import { STORE_JOBS_MAX, STORES_AT_ONCE } from "./limits.ts";
import { Over } from "./over.ts";
import { saveBody, saveHead } from "./records.ts";

export type Then = (problem: StoreProblem | undefined) => void;

/** All jobs with the same stores. */
export interface Group {
  readonly stores: readonly StoreId[];
  readonly jobs: Set<Job>;
  /** No majority of the stores has been there since, ms. */
  lostAt: number | undefined;
  /** As seen last: which members have the stores, in their order. */
  seen: string;
}

/** Of a channel. */
export interface Tally {
  open: number;
  bytes: number;
  readonly dead: Set<Job>;
  /** Of those that were ours to lease, since the start. */
  done: number;
  redelivered: number;
  expired: number;
}

/** How many removed jobs in a row are looked behind. Guess, unmeasured. */
const CHAIN_MAX = 1_024;

/** A job on its way to the disk, as it was after so many changes. */
interface Write {
  readonly job: Job;
  readonly changes: number;
  readonly thens: Then[];
  readonly hasBody: boolean;
}

interface Batch {
  readonly writes: readonly Write[];
  readonly gone: readonly string[];
}

export interface LedgerOut {
  readonly hasStore: boolean;
  now(): number;
  wallMs(): number;
  store(changes: readonly PartChange[]): number;
  /** To be done in this step, after what is being done. */
  later(what: () => void): void;
  /** Its state is another one. */
  changed(job: Job, before: JobState): void;
  /** It is not held any more. */
  forgotten(job: Job): void;
}

export class Ledger {
  readonly jobs = new Map<JobId, Job>();
  readonly groups = new Map<string, Group>();
  /** Those that are over, and not yet known to be so to all that must know. */
  readonly ended = new Set<Job>();
  readonly over = new Over();
  readonly #tallies = new Map<string, Tally>();
  /** By channel, order and key. */
  readonly #keys = new Map<string, JobId>();
  readonly #out: LedgerOut;
  readonly #waiting = new Map<Job, Then[]>();
  readonly #gone: string[] = [];
  /** What a failed store still has of jobs that are gone: deleted when it is tried again. */
  readonly #left: string[] = [];
  readonly #batches = new Map<number, Batch>();
  /** The last write of each job that is on its way. */
  readonly #written = new Map<Job, Write>();

  constructor(out: LedgerOut) {
    this.#out = out;
  }

  get(id: JobId): Job | undefined {
    return this.jobs.get(id);
  }

  tally(channel: string): Tally {
    let tally = this.#tallies.get(channel);
    if (tally === undefined) {
      tally = { open: 0, bytes: 0, dead: new Set(), done: 0, redelivered: 0, expired: 0 };
      this.#tallies.set(channel, tally);
    }
    return tally;
  }

  channels(): Iterable<string> {
    return this.#tallies.keys();
  }

  add(job: Job): void {
    this.jobs.set(job.id, job);
    this.#group(job).jobs.add(job);
    if (job.isOver) this.#end(job);
    const tally = this.tally(job.channel);
    if (!job.isOver) tally.open++;
    tally.bytes += job.body?.value.length ?? 0;
    const key = keyOf(job);
    if (key !== undefined && !this.#keys.has(key)) this.#keys.set(key, job.id);
  }

  /** The job that counts for this one, if another with its key is held. */
  original(channel: string, order: string | undefined, key: string): Job | undefined {
    const id = this.#keys.get(textOf(channel, order, key));
    return id === undefined ? undefined : this.jobs.get(id);
  }

  /**
   * What must be over before the job: the one that it follows, or, where that one was removed, what it followed itself.
   * Who has a job has had those before it: one that is unknown here is over, and forgotten.
   */
  before(job: Job): Job | undefined {
    let before = job.previous === undefined ? undefined : this.jobs.get(job.previous);
    for (let i = 0; i < CHAIN_MAX && before?.state.phase === "removed"; i++) {
      before = before.previous === undefined ? undefined : this.jobs.get(before.previous);
    }
    return before === undefined || before.isOver ? undefined : before;
  }

  setState(job: Job, state: JobState): void {
    const before = job.state;
    const wasOver = isOver(before);
    job.state = state;
    if (job.isOver) {
      const tally = this.tally(job.channel);
      if (!wasOver) tally.open--;
      this.#end(job);
      if (state.phase !== "dead") {
        tally.bytes -= job.body?.value.length ?? 0;
        this.#keepKey(job);
        job.body = undefined;
      }
      if (!wasOver || before.phase !== state.phase) job.known.clear();
    }
    this.#out.changed(job, before);
  }

  place(job: Job, placement: Placement): void {
    this.#group(job).jobs.delete(job);
    job.placement = placement;
    this.#group(job).jobs.add(job);
    job.known.clear();
  }

  /** It is over everywhere: nothing of it is kept but that. */
  forget(job: Job): void {
    this.over.add(job.id);
    this.discard(job);
  }

  /** As if it had never been here. */
  discard(job: Job): void {
    if (!this.jobs.delete(job.id)) return;
    const group = this.#group(job);
    group.jobs.delete(job);
    if (group.jobs.size === 0) this.groups.delete(group.stores.join());
    this.ended.delete(job);
    this.#out.forgotten(job);
    const tally = this.tally(job.channel);
    if (!job.isOver) tally.open--;
    tally.bytes -= job.body?.value.length ?? 0;
    tally.dead.delete(job);
    const key = keyOf(job) ?? job.keptKey;
    if (key !== undefined && this.#keys.get(key) === job.id) this.#keys.delete(key);
    if (!this.isKept(job)) return;
    const thens = this.#waiting.get(job);
    this.#waiting.delete(job);
    for (const then of thens ?? []) this.#out.later(() => then(undefined));
    this.#gone.push(job.id);
  }

  /** Whether it goes to our disk. */
  isKept(job: Job): boolean {
    return job.options.durable && this.#out.hasStore;
  }

  /** What we say of it is on the disk, where it has to be. */
  isSafe(job: Job): boolean {
    return !this.isKept(job) || job.safe === job.changes;
  }

  /** Writes it as it is now. */
  write(job: Job, then?: Then): void {
    if (!this.isKept(job)) {
      if (then !== undefined) this.#out.later(() => then(undefined));
      return;
    }
    job.changes++;
    this.#queue(job, then);
  }

  /** Once what we have of it is on the disk. */
  whenSafe(job: Job, then: Then): void {
    const written = this.#written.get(job);
    if (this.isSafe(job)) this.#out.later(() => then(undefined));
    else if (written !== undefined && written.changes === job.changes) written.thens.push(then);
    else this.#queue(job, then);
  }

  /** Whether something is to be deleted that could not be. */
  get isLeft(): boolean {
    return this.#left.length > 0;
  }

  /** Tries again to delete what could not be deleted. */
  sweep(): void {
    this.#gone.push(...this.#left.splice(0));
  }

  /** Gives to the store what waits, as far as it takes more. */
  flush(): void {
    while (this.#batches.size < STORES_AT_ONCE) {
      if (this.#waiting.size === 0 && this.#gone.length === 0) return;
      this.#flushOne();
    }
  }

  /** We leave: there is no later. */
  flushAll(): void {
    while (this.#waiting.size > 0 || this.#gone.length > 0) this.#flushOne();
  }

  onStored(ticket: number, problem: StoreProblem | undefined): void {
    const batch = this.#batches.get(ticket);
    this.#batches.delete(ticket);
    if (problem !== undefined) this.#left.push(...(batch?.gone ?? []));
    for (const write of batch?.writes ?? []) {
      const { job, changes, thens, hasBody } = write;
      if (this.#written.get(job) === write) this.#written.delete(job);
      if (problem === undefined) {
        job.safe = Math.max(job.safe, changes);
        if (hasBody) job.bodySafe = true;
      }
      for (const then of thens) then(problem);
    }
  }

  #queue(job: Job, then: Then | undefined): void {
    const thens = this.#waiting.get(job);
    if (thens === undefined) this.#waiting.set(job, then === undefined ? [] : [then]);
    else if (then !== undefined) thens.push(then);
  }

  #flushOne(): void {
    const changes: PartChange[] = [];
    const batch: Write[] = [];
    const [now, wallMs] = [this.#out.now(), this.#out.wallMs()];
    for (const [job, thens] of this.#waiting) {
      if (batch.length >= STORE_JOBS_MAX) break;
      this.#waiting.delete(job);
      const hasBody = job.body !== undefined && !job.bodySafe;
      const write: Write = { job, changes: job.changes, thens, hasBody };
      this.#written.set(job, write);
      batch.push(write);
      changes.push({ key: `s${job.id}`, value: saveHead(job, now, wallMs) });
      if (job.body !== undefined && hasBody) {
        changes.push({ key: `j${job.id}`, value: saveBody(job.body, now, wallMs) });
      } else if (job.body === undefined && job.bodySafe) {
        job.bodySafe = false;
        changes.push({ key: `j${job.id}`, value: undefined });
      }
    }
    const gone = this.#gone.splice(0).filter((id) => !this.jobs.has(id));
    for (const id of gone) {
      changes.push({ key: `s${id}`, value: undefined }, { key: `j${id}`, value: undefined });
    }
    this.#batches.set(this.#out.store(changes), { writes: batch, gone });
  }

  #end(job: Job): void {
    if (job.overAt === 0) job.overAt = this.#out.now();
    if (job.state.phase === "dead") this.tally(job.channel).dead.add(job);
    else {
      this.tally(job.channel).dead.delete(job);
      this.ended.add(job);
    }
  }

  /** A key counts for a while longer than the body. */
  #keepKey(job: Job): void {
    job.keptKey ??= keyOf(job);
  }

  #group(job: Job): Group {
    const { stores } = job.placement;
    const key = stores.join();
    let group = this.groups.get(key);
    if (group === undefined) {
      group = { stores, jobs: new Set(), lostAt: undefined, seen: "" };
      this.groups.set(key, group);
    }
    return group;
  }
}

function keyOf({ channel, body, options }: Job): string | undefined {
  if (body?.key === undefined || options.dedupeMs === 0) return undefined;
  return textOf(channel, body.order, body.key);
}

function textOf(channel: string, order: string | undefined, key: string): string {
  return JSON.stringify([channel, order ?? null, key]);
}
