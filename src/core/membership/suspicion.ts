/**
 * Deciding about a member: its announced neighbours are its observers, and their reports are counted.
 *
 * This stands in for SWIM's random indirect probes, which would need links that do not exist, and for the
 * suspicion time-out of section 4.2; the idea of a quorum of observers is Rapid's (section 4). Reports carry direct
 * knowledge only. X is suspect at min(|O|, 2) reports and down at ⌈downShare · |O|⌉ when no observer vouches,
 * where O are the observers that X last announced before the suspicion, without those that are themselves
 * suspect, down or gone. A suspicion that stays undecided for `suspicionMaxMs` ends: in down if nobody vouched.
 * X itself hears the reports too and refutes them by a higher incarnation.
 */

import type { Config } from "../config.ts";
import type { MemberId } from "../machine.ts";
import type { Opinion } from "../wire/messages.ts";
import type { Member } from "./table.ts";

/** Suspicions at once: one for each member of a large cell. More are not opened; audits and repair remain. */
const SUSPICIONS_MAX = 4_096;

interface Suspicion {
  readonly target: MemberId;
  readonly generation: number;
  readonly incarnation: number;
  readonly startedAt: number;
  /** Frozen at the start: an observer that drops its link still counts. */
  readonly observers: readonly MemberId[];
  readonly opinions: Map<MemberId, Opinion>;
}

export type Verdict = "none" | "suspect" | "down" | "cleared";

export class Suspicions {
  readonly #config: Config;
  readonly #byTarget = new Map<MemberId, Suspicion>();
  readonly #find: (id: MemberId) => Member | undefined;

  constructor(config: Config, find: (id: MemberId) => Member | undefined) {
    this.#config = config;
    this.#find = find;
  }

  has(target: MemberId): boolean {
    return this.#byTarget.has(target);
  }

  targets(): MemberId[] {
    return [...this.#byTarget.keys()];
  }

  /** Everything said in open suspicions, for a neighbour that comes late. */
  opinions(): Opinion[] {
    return [...this.#byTarget.values()].flatMap((one) => [...one.opinions.values()]);
  }

  /** Takes an opinion. False when it is no news: then it is not passed on. */
  add(opinion: Opinion, now: number): boolean {
    const member = this.#find(opinion.target);
    if (member === undefined || (member.state !== "alive" && member.state !== "suspect"))
      return false;
    const { generation, incarnation, neighbours } = member.record;
    if (opinion.generation !== generation || opinion.incarnation !== incarnation) return false;
    let suspicion = this.#byTarget.get(opinion.target);
    const isOpen = suspicion?.generation === generation && suspicion.incarnation === incarnation;
    if (suspicion === undefined || !isOpen) {
      if (opinion.kind === "vouch" || this.#byTarget.size >= SUSPICIONS_MAX) return false;
      suspicion = {
        target: opinion.target,
        generation,
        incarnation,
        startedAt: now,
        observers: neighbours,
        opinions: new Map(),
      };
    }
    const held = suspicion.opinions.get(opinion.observer);
    if (held !== undefined && held.sequence >= opinion.sequence) return false;
    if (held === undefined && !this.#mayObserve(suspicion, opinion)) return false;
    // Open from here on only: a stranger's word starts no clock.
    this.#byTarget.set(opinion.target, suspicion);
    suspicion.opinions.set(opinion.observer, opinion);
    return true;
  }

  /** The member has refuted, left, or is down: nothing is left to decide. */
  close(target: MemberId): void {
    this.#byTarget.delete(target);
  }

  /** What the reports amount to now. "cleared" closes the suspicion. */
  judge(target: MemberId, now: number): Verdict {
    const suspicion = this.#byTarget.get(target);
    if (suspicion === undefined) return "none";
    let observers = 0;
    let reports = 0;
    let vouched = false;
    for (const observer of this.#observers(suspicion)) {
      observers++;
      const kind = suspicion.opinions.get(observer)?.kind;
      if (kind === "report") reports++;
      if (kind === "vouch") vouched = true;
    }
    const verdict = verdictOf(observers, reports, vouched, this.#config.downShare);
    // The same sum as in `endsAt`: rounded otherwise, its end could come and find that it is not due.
    if (verdict === "down" || now < this.endsAt(target)) return verdict;
    this.#byTarget.delete(target);
    // Who reported it may be gone itself by now: then nobody misses the member any more.
    return vouched || reports === 0 ? "cleared" : "down";
  }

  /** When a suspicion must end at the latest. */
  endsAt(target: MemberId): number {
    const startedAt = this.#byTarget.get(target)?.startedAt ?? Number.POSITIVE_INFINITY;
    return startedAt + this.#config.suspicionMaxMs;
  }

  /** Reports needed for down, by what is known now: the fewer, the surer each one must be. */
  reportsNeeded(target: Member): number {
    const observers = target.record.neighbours.filter((id) => this.#find(id)?.state === "alive");
    return Math.max(1, Math.ceil(this.#config.downShare * observers.length));
  }

  *#observers(suspicion: Suspicion): IterableIterator<MemberId> {
    for (const observer of suspicion.observers) {
      if (this.#find(observer)?.state === "alive") yield observer;
    }
    // A link that is younger than the announced list makes an observer too, if it has something to say.
    for (const observer of suspicion.opinions.keys()) {
      if (!suspicion.observers.includes(observer) && this.#find(observer)?.state === "alive") {
        yield observer;
      }
    }
  }

  /** Bounds the opinions by the links a member can have. */
  #mayObserve(suspicion: Suspicion, opinion: Opinion): boolean {
    const observer = this.#find(opinion.observer);
    if (observer === undefined || observer.record.generation !== opinion.observerGeneration) {
      return false;
    }
    if (suspicion.observers.includes(opinion.observer)) return true;
    const linksMax = this.#config.fullMeshMax + this.#config.linksTarget + this.#config.linksSlack;
    return suspicion.opinions.size < suspicion.observers.length + linksMax;
  }
}

/** The rule of decision, as a pure function of the counts. */
export function verdictOf(
  observers: number,
  reports: number,
  vouched: boolean,
  downShare: number,
): Verdict {
  if (reports === 0) return "none";
  if (!vouched && reports >= Math.max(1, Math.ceil(downShare * observers))) return "down";
  return reports >= Math.min(observers, 2) ? "suspect" : "none";
}
