/**
 * One origin's payloads as they come in: each at most once, in order, with gaps shown.
 *
 * What follows a missing payload is held until it comes, for `gapMs` or `gapMessagesMax` messages; then the gap is
 * given up, named, and what comes later of it is dropped.
 */

import type { Config } from "../config.ts";
import type { Payload } from "./cache.ts";

export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** How far ahead of what was delivered a sequence may lie: more is nobody's honest message. */
const AHEAD_MAX = 65_536;

export class Inbox {
  readonly generation: number;
  readonly #config: Config;
  /** Everything up to here was delivered, or given up. */
  #delivered: number;
  readonly #held = new Map<number, Payload>();
  /** The highest sequence that is known to exist. */
  #known: number;
  /** When the first missing payload began to be missed, ms. */
  #missingSince: number | undefined;

  constructor(config: Config, generation: number, baseline: number) {
    this.#config = config;
    this.generation = generation;
    this.#delivered = baseline;
    this.#known = baseline;
  }

  get delivered(): number {
    return this.#delivered;
  }

  get missingSince(): number | undefined {
    return this.#missingSince;
  }

  /** So much waits behind a gap that the gap is given up. */
  get isFull(): boolean {
    return this.#held.size >= this.#config.gapMessagesMax;
  }

  has(sequence: number): boolean {
    return sequence <= this.#delivered || this.#held.has(sequence);
  }

  /** Takes a payload; gives what can be delivered now, in order. Undefined for a duplicate. */
  add(payload: Payload, now: number): readonly Payload[] | undefined {
    const { sequence } = payload.id;
    if (this.has(sequence) || sequence > this.#delivered + AHEAD_MAX) return undefined;
    this.#held.set(sequence, payload);
    this.#known = Math.max(this.#known, sequence);
    return this.#takeReady(now);
  }

  /** Somebody has payloads up to `sequence`. */
  announce(sequence: number, now: number): void {
    if (sequence > this.#delivered + AHEAD_MAX) return;
    this.#known = Math.max(this.#known, sequence);
    this.#updateMissing(now);
  }

  /** The sequences that are known to exist and are not here, lowest first. */
  missing(countMax: number): number[] {
    const missing: number[] = [];
    for (let n = this.#delivered + 1; n <= this.#known && missing.length < countMax; n++) {
      if (!this.#held.has(n)) missing.push(n);
    }
    return missing;
  }

  /**
   * Gives the gap up when it has lasted too long: what is skipped, and what can be delivered now.
   * @param progressAt when bulk last moved towards us: a large message that is on its way is no gap
   */
  skip(now: number, progressAt: number): { gap: Gap; ready: readonly Payload[] } | undefined {
    if (this.#missingSince === undefined) return undefined;
    const since = Math.max(this.#missingSince, progressAt);
    if (now - since < this.#config.gapMs && !this.isFull) return undefined;
    const from = this.#delivered + 1;
    let to = from;
    while (to < this.#known && !this.#held.has(to + 1)) to++;
    this.#delivered = to;
    this.#missingSince = undefined;
    return { gap: { from, to }, ready: this.#takeReady(now) };
  }

  #takeReady(now: number): Payload[] {
    const ready: Payload[] = [];
    for (;;) {
      const next = this.#held.get(this.#delivered + 1);
      if (next === undefined) break;
      this.#held.delete(++this.#delivered);
      ready.push(next);
    }
    if (ready.length > 0) this.#missingSince = undefined;
    this.#updateMissing(now);
    return ready;
  }

  #updateMissing(now: number): void {
    if (this.#known > this.#delivered) this.#missingSince ??= now;
    else this.#missingSince = undefined;
  }
}
