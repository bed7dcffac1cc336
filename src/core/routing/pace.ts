/**
 * How many messages one member sends another. The receiver's application has to handle each, so who sends more than
 * anybody can bear for long is cut off. An honest sender stays below that by itself: what is more waits here.
 */

import { BoundedMap } from "../lib/bounded-map.ts";
import { TokenBucket } from "../lib/token-bucket.ts";
import type { MemberId } from "../machine.ts";

/** So much more than a sender allows itself is borne: what comes late, and again. Guess, unmeasured. */
const BORNE = 1.5;

/** What may come at once, of the rate of a second. */
const BURST_SECONDS = 2;

const MEMBERS_MAX = 4_096;

export class Pace {
  readonly #perSecond: number;
  /** When the next one to a member would go, were there no bursts, ms. */
  readonly #next = new BoundedMap<MemberId, number>(MEMBERS_MAX);
  readonly #received = new BoundedMap<MemberId, TokenBucket>(MEMBERS_MAX);

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** When one more may go to this member: in the order of the questions. */
  turn(to: MemberId, now: number): number {
    const next = Math.max(now, this.#next.get(to) ?? 0);
    this.#next.set(to, next + 1_000 / this.#perSecond);
    return Math.max(now, next - BURST_SECONDS * 1_000);
  }

  /** Whether one more from this member can be borne. */
  bears(from: MemberId, now: number): boolean {
    let bucket = this.#received.get(from);
    if (bucket === undefined) {
      const rate = BORNE * this.#perSecond;
      bucket = new TokenBucket(rate, BURST_SECONDS * rate, now);
      this.#received.set(from, bucket);
    }
    return bucket.take(now);
  }
}
