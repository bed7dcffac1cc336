/** Origins that speak: once one has been silent for a while its last payload is to be announced. */

import type { Deadlines } from "../lib/deadlines.ts";
import type { MemberId } from "../machine.ts";

/** After so long without a word of an origin its last one is announced, ms. Guess, unmeasured. */
const SILENCE_MS = 1_000;

export class Silence {
  readonly #deadlines: Deadlines;
  /** When each has spoken last, ms. */
  readonly #speaking = new Map<MemberId, number>();

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  spoken(id: MemberId, now: number): void {
    this.#speaking.set(id, now);
    this.#deadlines.ensure("silence", now + SILENCE_MS);
  }

  forget(id: MemberId): void {
    this.#speaking.delete(id);
  }

  /** Those that have fallen silent, once each. */
  take(now: number): MemberId[] {
    const silent: MemberId[] = [];
    for (const [id, at] of this.#speaking) if (now - at >= SILENCE_MS) silent.push(id);
    for (const id of silent) this.#speaking.delete(id);
    if (this.#speaking.size > 0) this.#deadlines.set("silence", now + SILENCE_MS);
    return silent;
  }
}
