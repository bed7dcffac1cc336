/**
 * The first live store of a job leases it. Work that waits is poked at consumers that may want it; who wants some is
 * given it, the least loaded first. Each lease is a proposal to all stores of the job with an epoch of its own, and
 * stands once a majority has it on its disks; whatever fails before is given up, and nobody has held it.
 *
 * From the papers: votes and epochs as ballots in Lamport, *The Part-Time Parliament*, 1998; leases in Gray and Cheriton,
 * 1989. Departures: no value is ever carried over from one ballot to the next, since a lease that is not used has no
 * effect; what a lease comes to is merged, not agreed on.
 */

import type { MemberId } from "../lib/ids.ts";
import type { JobId } from "./contract.ts";
import { adopt, boundUntil, custodianOf, type Ground, ownPlace, replicasOf } from "./ground.ts";
import { Heap } from "./heap.ts";
import { type Job, type JobState, majorityOf, nextEpoch, type Placement } from "./job.ts";
import { MESSAGE_BYTES, POKE_MS, POKES_MAX, VOTE_MS, WANT_MS } from "./limits.ts";
import { bodyToWire, stateFromWire } from "./records.ts";
import type { Leased, MessageOf, Vote, Voted } from "./wire.ts";

/** A consumer's wish for so many jobs. */
interface Want {
  readonly member: MemberId;
  /** Its life that wishes: a lease is that one's, and void when it is over. */
  readonly generation: number;
  readonly stamp: number;
  readonly at: number;
  credit: number;
  load: number;
  /** Proposals for it that are not decided. */
  asked: number;
  granted: Job[];
}

interface Proposal {
  readonly job: Job;
  readonly epoch: number;
  readonly placement: Placement;
  readonly at: number;
  readonly want: Want;
  readonly votes: Set<string>;
  readonly against: Set<string>;
  /** Not sooner again, ms. */
  againAt: number;
}

interface Channel {
  readonly name: string;
  readonly ready: Heap<Job>;
  /** What of it is really ready: the heap also holds what has gone on since. */
  waiting: number;
  readonly wants: Map<MemberId, Want>;
  /** When a consumer was told of work. */
  readonly poked: Map<MemberId, number>;
  /** What consumers have said of their load. */
  readonly loads: Map<MemberId, number>;
}

export interface CustodianOut {
  castVote(job: Job, vote: Vote): "granted" | "bound" | "behind";
  /** Takes in what another has of it. */
  merge(job: Job, placement: Placement, state: JobState): void;
  duties(job: Job): void;
}

export class Custodian {
  readonly #ground: Ground;
  readonly #out: CustodianOut;
  readonly #channels = new Map<string, Channel>();
  readonly #proposals = new Map<JobId, Proposal>();
  /** What waits for another to be over. */
  readonly #blocked = new Map<JobId, Set<Job>>();
  readonly #due = new Set<Channel>();
  #turn = 0;

  constructor(ground: Ground, out: CustodianOut) {
    this.#ground = ground;
    this.#out = out;
  }

