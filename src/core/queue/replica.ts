/**
 * One of the stores of a job: takes records, votes for leases, and takes down what the holder of a lease makes of it.
 * Each of them is said only once it is on the disk. A majority of votes makes a lease, so there is one at a time; a vote
 * binds until the lease is over by our own clock, which runs from later than that of the consumer.
 */

import type { MemberId } from "../lib/ids.ts";
import { type JobId, QUEUE_OPTIONS, type StoreId } from "./contract.ts";
import {
  adopt,
  bind,
  boundUntil,
  custodianOf,
  type Ground,
  ownPlace,
  replicasOf,
} from "./ground.ts";
import {
  backoffMs,
  compareStates,
  isBefore,
  Job,
  type JobState,
  mergePlacements,
  originOf,
} from "./job.ts";
import { FIRM_MS, LINGER_MS, YOUNG_MS } from "./limits.ts";
import { bodyFromWire, headOf, stateFromWire } from "./records.ts";
import type { MessageOf, Receipt, Settle, Vote, WireRecord } from "./wire.ts";

export interface ReplicaOut {
  /** What we have of the job is on the disk and may be acted on. */
  ready(job: Job): void;
  /** A store that it was put to has answered. */
  receipt(job: Job, stores: readonly StoreId[], receipt: Receipt): void;
  extended(job: Job): void;
}

export class Replica {
  readonly #ground: Ground;
  readonly #out: ReplicaOut;
  /** Those that came a moment ago, in the order in which they came. */
  readonly #young = new Set<Job>();
  /** Those that stay, and when they are looked at next: what failed before is tried again. */
  readonly #watched = new Map<Job, number>();

  constructor(ground: Ground, out: ReplicaOut) {
    this.#ground = ground;
    this.#out = out;
  }

