/** What one life of a publisher has published in a channel, as far as it is kept here: a range without holes. */

import type { MemberId } from "../lib/ids.ts";
import type { History } from "./contract.ts";
import { KEEP_MS } from "./limits.ts";

export interface Entry {
  /** When it was published, about, ms on our clock. */
  readonly at: number;
  readonly value: Uint8Array;
  readonly proof: Uint8Array;
}

export class Log {
  readonly channel: string;
  readonly publisher: MemberId;
  readonly generation: number;
  /** The number of the first that is kept. */
  first: number;
  bytes = 0;
  /** When something was added last. */
  newsAt = Number.NEGATIVE_INFINITY;
  #entries: Entry[] = [];
  /** Those before it in the array are gone. */
  #offset = 0;

  constructor(channel: string, publisher: MemberId, generation: number, first: number) {
    this.channel = channel;
    this.publisher = publisher;
    this.generation = generation;
    this.first = first;
  }

  /** The number of the next one. */
  get end(): number {
    return this.first + this.#entries.length - this.#offset;
  }

  push(entry: Entry, now: number): void {
    this.#entries.push(entry);
    this.bytes += entry.value.length + entry.proof.length;
    this.newsAt = now;
  }

  at(number: number): Entry | undefined {
    return number < this.first ? undefined : this.#entries[number - this.first + this.#offset];
  }

  /** What lies between will never come: nothing before `number` is kept, nor missed. */
  skipTo(number: number): void {
    while (this.first < number && this.at(this.first) !== undefined) this.drop();
    this.first = Math.max(this.first, number);
  }

  drop(): void {
    const entry = this.#entries[this.#offset];
    if (entry === undefined) return;
    this.bytes -= entry.value.length + entry.proof.length;
    this.first++;
    this.#offset++;
    if (this.#offset * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#offset);
      this.#offset = 0;
    }
  }

  /** Lets go of what is neither history nor wanted from `needed` on, nor new. */
  trim(history: History | undefined, needed: number, now: number): void {
    for (;;) {
      const entry = this.at(this.first);
      if (entry === undefined) return;
      const age = now - entry.at;
      const isHistory =
        history !== undefined && this.end - this.first <= history.count && age <= history.ms;
      if (isHistory || age <= KEEP_MS || (this.first >= needed && age <= 2 * KEEP_MS)) return;
      this.drop();
    }
  }

  /** Where the last `count` begin, of those that are no older than `ms`. */
  past({ count, ms }: History, now: number): number {
    let number = this.end;
    while (number > this.first && this.end - number < count) {
      const entry = this.at(number - 1);
      if (entry === undefined || now - entry.at > ms) break;
      number--;
    }
    return number;
  }
}

export function keyOf(publisher: MemberId, generation: number): string {
  return `${publisher} ${generation}`;
}
