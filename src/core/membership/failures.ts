/**
 * Members that fall silent: what we say of them, and what we hold of them by what all say.
 *
 * We accuse only when somebody else has just proved that the fault is not ours (`local-health.ts`); until then the
 * report waits. A link that broke without a word is given as long as silence. Another's report makes us look at
 * once, and the answer is our vouch: this is SWIM's indirect probe, over links that stand. Verdicts are each
 * member's own (`suspicion.ts`).
 */

import type { Config } from "../config.ts";
import { BoundedMap } from "../lib/bounded-map.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { MemberId } from "../machine.ts";
import type { Inner, Opinion } from "../wire/messages.ts";
import { Audits } from "./audit.ts";
import type { Detector } from "./detector.ts";
import { LocalHealth } from "./local-health.ts";
import { Reach } from "./reach.ts";
import { type Standing, Suspicions } from "./suspicion.ts";
import { type Change, isLive, type Member, type MemberTable } from "./table.ts";

/** A report that waits for a proof that we are connected waits no longer when we have no link, ms. */
const DOUBT_MS = 3_000;

/** A lost link may come back for so long before we join in reporting, ms. */
const LOST_MS = 1_500;

/** Members without observers are looked for, ms, and so long for each member: looking at 10,000 takes 1 ms. */
const UNOBSERVED_MS = 1_000;
const UNOBSERVED_EACH_MS = 1;

/** Whom nobody reaches is looked for less often, ms, or when so many members are gone that others may be cut off. */
const UNREACHED_MS = 30_000;
const UNREACHED_DOWNS = 3;

/** A member that keeps refuting gets more time: by this for each refutation but the first, up to so many. */
const FLAP_STRETCH = 1 / 2;
const FLAPS_MAX = 5;
/** How long one refutation counts, ms. Guess, unmeasured. */
const FLAP_MS = 60_000;
const FLAPPING_MAX = 1_024;

/** What is to be said of a member that stays silent. */
interface Accusation extends Times {
  readonly kind: "report" | "asleep";
}

interface Times {
  /** Since when it has not answered. */
  readonly since: number;
  /** Its last sign of life. */
  readonly heardAt: number;
}

export interface FailuresOut {
  neighbours(): readonly MemberId[];
  /** Probes a neighbour now. */
  ping(peer: MemberId, now: number): void;
  /** Tells all. */
  tell(opinion: Opinion, from: MemberId | undefined, now: number): void;
  /** Takes `state` for the member's from now on. */
  hold(member: Member, state: "suspect" | "asleep" | "down", now: number): void;
  carry(to: MemberId, inner: Inner): void;
}

export class Failures {
  readonly health: LocalHealth;
  readonly reach: Reach;
  readonly #config: Config;
  readonly #deadlines: Deadlines;
  readonly #table: MemberTable;
  readonly #detector: Detector;
  readonly #out: FailuresOut;
  readonly #suspicions: Suspicions;
  readonly #audits: Audits;
  /** Neighbours whose link broke without a word, and what is to be said of them if they stay silent. */
  readonly #lost = new Map<MemberId, Accusation>();
  /** Neighbours that are silent, while the fault may be ours. */
  readonly #withheld = new Map<MemberId, Accusation>();
  /** Members that nobody observed at the last look. */
  #unobserved = new Set<MemberId>();
  /** Members to judge anew, for others have changed. */
  readonly #toJudge = new Set<MemberId>();
  #judging = false;
  /** The table's revision then. What it begins with is no news. */
  #lookedAt: number;
  #reachedAt = 0;
  /** Members that went down since then. */
  #downs = 0;
  readonly #flaps = new BoundedMap<MemberId, { count: number; at: number }>(FLAPPING_MAX);
  #sequence = 0;

