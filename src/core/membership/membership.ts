/** The membership layer: brings table, gossip, suspicions and detector together. */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { MemberId } from "../machine.ts";
import {
  type Claim,
  type Fingerprints,
  type MemberRecord,
  type Message,
  type MessageOf,
  NEIGHBOURS_MAX,
  type Opinion,
  type Update,
} from "../wire/messages.ts";
import { Detector } from "./detector.ts";
import { Gossip, messagesOf } from "./gossip.ts";
import { Repair } from "./repair.ts";
import { Suspicions } from "./suspicion.ts";
import { type Change, isLive, type Member, MemberTable } from "./table.ts";

/** Opinions in one message. */
const OPINIONS_MAX = 256;

export interface MembershipOut {
  neighbours(): readonly MemberId[];
  send(to: MemberId, message: Message, lane?: "datagram"): void;
  /** A member's record or state changed. */
  changed(change: Change): void;
  forgotten(id: MemberId): void;
  /** Ends the silent link with `peer`. */
  giveUp(peer: MemberId): void;
  /** Bulk waits on the link with `peer`. */
  bulkWaits(peer: MemberId): boolean;
  fingerprints(): Fingerprints;
  /** The other end of a link knows other things of state than we do. */
  differs(peer: MemberId): void;
  /** Our generation rose before anybody had heard of us. */
  reborn(generation: number): void;
  taken(): void;
}

export class Membership {
  readonly table: MemberTable;
  readonly detector: Detector;
  readonly gossip: Gossip;
  readonly repair: Repair;
  readonly #config: Config;
  readonly #deadlines: Deadlines;
  readonly #out: MembershipOut;
  readonly #suspicions: Suspicions;
  /** Neighbours whose link broke without a word, and when to report them. */
  readonly #lost = new Set<MemberId>();
  /** Members whose observers are all gone, and since when nobody could report them, ms. */
  readonly #unobserved = new Map<MemberId, number>();
  #opinionSequence = 0;
  /** The updates being taken are the table that we have asked for. */
  #filling = false;
  #mayFreeze = false;

  constructor(
    config: Config,
    deadlines: Deadlines,
    now: number,
    out: MembershipOut,
    known?: MemberTable,
  ) {
    this.#config = config;
    this.#deadlines = deadlines;
    this.#out = out;
    this.table = new MemberTable(config, now, known);
    this.gossip = new Gossip(config, deadlines, out);
    this.repair = new Repair(config, this.table, (to, message) => out.send(to, message));
    this.detector = new Detector(config);
    this.#suspicions = new Suspicions(config, (id) => this.table.get(id));
  }

  set mayFreeze(value: boolean) {
    this.#mayFreeze = value;
  }

  /** A link with `peer` stands: take its record, compare what both know. */
  onLinkUp(peer: MemberId, record: MemberRecord, now: number): void {
    this.table.announced(now);
    this.#settleLost(peer);
    this.detector.add(peer, now);
    this.#deadlines.set(`probe:${peer}`, this.detector.nextCheck(peer, now));
    // First the announcement, then what the news of the member leads to.
    this.#announceSoon(now);
    this.#takeRecord(record, peer, now);
    this.repair.onLinkUp(peer, now);
    const opinions = this.#suspicions.opinions();
    const updates = opinions.map((opinion): Update => ({ type: "opinion", ...opinion }));
    for (const message of messagesOf(updates, OPINIONS_MAX)) this.#out.send(peer, message);
  }

  onLinkDown(peer: MemberId, onPurpose: boolean, now: number): void {
    const heardAt = this.detector.health(peer)?.heardAt ?? now;
    this.detector.remove(peer);
    this.repair.onLinkDown(peer);
    this.#deadlines.clear(`probe:${peer}`);
    this.#announceSoon(now);
    if (onPurpose || !this.table.isLive(peer)) return;
    this.#lost.add(peer);
    this.#deadlines.set(`lost:${peer}`, Math.max(now, heardAt + this.#config.giveUpMinMs));
  }

