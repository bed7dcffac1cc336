/** What all machines of the queue stand on: the jobs, who holds what, and the ways to others and to the application. */

import type { Deadlines } from "../lib/deadlines.ts";
import type { MemberId } from "../lib/ids.ts";
import type { PartHost } from "../part.ts";
import type { QueueEvent, QueueLimits, QueueOptions, StoreId } from "./contract.ts";
import type { Job, JobState } from "./job.ts";
import type { Ledger } from "./ledger.ts";
import type { Mail } from "./mail.ts";
import type { Holders } from "./placement.ts";
import type { Post } from "./post.ts";

export interface Counters {
  /** Messages that cannot be read, or come from somebody whose business they are not. */
  refused: number;
}

export interface Ground {
  readonly host: PartHost;
  readonly limits: QueueLimits;
  readonly deadlines: Deadlines;
  readonly holders: Holders;
  readonly ledger: Ledger;
  readonly mail: Mail;
  readonly post: Post;
  readonly counters: Counters;
  /** Of the channels that are open. */
  readonly channels: ReadonlyMap<string, QueueOptions>;
  readonly disk: StoreId | undefined;
  readonly memory: StoreId;
  emit(event: QueueEvent): void;
}

/** Which of our stores takes such jobs. */
export function storeFor({ disk, memory }: Ground, { durable }: QueueOptions): StoreId | undefined {
  return durable ? disk : memory;
}

/** Our place among the stores of a job, or -1. */
export function ownPlace({ disk, memory }: Ground, stores: readonly StoreId[]): number {
  const place = disk === undefined ? -1 : stores.indexOf(disk);
  return place >= 0 ? place : stores.indexOf(memory);
}

/** The first live member of those that have the job's stores. */
export function custodianOf({ holders }: Ground, { placement }: Job): MemberId | undefined {
  for (const store of placement.stores) {
    const member = holders.memberOf(store);
    if (member !== undefined) return member;
  }
  return undefined;
}

/** Live members that have the job's stores, with the stores. */
export function replicasOf(
  { holders }: Ground,
  stores: readonly StoreId[],
): (readonly [StoreId, MemberId])[] {
  const replicas: (readonly [StoreId, MemberId])[] = [];
  for (const store of stores) {
    const member = holders.memberOf(store);
    if (member !== undefined) replicas.push([store, member]);
  }
  return replicas;
}

/** A lease that we hear of binds us as if it began now: later than it did, so never too short. */
export function bind({ host }: Ground, { bindings, options, state }: Job): void {
  const { epoch, holder, holderGeneration } = state;
  const now = host.now();
  bindings.bind({ epoch, holder, holderGeneration, until: now + options.leaseMs }, now);
}

/** When what binds us to leases of the job is over, ms. */
export function boundUntil({ holders }: Ground, { bindings }: Job): number {
  return bindings.until((holder, generation) => holders.hasRestarted(holder, generation));
}

/** Takes over a state that is higher than ours; gives whether it was. */
export function adopt(ground: Ground, job: Job, state: JobState): boolean {
  ground.ledger.setState(job, state);
  if (state.phase === "leased") bind(ground, job);
  else if (job.isOver) job.bindings.clear();
  else job.bindings.free(state.epoch);
  return true;
}
