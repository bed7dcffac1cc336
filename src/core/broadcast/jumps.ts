/**
 * A sequence far ahead of all that was heard of its origin. Believed, it makes whatever the origin says before it count
 * as old; and until payloads are signed, any neighbour can make one up. So one neighbour alone is not believed at once,
 * only the origin itself, two neighbours that agree, or one that says so for `JUMP_MS` while nothing else is heard of
 * the origin: after a partition it may be the only one that knows.
 */

import type { MemberId } from "../machine.ts";
import { WINDOW } from "./inbox.ts";

/** Guess, unmeasured. */
const JUMP_MS = 5_000;

interface Claim {
  sequence: number;
  readonly since: number;
}

export class Jumps {
  /** What neighbours say of one origin, each its highest. */
  readonly #claims = new Map<MemberId, Claim>();

  /** `from` has brought something within reach: where it stands so is the origin, as far as others know. */
  inReach(from: MemberId): void {
    if (this.#claims.size > 0 && !this.#claims.has(from)) this.#claims.clear();
  }

  isCredible(from: MemberId, sequence: number, now: number): boolean {
    const claim = this.#claims.get(from) ?? { sequence, since: now };
    claim.sequence = Math.max(claim.sequence, sequence);
    this.#claims.set(from, claim);
    const isSeconded = [...this.#claims].some(
      ([peer, other]) => peer !== from && other.sequence >= sequence - WINDOW,
    );
    const isCredible = isSeconded || now - claim.since >= JUMP_MS;
    if (isCredible) this.#claims.clear();
    return isCredible;
  }

  removeNeighbour(peer: MemberId): void {
    this.#claims.delete(peer);
  }
}
