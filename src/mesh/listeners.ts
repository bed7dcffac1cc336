/**
 * Who listens: handlers that end by what `add` returned or an `AbortSignal`.
 * A handler that throws is its application's bug and never the mesh's: it is reported, and the others still hear.
 */

export interface ListenOptions {
  /** Ends the listening when it aborts. */
  readonly signal?: AbortSignal;
}

/** Ends the listening. Calling it again does nothing. */
export type Unlisten = () => void;

export class Listeners<Args extends readonly unknown[]> {
  readonly #handlers = new Set<{ readonly handler: (...args: Args) => unknown }>();
  readonly #report: (error: unknown) => void;

  /** @param report told what a handler throws or rejects with */
  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  get size(): number {
    return this.#handlers.size;
  }

  add(handler: (...args: Args) => unknown, { signal }: ListenOptions = {}): Unlisten {
    if (typeof handler !== "function") throw new TypeError("a handler must be a function");
    if (signal?.aborted) return () => {};
    const entry = { handler };
    this.#handlers.add(entry);
    const end = (): void => {
      this.#handlers.delete(entry);
      signal?.removeEventListener("abort", end);
    };
    signal?.addEventListener("abort", end, { once: true });
    return end;
  }

  tell(...args: Args): void {
    this.call([...this.#handlers], ({ handler }) => handler(...args));
  }

  /** Calls back for each item; what that throws is reported. */
  call<T>(items: readonly T[], handler: (item: T) => unknown): void {
    for (const item of items) {
      try {
        const result = handler(item);
        if (result instanceof Promise) result.catch(this.#report);
      } catch (error) {
        this.#report(error);
      }
    }
  }
}

/**
 * The next thing that `listen` hears.
 * @throws the reason of `signal` when it aborts first
 */
export function nextOf<T>(
  listen: (hear: (item: T) => void) => Unlisten,
  { signal }: ListenOptions = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const finish = (): void => {
      end();
      signal?.removeEventListener("abort", abort);
    };
    const abort = (): void => {
      finish();
      reject(signal?.reason);
    };
    const end = listen((item) => {
      finish();
      resolve(item);
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}
