/**
 * What stores on IndexedDB, LevelDB and Redis have in common: writes in groups, what cannot be read left out and told
 * once, errors in our own words, an end.
 */

import type { HearsayError } from "../errors.ts";
import { GroupCommit } from "./group-commit.ts";
import type { OnRepair, Store, StoreChange, StoreEntry } from "./store.ts";
import { closedStore, storeError } from "./store-error.ts";

/** One that cannot be read has no value. */
export interface FoundEntry {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** What one kind of store does by itself. It may reject with anything: `errorOf` says what that is. */
export interface Backend {
  /** `from` < `to`, `limit` > 0. */
  read(from: string, to: string, limit: number | undefined): Promise<readonly FoundEntry[]>;
  /** All or none, durable. Not called again before it is over. */
  commit(changes: readonly StoreChange[]): Promise<void>;
  close(): Promise<void>;
  errorOf(error: unknown): HearsayError;
}

export class BackedStore implements Store {
  readonly #backend: Backend;
  readonly #onRepair: OnRepair | undefined;
  readonly #commits: GroupCommit;
  /** Keys of what could not be read. */
  readonly #unreadable = new Set<string>();
  #closing: Promise<void> | undefined;

  constructor(backend: Backend, onRepair: OnRepair | undefined) {
    this.#backend = backend;
    this.#onRepair = onRepair;
    this.#commits = new GroupCommit((changes) => this.#ask(() => backend.commit(changes)));
  }

  async range(from: string, to: string, limit?: number): Promise<StoreEntry[]> {
    if (this.#commits.closed) throw closedStore();
    const entries: StoreEntry[] = [];
    let next = from;
    while (next < to && (limit === undefined || entries.length < limit)) {
      const [start, wanted] = [next, limit === undefined ? undefined : limit - entries.length];
      const found = await this.#ask(() => this.#backend.read(start, to, wanted));
      for (const { key, value } of found) {
        if (value === undefined) this.#leaveOut(key);
        else entries.push({ key, value });
      }
      // What was left out counts for nobody: there may be more.
      const last = found.at(-1);
      if (last === undefined || found.length !== wanted) break;
      next = `${last.key}\0`;
    }
    return entries;
  }

  write(changes: readonly StoreChange[]): Promise<void> {
    return this.#commits.write(changes);
  }

  close(): Promise<void> {
    this.#closing ??= this.#commits.close().then(() => this.#backend.close());
    return this.#closing;
  }

  async #ask<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      throw this.#backend.errorOf(error);
    }
  }

  #leaveOut(key: string): void {
    if (this.#unreadable.has(key)) return;
    this.#unreadable.add(key);
    this.#onRepair?.(storeError("store:corrupt", `${key} is not what was written: left out`));
  }
}
