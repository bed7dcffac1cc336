/**
 * Who works. Told of work by a custodian, it says how much it can take, and measures the lease from that moment: so its
 * lease ends before those that voted for it think so, whatever the way took. It stops at 0.8 of it. What it makes of a
 * job it says to all stores of the job by itself, and it counts once a majority has it on its disks.
 *
 * Room that was offered to one custodian is offered to no other until that one has answered, so no more comes than is
 * wanted; what comes too late, or is too much, is declined, and counts as no delivery.
 */

import type { MemberId } from "../lib/ids.ts";
import type { JobId, RevokeReason, StoreId } from "./contract.ts";
import { type Ground, replicasOf } from "./ground.ts";
import { majorityOf, originOf, type Placement } from "./job.ts";
import { HELD_MAX, LEASE_SHARE, RETRY_MAX_MS, RETRY_MS, SETTLE_LEASES, WANT_MS } from "./limits.ts";
import { bodyFromWire } from "./records.ts";
import type { Leased, MessageOf, Settle, Settled } from "./wire.ts";

interface Held {
  readonly job: JobId;
  readonly channel: string;
  readonly epoch: number;
  readonly leaseMs: number;
  placement: Placement;
  stopAt: number;
  /** It was told to stop. */
  isOver: boolean;
}

type How = Settle["how"];

/** Something said of a job, until a majority of its stores has taken it down. */
interface Settling {
  readonly held: Held;
  readonly settle: Settle;
  readonly from: number;
  readonly until: number;
  /** Stores that have it, and those that will not. */
  readonly ok: Set<StoreId>;
  readonly against: Set<StoreId>;
  tries: number;
  againAt: number;
}

interface Offer {
  readonly stamp: number;
  readonly at: number;
  credit: number;
}

interface Channel {
  readonly name: string;
  credit: number;
  /** Jobs that are ours and not over. */
  held: number;
  readonly offers: Map<MemberId, Offer>;
  /** Custodians that have work, in the order of their turns, and how much. */
  readonly work: Map<MemberId, number>;
}

export class Consumer {
  readonly #ground: Ground;
  readonly #channels = new Map<string, Channel>();
  readonly #held = new Map<JobId, Held>();
  readonly #settling = new Map<string, Settling>();
  readonly #due = new Set<Channel>();
  /** Begins anywhere, so that no answer to a former life fits. */
  #stamp: number;

  constructor(ground: Ground) {
    this.#ground = ground;
    this.#stamp = ground.host.rng.uint32();
  }

  subscribe(name: string, credit: number): void {
    const channel = this.#of(name);
    channel.credit = Math.max(0, Math.min(HELD_MAX, Math.floor(credit)));
    this.#due.add(channel);
  }

