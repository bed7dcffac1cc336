/** For how long something has been so, when it is only seen now and then. */

export class Spell {
  #since = Number.NEGATIVE_INFINITY;
  #seenAt = Number.NEGATIVE_INFINITY;

  /** It is so now. What was not seen for `gapMs` had ended, and has begun anew. */
  lastsMs(now: number, gapMs: number): number {
    if (now - this.#seenAt > gapMs) this.#since = now;
    this.#seenAt = now;
    return now - this.#since;
  }
}
