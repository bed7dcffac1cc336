/**
 * Which transport an attempt goes by. A request names those that the asker has, an answer the one that was chosen:
 * the best that both have. One that has just failed between the two is left out while there is another.
 */

import type { Config } from "../config.ts";
import { BoundedMap } from "../lib/bounded-map.ts";
import { bitOf, bitsOf, canLink, kindsIn } from "../lib/kinds.ts";
import type { MemberId } from "../machine.ts";

/** What failed is tried again after this, ms: a NAT or a firewall stays. Guess, unmeasured. */
const FAILED_MS = 60_000;

/** Members whose failures are remembered. */
const FAILED_MAX = 1_024;

interface Failure {
  readonly bits: number;
  readonly until: number;
}

export class Choice {
  readonly #kinds: readonly string[];
  readonly #bits: number;
  readonly #failures = new BoundedMap<MemberId, Failure>(FAILED_MAX);

  constructor({ kinds }: Pick<Config, "kinds">) {
    this.#kinds = kinds;
    this.#bits = bitsOf(kinds);
  }

  /** What to offer to `peer`, whose flags may be known. */
  offer(peer: MemberId | undefined, flags: number, now: number): number {
    const left = peer === undefined ? this.#bits : this.#without(peer, now);
    return canLink(left, flags) && left !== 0 ? left : this.#bits;
  }

  /** Whether any of what is offered can be had here. */
  suits(flags: number): boolean {
    return canLink(this.#bits, flags);
  }

  /** The best of what is offered; undefined where an end says nothing of its kinds. */
  of(peer: MemberId, flags: number, now: number): string | undefined {
    const offered = kindsIn(flags) & this.#bits;
    const usable = offered & this.#without(peer, now) || offered;
    return this.#kinds.find((kind) => (bitOf(kind) & usable) !== 0);
  }

  failed(peer: MemberId, kind: string | undefined, now: number): void {
    if (kind === undefined) return;
    const bits = (this.#bits & ~this.#without(peer, now)) | bitOf(kind);
    this.#failures.set(peer, { bits, until: now + FAILED_MS });
  }

  /** What failed with `peer` may be offered again. False when nothing has. */
  forgive(peer: MemberId): boolean {
    return this.#failures.delete(peer);
  }

  /** All that failed before says nothing any more. */
  forget(): void {
    for (const [peer] of [...this.#failures.entries()]) this.#failures.delete(peer);
  }

  /** Our kinds but those that have just failed with `peer`; all of them when none is left. */
  #without(peer: MemberId, now: number): number {
    const failure = this.#failures.get(peer);
    if (failure === undefined || now >= failure.until) return this.#bits;
    return this.#bits & ~failure.bits || this.#bits;
  }
}