  /** Gives back all that is held of the channel. */
  close(name: string): void {
    this.subscribe(name, 0);
    for (const held of [...this.#held.values()]) {
      if (held.channel !== name) continue;
      this.#begin(held, "decline", undefined, "");
      this.#revoke(held, "closed");
      this.#held.delete(held.job);
    }
  }

  onPoke(from: MemberId, { channel: name, waiting }: MessageOf<"poke">): void {
    const channel = this.#channels.get(name);
    if (channel === undefined || !this.#ground.holders.isLive(from)) return;
    channel.work.set(from, Math.max(1, waiting));
    this.#due.add(channel);
  }

  onLease(from: MemberId, lease: MessageOf<"lease">): void {
    const channel = this.#channels.get(lease.channel);
    const now = this.#ground.host.now();
    const offer = channel?.offers.get(from);
    const isAnswer = offer?.stamp === lease.stamp;
    for (const item of lease.items) {
      if (this.#held.get(item.job)?.epoch === item.epoch) continue;
      if (this.#settling.has(keyOf(item.job, item.epoch))) continue;
      const stopAt = (offer?.at ?? 0) + LEASE_SHARE * item.body.options.leaseMs;
      const held = heldOf(lease.channel, item, stopAt);
      const hasRoom = channel !== undefined && channel.credit > channel.held && stopAt > now;
      if (hasRoom && isAnswer && offer.credit > 0) {
        offer.credit--;
        this.#take(channel, held, item, now);
      } else this.#begin(held, "decline", undefined, "");
    }
    if (!isAnswer || channel === undefined) return;
    if (lease.isLast) channel.offers.delete(from);
    channel.work.delete(from);
    if (lease.waiting > 0) channel.work.set(from, lease.waiting);
    this.#due.add(channel);
  }

  settle(job: JobId, epoch: number, how: "ack" | "nack", delayMs?: number, detail = ""): boolean {
    const held = this.#held.get(job);
    if (held?.epoch !== epoch) return false;
    this.#held.delete(job);
    this.#end(held);
    this.#begin(held, how, delayMs, detail);
    return true;
  }

  extend(job: JobId, epoch: number): boolean {
    const held = this.#held.get(job);
    if (held?.epoch !== epoch || held.isOver) return false;
    this.#begin(held, "extend", undefined, "");
    return true;
  }

  onSettled(from: MemberId, { job, epoch, how, verdict }: Settled): void {
    const key = keyOf(job, epoch, how);
    const settling = this.#settling.get(key);
    if (settling === undefined) return;
    const { placement } = settling.held;
    const { ok, against } = settling;
    for (const store of placement.stores) {
      if (this.#ground.holders.memberOf(store) !== from) continue;
      if (verdict === "ok") ok.add(store);
      else if (verdict === "stale") against.add(store);
    }
    const majority = majorityOf(placement);
    if (ok.size >= majority) this.#finish(key, settling, undefined);
    else if (placement.stores.length - against.size < majority)
      this.#finish(key, settling, "stale");
  }

  /** Members have come or gone. */
  gone(member: MemberId): void {
    for (const channel of this.#channels.values()) {
      channel.work.delete(member);
      if (channel.offers.delete(member)) this.#due.add(channel);
    }
  }

  onDeadline(job: JobId): void {
    const held = this.#held.get(job);
    if (held === undefined) return;
    const now = this.#ground.host.now();
    if (held.isOver) this.#held.delete(job);
    else if (now < held.stopAt) this.#ground.deadlines.set(`held:${job}`, held.stopAt);
    else {
      this.#revoke(held, "expired");
      // An ack that comes late still counts where nobody else was given the job.
      this.#ground.deadlines.set(`held:${job}`, now + SETTLE_LEASES * held.leaseMs);
    }
  }

  /** Says again what was not answered. */
  sweep(now: number): void {
    for (const [key, settling] of this.#settling) {
      if (now >= settling.until) this.#finish(key, settling, "unconfirmed");
      else if (now >= settling.againAt) this.#say(settling, now);
    }
    for (const channel of this.#channels.values()) {
      for (const [member, { at }] of channel.offers) {
        if (now - at > WANT_MS) channel.offers.delete(member);
      }
      if (channel.work.size > 0) this.#due.add(channel);
    }
  }

  get isBusy(): boolean {
    if (this.#settling.size > 0) return true;
    for (const { offers } of this.#channels.values()) if (offers.size > 0) return true;
    return false;
  }

  /** Whether any job of the channel is ours. */
  holds(name: string): boolean {
    return (this.#channels.get(name)?.held ?? 0) > 0;
  }

  onLeave(): void {
    for (const channel of this.#channels.values()) {
      channel.credit = 0;
      channel.work.clear();
    }
    for (const held of this.#held.values()) this.#begin(held, "decline", undefined, "");
    this.#held.clear();
  }

  flush(): boolean {
    if (this.#due.size === 0) return false;
    const due = [...this.#due];
    this.#due.clear();
    for (const channel of due) this.#offer(channel);
    return true;
  }

  /** Offers what room there is to those that have work and have not been offered any. */
  #offer(channel: Channel): void {
    const { host, mail } = this.#ground;
    let free = channel.credit - channel.held;
    for (const { credit } of channel.offers.values()) free -= credit;
    const asking = [...channel.work].filter(([member]) => !channel.offers.has(member));
    const now = host.now();
    let left = asking.length;
    for (const [member, waiting] of asking) {
      const credit = Math.min(waiting, Math.ceil(free / left));
      left--;
      if (credit <= 0) continue;
      free -= credit;
      // Whoever was asked goes to the end of the row.
      channel.work.delete(member);
      channel.work.set(member, waiting);
      this.#stamp = (this.#stamp + 1) >>> 0;
      const stamp = this.#stamp;
      channel.offers.set(member, { stamp, at: now, credit });
      const { name, held: load } = channel;
      const generation = host.generation();
      mail.tell(member, { type: "want", channel: name, generation, stamp, credit, load });
    }
  }

  #take(channel: Channel, held: Held, { job, epoch, attempt, body }: Leased, now: number): void {
    const { emit, deadlines } = this.#ground;
    const former = this.#held.get(job);
    if (former !== undefined) this.#revoke(former, "taken");
    this.#held.set(job, held);
    channel.held++;
    deadlines.set(`held:${job}`, held.stopAt);
    const { value, key, order, priority, replayOf } = bodyFromWire(body, now);
    emit({
      type: "job",
      channel: channel.name,
      job,
      epoch,
      attempt,
      value,
      ...(key !== undefined && { key }),
      ...(order !== undefined && { order }),
      ...(replayOf !== undefined && { replayOf }),
      priority,
      publishedBy: originOf(job),
      leftMs: held.stopAt - now,
    });
  }

  #begin(held: Held, how: How, delayMs: number | undefined, detail: string): void {
    const now = this.#ground.host.now();
    if (this.#settling.size >= HELD_MAX) return;
    const settle: Settle = { job: held.job, epoch: held.epoch, how, delayMs, detail };
    const until = how === "extend" ? held.stopAt : now + SETTLE_LEASES * held.leaseMs;
    const settling: Settling = {
      held,
      settle,
      from: now,
      until,
      ok: new Set(),
      against: new Set(),
      tries: 0,
      againAt: 0,
    };
    this.#settling.set(keyOf(held.job, held.epoch, how), settling);
    this.#say(settling, now);
  }

  /** To all stores that are there and have not answered; by themselves the others hear it from them. */
  #say(settling: Settling, now: number): void {
    const { mail, host } = this.#ground;
    const { held, settle, ok, against } = settling;
    for (const [store, member] of replicasOf(this.#ground, held.placement.stores)) {
      if (!ok.has(store) && !against.has(store)) mail.add(member, "settle", settle);
    }
    const pauseMs = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** Math.min(settling.tries++, 8));
    settling.againAt = now + host.rng.jitter(pauseMs, 0.2);
  }

  #finish(key: string, settling: Settling, problem: "stale" | "unconfirmed" | undefined): void {
    const { emit, host, deadlines } = this.#ground;
    const { held, settle, from } = settling;
    const { channel, job, epoch } = held;
    this.#settling.delete(key);
    if (settle.how === "extend") {
      if (problem === "stale" && this.#held.get(job) === held) this.#revoke(held, "taken");
      if (problem !== undefined || held.isOver) return;
      held.stopAt = Math.max(held.stopAt, from + LEASE_SHARE * held.leaseMs);
      deadlines.set(`held:${job}`, held.stopAt);
      return emit({ type: "extended", channel, job, epoch, leftMs: held.stopAt - host.now() });
    }
    if (settle.how === "decline") return;
    if (problem === undefined) emit({ type: "settled", channel, job, epoch, ok: true });
    else emit({ type: "settled", channel, job, epoch, ok: false, reason: problem });
  }

  #revoke(held: Held, reason: RevokeReason): void {
    const { channel, job, epoch } = held;
    if (held.isOver) return;
    this.#end(held);
    this.#ground.emit({ type: "revoked", channel, job, epoch, reason });
  }

  /** It takes no room any more. */
  #end(held: Held): void {
    if (held.isOver) return;
    held.isOver = true;
    this.#ground.deadlines.clear(`held:${held.job}`);
    const channel = this.#of(held.channel);
    channel.held--;
    this.#due.add(channel);
  }

  #of(name: string): Channel {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = { name, credit: 0, held: 0, offers: new Map(), work: new Map() };
      this.#channels.set(name, channel);
    }
    return channel;
  }
}

function heldOf(channel: string, { job, epoch, placement, body }: Leased, stopAt: number): Held {
  const { leaseMs } = body.options;
  return { job, channel, epoch, leaseMs, placement, stopAt, isOver: false };
}

/** One thing is said of a lease at a time; what ends it, once. */
function keyOf(job: JobId, epoch: number, how: How = "ack"): string {
  return `${job}/${epoch}${how === "extend" ? "+" : ""}`;
}
