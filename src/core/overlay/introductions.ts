/** Whom seeds have introduced, and how much may be asked through them. */

import { TokenBucket } from "../lib/token-bucket.ts";
import type { Input, MemberId, SeedId } from "../machine.ts";

/** Introduced members remembered for one seed. */
const INTRODUCED_MAX = 32;

/** Requests through seeds in a second, and a burst: a server takes 20 packets a second, and each link needs a few. */
const ASKED_PER_SECOND = 8;
const ASKED_BURST = 24;

export class Introductions {
  readonly #seeds = new Map<SeedId, Set<MemberId>>();
  /** Seeds that may reach others than whom they have introduced. */
  readonly #open = new Set<SeedId>();
  readonly #asked = new TokenBucket(ASKED_PER_SECOND, ASKED_BURST, 0);

  /** Members that are introduced and neither linked nor known to be gone. */
  get count(): number {
    let count = 0;
    for (const introduced of this.#seeds.values()) count += introduced.size;
    return count;
  }

  get isUp(): boolean {
    return this.#seeds.size > 0;
  }

  onUp(
    { seed, introduced, knowsAll }: Extract<Input, { readonly type: "seedUp" }>,
    own: MemberId,
  ): void {
    const known = this.#seeds.get(seed) ?? new Set();
    this.#seeds.set(seed, known);
    if (knowsAll) this.#open.add(seed);
    for (const id of introduced) if (id !== own && known.size < INTRODUCED_MAX) known.add(id);
  }

  /** No link with `peer` is possible; somebody may be there in its place. */
  onReferred(seed: SeedId, peer: MemberId, instead: MemberId | undefined): void {
    const known = this.#seeds.get(seed);
    known?.delete(peer);
    if (instead !== undefined) known?.add(instead);
  }

  onDown(seed: SeedId): void {
    this.#seeds.delete(seed);
  }

  onGone(seed: SeedId, peer: MemberId): void {
    this.#seeds.get(seed)?.delete(peer);
  }

  onLinked(peer: MemberId): void {
    for (const introduced of this.#seeds.values()) introduced.delete(peer);
  }

  /** Whether one more may be asked through a seed. */
  mayAsk(now: number): boolean {
    return this.#asked.take(now);
  }

  /** Whether members that it has not introduced may be reached through a seed. */
  knowsAll(seed: SeedId): boolean {
    return this.#open.has(seed);
  }

  seeds(): IterableIterator<[SeedId, Set<MemberId>]> {
    return this.#seeds.entries();
  }
}
