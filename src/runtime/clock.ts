/**
 * The runtime's clock: monotonic milliseconds, one timer, and the detection of sleep.
 *
 * A suspended machine or a frozen page runs no timers. When the timer comes far later than it was set for, by
 * either clock (the monotonic one stands still during sleep on some systems), the host stood still.
 */

/** Timers of hidden pages may be a second late; more than this is a standstill, ms. */
const STANDSTILL_MS = 4_000;

/** The longest wait that timers of all platforms hold, ms. */
const WAIT_MS_MAX = 2 ** 31 - 1;

export class Clock {
  readonly #onDue: () => void;
  readonly #onStandstill: (gapMs: number) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Number.POSITIVE_INFINITY;
  #lastWall = Date.now();
  #lastNow = performance.now();

  constructor(onDue: () => void, onStandstill: (gapMs: number) => void) {
    this.#onDue = onDue;
    this.#onStandstill = onStandstill;
  }

  now(): number {
    return performance.now();
  }

  /** Sets the one timer to `due`, ms on this clock; Infinity clears it. */
  wakeAt(due: number): void {
    if (due === this.#due && this.#timer !== undefined) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = undefined;
    if (due === Number.POSITIVE_INFINITY) return;
    this.#lastWall = Date.now();
    this.#lastNow = this.now();
    const waitMs = Math.min(WAIT_MS_MAX, Math.max(0, due - this.#lastNow));
    this.#timer = setTimeout(() => this.#fire(waitMs), waitMs);
  }

  #fire(waitMs: number): void {
    this.#timer = undefined;
    const passedMs = Math.max(Date.now() - this.#lastWall, this.now() - this.#lastNow);
    const gapMs = passedMs - waitMs;
    if (gapMs > STANDSTILL_MS) this.#onStandstill(gapMs);
    this.#onDue();
  }
}
