/**
 * The runtime's clock: monotonic milliseconds, one timer, and the detection of sleep.
 *
 * A suspended machine or a frozen page runs no timers. When more time than expected has passed, by either clock (the
 * monotonic one stands still during sleep on some systems), the host stood still. It is looked at before everything
 * that comes in, since after a sleep a message may come before the timer.
 */

/** The longest wait that timers of all platforms hold, ms. */
const WAIT_MS_MAX = 2 ** 31 - 1;

/** A moment on both clocks. */
interface Mark {
  readonly wall: number;
  readonly now: number;
}

export class Clock {
  readonly #standstillMs: number;
  readonly #onDue: () => void;
  readonly #onStandstill: (gapMs: number) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Number.POSITIVE_INFINITY;
  /** When the timer was set, and for how long. */
  #set: Mark = mark();
  #waitMs = 0;

  /** @param standstillMs the timer is never so late while the host runs, however busy or hidden */
  constructor(standstillMs: number, onDue: () => void, onStandstill: (gapMs: number) => void) {
    this.#standstillMs = standstillMs;
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
    this.#set = mark();
    this.#waitMs = Math.min(WAIT_MS_MAX, Math.max(0, due - this.#set.now));
    const timer = setTimeout(() => {
      this.look();
      if (this.#timer === timer) this.#timer = undefined;
      this.#onDue();
    }, this.#waitMs);
    this.#timer = timer;
  }

  /** Tells of a standstill that has just ended, once. */
  look(): void {
    if (this.#timer === undefined) return;
    const gapMs = elapsedMs(this.#set) - this.#waitMs;
    if (gapMs > this.#standstillMs) this.standstill();
  }

  /** The host stood still since the timer was set, as it says itself. */
  standstill(): void {
    const gapMs = Math.max(0, elapsedMs(this.#set) - this.#waitMs);
    this.#set = mark();
    this.#waitMs = Math.max(0, this.#due - this.#set.now);
    this.#onStandstill(gapMs);
  }
}

function mark(): Mark {
  return { wall: Date.now(), now: performance.now() };
}

function elapsedMs(since: Mark): number {
  return Math.max(Date.now() - since.wall, performance.now() - since.now);
}