  /** The job may be ours to lease; looks when. */
  schedule(job: Job): void {
    const { host, deadlines, ledger } = this.#ground;
    if (job.stage !== "idle" || job.isOver || ledger.get(job.id) !== job) return;
    if (custodianOf(this.#ground, job) !== host.id) return;
    const now = host.now();
    const { phase, readyAt } = job.state;
    const at = Math.max(readyAt, boundUntil(this.#ground, job));
    if (at > now) return deadlines.set(`job:${job.id}`, at);
    if (phase === "leased") ledger.tally(job.channel).expired++;
    if (job.state.attempts >= job.options.maxDeliveries) return this.#die(job);
    if (this.#isBlocked(job)) return;
    const { placement } = job;
    // Without a majority there is nothing to ask; who comes back brings it up again.
    if (replicasOf(this.#ground, placement.stores).length < majorityOf(placement)) return;
    job.stage = "ready";
    if (job.turn === 0) job.turn = ++this.#turn;
    const channel = this.#of(job.channel);
    channel.waiting++;
    channel.ready.push(job);
    this.#due.add(channel);
  }

  /** A state has changed: what was planned for the job may be void. */
  changed(job: Job): void {
    const { stage } = job;
    if (job.isOver) this.#wake(job.id);
    if (stage === "idle" || stage === "asked") return;
    const isLeased = job.state.phase === "leased" && stage === "leased";
    if (!job.isOver && (isLeased || (stage === "ready" && job.state.phase !== "leased"))) return;
    if (stage === "ready") this.#of(job.channel).waiting--;
    job.stage = "idle";
  }

  /** The job is not held any more. */
  forgotten(job: Job): void {
    const proposal = this.#proposals.get(job.id);
    if (proposal !== undefined) proposal.want.asked--;
    this.#proposals.delete(job.id);
    if (job.stage === "ready") this.#of(job.channel).waiting--;
    job.stage = "idle";
    this.#ground.deadlines.clear(`job:${job.id}`);
    this.#wake(job.id);
  }

  onDeadline(id: JobId): void {
    const job = this.#ground.ledger.get(id);
    if (job === undefined) return;
    if (job.stage === "leased") {
      if (this.#ground.host.now() < boundUntil(this.#ground, job)) return this.extended(job);
      job.stage = "idle";
    }
    this.schedule(job);
  }

  /** A lease is longer than it was. */
  extended(job: Job): void {
    if (job.stage !== "leased") return;
    this.#ground.deadlines.set(`job:${job.id}`, boundUntil(this.#ground, job));
  }

  onWant(from: MemberId, want: MessageOf<"want">): void {
    const { channel: name, generation, stamp, credit, load } = want;
    const { holders } = this.#ground;
    if (!holders.isLive(from) || holders.hasRestarted(from, generation)) return;
    const channel = this.#of(name);
    channel.poked.delete(from);
    channel.loads.set(from, load);
    const former = channel.wants.get(from);
    if (former !== undefined) former.credit = 0;
    const now = this.#ground.host.now();
    if (credit === 0) channel.poked.set(from, now);
    else
      channel.wants.set(from, {
        member: from,
        generation,
        stamp,
        at: now,
        credit,
        load,
        asked: 0,
        granted: [],
      });
    this.#due.add(channel);
  }

  onVoted(from: MemberId, voted: Voted): void {
    const { ledger, holders, host, post } = this.#ground;
    const proposal = this.#proposals.get(voted.job);
    const job = ledger.get(voted.job);
    if (job === undefined || !holders.hasOne(from, job.holders())) return;
    const { stores } = job.placement;
    const store = stores.find((one) => holders.memberOf(one) === from);
    if (store === undefined) return;
    const { verdict, head, boundMs } = voted;
    if (verdict === "missing") post.put(from, job, true);
    if (proposal?.epoch !== voted.epoch) return;
    if (verdict === "granted") {
      if (!job.isOver) job.known.add(store);
      proposal.votes.add(store);
    } else {
      proposal.against.add(store);
      const waitMs = verdict === "bound" ? Math.min(boundMs, job.options.leaseMs) : 0;
      proposal.againAt = Math.max(proposal.againAt, host.now() + waitMs);
    }
    if (verdict === "over") return ledger.forget(job);
    this.#count(proposal);
    if (head !== undefined) this.#learn(job, head);
  }

  /** A member has gone, or begun anew: its wishes are void. */
  gone(member: MemberId): void {
    for (const channel of this.#channels.values()) {
      const want = channel.wants.get(member);
      if (want !== undefined) want.credit = 0;
      channel.wants.delete(member);
      channel.poked.delete(member);
      channel.loads.delete(member);
    }
  }

  /** Consumers have come or gone. */
  consumersChanged(name: string): void {
    const channel = this.#channels.get(name);
    if (channel !== undefined) this.#due.add(channel);
  }

  /** Proposals without an answer, and work that nobody has come for. */
  sweep(now: number): void {
    for (const proposal of this.#proposals.values()) {
      if (proposal.at + VOTE_MS > now) break;
      this.#giveUp(proposal);
    }
    for (const channel of this.#channels.values()) if (channel.waiting > 0) this.#due.add(channel);
  }

  get isBusy(): boolean {
    if (this.#proposals.size > 0) return true;
    for (const { waiting } of this.#channels.values()) if (waiting > 0) return true;
    return false;
  }

  /** Gives out what can be given out; whether anything was done. */
  flush(): boolean {
    if (this.#due.size === 0) return false;
    const due = [...this.#due];
    this.#due.clear();
    for (const channel of due) this.#pump(channel);
    return true;
  }

  #pump(channel: Channel): void {
    const now = this.#ground.host.now();
    for (const [member, want] of channel.wants) {
      if (now - want.at > WANT_MS) channel.wants.delete(member);
    }
    while (channel.waiting > 0) {
      const want = this.#next(channel);
      if (want === undefined) break;
      const job = channel.ready.take() as Job;
      if (job.stage !== "ready") continue;
      channel.waiting--;
      this.#propose(job, want, now);
    }
    for (const [member, want] of channel.wants) {
      const isLast = want.asked === 0 && (want.credit === 0 || channel.waiting === 0);
      if (want.granted.length > 0 || isLast) this.#lease(channel, want, isLast);
      if (isLast) channel.wants.delete(member);
    }
    if (channel.waiting > 0) this.#poke(channel, now);
  }

  /** The wish of the least loaded; among equals, of whoever was served longest ago. */
  #next(channel: Channel): Want | undefined {
    let best: Want | undefined;
    for (const want of channel.wants.values()) {
      if (want.credit > 0 && (best === undefined || want.load < best.load)) best = want;
    }
    return best;
  }

  #propose(job: Job, want: Want, now: number): void {
    const { host, ledger, mail } = this.#ground;
    const { placement } = job;
    const { stores, number } = placement;
    const place = ownPlace(this.#ground, stores);
    if (place < 0) {
      // It has other stores since it was ready.
      job.stage = "idle";
      return;
    }
    const holderGeneration = want.generation;
    const epoch = nextEpoch(job.state.epoch, placement, place);
    const attempts = job.state.attempts + 1;
    const vote = {
      job: job.id,
      placement: number,
      epoch,
      attempts,
      holder: want.member,
      holderGeneration,
    };
    want.credit--;
    want.load++;
    job.stage = "asked";
    if (this.#out.castVote(job, vote) !== "granted") {
      job.stage = "idle";
      return this.schedule(job);
    }
    want.asked++;
    const [votes, against] = [new Set<string>(), new Set<string>()];
    const counting = { votes, against, againAt: 0 };
    const proposal: Proposal = { job, epoch, placement, at: now, want, ...counting };
    this.#proposals.set(job.id, proposal);
    for (const [, member] of replicasOf(this.#ground, stores)) {
      if (member !== host.id) mail.add(member, "vote", vote);
    }
    ledger.whenSafe(job, (problem) => {
      if (this.#proposals.get(job.id) !== proposal) return;
      if (problem === undefined) proposal.votes.add(stores[place] as string);
      else proposal.against.add(stores[place] as string);
      this.#count(proposal);
    });
  }

  #count(proposal: Proposal): void {
    const { job, votes, against, want, placement } = proposal;
    const majority = majorityOf(placement);
    const hasMoved = job.placement.number !== placement.number;
    if (hasMoved || placement.stores.length - against.size < majority)
      return this.#giveUp(proposal);
    if (votes.size < majority) return;
    this.#proposals.delete(job.id);
    const channel = this.#of(job.channel);
    this.#due.add(channel);
    want.asked--;
    if (job.isOver || job.state.epoch !== proposal.epoch || job.state.phase !== "leased") {
      job.stage = "idle";
      return this.schedule(job);
    }
    job.stage = "leased";
    this.#ground.deadlines.set(`job:${job.id}`, boundUntil(this.#ground, job));
    if (job.state.attempts > 1) this.#ground.ledger.tally(job.channel).redelivered++;
    want.granted.push(job);
  }

  /** Nobody was told of it, so nobody holds it: the next epoch may come at once. */
  #giveUp({ job, epoch, want, againAt }: Proposal): void {
    const { host, ledger, post } = this.#ground;
    this.#proposals.delete(job.id);
    want.asked--;
    this.#due.add(this.#of(job.channel));
    job.stage = "idle";
    const { state } = job;
    if (state.epoch === epoch && state.phase === "leased") {
      const readyAt = Math.max(againAt, host.now() + host.rng.jitter(POKE_MS / 2, 0.5));
      const attempts = state.attempts - 1;
      adopt(this.#ground, job, { ...state, phase: "released", attempts, readyAt });
      ledger.write(job, (problem) => {
        if (problem !== undefined) return;
        for (const [, member] of replicasOf(this.#ground, job.placement.stores)) {
          if (member !== host.id) post.put(member, job, false);
        }
      });
    }
    this.schedule(job);
  }

  /** Tells the consumer; what is not its any more is left out. */
  #lease({ name, waiting }: Channel, want: Want, isLast: boolean): void {
    const { host, mail } = this.#ground;
    const now = host.now();
    let [items, bytes]: [Leased[], number] = [[], 0];
    const send = (last: boolean): void => {
      const { member, stamp } = want;
      mail.tell(member, { type: "lease", channel: name, stamp, isLast: last, waiting, items });
      [items, bytes] = [[], 0];
    };
    for (const job of want.granted.splice(0)) {
      const { body, state, placement } = job;
      if (body === undefined || job.stage !== "leased") continue;
      const size = 200 + body.value.length;
      if (items.length > 0 && bytes + size > MESSAGE_BYTES) send(false);
      items.push({
        job: job.id,
        epoch: state.epoch,
        attempt: state.attempts,
        placement,
        body: bodyToWire(body, now),
      });
      bytes += size;
    }
    if (items.length > 0 || isLast) send(isLast);
  }

  /** Tells a few consumers that there is work, the least loaded first; who knows it already is not told again soon. */
  #poke(channel: Channel, now: number): void {
    const { holders, host, mail } = this.#ground;
    const { poked, loads, name, waiting, wants } = channel;
    const idle = holders
      .consumers(name)
      .filter((member) => !wants.has(member) && now - (poked.get(member) ?? -POKE_MS) >= POKE_MS);
    const few = host.rng
      .sample(idle, idle.length)
      .sort((a, b) => (loads.get(a) ?? 0) - (loads.get(b) ?? 0))
      .slice(0, Math.min(waiting, POKES_MAX));
    for (const member of few) {
      poked.set(member, now);
      mail.tell(member, { type: "poke", channel: name, waiting });
    }
  }

  #die(job: Job): void {
    const { ledger } = this.#ground;
    adopt(this.#ground, job, { ...job.state, phase: "dead", reason: "deliveries" });
    ledger.write(job, (problem) => {
      if (problem === undefined) this.#out.duties(job);
    });
  }

  #isBlocked(job: Job): boolean {
    const before = this.#ground.ledger.before(job);
    if (before === undefined) return false;
    const behind = this.#blocked.get(before.id);
    if (behind === undefined) this.#blocked.set(before.id, new Set([job]));
    else behind.add(job);
    return true;
  }

  #wake(id: JobId): void {
    const behind = this.#blocked.get(id);
    if (behind === undefined) return;
    this.#blocked.delete(id);
    for (const job of behind) this.schedule(job);
  }

  #learn(job: Job, head: NonNullable<Voted["head"]>): void {
    const { ledger, host } = this.#ground;
    const theirs = stateFromWire(head.state, host.now());
    this.#out.merge(job, head.placement, theirs);
    ledger.whenSafe(job, () => this.#out.duties(job));
  }

  #of(name: string): Channel {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      const ready = new Heap<Job>(isFirst);
      const maps = { wants: new Map(), poked: new Map(), loads: new Map() };
      channel = { name, ready, waiting: 0, ...maps };
      this.#channels.set(name, channel);
    }
    return channel;
  }
}

/** The highest priority, then the oldest. */
function isFirst(a: Job, b: Job): boolean {
  const [high, low] = [a.body?.priority ?? 0, b.body?.priority ?? 0];
  return high !== low ? high > low : a.turn < b.turn;
}
