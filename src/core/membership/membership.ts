/** The membership layer: brings table, gossip, detector and failures together. */

import type { Config } from "../config.ts";
import { Deadline, type Deadlines } from "../lib/deadlines.ts";
import type { MemberId } from "../machine.ts";
import {
  type Claim,
  type Fingerprints,
  type Inner,
  type MemberRecord,
  type Message,
  type MessageOf,
  NEIGHBOURS_MAX,
  type Opinion,
  type Update,
} from "../wire/messages.ts";
import { Detector } from "./detector.ts";
import { Failures } from "./failures.ts";
import { Gossip, messagesOf } from "./gossip.ts";
import { OwnRecord } from "./own-record.ts";
import { Repair } from "./repair.ts";
import { Rumours } from "./rumours.ts";
import { aged } from "./suspicion.ts";
import { type Change, isDescription, type Member, MemberTable } from "./table.ts";

/** In a mesh of more members everybody hears of so many lists of neighbours that each is told less. Guess, unmeasured. */
const LARGE = 500;
/** How many times longer than in a small mesh changes of the own neighbours wait. Guess, unmeasured. */
const PATIENCE_MAX = 5;

/** Opinions in one message. */
const OPINIONS_MAX = 256;

export interface MembershipOut {
  /** The time of this step, ms. */
  now(): number;
  /** Proves what we say of ourselves; `then` comes at once where nothing needs a proof. */
  prove(record: MemberRecord, then: (proof: Uint8Array | undefined) => void): void;
  /** Others may know us from now on. */
  ready(): void;
  neighbours(): readonly MemberId[];
  send(to: MemberId, message: Message, lane?: "datagram"): void;
  /** A member's record or state changed. */
  changed(change: Change): void;
  forgotten(id: MemberId): void;
  /** Ends the silent link with `peer`. */
  giveUp(peer: MemberId): void;
  /** Bulk waits on the link with `peer`. */
  bulkWaits(peer: MemberId): boolean;
  /** Carries `inner` over a route. */
  carry(to: MemberId, inner: Inner): void;
  fingerprints(): Fingerprints;
  /** The other end of a link knows other things of state than we do. */
  differs(peer: MemberId): void;
  /** … of what all share. */
  sharedDiffers(peer: MemberId): void;
  /** Our generation rose before anybody had heard of us. */
  reborn(generation: number): void;
  taken(): void;
}

