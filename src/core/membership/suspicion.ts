/**
 * Deciding about a member: its announced neighbours are its observers, and their reports are counted.
 *
 * This stands in for SWIM's random indirect probes, which would need links that do not exist, and for the
 * suspicion time-out of section 4.2; the idea of a quorum of observers is Rapid's (section 4). Reports carry direct
 * knowledge only. X is suspect at min(|O|, 2) reports and down at ⌈downShare · |O|⌉ when nobody vouches, where O
 * are the observers that X had announced when the suspicion began, without those that are themselves suspect,
 * asleep or gone, that have no link with X (`abstain`), or that we are not connected with. Reports say how long X
 * has not answered, so all together know well when it stopped: it is not down before two of them have waited for
 * `downMinMs` (those left out that missed answers while others still heard it), and what is left of that is its grace. A stall of 3 s is no failure. When nobody is left in O, or the suspicion stays undecided for `suspicionMaxMs`, X is audited over a route: two auditors that do not
 * reach it decide. What nobody can decide ends in down after half as long again.
 * X itself hears the reports too and refutes them by a higher incarnation.
 */

import type { Config } from "../config.ts";
import type { MemberId } from "../machine.ts";
import type { Opinion } from "../wire/messages.ts";
import { isLive, type Member } from "./table.ts";

/** Suspicions at once: one for each member of a large cell. More are not opened; audits and repair remain. */
const SUSPICIONS_MAX = 4_096;

/** The end of a suspicion that nobody could decide, in times of `suspicionMaxMs`. */
const END = 1.5;

/** Open suspicions are looked at so often, ms: others may have become unable to decide. */
const LOOK_MS = 1_000;

/** Observers that must agree on how long a member has not answered. */
const AGREE_MIN = 2;

/** So few may have lost their first probes to chance. */
const FEW = 3;

/** Auditors that must agree. */
const UNREACHABLE_MIN = 2;

/** What is added to how long a member must not answer when so few report it, in periods: a sole observer may have lost more. */
export function periodsMore(reports: number): number {
  return reports > FEW ? 0 : reports > 1 ? 1 : 1.5;
}

interface Held {
  readonly opinion: Opinion;
  readonly at: number;
}

interface Suspicion {
  readonly target: MemberId;
  readonly generation: number;
  readonly incarnation: number;
  readonly startedAt: number;
  /** When somebody last said that the member does not answer. */
  accusedAt: number;
  /** From when on it can be down. */
  ripeAt: number;
  /** Enough have reported it, at the last look. */
  quorate: boolean;
  /** Frozen at the start: an observer that drops its link still counts. */
  readonly observers: readonly MemberId[];
  readonly opinions: Map<MemberId, Held>;
}

/** What the observers say, those that count. */
interface Count {
  readonly observers: number;
  readonly reports: number;
  readonly asleep: boolean;
  /** Since when each has had no answer. */
  readonly since: number[];
  /** When one of them had the last sign of life. */
  readonly heardAt: number;
}

/** "audit": nobody else can decide now. "cleared" closes the suspicion. */
export type Verdict = "none" | "suspect" | "asleep" | "down" | "audit" | "cleared";

export interface Members {
  get(id: MemberId): Member | undefined;
  others(): Iterable<Member>;
}

/** Where we stand ourselves when we judge. */
export interface Standing {
  /** An observer that we are not connected with. */
  isCut(observer: MemberId): boolean;
  /** We have no link at all. */
  readonly alone: boolean;
  /** Who could audit: all that are alive, without the one in question. */
  others(): Iterable<MemberId>;
}

export class Suspicions {
  readonly #config: Config;
  readonly #byTarget = new Map<MemberId, Suspicion>();
  readonly #members: Members;

  constructor(config: Config, members: Members) {
    this.#config = config;
    this.#members = members;
  }

  get size(): number {
    return this.#byTarget.size;
  }

  has(target: MemberId): boolean {
    return this.#byTarget.has(target);
  }

