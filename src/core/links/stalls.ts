/**
 * Links that stood still: the host did, or the other end was silent for long. What waited on one does not say how much
 * is left of a life by now, and what was lost may be sent again only after as long: until then nothing that has a life
 * is taken from there, and it is asked for anew.
 */

import type { MemberId } from "../machine.ts";

/** What has waited for less is as good as new, ms. Guess, unmeasured. */
const STALE_MS_MIN = 3_000;

/** What has waited for longer is not sent again: links end before. ms. */
const STALE_MS_MAX = 30_000;

export class Stalls {
  /** From when on what comes is no older than it looks, ms. */
  readonly #freshFrom = new Map<MemberId, number>();

  /** The link with `peer` stood still for so long, or hardly. */
  add(peer: MemberId, forMs: number, now: number): void {
    if (forMs < STALE_MS_MIN) return;
    this.#freshFrom.set(peer, now + Math.min(STALE_MS_MAX, forMs));
  }

  isStale(peer: MemberId, now: number): boolean {
    return now < (this.#freshFrom.get(peer) ?? 0);
  }

  remove(peer: MemberId): void {
    this.#freshFrom.delete(peer);
  }
}
