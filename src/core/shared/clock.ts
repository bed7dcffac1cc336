/**
 * Hybrid logical clock (Kulkarni, Demirbas et al., *Logical Physical Clocks*, 2014): stamps that are close to the
 * time of day, and still order a write after everything that its writer had seen.
 *
 * The time of day is that of the mesh: who comes to others takes over their difference to its own clock, so that one
 * member's wrong clock orders nothing wrongly. Departure from the paper: ties go to the writer's id, so that all
 * writes are in one order.
 */

import type { MemberId } from "../lib/ids.ts";

export interface Stamp {
  /** Milliseconds since 1970, about. */
  readonly ms: number;
  readonly counter: number;
  readonly writer: MemberId;
}

/** Before all others. */
export const NEVER: Stamp = { ms: 0, counter: 0, writer: "0".repeat(32) };

/** The year 3084: later stamps are nobody's honest time, and would leave no room above them. */
export const STAMP_MS_MAX = 2 ** 45;

export function isLater(a: Stamp, b: Stamp): boolean {
  if (a.ms !== b.ms) return a.ms > b.ms;
  if (a.counter !== b.counter) return a.counter > b.counter;
  return a.writer > b.writer;
}

export class HybridClock {
  readonly #writer: MemberId;
  /** Between the time of day and the clock of the core, ms. */
  #offset = 0;
  #ms = 0;
  #counter = 0;

  constructor(writer: MemberId) {
    this.#writer = writer;
  }

  /** It is `wallMs` o'clock. */
  set(wallMs: number, now: number): void {
    this.#offset = wallMs - now;
  }

  /** The clock of the core stood still for so much of the time. */
  advance(ms: number): void {
    this.#offset += ms;
  }

  /** The time of day, ms. */
  wallMs(now: number): number {
    return Math.min(STAMP_MS_MAX, Math.max(0, Math.floor(now + this.#offset)));
  }

  /** A stamp later than all that were seen. */
  next(now: number): Stamp {
    const ms = this.wallMs(now);
    // What a stranger has counted may be the last that the wire can tell.
    if (ms > this.#ms || this.#counter === Number.MAX_SAFE_INTEGER) {
      this.#ms = Math.max(ms, this.#ms + 1);
      this.#counter = 0;
    } else this.#counter++;
    return { ms: this.#ms, counter: this.#counter, writer: this.#writer };
  }

  saw({ ms, counter }: Stamp): void {
    if (ms < this.#ms || (ms === this.#ms && counter <= this.#counter)) return;
    this.#ms = ms;
    this.#counter = counter;
  }

  /** Forgets what was seen: a stamp of our own was refused as too far ahead. */
  reset(): void {
    this.#ms = 0;
    this.#counter = 0;
  }
}
