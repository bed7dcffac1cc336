/** Timers of the application that end with the mesh's life, so that none outlives `leave`. */

import { HearsayError } from "../errors.ts";
import type { ListenOptions, Unlisten } from "./listeners.ts";

/** What a timer of the platform holds, ms: 24 days. */
const DELAY_MS_MAX = 2 ** 31 - 1;

export class Timers {
  readonly #report: (error: unknown) => void;
  readonly #running = new Set<Unlisten>();

  /** @param report told what a function throws or rejects with */
  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  /** @throws HearsayError `options:delayMs` */
  after(delayMs: number, run: () => unknown, options: ListenOptions = {}): Unlisten {
    check(delayMs, 0, run);
    return this.#start((end) => {
      const timer = setTimeout(() => {
        end();
        this.#call(run);
      }, delayMs);
      return () => clearTimeout(timer);
    }, options);
  }

  /** A beat is left out while what the one before began still runs. @throws HearsayError `options:delayMs` */
  every(periodMs: number, run: () => unknown, options: ListenOptions = {}): Unlisten {
    check(periodMs, 1, run);
    let busy = false;
    return this.#start(() => {
      const timer = setInterval(() => {
        if (busy) return;
        busy = true;
        this.#call(run).finally(() => {
          busy = false;
        });
      }, periodMs);
      return () => clearInterval(timer);
    }, options);
  }

  /** Ends all of them. */
  stop(): void {
    for (const end of [...this.#running]) end();
  }

  #start(begin: (end: Unlisten) => () => void, { signal }: ListenOptions): Unlisten {
    if (signal?.aborted) return () => {};
    let clear = (): void => {};
    const end = (): void => {
      clear();
      this.#running.delete(end);
      signal?.removeEventListener("abort", end);
    };
    this.#running.add(end);
    signal?.addEventListener("abort", end, { once: true });
    clear = begin(end);
    return end;
  }

  async #call(run: () => unknown): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#report(error);
    }
  }
}

function check(delayMs: number, msMin: number, run: unknown): void {
  if (!(delayMs >= msMin && delayMs <= DELAY_MS_MAX)) {
    throw new HearsayError(
      "options:delayMs",
      `a delay is ${msMin} to ${DELAY_MS_MAX} ms, and this one is ${delayMs}`,
    );
  }
  if (typeof run !== "function") throw new TypeError("a handler must be a function");
}
