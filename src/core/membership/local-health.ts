/**
 * How far this member may trust itself (Lifeguard, section IV).
 *
 * Its score rises when the host calls it late, when an answer comes late and when it must refute a suspicion, and
 * falls with timely answers; a high one gives everybody more time (the paper's local health multiplier). Beyond the
 * paper, what it sees is void for one period after it was late, and it doubts itself first: before it accuses
 * anybody it wants a proof of life from somebody else, a neighbour or a seed, that is younger than the silence.
 */

/** A step this much behind its deadline is late, ms. Source: design. */
const LATE_MS = 250;

const SCORE_MAX = 8;

/** What one point of the score adds to a time: at the highest, a neighbour gets three times as long. Guess. */
const STRETCH = 1 / 4;

/** A proof of life is worth so much, in periods: less than any silence that is reported. */
const PROOF_PERIODS = 2;

/** A member that is late all the time (timers of a hidden page) is not void all the time. In periods. */
const VOID_EVERY_PERIODS = 5;

/** Late by so many periods, the host has stood still. Source: design. */
const STOOD_STILL_PERIODS = 2;

export class LocalHealth {
  readonly #periodMs: number;
  #score = 0;
  #scoredAt = Number.NEGATIVE_INFINITY;
  #provenAt = Number.NEGATIVE_INFINITY;
  #lateAt = Number.NEGATIVE_INFINITY;
  #voidedAt = Number.NEGATIVE_INFINITY;

  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  /** What every time for others is multiplied with, from 1 up. */
  get stretch(): number {
    return 1 + STRETCH * this.#score;
  }

  /** The host called `lateMs` after something was due. Gives whether it stood still. */
  onLate(lateMs: number, now: number): boolean {
    if (lateMs <= LATE_MS) return false;
    const stoodStill = lateMs >= STOOD_STILL_PERIODS * this.#periodMs;
    this.worsen(now);
    this.#lateAt = now;
    if (stoodStill || now - this.#voidedAt >= VOID_EVERY_PERIODS * this.#periodMs) {
      this.#voidedAt = now;
    }
    return stoodStill;
  }

  worsen(now: number): void {
    this.#score = Math.min(SCORE_MAX, this.#score + 1);
    this.#scoredAt = now;
  }

  /** Somebody has answered us. */
  onProof(timely: boolean, now: number): void {
    this.#provenAt = now;
    if (!timely) return this.worsen(now);
    if (now - this.#scoredAt < this.#periodMs) return;
    this.#score = Math.max(0, this.#score - 1);
    this.#scoredAt = now;
  }

  /** What is seen now says nothing of others. */
  isVoid(now: number): boolean {
    return now - this.#voidedAt < this.#periodMs;
  }

  /** Whether the fault may be ours. */
  doubts(now: number): boolean {
    const since = Math.max(this.#lateAt, now - PROOF_PERIODS * this.#periodMs);
    return this.isVoid(now) || this.#provenAt < since;
  }
}