  /** Any sign of a member that came another way than over a link of ours. */
  onSignOfLife(from: MemberId): void {
    this.#settleLost(from);
  }

  isAsleep(id: MemberId): boolean {
    return this.table.get(id)?.state === "asleep";
  }

  onPing(from: MemberId, ping: Extract<Message, { type: "ping" }>, now: number): void {
    this.detector.onPing(from, ping.sequence, ping.echo, now);
    const ack: Message = {
      type: "ack",
      sequence: ping.sequence,
      mayFreeze: this.#mayFreeze,
      fingerprints: this.#out.fingerprints(),
    };
    this.#out.send(from, ack, "datagram");
  }

  onAck(from: MemberId, ack: Extract<Message, { type: "ack" }>, now: number): void {
    this.detector.onAck(from, ack.sequence, now);
    this.#compare(from, ack.fingerprints, now);
    if (this.#suspicions.has(from)) this.#say(from, "vouch", now);
  }

  onUpdates(from: MemberId, updates: readonly Update[], now: number): void {
    for (const update of updates) {
      if (update.type === "record") this.#takeRecord(update.record, from, now);
      else if (update.type === "claim") this.#takeClaim(update, from, now);
      else this.#takeOpinion(update, from, now);
    }
  }

  /** The answer to a digest. */
  onDelta(from: MemberId, { updates, more }: MessageOf<"memberDelta">, now: number): void {
    this.#filling = this.repair.isFilledBy(from, more, now);
    this.onUpdates(from, updates, now);
    this.#filling = false;
  }

  /** The time to look at the link with `peer` has come, `lateMs` ago. */
  onProbeDeadline(peer: MemberId, now: number, lateMs: number): void {
    if (this.#mayNotProbe(peer)) {
      this.#deadlines.set(`probe:${peer}`, now + this.#config.probePeriodMs);
      return;
    }
    const member = this.table.get(peer);
    const needed = member === undefined ? 1 : this.#suspicions.reportsNeeded(member);
    const action = this.detector.check(peer, now, needed, this.#out.bulkWaits(peer), lateMs);
    if (action === "giveUp") {
      this.#out.giveUp(peer);
      this.#settleLost(peer);
      this.#say(peer, "report", now);
      return;
    }
    if (action === "ping") this.#ping(peer, now);
    this.#deadlines.set(`probe:${peer}`, this.detector.nextCheck(peer, now));
  }

  onLostDeadline(peer: MemberId, now: number): void {
    if (this.#lost.delete(peer) && !this.isAsleep(this.#config.id)) this.#say(peer, "report", now);
  }

  /** A member has slept for as long as it may. */
  onAsleepDeadline(id: MemberId, now: number): void {
    const member = this.table.get(id);
    if (member?.state !== "asleep") return;
    this.#hold(member, "down", now);
    if (this.detector.health(id) !== undefined) this.#out.giveUp(id);
  }

  onSuspicionDeadline(target: MemberId, now: number): void {
    this.#judge(target, now);
  }

  onAnnounceDeadline(now: number): void {
    // Members without any link are let in above every budget: the record still has to decode.
    const neighbours = [...this.#out.neighbours()].sort().slice(0, NEIGHBOURS_MAX);
    const announced = this.table.own.neighbours;
    if (
      neighbours.length === announced.length &&
      neighbours.every((id, i) => id === announced[i])
    ) {
      return;
    }
    this.describe({ neighbours }, now);
    // Before anything else of this step: who is asked next must know the way back.
    this.gossip.flushNow();
  }

  /**
   * Members whose observers all went before they could report them would stay for ever: when nobody has observed
   * one for as long as a suspicion may last, it is down.
   */
  onAuditDeadline(now: number): void {
    this.#deadlines.set("audit", now + this.#config.suspicionMaxMs / 4);
    for (const member of [...this.table.others()]) {
      const { id, neighbours } = member.record;
      const observed =
        !isLive(member) ||
        this.detector.health(id) !== undefined ||
        this.#suspicions.has(id) ||
        neighbours.some((neighbour) => this.table.isLive(neighbour));
      if (observed) this.#unobserved.delete(id);
      else if (now - this.#since(id, now) >= this.#config.suspicionMaxMs) {
        this.#unobserved.delete(id);
        this.#declareDown(member, now);
      }
    }
  }

  onReapDeadline(now: number): void {
    for (const id of this.table.reap(now)) this.#out.forgotten(id);
    this.#deadlines.set("reap", now + this.#config.tombstoneMs / 4);
  }

  /** The host is about to stop us: the last thing that is heard of us for a while. */
  sleep(now: number): void {
    this.table.sleep(now);
    this.#spreadOwn();
    this.gossip.flushNow();
  }

  /** The host stood still for `gapMs`: what was outstanding says nothing. */
  resume(gapMs: number, now: number): void {
    // Others may have taken us for asleep or down by now: before they say so we are back.
    if (this.isAsleep(this.#config.id) || gapMs >= this.#config.giveUpMinMs) {
      this.table.wake(now);
      this.#spreadOwn();
    }
    this.detector.forgive(now);
    for (const peer of this.#lost)
      this.#deadlines.set(`lost:${peer}`, now + this.#config.giveUpMinMs);
  }

  describe(change: Parameters<MemberTable["describe"]>[0], now: number): void {
    this.table.describe(change, now);
    this.#spreadOwn();
  }

  /** The last word: everyone hears it before the links end. */
  leave(now: number): void {
    this.table.leave(now);
    this.#spreadOwn();
    this.gossip.flushNow();
  }

  /** Sleepers are not probed, and probe nobody. */
  #mayNotProbe(peer: MemberId): boolean {
    return this.isAsleep(peer) || this.isAsleep(this.#config.id);
  }

  #ping(peer: MemberId, now: number): void {
    const ping = this.detector.nextPing(peer, now);
    if (ping === undefined) return;
    const message: Message = { type: "ping", ...ping, mayFreeze: this.#mayFreeze };
    this.#out.send(peer, message, "datagram");
  }

  #compare(peer: MemberId, theirs: Fingerprints, now: number): void {
    const ours = this.#out.fingerprints();
    if (theirs.membersHigh !== ours.membersHigh || theirs.membersLow !== ours.membersLow) {
      this.repair.differs(peer, now);
    }
    if (theirs.stateHigh !== ours.stateHigh || theirs.stateLow !== ours.stateLow) {
      this.#out.differs(peer);
    }
  }

  #takeRecord(record: MemberRecord, from: MemberId, now: number): void {
    if (record.id === this.#config.id) return this.#takeOwn(record, now);
    const change = this.table.applyRecord(record, now);
    this.#spread({ type: "record", record }, from, change !== undefined, now);
    if (change === undefined) return;
    this.#settle(change);
  }

  #takeClaim(claim: Claim, from: MemberId, now: number): void {
    if (claim.id === this.#config.id) return this.#takeOwn(claim, now);
    const change = this.table.applyClaim(claim, now);
    this.#spread({ type: "claim", ...claim }, from, change !== undefined, now);
    if (change === undefined) return;
    this.#settle(change);
  }

  #takeOpinion(opinion: Opinion, from: MemberId | undefined, now: number): void {
    const { target, generation, incarnation } = opinion;
    if (target === this.#config.id) {
      if (opinion.kind === "vouch") return;
      return this.#takeOwn({ id: target, generation, incarnation, state: "suspect" }, now);
    }
    const isNews = this.#suspicions.add(opinion, now);
    this.#spread({ type: "opinion", ...opinion }, from, isNews, now);
    if (!isNews) return;
    // Another observer's report: look for ourselves at once. The answer is our vouch.
    if (opinion.kind === "report" && this.detector.health(target) !== undefined) {
      this.#ping(target, now);
    }
    this.#judge(target, now);
  }

  #takeOwn(news: MemberRecord | Claim, now: number): void {
    const result = this.table.applyOwn(news, now);
    if (result === "none") return;
    if (result === "taken") return this.#out.taken();
    if (result === "reborn") this.#out.reborn(this.table.own.generation);
    this.#spreadOwn();
  }

  /** What we ourselves hold of a neighbour, told to all. */
  #say(target: MemberId, kind: "report" | "vouch", now: number): void {
    const member = this.table.get(target);
    if (member === undefined || !isLive(member)) return;
    const { generation, incarnation } = member.record;
    const opinion: Opinion = {
      observer: this.#config.id,
      observerGeneration: this.table.own.generation,
      target,
      generation,
      incarnation,
      kind,
      sequence: ++this.#opinionSequence,
    };
    this.#takeOpinion(opinion, undefined, now);
  }

  #judge(target: MemberId, now: number): void {
    const member = this.table.get(target);
    const verdict = this.#suspicions.judge(target, now);
    if (member === undefined || verdict === "none" || verdict === "cleared") {
      if (this.#suspicions.has(target)) {
        this.#deadlines.set(`suspicion:${target}`, this.#suspicions.endsAt(target));
      }
      return;
    }
    if (verdict === "down") return this.#declareDown(member, now);
    this.#hold(member, "suspect", now);
    this.#deadlines.set(`suspicion:${target}`, this.#suspicions.endsAt(target));
  }

  #declareDown(member: Member, now: number): void {
    this.#hold(member, "suspect", now);
    this.#hold(member, "down", now);
    // One observer fewer may decide about the others that it observed.
    for (const other of this.#suspicions.targets()) this.#judge(other, now);
  }

  /** Takes `state` for the member's from now on. */
  #hold(member: Member, state: "suspect" | "down", now: number): void {
    const { id, generation, incarnation } = member.record;
    const change = this.table.applyClaim({ id, generation, incarnation, state }, now);
    if (change !== undefined) this.#settle(change);
  }

