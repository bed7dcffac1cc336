/** What waits for a member's record, for a moment: the one that has waited longest makes room. */

import type { MemberId } from "../machine.ts";

/** In all, and how long at most. Guess, unmeasured. */
const COUNT_MAX = 256;
const BYTES_MAX = 1_048_576;
const WAITING_MS = 5_000;

interface Waiting {
  readonly of: MemberId;
  /** The key that the record is to hold, by its hint; undefined: any will do. */
  readonly key: number | undefined;
  readonly bytes: number;
  readonly run: () => void;
}

export class Awaiting {
  #waiting: (Waiting & { readonly until: number })[] = [];
  #bytes = 0;

  add(waiting: Waiting, now: number): void {
    if (waiting.bytes > BYTES_MAX) return;
    this.#waiting.push({ ...waiting, until: now + WAITING_MS });
    this.#bytes += waiting.bytes;
    const isTooMuch = (): boolean => this.#waiting.length > COUNT_MAX || this.#bytes > BYTES_MAX;
    while (isTooMuch() || (this.#waiting[0]?.until ?? now) < now) {
      this.#bytes -= this.#waiting.shift()?.bytes ?? 0;
    }
  }

  /** The record of `id` is here, with this key. */
  onRecord(id: MemberId, hint: number | undefined, now: number): void {
    if (this.#waiting.length === 0) return;
    const isReady = ({ of, key }: Waiting): boolean =>
      of === id && (key === undefined || key === hint);
    const ready = this.#waiting.filter(isReady);
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => !isReady(one));
    for (const { bytes } of ready) this.#bytes -= bytes;
    for (const { until, run } of ready) if (until >= now) run();
  }
}
