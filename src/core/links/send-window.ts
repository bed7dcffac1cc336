/**
 * How much bulk may be on its way on a link: what the path holds, and not much more, since urgent frames would wait
 * behind it (and SCTP stalls for seconds with too much of it).
 *
 * Nothing but acknowledgements is measured, a round at a time: from when the window was full until that much was
 * acknowledged. While a wider window brings more bytes a second it is doubled; when a round takes longer than twice
 * the shortest one it shrinks, for what is above the path's own time only waits (the idea of TCP Vegas, 1994).
 */

import type { Config } from "../config.ts";

type Bounds = Pick<Config, "windowBytes" | "windowBytesMax">;

/** A wider window is worth it when it brings so much more. */
const GAIN = 1.25;
/** A round may take so many times the shortest. */
const SLACK = 2;
const SHRINK = 0.8;
/** No path is meant to carry more: 20 MB/s. So a short path keeps a small window, whatever was measured. */
const BYTES_PER_MS = 20_000;

export class SendWindow {
  readonly #config: Bounds;
  #bytes: number;
  #roundTotal: number | undefined;
  #roundAt = 0;
  #rate = 0;
  #shortestMs = Number.POSITIVE_INFINITY;

  constructor(config: Bounds) {
    this.#config = config;
    this.#bytes = config.windowBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The window is full: a round begins, unless one is running. It ends with the acknowledgement of `total`. */
  onFull(total: number, now: number): void {
    if (this.#roundTotal !== undefined) return;
    this.#roundTotal = total;
    this.#roundAt = now;
  }

  onAcknowledged(total: number, now: number): void {
    if (this.#roundTotal === undefined || total < this.#roundTotal) return;
    this.#roundTotal = undefined;
    const ms = Math.max(1, now - this.#roundAt);
    this.#shortestMs = Math.min(this.#shortestMs, ms);
    const rate = this.#bytes / ms;
    if (ms > SLACK * this.#shortestMs) {
      this.#bytes *= SHRINK;
    } else if (rate > GAIN * this.#rate) {
      this.#rate = rate;
      this.#bytes *= 2;
    }
    const { windowBytes, windowBytesMax } = this.#config;
    const most = Math.min(windowBytesMax, this.#shortestMs * BYTES_PER_MS);
    this.#bytes = Math.max(windowBytes, Math.min(most, this.#bytes));
  }
}
