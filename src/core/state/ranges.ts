/** Parts (from, to] of an owner's versions, apart from each other and ascending: what is known beyond a hole. */

import { RANGES_MAX } from "../wire/messages.ts";

export type Range = readonly [from: number, to: number];

export class Ranges {
  #parts: Range[] = [];

  /** @param parts of any order and soundness: a stranger may have said them */
  static of(parts: Iterable<{ readonly from: number; readonly to: number }>): Ranges {
    const ranges = new Ranges();
    for (const { from, to } of parts) if (from < to) ranges.add(from, to);
    return ranges;
  }

  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  get last(): number {
    return this.#parts.at(-1)?.[1] ?? 0;
  }

  [Symbol.iterator](): IterableIterator<Range> {
    return this.#parts.values();
  }

  /** False, and nothing is remembered, when there are too many. */
  add(from: number, to: number): boolean {
    const apart = this.#parts.filter(([a, b]) => b < from || a > to);
    const joined = this.#parts.filter(([a, b]) => b >= from && a <= to);
    if (apart.length >= RANGES_MAX) return false;
    const start = joined.reduce((least, [a]) => Math.min(least, a), from);
    const end = joined.reduce((most, [, b]) => Math.max(most, b), to);
    this.#parts = [...apart, [start, end] as const].sort(([a], [b]) => a - b);
    return true;
  }

  /** How far everything is known when it is up to `to`; what lies below that is forgotten. */
  follow(to: number): number {
    let end = to;
    for (const [a, b] of this.#parts) if (a <= end) end = Math.max(end, b);
    this.#parts = this.#parts.filter(([a]) => a > end);
    return end;
  }

  covers(from: number, to: number): boolean {
    return this.#parts.some(([a, b]) => a <= from && b >= to);
  }

  /** The first part of (from, to] that is not in here. */
  gap(from: number, to: number): Range | undefined {
    let start = from;
    for (const [a, b] of this.#parts) {
      if (b <= start) continue;
      if (a > start) return start < to ? [start, Math.min(a, to)] : undefined;
      start = b;
    }
    return start < to ? [start, to] : undefined;
  }
}