  constructor(
    config: Config,
    deadlines: Deadlines,
    table: MemberTable,
    detector: Detector,
    out: FailuresOut,
  ) {
    this.#config = config;
    this.#deadlines = deadlines;
    this.#table = table;
    this.#lookedAt = table.revision;
    this.#detector = detector;
    this.#out = out;
    this.health = new LocalHealth(config.probePeriodMs);
    this.#suspicions = new Suspicions(config, table);
    this.reach = new Reach(
      table,
      () => out.neighbours(),
      (target, observer) => this.#suspicions.isReported(target, observer),
    );
    this.#audits = new Audits(config.id, () => this.#members(), deadlines, {
      carry: (to, inner) => out.carry(to, inner),
      audited: (target, reached, now) => {
        this.#say(target, reached ? "vouch" : "unreachable", now);
      },
    });
  }

  /** What was said in open suspicions. */
  opinions(now: number): Opinion[] {
    return this.#suspicions.opinions(now);
  }

  /** How many reports it takes to declare `peer` down. */
  reportsNeeded(peer: MemberId): number {
    const member = this.#table.get(peer);
    return member === undefined ? 1 : this.#suspicions.reportsNeeded(member);
  }

  /** By how much everything is lengthened for `peer`. */
  stretch(peer: MemberId, now: number): number {
    const flaps = this.#flaps.get(peer);
    if (flaps === undefined) return this.health.stretch;
    const count = Math.max(0, flaps.count - (now - flaps.at) / FLAP_MS - 1);
    return this.health.stretch * (1 + FLAP_STRETCH * count);
  }

  /** The link with `peer` broke without a word. It may come back, or be heard of. */
  onLost(peer: MemberId, now: number): void {
    const accusation = this.#accusationOf(peer, now);
    this.#lost.set(peer, accusation);
    const silentMs = this.#config.giveUpMinMs * this.stretch(peer, now);
    this.#deadlines.set(`lost:${peer}`, Math.max(now, accusation.since + silentMs));
  }

  onLostDeadline(peer: MemberId, now: number): void {
    const accusation = this.#lost.get(peer);
    if (this.#lost.delete(peer) && accusation !== undefined) this.#accuse(peer, accusation, now);
  }

  /** The link with `peer` has been silent for too long. */
  onSilent(peer: MemberId, now: number): void {
    this.#accuse(peer, this.#accusationOf(peer, now), now);
  }

  /** Others miss `peer`: so do we, if it has been silent for a while. */
  onMiss(peer: MemberId, now: number): void {
    if (!this.#suspicions.wantsReport(peer, this.#config.id)) return;
    if (this.#detector.silentMs(peer, now) !== undefined) this.onSilent(peer, now);
  }

  /** What would be said of the lost link with `peer` has been said. */
  onGivenUp(peer: MemberId): void {
    if (this.#lost.delete(peer)) this.#deadlines.clear(`lost:${peer}`);
  }

  /** There is a sign of life of `peer`, or nothing is to be said of it any more. */
  settle(peer: MemberId): void {
    this.#withheld.delete(peer);
    this.onGivenUp(peer);
  }

  /** `from` has proved that we are connected with it: what was withheld goes out. */
  onProof(from: MemberId | undefined, timely: boolean, now: number): void {
    this.health.onProof(timely, now);
    if (this.#withheld.size > 0) this.#release(now, false);
    if (from !== undefined && this.#suspicions.wantsVouch(from, this.#config.id, now)) {
      this.#say(from, "vouch", now);
    }
  }

  onDoubtDeadline(now: number): void {
    if (this.#withheld.size > 0) this.#release(now, this.#out.neighbours().length === 0);
  }

  /** The host stood still: what was outstanding says nothing. */
  forgive(now: number): void {
    this.#detector.forgive(now);
    for (const peer of this.#lost.keys()) {
      this.#deadlines.set(`lost:${peer}`, now + this.#config.giveUpMinMs);
    }
  }

  /** Gives whether it is news. */
  onOpinion(opinion: Opinion, from: MemberId | undefined, now: number): boolean {
    if (!this.#suspicions.add(opinion, now)) return false;
    this.#out.tell(opinion, from, now);
    if (from !== undefined) this.#answer(opinion, now);
    this.#judge(opinion.target, now);
    return true;
  }

  onSuspicionDeadline(target: MemberId, now: number): void {
    if (this.#suspicions.isUndecided(target)) this.reach.find(now);
    this.#judge(target, now);
  }

  onAuditDeadline(target: MemberId, now: number): void {
    this.#audits.onDeadline(target, now);
  }

  /** A member has answered over a route. */
  onProbeAck(from: MemberId, now: number): void {
    this.#audits.onAnswer(from, now);
  }

  /** Looks for members whose neighbours are all gone: nobody will report them. They are audited. */
  onUnobservedDeadline(now: number): void {
    const pauseMs = Math.max(UNOBSERVED_MS, UNOBSERVED_EACH_MS * this.#table.liveCount);
    this.#deadlines.set("unobserved", now + pauseMs);
    if (this.#out.neighbours().length === 0) return;
    const isQuiet = this.#unobserved.size === 0 && !this.reach.anyCut;
    if (isQuiet && this.#lookedAt === this.#table.revision) return;
    this.#lookedAt = this.#table.revision;
    if (this.#downs >= UNREACHED_DOWNS || now - this.#reachedAt >= UNREACHED_MS) {
      this.#downs = 0;
      this.#reachedAt = now;
      this.reach.find(now);
    }
    const unobserved = new Set<MemberId>();
    for (const member of this.#table.others()) {
      if (!this.#isObserved(member, now)) unobserved.add(member.record.id);
    }
    for (const id of unobserved) if (this.#unobserved.has(id)) this.#audits.start(id, now);
    this.#unobserved = unobserved;
  }

  /** A change of a member ends what was under way about it, or who may speak about others. */
  onChanged({ before, after }: Change, now: number): void {
    const { id, generation, incarnation } = after.record;
    const reborn = before !== undefined && before.record.generation !== generation;
    const refuted = before !== undefined && !reborn && before.record.incarnation !== incarnation;
    if (after.state === "down") this.#downs++;
    if (refuted && (before.state === "suspect" || before.state === "down")) this.#flap(id, now);
    // It has noticed that it lost us: it lives, and its other neighbours will know.
    const noticed = this.#lost.has(id) && !after.record.neighbours.includes(this.#config.id);
    if (!isLive(after) || reborn || refuted || noticed) this.settle(id);
    if (!isLive(after) || reborn || refuted) {
      this.#suspicions.close(id);
      this.#audits.stop(id);
      this.#deadlines.clear(`suspicion:${id}`);
    }
    // One observer fewer, or one more, may decide about the others that it observes.
    if (before === undefined || before.state === after.state || this.#suspicions.size === 0) return;
    for (const target of this.#suspicions.observedBy(id)) this.#toJudge.add(target);
    if (this.#judging) return;
    this.#judging = true;
    for (const target of this.#toJudge) {
      this.#toJudge.delete(target);
      this.#judge(target, now);
    }
    this.#judging = false;
  }

  *#members(): IterableIterator<Member> {
    const own = this.#table.get(this.#config.id);
    if (own !== undefined) yield own;
    yield* this.#table.others();
  }

  #isObserved(member: Member, now: number): boolean {
    const { id, neighbours } = member.record;
    if (!isLive(member) || this.#suspicions.has(id)) return true;
    if (this.#detector.health(id) !== undefined) return true;
    if (this.reach.isCut(id, now)) return false;
    // Both must say so: who has dropped its link with a dead member still stands in that one's last word.
    return neighbours.some((neighbour) => {
      const observer = this.#table.get(neighbour);
      return observer?.state === "alive" && observer.record.neighbours.includes(id);
    });
  }

  #accuse(peer: MemberId, accusation: Accusation, now: number): void {
    if (this.#table.own.state === "asleep") return;
    if (this.#suspicions.has(peer) && !this.#suspicions.wantsReport(peer, this.#config.id)) return;
    if (!this.health.doubts(now)) return this.#say(peer, accusation.kind, now, accusation);
    this.#withheld.set(peer, accusation);
    this.#deadlines.ensure("doubt", now + DOUBT_MS);
  }

  /** Says what was withheld, unless the doubt stays. Who has no link at all tells nobody but itself. */
  #release(now: number, alone: boolean): void {
    if (this.health.doubts(now) && !alone) {
      this.#deadlines.ensure("doubt", now + DOUBT_MS);
      return;
    }
    const withheld = [...this.#withheld];
    this.#withheld.clear();
    for (const [peer, accusation] of withheld) this.#say(peer, accusation.kind, now, accusation);
  }

  /** What we know of a member ourselves, told to all. */
  #say(
    target: MemberId,
    kind: Opinion["kind"],
    now: number,
    { since, heardAt }: Times = { since: now, heardAt: now },
  ): void {
    const member = this.#table.get(target);
    if (member === undefined || !isLive(member)) return;
    const { generation, incarnation } = member.record;
    const opinion: Opinion = {
      observer: this.#config.id,
      observerGeneration: this.#table.own.generation,
      target,
      generation,
      incarnation,
      kind,
      agoMs: Math.max(0, Math.round(now - since)),
      heardAgoMs: Math.max(0, Math.round(now - heardAt)),
      sequence: ++this.#sequence,
    };
    this.onOpinion(opinion, undefined, now);
  }

  /** Somebody was accused: whoever is linked with it looks, and who should be and is not says so. */
  #answer({ kind, target }: Opinion, now: number): void {
    if (kind === "vouch" || kind === "abstain") return;
    const lost = this.#lost.get(target);
    if (this.#detector.health(target) !== undefined) {
      this.onMiss(target, now);
      if (this.#detector.mayAsk(target, now)) this.#out.ping(target, now);
    } else if (lost !== undefined) {
      if (now - lost.since < LOST_MS) return;
      this.onGivenUp(target);
      this.#accuse(target, lost, now);
    } else if (this.#isSilentObserver(target)) this.#say(target, "abstain", now);
  }

  /** Our word on `target` is awaited, and we have no link with it. */
  #isSilentObserver(target: MemberId): boolean {
    return this.#suspicions.awaits(target, this.#config.id) && !this.#withheld.has(target);
  }

  #judge(target: MemberId, now: number): void {
    const member = this.#table.get(target);
    if (member === undefined || !this.#suspicions.has(target)) return;
    // What has piled up while we stood still is heard to its end first.
    const verdict = this.health.isVoid(now)
      ? "none"
      : this.#suspicions.judge(target, now, this.#standing(target, now));
    if (this.#suspicions.has(target)) {
      this.#deadlines.set(`suspicion:${target}`, this.#suspicions.nextLook(target, now));
    } else this.#deadlines.clear(`suspicion:${target}`);
    if (verdict === "none" || verdict === "cleared") return;
    this.#out.hold(member, "suspect", now);
    if (verdict === "audit") this.#audits.start(target, now);
    else if (verdict !== "suspect") this.#out.hold(member, verdict, now);
  }

  #standing(target: MemberId, now: number): Standing {
    return {
      isCut: (observer) => this.reach.isCut(observer, now),
      alone: this.#out.neighbours().length === 0,
      others: () => this.#others(target),
    };
  }

  *#others(target: MemberId): IterableIterator<MemberId> {
    for (const { record, state } of this.#members()) {
      if (state === "alive" && record.id !== target) yield record.id;
    }
  }

  #accusationOf(peer: MemberId, now: number): Accusation {
    const health = this.#detector.health(peer);
    const kind = health?.mayFreeze === true ? "asleep" : "report";
    // By its own clock: what it did not answer came to it half a round trip later, what we heard left it as much sooner.
    const wayMs = health?.wayMs ?? 0;
    const heardAt = (this.#detector.lifeAt(peer) ?? now) - wayMs;
    return { kind, since: (health?.unansweredAt ?? now) + wayMs, heardAt };
  }

  #flap(id: MemberId, now: number): void {
    const { count, at } = this.#flaps.get(id) ?? { count: 0, at: now };
    const left = Math.max(0, count - (now - at) / FLAP_MS);
    this.#flaps.set(id, { count: Math.min(FLAPS_MAX, left + 1), at: now });
  }
}
