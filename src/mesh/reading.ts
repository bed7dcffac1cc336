/** Async iterators over what is heard, with a bound on what waits for a slow reader. */

import { HearsayError } from "../errors.ts";
import type { ListenOptions, Unlisten } from "./listeners.ts";

export interface ReadOptions extends ListenOptions {
  /** How many items wait for a reader that is slower than the mesh, 1 to 1,000,000. Default 1,024. */
  readonly bufferMax?: number;
  /**
   * What happens when so many wait: the oldest is dropped, or the newest, or the reading ends with the error
   * `reader:slow` once what waits was read. The mesh itself never waits for a reader. Default `drop-oldest`.
   */
  readonly onFull?: "drop-oldest" | "drop-newest" | "error";
}

/** Ends with the loop that reads it, with its `signal`, or by `return()`. */
export interface Reading<T> extends AsyncIterableIterator<T> {
  /** How many items were dropped because the reader was slow. */
  readonly droppedCount: number;
  return(): Promise<IteratorResult<T>>;
}

const BUFFER_MAX = 1_024;
const BUFFER_LIMIT = 1_000_000;
const POLICIES: readonly unknown[] = ["drop-oldest", "drop-newest", "error"];

/**
 * Reads what `listen` hears, from now on.
 * @throws RangeError for a wrong option, TypeError for what is neither options nor a handler
 */
export function read<T>(
  listen: (push: (item: T) => void) => Unlisten,
  options: ReadOptions = {},
): Reading<T> {
  return new BufferedReading(listen, options);
}

interface Reader<T> {
  resolve(result: IteratorResult<T>): void;
  reject(error: Error): void;
}

class BufferedReading<T> implements Reading<T> {
  droppedCount = 0;
  readonly #options: ReadOptions;
  readonly #bufferMax: number;
  #buffer: T[] = [];
  /** Where the next item to read is in the buffer. */
  #at = 0;
  #waiting: Reader<T>[] = [];
  #ended = false;
  #error: Error | undefined;
  #unlisten: Unlisten = () => {};

  constructor(listen: (push: (item: T) => void) => Unlisten, options: ReadOptions) {
    if (typeof options !== "object") throw new TypeError("a handler must be a function");
    this.#options = options;
    const { bufferMax = BUFFER_MAX, onFull = "drop-oldest", signal } = options;
    if (!Number.isInteger(bufferMax) || bufferMax < 1 || bufferMax > BUFFER_LIMIT) {
      throw new RangeError(`bufferMax must be a whole number from 1 to ${BUFFER_LIMIT}`);
    }
    if (!POLICIES.includes(onFull)) throw new RangeError(`onFull is one of ${POLICIES.join(", ")}`);
    this.#bufferMax = bufferMax;
    if (signal?.aborted) {
      this.#ended = true;
      return;
    }
    signal?.addEventListener("abort", this.#end, { once: true });
    this.#unlisten = listen((item) => this.#push(item));
  }

  next(): Promise<IteratorResult<T>> {
    return new Promise((resolve, reject) => {
      if (this.#at < this.#buffer.length) {
        resolve({ done: false, value: this.#shift() });
      } else if (this.#error !== undefined) {
        reject(this.#error);
        this.#error = undefined;
      } else if (this.#ended) resolve({ done: true, value: undefined });
      else this.#waiting.push({ resolve, reject });
    });
  }

  return(): Promise<IteratorResult<T>> {
    this.#end();
    this.#buffer = [];
    this.#at = 0;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #push(item: T): void {
    if (this.#ended) return;
    const reader = this.#waiting.shift();
    if (reader !== undefined) return reader.resolve({ done: false, value: item });
    if (this.#buffer.length - this.#at < this.#bufferMax) {
      this.#buffer.push(item);
      return;
    }
    const { onFull = "drop-oldest" } = this.#options;
    this.droppedCount++;
    if (onFull === "error") {
      this.#error = new HearsayError(
        "reader:slow",
        `${this.#bufferMax} items wait to be read: read faster, or raise bufferMax, or let the oldest go by onFull`,
      );
      this.#end();
    } else if (onFull === "drop-oldest") {
      this.#shift();
      this.#buffer.push(item);
    }
  }

  #shift(): T {
    const item = this.#buffer[this.#at++] as T;
    // What was read is let go of in one, so that a long buffer is not moved for each item.
    if (this.#at * 2 > this.#buffer.length) {
      this.#buffer = this.#buffer.slice(this.#at);
      this.#at = 0;
    }
    return item;
  }

  readonly #end = (): void => {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.signal?.removeEventListener("abort", this.#end);
    this.#unlisten();
    for (const reader of this.#waiting.splice(0)) reader.resolve({ done: true, value: undefined });
  };
}
