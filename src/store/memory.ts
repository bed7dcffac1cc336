/** A store in memory: it lasts as long as the function that opens it is held. For tests, and to start again after leave. */

import type { OpenStore, Store, StoreChange, StoreEntry } from "./store.ts";
import { closedStore, storeError } from "./store-error.ts";

export interface MemoryStoreOptions {
  /** Bytes of all values together. Default: no limit. */
  readonly bytesMax?: number;
}

/** A store in the memory of this page or process. */
export function memoryStore({ bytesMax = Infinity }: MemoryStoreOptions = {}): OpenStore {
  const values = new Map<string, Uint8Array>();
  let isOpen = false;
  return async () => {
    if (isOpen) throw storeError("store:locked", "the store is open: close it there first");
    isOpen = true;
    return new MemoryStore(values, bytesMax, () => {
      isOpen = false;
    });
  };
}

class MemoryStore implements Store {
  readonly #values: Map<string, Uint8Array>;
  readonly #bytesMax: number;
  #bytes = 0;
  #release: (() => void) | undefined;

  constructor(values: Map<string, Uint8Array>, bytesMax: number, release: () => void) {
    this.#values = values;
    this.#bytesMax = bytesMax;
    this.#release = release;
    for (const value of values.values()) this.#bytes += value.length;
  }

  async range(from: string, to: string, limit?: number): Promise<StoreEntry[]> {
    if (this.#release === undefined) throw closedStore();
    return [...this.#values.keys()]
      .filter((key) => key >= from && key < to)
      .sort((a, b) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map((key) => ({ key, value: (this.#values.get(key) as Uint8Array).slice() }));
  }

  async write(changes: readonly StoreChange[]): Promise<void> {
    if (this.#release === undefined) throw closedStore();
    const last = new Map(changes.map(({ key, value }) => [key, value?.slice()]));
    let bytes = this.#bytes;
    for (const [key, value] of last) {
      bytes += (value?.length ?? 0) - (this.#values.get(key)?.length ?? 0);
    }
    // What makes it smaller is always taken.
    if (bytes > this.#bytesMax && bytes > this.#bytes) {
      throw storeError("store:full", `over ${this.#bytesMax} bytes`);
    }
    this.#bytes = bytes;
    for (const [key, value] of last) {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, value);
    }
  }

  async close(): Promise<void> {
    this.#release?.();
    this.#release = undefined;
  }
}
