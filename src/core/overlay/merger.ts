/**
 * Two parts of a mesh that find each other again hang together by the one link that a seed gave them. Views are full
 * on both sides, so HyParView would leave it at that, and could end that link as one too many.
 *
 * So a link with somebody who was not live here is a bridge and is kept for a while, and who learns of many returned
 * members at once asks one of them for a link, which is a bridge too.
 */

import type { Rng } from "../lib/rng.ts";
import type { MemberId } from "../machine.ts";

/** A bridge is kept so long: walks and requests have mixed both parts by then, ms. */
const BRIDGE_MS = 30_000;

/** A member that has just come learns of everybody at once, and is no part of anything yet, ms. */
const SETTLED_MS = 10_000;

/** News of members that return is gathered so long, and forgotten after, ms. */
const GATHER_MS = 500;
const FORGET_MS = 5_000;

/** A part of the mesh is at least such a share of it: an eighth. */
const PARTS = 8;

/** Bridges at once; a member has no more links than that to spare. */
const BRIDGES_MAX = 8;

export class Merger {
  readonly #rng: Rng;
  /** Until when. */
  readonly #bridges = new Map<MemberId, number>();
  #settledAt: number | undefined;
  #count = 0;
  #since = 0;
  #one: MemberId | undefined;
  /** Who is asked to be the next bridge. */
  #asked: MemberId | undefined;

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  /** @param isStranger the member was not live here, and has links of its own */
  onLinkUp(peer: MemberId, isStranger: boolean, now: number): void {
    if (!isStranger && peer !== this.#asked) return;
    this.#asked = undefined;
    if (this.#isSettled(now) && this.#bridges.size < BRIDGES_MAX) {
      this.#bridges.set(peer, now + BRIDGE_MS);
    }
  }

  isBridge(peer: MemberId, now: number): boolean {
    const until = this.#bridges.get(peer);
    if (until !== undefined && now >= until) this.#bridges.delete(peer);
    return until !== undefined && now < until;
  }

  onLinkDown(peer: MemberId): void {
    this.#bridges.delete(peer);
  }

  /** A member is here that was not. */
  onArrived(id: MemberId, now: number): void {
    if (!this.#isSettled(now)) return;
    if (now - this.#since > FORGET_MS) this.#count = 0;
    if (this.#count === 0) this.#since = now;
    this.#count++;
    // Each of those that came is as likely to be the one.
    if (this.#rng.float() * this.#count < 1) this.#one = id;
  }

  /** One of the other part, once, when one has come. */
  take(liveCount: number, now: number): MemberId | undefined {
    this.#settledAt ??= now + SETTLED_MS;
    if (this.#count < 2 || PARTS * this.#count < liveCount) return undefined;
    if (now - this.#since < GATHER_MS) return undefined;
    this.#count = 0;
    this.#asked = this.#one;
    return this.#one;
  }

  #isSettled(now: number): boolean {
    return this.#settledAt !== undefined && now >= this.#settledAt;
  }
}