  #since(id: MemberId, now: number): number {
    const since = this.#unobserved.get(id) ?? now;
    this.#unobserved.set(id, since);
    return since;
  }

  /** A change of state ends what was under way about the member. */
  #settle(change: Change): void {
    const { before, after } = change;
    const { id } = after.record;
    const refuted =
      before !== undefined &&
      (before.record.incarnation !== after.record.incarnation ||
        before.record.generation !== after.record.generation);
    this.#onSleep(before, after);
    if (!isLive(after)) this.#unobserved.delete(id);
    if (!isLive(after) || refuted) {
      this.#suspicions.close(id);
      this.#deadlines.clear(`suspicion:${id}`);
      this.#settleLost(id);
    }
    this.#out.changed(change);
  }

  /** Nobody counts on a sleeper; one that wakes has been heard this moment. */
  #onSleep(before: Member | undefined, after: Member): void {
    const { id } = after.record;
    const asleep = after.state === "asleep";
    if (asleep === (before?.state === "asleep")) return;
    if (asleep) this.#deadlines.set(`asleep:${id}`, after.since + this.#config.asleepMs);
    else this.#deadlines.clear(`asleep:${id}`);
    if (this.detector.health(id) === undefined) return;
    this.detector.onFrame(id, after.since);
    this.#announceSoon(after.since);
  }

  #settleLost(peer: MemberId): void {
    if (this.#lost.delete(peer)) this.#deadlines.clear(`lost:${peer}`);
  }

  /** A first link is announced at once: until then nobody finds a way to us. */
  #announceSoon(now: number): void {
    const delayMs = this.table.own.neighbours.length === 0 ? 0 : this.#config.announceDelayMs;
    this.#deadlines.ensure("neighbours", now + delayMs);
  }

  /** Passes news on, unless it fills our empty table: then all others have it. */
  #spread(update: Update, from: MemberId | undefined, isNews: boolean, now: number): void {
    if (from === undefined) return this.gossip.tell(update, from);
    if (!isNews) return this.gossip.had(update, from);
    if (this.#filling) return;
    this.repair.onNews(now);
    this.gossip.tell(update, from);
  }

  #spreadOwn(): void {
    this.gossip.tell({ type: "record", record: this.table.own }, undefined);
    const own = this.table.get(this.#config.id) as Member;
    this.#out.changed({ before: own, after: own });
  }
}