  /** Members that `observer` may have a say in. */
  observedBy(observer: MemberId): MemberId[] {
    const suspicions = [...this.#byTarget.values()];
    return suspicions.filter((one) => one.observers.includes(observer)).map((one) => one.target);
  }

  /** Everything said in open suspicions, for a neighbour that comes late. */
  opinions(now: number): Opinion[] {
    return [...this.#byTarget.values()].flatMap(({ opinions }) =>
      [...opinions.values()].map(({ opinion, at }) => {
        return aged(opinion, Math.round(now - at));
      }),
    );
  }

  /** Whether a vouch of `observer` is wanted: it has not given one since the last accusation, or long ago. */
  wantsVouch(target: MemberId, observer: MemberId, now: number): boolean {
    const suspicion = this.#byTarget.get(target);
    if (suspicion === undefined) return false;
    const held = suspicion.opinions.get(observer);
    if (held?.opinion.kind !== "vouch" || held.at < suspicion.accusedAt) return true;
    return now - held.at > this.#config.giveUpMinMs / 2;
  }

  /** Whether others miss `target` and `observer` has not said so. */
  wantsReport(target: MemberId, observer: MemberId): boolean {
    return this.#byTarget.has(target) && !this.isReported(target, observer);
  }

  /** Whether some of the observers must still speak. */
  isUndecided(target: MemberId): boolean {
    return this.#byTarget.get(target)?.quorate === false;
  }

  /** Whether `observer` has reported `target`, and not heard of it since. */
  isReported(target: MemberId, observer: MemberId): boolean {
    const held = this.#byTarget.get(target)?.opinions.get(observer);
    return held?.opinion.kind === "report" || held?.opinion.kind === "asleep";
  }

  /** Whether `observer` counts and has said nothing yet. */
  awaits(target: MemberId, observer: MemberId): boolean {
    const suspicion = this.#byTarget.get(target);
    if (suspicion === undefined || !suspicion.observers.includes(observer)) return false;
    return !suspicion.opinions.has(observer);
  }

  /** Takes an opinion. False when it is no news: then it is not passed on. */
  add(opinion: Opinion, now: number): boolean {
    const member = this.#members.get(opinion.target);
    if (member === undefined || !isLive(member)) return false;
    const { generation, incarnation } = member.record;
    if (opinion.generation !== generation || opinion.incarnation !== incarnation) return false;
    const accuses = opinion.kind !== "vouch" && opinion.kind !== "abstain";
    let suspicion = this.#byTarget.get(opinion.target);
    const isOpen = suspicion?.generation === generation && suspicion.incarnation === incarnation;
    if (suspicion === undefined || !isOpen) {
      if (!accuses || this.#byTarget.size >= SUSPICIONS_MAX) return false;
      suspicion = this.#begin(member, now);
    }
    if (!this.#isNews(suspicion, opinion)) return false;
    // Open from here on only: a stranger's word starts no clock.
    this.#byTarget.set(opinion.target, suspicion);
    if (accuses) suspicion.accusedAt = now;
    suspicion.opinions.set(opinion.observer, { opinion, at: now });
    return true;
  }

  /** The member has refuted, left, or is down: nothing is left to decide. */
  close(target: MemberId): void {
    this.#byTarget.delete(target);
  }

  /** What the opinions amount to now. */
  judge(target: MemberId, now: number, standing: Standing): Verdict {
    const suspicion = this.#byTarget.get(target);
    if (suspicion === undefined) return "none";
    const { observers, reports, asleep, since, heardAt } = this.#count(suspicion, standing);
    // Who began to miss answers before another heard of the member has lost them by chance.
    const waits = since.filter((at) => at >= heardAt).sort((a, b) => a - b);
    const agreed = waits[Math.min(waits.length, AGREE_MIN) - 1] ?? now;
    const { downMinMs, probePeriodMs } = this.#config;
    suspicion.ripeAt = agreed + downMinMs + periodsMore(reports) * probePeriodMs;
    const { vouched, unreachable } = this.#hear(suspicion, now);
    const verdict = verdictOf(observers, reports, vouched, this.#config.downShare);
    suspicion.quorate = verdict === "down";
    const overdue = now >= this.overdueAt(target);
    if (verdict === "down" && (overdue || now >= suspicion.ripeAt)) {
      return asleep ? "asleep" : "down";
    }
    if (verdict === "down") return "suspect";
    if (observers > 0 && !overdue) return verdict;
    if (!vouched && unreachable > 0 && unreachable >= auditorsOf(standing)) return "down";
    if (!overdue) return "audit";
    const ended = standing.alone || now >= this.endsAt(target);
    // Who reported it may be gone itself by now: then nobody misses the member any more.
    const accused = !vouched && reports + unreachable > 0;
    if (accused && !ended) return "audit";
    this.#byTarget.delete(target);
    return accused ? "down" : "cleared";
  }

  /** When it is to be judged anew at the latest, if nothing comes before. */
  nextLook(target: MemberId, now: number): number {
    const suspicion = this.#byTarget.get(target);
    if (suspicion === undefined) return Number.POSITIVE_INFINITY;
    const times = [suspicion.ripeAt, this.overdueAt(target), this.endsAt(target)];
    const looks = Math.floor((now - suspicion.startedAt) / LOOK_MS) + 1;
    const lookAt = suspicion.startedAt + looks * LOOK_MS;
    return Math.min(Math.max(lookAt, now + 1), ...times.filter((at) => at > now));
  }

  /** From when on a suspicion is no longer left to the observers. */
  overdueAt(target: MemberId): number {
    const startedAt = this.#byTarget.get(target)?.startedAt ?? Number.POSITIVE_INFINITY;
    return startedAt + this.#config.suspicionMaxMs;
  }

  /** When a suspicion must end at the latest. */
  endsAt(target: MemberId): number {
    const startedAt = this.#byTarget.get(target)?.startedAt ?? Number.POSITIVE_INFINITY;
    return startedAt + END * this.#config.suspicionMaxMs;
  }

  /** Reports needed for down, by what is known now: the fewer, the surer each one must be. */
  reportsNeeded(target: Member): number {
    const observers = target.record.neighbours.filter((id) => this.#isAlive(id));
    return Math.max(1, Math.ceil(this.#config.downShare * observers.length));
  }

  #begin({ record }: Member, now: number): Suspicion {
    const { id, generation, incarnation, neighbours } = record;
    const observers = neighbours.length > 0 ? neighbours : this.#linkedWith(id);
    const opinions = new Map<MemberId, Held>();
    return {
      ...{ target: id, generation, incarnation, observers, opinions },
      ...{ startedAt: now, accusedAt: now, ripeAt: Number.POSITIVE_INFINITY, quorate: false },
    };
  }

  /** A newcomer's neighbours may have announced it sooner than it announced them. */
  #linkedWith(target: MemberId): MemberId[] {
    const own = this.#members.get(this.#config.id);
    const members = own === undefined ? this.#members.others() : [own, ...this.#members.others()];
    const linked: MemberId[] = [];
    for (const { record } of members) {
      if (record.neighbours.includes(target)) linked.push(record.id);
    }
    return linked;
  }

  #count({ observers, opinions }: Suspicion, { isCut }: Standing): Count {
    const since: number[] = [];
    const heardAt = Number.NEGATIVE_INFINITY;
    const count = { observers: 0, reports: 0, asleep: false, since, heardAt };
    for (const observer of observers) {
      if (!this.#isAlive(observer)) continue;
      const held = opinions.get(observer);
      const opinion = this.#valid(held);
      const kind = opinion?.kind;
      if (kind === "abstain" || (kind === undefined && isCut(observer))) continue;
      count.observers++;
      if (kind === "asleep") count.asleep = true;
      if (held === undefined || (kind !== "report" && kind !== "asleep")) continue;
      count.reports++;
      since.push(held.at - held.opinion.agoMs);
      count.heardAt = Math.max(count.heardAt, held.at - held.opinion.heardAgoMs);
    }
    return count;
  }

  /** What anybody may say, observer or not. An answer proves nothing for longer than silence may last. */
  #hear({ opinions }: Suspicion, now: number): { vouched: boolean; unreachable: number } {
    let vouched = false;
    let unreachable = 0;
    for (const held of opinions.values()) {
      const kind = this.#valid(held)?.kind;
      if (kind === "unreachable") unreachable++;
      if (kind === "vouch" && now - held.at < this.#config.giveUpMinMs) vouched = true;
    }
    return { vouched, unreachable };
  }

  /** The word of a former life, or of somebody who is silent himself, counts for nothing. */
  #valid(held: Held | undefined): Opinion | undefined {
    if (held === undefined) return undefined;
    const { observer, observerGeneration } = held.opinion;
    const generation = this.#members.get(observer)?.record.generation;
    return this.#isAlive(observer) && generation === observerGeneration ? held.opinion : undefined;
  }

  #isAlive(id: MemberId): boolean {
    return this.#members.get(id)?.state === "alive";
  }

  /** The latest word of each counts. Bounds the opinions by the links a member can have. */
  #isNews(suspicion: Suspicion, opinion: Opinion): boolean {
    const held = suspicion.opinions.get(opinion.observer)?.opinion;
    if (held?.observerGeneration === opinion.observerGeneration) {
      return opinion.sequence > held.sequence;
    }
    const observer = this.#members.get(opinion.observer);
    if (observer?.record.generation !== opinion.observerGeneration) return false;
    if (held !== undefined || suspicion.observers.includes(opinion.observer)) return true;
    const linksMax = this.#config.fullMeshMax + this.#config.linksTarget + this.#config.linksSlack;
    return suspicion.opinions.size < suspicion.observers.length + linksMax;
  }
}

/** The same word, `ms` later. */
export function aged(opinion: Opinion, ms: number): Opinion {
  const { agoMs, heardAgoMs } = opinion;
  return { ...opinion, agoMs: agoMs + ms, heardAgoMs: heardAgoMs + ms };
}

/** How many auditors must agree: fewer when there are no more. */
function auditorsOf(standing: Standing): number {
  let count = 0;
  for (const other of standing.others()) {
    if (!standing.isCut(other) && ++count === UNREACHABLE_MIN) break;
  }
  return count;
}

/** The rule of decision, as a pure function of the counts. */
export function verdictOf(
  observers: number,
  reports: number,
  vouched: boolean,
  downShare: number,
): "none" | "suspect" | "down" {
  if (reports === 0) return "none";
  if (!vouched && reports >= Math.max(1, Math.ceil(downShare * observers))) return "down";
  return reports >= Math.min(observers, 2) ? "suspect" : "none";
}
