/**
 * How many updates a second may flood from here (scuttlebutt, section 4: additive increase, multiplicative decrease).
 * What is above it is not lost: it waits for its turn on the links, where newer values of a key replace older ones.
 */

/** Updates a second that are added in each step without congestion. Source: the paper's α. */
const ALPHA = 0.75;
/** Share that is taken away at a sign of congestion. Source: the paper's β. */
const BETA = 0.2;
/** Guesses, unmeasured. */
const STEP_MS = 50;
const RATE_MIN = 20;
const RATE_MAX = 1_000;
const RATE_START = 200;
/** What may flood at once, as the share of a second's worth. */
const BURST = 0.5;

export class Pace {
  #rate = RATE_START;
  #tokens = RATE_START * BURST;
  #at = 0;
  #easedAt = Number.NEGATIVE_INFINITY;

  /** Updates a second. */
  get rate(): number {
    return this.#rate;
  }

  /** Whether one may flood now. */
  take(now: number): boolean {
    const ms = now - this.#at;
    this.#at = now;
    this.#rate = Math.min(RATE_MAX, this.#rate + (ALPHA * ms) / STEP_MS);
    this.#tokens = Math.min(this.#rate * BURST, this.#tokens + (this.#rate * ms) / 1_000);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** A link was full, or a neighbour missed what flooded: less, once in a few steps. */
  ease(now: number): void {
    if (now - this.#easedAt < 4 * STEP_MS) return;
    this.#easedAt = now;
    this.#rate = Math.max(RATE_MIN, this.#rate * (1 - BETA));
  }
}