export class Membership {
  readonly table: MemberTable;
  readonly detector: Detector;
  readonly gossip: Gossip;
  readonly repair: Repair;
  readonly own: OwnRecord;
  readonly failures: Failures;
  readonly #config: Config;
  readonly #deadlines: Deadlines;
  readonly #out: MembershipOut;
  readonly #rumours: Rumours;
  /** The updates being taken are the table that we have asked for. */
  #filling = false;
  #mayFreeze = false;
  /** Since when our neighbours are others than we announced, ms. */
  #changedAt: number | undefined;
  /** When each link is to be looked at: moved with every proof of life. */
  readonly #watches = new Map<MemberId, Deadline>();

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
    this.#rumours = new Rumours(this.table, deadlines);
    this.own = new OwnRecord(this.table, {
      now: () => out.now(),
      prove: (record, then) => out.prove(record, then),
      ready: () => out.ready(),
      shown: (record) => this.#spreadOwn(record),
    });
    this.detector = new Detector(config);
    this.failures = new Failures(config, deadlines, this.table, this.detector, {
      neighbours: () => out.neighbours(),
      ping: (peer, now) => this.#ping(peer, now),
      tell: (opinion, from, now) => this.#spread({ type: "opinion", ...opinion }, from, true, now),
      hold: (member, state, now) => this.#hold(member, state, now),
      carry: (to, inner) => out.carry(to, inner),
    });
  }

  set mayFreeze(value: boolean) {
    this.#mayFreeze = value;
  }

  /** A link with `peer` stands: take its record, compare what both know. */
  onLinkUp(peer: MemberId, record: MemberRecord, now: number): void {
    this.table.announced(now);
    this.failures.settle(peer);
    this.detector.add(peer, now);
    if (!this.#watches.has(peer)) this.#watches.set(peer, new Deadline("probe", peer));
    this.#planProbe(peer, now);
    // First the announcement, then what the news of the member leads to.
    this.#announceSoon(now);
    this.#takeRecord(record, peer, now);
    this.repair.onLinkUp(peer, now);
    const opinions = this.failures.opinions(now);
    const updates = opinions.map((opinion): Update => ({ type: "opinion", ...opinion }));
    for (const message of messagesOf(updates, OPINIONS_MAX)) this.#out.send(peer, message);
  }

  onLinkDown(peer: MemberId, onPurpose: boolean, now: number): void {
    if (!onPurpose && this.table.isLive(peer)) this.failures.onLost(peer, now);
    this.detector.remove(peer);
    this.repair.onLinkDown(peer);
    const watch = this.#watches.get(peer);
    if (watch !== undefined) this.#deadlines.stop(watch);
    this.#watches.delete(peer);
    this.#announceSoon(now);
  }

  isAsleep(id: MemberId): boolean {
    return this.table.isAsleep(id);
  }

  onPing(from: MemberId, ping: Extract<Message, { type: "ping" }>, now: number): void {
    const proof = this.detector.onPing(from, ping, now);
    this.#planProbe(from, now);
    if (proof) this.failures.onProof(from, true, now);
    const ack: Message = {
      type: "ack",
      sequence: ping.sequence,
      mayFreeze: this.#mayFreeze,
      fingerprints: this.#out.fingerprints(),
    };
    this.#out.send(from, ack, "datagram");
  }

  onAck(from: MemberId, ack: Extract<Message, { type: "ack" }>, now: number): void {
    const timely = this.detector.onAck(from, ack, now);
    this.#planProbe(from, now);
    this.#compare(from, ack.fingerprints, now);
    if (timely !== undefined) this.failures.onProof(from, timely, now);
  }

  onUpdates(from: MemberId, updates: readonly Update[], now: number): void {
    for (const update of updates) {
      if (update.type === "record") this.#takeRecord(update.record, from, now);
      else if (update.type === "claim") this.#takeClaim(update, from, now);
      else this.#takeOpinion(this.#aged(update, from), from, now);
    }
  }

  /** The answer to a digest. */
  onDelta(from: MemberId, { updates, more }: MessageOf<"memberDelta">, now: number): void {
    this.#filling = this.repair.isFilledBy(from, more, now);
    this.onUpdates(from, updates, now);
    this.#filling = false;
  }

  /** The time to look at the link with `peer` has come. */
  onProbeDeadline(peer: MemberId, now: number): void {
    if (this.#mayNotProbe(peer)) {
      return this.#lookAgain(peer, now + this.#config.probePeriodMs);
    }
    const { failures } = this;
    const action = this.detector.check(peer, now, () => ({
      reports: failures.reportsNeeded(peer),
      bulk: this.#out.bulkWaits(peer),
      stretch: failures.stretch(peer, now),
      void: failures.health.isVoid(now),
    }));
    if (action === "report") failures.onSilent(peer, now);
    else if (action === "ping") failures.onMiss(peer, now);
    if (action === "giveUp") {
      this.#out.giveUp(peer);
      return failures.onGivenUp(peer);
    }
    // By now the member may have been declared down, and the link been ended.
    if (this.detector.health(peer) === undefined) return;
    if (action !== "wait") this.#ping(peer, now);
    this.#planProbe(peer, now);
  }

  /** What was claimed of a member has not been refuted. */
  onRumourDeadline(id: MemberId, now: number): void {
    const claim = this.#rumours.take(id);
    if (claim !== undefined) this.#take(claim, now);
  }

  /** A member has slept for as long as it may. */
  onAsleepDeadline(id: MemberId, now: number): void {
    const member = this.table.get(id);
    if (member?.state !== "asleep") return;
    this.#hold(member, "down", now);
    if (this.detector.health(id) !== undefined) this.#out.giveUp(id);
  }

  onAnnounceDeadline(now: number): void {
    this.#changedAt = undefined;
    // Members without any link are let in above every budget: the record still has to decode.
    const neighbours = [...this.#out.neighbours()].sort().slice(0, NEIGHBOURS_MAX);
    const announced = this.table.own.neighbours;
    if (
      neighbours.length === announced.length &&
      neighbours.every((id, i) => id === announced[i])
    ) {
      return;
    }
    this.describe({ neighbours });
    // Before anything else of this step: who is asked next must know the way back.
    this.gossip.flushNow(now);
  }

  onReapDeadline(now: number): void {
    for (const id of this.table.reap(now)) this.#out.forgotten(id);
    this.#deadlines.set("reap", now + this.#config.tombstoneMs / 4);
  }

  /** The host is about to stop us: the last thing that is heard of us for a while. */
  sleep(now: number): void {
    this.own.end("asleep");
    this.gossip.flushNow(now);
  }

  /** The host stood still for `gapMs`: what was outstanding says nothing. */
  resume(gapMs: number, now: number): void {
    // Others may have taken us for asleep or down by now: before they say so we are back.
    if (this.isAsleep(this.#config.id) || gapMs >= this.#config.giveUpMinMs) {
      this.table.wake();
      this.own.changed();
    }
    this.failures.health.onLate(gapMs, now);
    this.failures.forgive(now);
    for (const peer of this.#out.neighbours()) {
      this.#planProbe(peer, now);
    }
  }

  /** The host called `lateMs` after something was due. */
  onLate(lateMs: number, now: number): void {
    if (this.failures.health.onLate(lateMs, now)) this.resume(lateMs, now);
  }

  describe(change: Parameters<MemberTable["describe"]>[0]): void {
    this.table.describe(change);
    this.own.changed();
  }

  /** The last word: everyone hears it before the links end. */
  leave(now: number): void {
    this.own.end("left");
    this.gossip.flushNow(now);
  }

  /** Moved with every proof of life: looking in vain would cost more than all else that idle members do. */
  #planProbe(peer: MemberId, now: number): void {
    this.#lookAgain(peer, this.detector.nextCheck(peer, now));
  }

  #lookAgain(peer: MemberId, at: number): void {
    const watch = this.#watches.get(peer);
    if (watch !== undefined) this.#deadlines.move(watch, at);
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
    if (theirs.shared !== ours.shared) this.#out.sharedDiffers(peer);
  }

  #takeRecord(record: MemberRecord, from: MemberId, now: number): void {
    if (record.id === this.#config.id) return this.#takeOwn(record, now);
    const change = this.table.applyRecord(record, now);
    const isLarge = this.table.liveCount > LARGE;
    const isMinor = isLarge && change !== undefined && isDescription(change);
    this.#spread({ type: "record", record }, from, change !== undefined, now, isMinor);
    if (change === undefined) return;
    this.#settle(change, now);
  }

  #takeClaim(claim: Claim, from: MemberId, now: number): void {
    if (claim.id === this.#config.id) return this.#takeOwn(claim, now);
    // A newcomer has nothing to set against what it is told.
    if (this.#filling) return this.#take(claim, now);
    const isNews = this.#rumours.hear(claim, now);
    this.#spread({ type: "claim", ...claim }, from, isNews, now);
  }

  #take(claim: Claim, now: number): void {
    const change = this.table.applyClaim(claim, now);
    if (change !== undefined) this.#settle(change, now);
  }

  #takeOpinion(opinion: Opinion, from: MemberId, now: number): void {
    const { target, generation, incarnation } = opinion;
    if (target === this.#config.id) {
      if (opinion.kind === "vouch" || opinion.kind === "abstain") return;
      return this.#takeOwn({ id: target, generation, incarnation, state: "suspect" }, now);
    }
    if (this.failures.onOpinion(opinion, from, now)) return;
    this.#spread({ type: "opinion", ...opinion }, from, false, now);
  }

  /** What is told ages on its way. */
  #aged(opinion: Opinion, from: MemberId): Opinion {
    return aged(opinion, Math.round(this.detector.health(from)?.wayMs ?? 0));
  }

  #takeOwn(news: MemberRecord | Claim, now: number): void {
    const result = this.table.applyOwn(news, now);
    if (result === "none") return;
    if (result === "taken") return this.#out.taken();
    if (result === "reborn") this.#out.reborn(this.table.own.generation);
    if (result === "refuted") this.failures.health.worsen(now);
    this.own.changed();
  }

  /** Takes `state` for the member's from now on. */
  #hold(member: Member, state: Claim["state"], now: number): void {
    const { id, generation, incarnation } = member.record;
    this.#take({ id, generation, incarnation, state }, now);
  }

  /** A change of state ends what was under way about the member. */
  #settle(change: Change, now: number): void {
    this.#onSleep(change);
    this.#out.changed(change);
    this.failures.onChanged(change, now);
    const { record, state } = change.after;
    if (state === "down" && this.detector.silentMs(record.id, now) !== undefined) {
      this.#out.giveUp(record.id);
    }
  }

  /** Nobody counts on a sleeper; one that wakes has been heard this moment. */
  #onSleep({ before, after }: Change): void {
    const { id } = after.record;
    const asleep = after.state === "asleep";
    if (asleep === (before?.state === "asleep")) return;
    if (asleep) this.#deadlines.set(`asleep:${id}`, after.since + this.#config.asleepMs);
    else this.#deadlines.clear(`asleep:${id}`);
    if (this.detector.health(id) === undefined) return;
    this.detector.add(id, after.since);
    this.#planProbe(id, after.since);
    this.#announceSoon(after.since);
  }

  /** A first link is announced at once: until then nobody finds a way to us. */
  #announceSoon(now: number): void {
    const patience = Math.min(Math.max(1, this.table.liveCount / LARGE), PATIENCE_MAX);
    const isFirst = this.table.own.neighbours.length === 0;
    this.#changedAt ??= now;
    // Of how many members we know may have grown since.
    const at = this.#changedAt + patience * this.#config.announceDelayMs;
    this.#deadlines.set("neighbours", isFirst ? now : at);
  }

  /** Passes news on, unless it fills our empty table: then all others have it. */
  #spread(
    update: Update,
    from: MemberId | undefined,
    isNews: boolean,
    now: number,
    isMinor = false,
  ): void {
    if (from === undefined) return this.gossip.tell(update, from);
    if (!isNews) return this.gossip.had(update, from);
    if (this.#filling) return;
    this.repair.onNews(now);
    this.gossip.tell(update, from, isMinor);
  }

  #spreadOwn(record: MemberRecord): void {
    this.gossip.tell({ type: "record", record }, undefined);
    const own = this.table.get(this.#config.id) as Member;
    this.#out.changed({ before: own, after: own });
  }
}