  /**
   * What is to be done for a job by whoever holds it: the custodian sees to it that all stores have it, and know when it
   * is over, the publisher too; all others, that the custodian knows.
   */
  duties(job: Job): void {
    const { ledger, post, holders, host } = this.#ground;
    if (ledger.get(job.id) !== job) return;
    if (!job.isOver && !this.#watched.has(job)) this.#watched.set(job, host.now() + LINGER_MS);
    if (!ledger.isSafe(job))
      return ledger.whenSafe(job, (problem) => {
        if (problem === undefined) this.duties(job);
      });
    const custodian = custodianOf(this.#ground, job);
    const isCustodian = custodian === host.id;
    // Its publisher is putting it to all: the others need not, unless it stays.
    const isYoung = !job.isOver && host.now() - job.heldAt < YOUNG_MS;
    if (isYoung) this.#young.add(job);
    const targets = isCustodian
      ? job.isOver
        ? job.holders()
        : job.placement.stores
      : job.placement.stores.filter((store) => holders.memberOf(store) === custodian);
    for (const store of targets) {
      const member = holders.memberOf(store);
      if (isYoung || member === undefined || member === host.id || job.known.has(store)) continue;
      if (!post.isUnderWay(member, job)) post.put(member, job, false);
    }
    if (isCustodian && job.isOver) this.#settleEnd(job);
    else if (isCustodian) this.#out.ready(job);
  }

  onPut(from: MemberId, { generation, floor, items }: MessageOf<"put">): void {
    // The life is named: what was said in another one may be heard before, or long after, we know of that.
    this.#ground.ledger.over.raise(from, generation, floor);
    for (const item of items) this.#take(from, item);
  }

  onHave(from: MemberId, receipt: Receipt): void {
    const { ledger, post, holders, host } = this.#ground;
    const job = ledger.get(receipt.job);
    // What is forgotten meanwhile may still be answered for.
    if (job === undefined) return;
    if (!holders.hasOne(from, job.holders())) return this.#refuse();
    const wasPut = post.answered(from, job);
    const stores = job.holders().filter((store) => holders.memberOf(store) === from);
    const { verdict, head } = receipt;
    if (verdict === "over" && wasPut) {
      // Who has forgotten it knew it to be over at all stores; the publisher itself is told by that.
      return ledger.forget(job);
    }
    if (verdict === "missing" && wasPut) {
      const previous = ledger.before(job) && ledger.get(job.previous ?? "");
      if (previous !== undefined) post.put(from, previous, true);
      return post.put(from, job, true);
    }
    if (head !== undefined && verdict === "held") {
      this.merge(job, head.placement, stateFromWire(head.state, host.now()));
      const theirs = stateFromWire(head.state, host.now());
      const knowsEnd = !job.isOver || compareStates(theirs, job.state) >= 0;
      if (knowsEnd) for (const store of stores) job.known.add(store);
      else if (wasPut) post.put(from, job, false);
    }
    this.#out.receipt(job, stores, receipt);
    if (job.isOver && verdict === "held") this.duties(job);
  }

  /** All who must know have said so: nobody begins it anew. */
  onForget(from: MemberId, id: JobId): void {
    const { ledger, holders } = this.#ground;
    const job = ledger.get(id);
    if (job === undefined) return;
    if (!job.isOver || !holders.hasOne(from, job.placement.stores)) return this.#refuse();
    ledger.forget(job);
  }

  onVote(from: MemberId, vote: Vote): void {
    const { ledger, holders, mail, host } = this.#ground;
    const job = ledger.get(vote.job);
    const say = (
      verdict: "granted" | "bound" | "missing" | "over" | "behind",
      boundMs = 0,
    ): void => {
      const head = verdict === "behind" && job !== undefined ? headOf(job, host.now()) : undefined;
      mail.add(from, "voted", { job: vote.job, epoch: vote.epoch, verdict, boundMs, head });
    };
    if (job === undefined) return say(ledger.over.has(vote.job) ? "over" : "missing");
    if (!holders.hasOne(from, job.placement.stores)) return this.#refuse();
    if (vote.placement > job.placement.number) return say("missing");
    if (vote.placement < job.placement.number || job.isOver) {
      return ledger.whenSafe(job, (problem) => void (problem === undefined && say("behind")));
    }
    const verdict = this.castVote(job, vote);
    if (verdict === "bound") {
      return say("bound", Math.ceil(boundUntil(this.#ground, job) - host.now()));
    }
    ledger.whenSafe(job, (problem) => {
      if (problem === undefined && ledger.get(job.id) === job) say(verdict);
    });
  }

  /** Votes, if nothing speaks against it; what comes of it holds once it is written. */
  castVote(job: Job, vote: Vote): "granted" | "bound" | "behind" {
    const { host, ledger } = this.#ground;
    const { state } = job;
    const { epoch, holder, holderGeneration, attempts } = vote;
    if (epoch === state.epoch && state.phase === "leased" && holder === state.holder) {
      return "granted";
    }
    if (epoch <= state.epoch) return "behind";
    if (host.now() < boundUntil(this.#ground, job)) return "bound";
    adopt(this.#ground, job, {
      ...state,
      phase: "leased",
      epoch,
      attempts,
      holder,
      holderGeneration,
    });
    ledger.write(job);
    return "granted";
  }

  /** Only the holder of the lease settles it, and only while no other has it. */
  onSettle(from: MemberId, settle: Settle): void {
    const { ledger, mail } = this.#ground;
    const { job: id, epoch, how } = settle;
    const say = (verdict: "ok" | "stale" | "unknown"): void =>
      mail.add(from, "settled", { job: id, epoch, how, verdict });
    const job = ledger.get(id);
    if (job === undefined) return say(ledger.over.has(id) ? "ok" : "unknown");
    const { state } = job;
    if (epoch > state.epoch) return say("unknown");
    if (epoch < state.epoch) return this.#settleBound(job, from, settle, say);
    if (state.holder !== from) return this.#refuse();
    if (how === "extend") {
      if (state.phase !== "leased") return say("stale");
      bind(this.#ground, job);
      this.#out.extended(job);
      return say("ok");
    }
    const next = this.#settledState(job, settle);
    if (next !== undefined && compareStates(next, state) > 0) {
      adopt(this.#ground, job, next);
      ledger.write(job, (problem) => {
        if (problem !== undefined) return;
        say("ok");
        this.duties(job);
      });
      return;
    }
    ledger.whenSafe(job, (problem) => void (problem === undefined && say("ok")));
  }

  /** We are bound to that lease, and know of a higher one that was proposed, perhaps in vain. */
  #settleBound(
    job: Job,
    from: MemberId,
    { how, epoch }: Settle,
    say: (verdict: "ok" | "stale") => void,
  ): void {
    const { ledger, host } = this.#ground;
    const binding = job.bindings.find(epoch, from);
    if (binding === undefined) return say("stale");
    if (how === "extend") binding.until = host.now() + job.options.leaseMs;
    if (how === "ack" && job.state.phase !== "done") {
      adopt(this.#ground, job, { ...job.state, phase: "done" });
      return ledger.write(job, (problem) => {
        if (problem !== undefined) return;
        say("ok");
        this.duties(job);
      });
    }
    if (how !== "extend") job.bindings.free(epoch);
    ledger.whenSafe(job, (problem) => void (problem === undefined && say("ok")));
  }

  /** Those that have stayed: all their stores shall have them. */
  sweep(now: number): void {
    for (const job of this.#young) {
      if (now - job.heldAt < YOUNG_MS) break;
      this.#young.delete(job);
      this.duties(job);
    }
    for (const [job, at] of this.#watched) {
      if (at > now) break;
      this.#watched.delete(job);
      this.duties(job);
    }
    for (const job of this.#ground.ledger.ended) this.#sweepEnded(job, now);
  }

  /** The job is not held any more. */
  forgotten(job: Job): void {
    this.#young.delete(job);
    this.#watched.delete(job);
  }

  /** Looks after a job that is over: shows it once more to a custodian that does not let it be forgotten. */
  #sweepEnded(job: Job, now: number): void {
    if (custodianOf(this.#ground, job) !== this.#ground.host.id && now - job.overAt > LINGER_MS) {
      job.overAt = now;
      job.known.clear();
    }
    this.duties(job);
  }

  #settledState(job: Job, { how, delayMs, detail }: Settle): JobState | undefined {
    const { state, options } = job;
    if (how === "ack") return { ...state, phase: "done" };
    if (job.isOver) return undefined;
    const now = this.#ground.host.now();
    if (how === "decline") {
      return {
        ...state,
        phase: "released",
        attempts: Math.max(0, state.attempts - 1),
        readyAt: now,
      };
    }
    if (state.attempts >= options.maxDeliveries) {
      return { ...state, phase: "dead", reason: "deliveries", detail };
    }
    const pauseMs =
      delayMs ?? this.#ground.host.rng.jitter(backoffMs(options, state.attempts), 0.2);
    return { ...state, phase: "released", readyAt: now + pauseMs, detail };
  }

  /** Over, and all who must know it do: it may be forgotten, here and there. */
  #settleEnd(job: Job): void {
    const { ledger, holders, host, mail } = this.#ground;
    const now = host.now();
    if (job.state.phase === "dead") return;
    // What follows it is behind what is before it.
    if (job.state.phase === "removed" && ledger.before(job) !== undefined) return;
    const { forgetMs, dedupeMs } = job.options;
    if (job.keptKey !== undefined && now - job.overAt < dedupeMs) return;
    const others = job.holders().filter((store) => holders.memberOf(store) !== host.id);
    const isKnown = others.every(
      (store) =>
        job.known.has(store) || holders.isGone(store) || holders.awayMs(store, now) > forgetMs,
    );
    if (!isKnown) return;
    for (const [, member] of replicasOf(this.#ground, others)) mail.add(member, "forget", job.id);
    ledger.forget(job);
  }

  #take(from: MemberId, item: WireRecord): void {
    const { ledger, mail } = this.#ground;
    const job = ledger.get(item.job);
    const say = (verdict: Receipt["verdict"], other?: JobId): void =>
      mail.add(from, "have", { job: item.job, verdict, head: undefined, other });
    if (job !== undefined) return this.#takeKnown(from, item, job);
    if (ledger.over.has(item.job)) return say("over");
    const now = this.#ground.host.now();
    const { head } = item;
    const state = stateFromWire(head.state, now);
    const given = { ...head, previous: head.previous, id: item.job, state, heldAt: now };
    const holders = [...head.placement.stores, head.home, ...head.placement.former];
    const isOurs = ownPlace(this.#ground, holders) >= 0;
    const isTheirs = originOf(item.job) === from || this.#ground.holders.hasOne(from, holders);
    if (!isOurs || !isTheirs) {
      this.#refuse();
      return say("refused");
    }
    const isGone = state.phase === "done" || state.phase === "removed";
    if (isGone) {
      const options = this.#ground.channels.get(head.channel) ?? QUEUE_OPTIONS;
      return this.#keep(from, new Job({ ...given, body: undefined, options }));
    }
    if (item.body === undefined) return say("missing");
    const body = bodyFromWire(item.body, now);
    const { previous } = head;
    if (item.follows && previous !== undefined && ledger.get(previous) === undefined) {
      if (!ledger.over.has(previous)) return say("missing");
    }
    const original =
      body.key === undefined || originOf(item.job) !== from
        ? undefined
        : ledger.original(head.channel, body.order, body.key);
    if (original !== undefined && this.#stands(original, item.job, now)) {
      return ledger.whenSafe(original, (problem) => {
        if (problem === undefined) say("duplicate", original.id);
      });
    }
    if (!this.hasRoom(head.channel, body.value.length)) return say("full");
    this.#keep(from, new Job({ ...given, body, options: body.options }));
  }

  /** Whether one more job fits. */
  hasRoom(channel: string, bytes: number): boolean {
    const { open, bytes: taken } = this.#ground.ledger.tally(channel);
    const { channelJobsMax, channelBytesMax, valueBytesMax } = this.#ground.limits;
    return open < channelJobsMax && taken + bytes <= channelBytesMax && bytes <= valueBytesMax;
  }

  /**
   * Whether a job with the same key counts, and the new one does not. Of two that have just come, that is the one with
   * the lower id, everywhere: so no two are withdrawn for each other.
   */
  #stands({ state, id, heldAt, options }: Job, other: JobId, now: number): boolean {
    const age = now - heldAt;
    if (state.phase === "removed" || state.phase === "dead") return false;
    const isFirm = state.phase !== "new" || age > FIRM_MS;
    return id !== other && age < options.dedupeMs && (isFirm || isBefore(id, other));
  }

  #keep(from: MemberId, job: Job): void {
    const { ledger, holders } = this.#ground;
    ledger.add(job);
    if (job.state.phase === "leased") adopt(this.#ground, job, job.state);
    for (const store of job.holders()) if (holders.memberOf(store) === from) job.known.add(store);
    this.#confirm(from, job);
  }

  #takeKnown(from: MemberId, item: WireRecord, job: Job): void {
    const { holders, host, mail, ledger } = this.#ground;
    const { placement } = item.head;
    const isNewer = placement.number > job.placement.number;
    // Who was given the job when we were not there is not among those that we know.
    const isTheirs = isNewer && holders.hasOne(from, placement.stores);
    if (!isTheirs && !holders.hasOne(from, job.holders()) && originOf(job.id) !== from) {
      this.#refuse();
      return mail.add(from, "have", {
        job: job.id,
        verdict: "refused",
        head: undefined,
        other: undefined,
      });
    }
    const theirs = stateFromWire(item.head.state, host.now());
    this.merge(job, placement, theirs);
    // Who puts a record has it on its disk.
    if (compareStates(theirs, job.state) >= 0 || !job.isOver) {
      for (const store of job.holders()) if (holders.memberOf(store) === from) job.known.add(store);
    }
    if (ledger.isSafe(job)) this.#receipt(from, job);
    else this.#confirm(from, job);
  }

  merge(job: Job, placement: Job["placement"], state: JobState): void {
    const { ledger } = this.#ground;
    let changed = false;
    const merged = mergePlacements(job.placement, placement);
    if (merged !== job.placement) {
      ledger.place(job, merged);
      changed = true;
    }
    if (compareStates(state, job.state) > 0) changed = adopt(this.#ground, job, state);
    if (changed)
      ledger.write(job, (problem) => {
        if (problem === undefined) this.duties(job);
      });
  }

  #confirm(from: MemberId, job: Job): void {
    const { ledger, mail } = this.#ground;
    ledger.write(job, (problem) => {
      if (ledger.get(job.id) !== job) return;
      if (problem === undefined) {
        this.#receipt(from, job);
        return this.duties(job);
      }
      // What was never on the disk and cannot be is not held.
      if (!job.bodySafe && !job.isOver) ledger.discard(job);
      mail.add(from, "have", { job: job.id, verdict: "full", head: undefined, other: undefined });
    });
  }

  #receipt(from: MemberId, job: Job): void {
    const { mail, host } = this.#ground;
    const head = headOf(job, host.now());
    mail.add(from, "have", { job: job.id, verdict: "held", head, other: undefined });
  }

  #refuse(): void {
    this.#ground.counters.refused++;
  }
}
