/**
 * A store in IndexedDB: one database for each, which one page of the origin has at a time, by a Web Lock. Every write
 * is one transaction with strict durability: it is over when the disk has it, not when the operating system does.
 */

import { promisifyRequest, type UseStore } from "idb-keyval";
import { HearsayError } from "../errors.ts";
import { holdLock } from "../session/web-lock.ts";
import { GroupCommit } from "./group-commit.ts";
import type { OpenStore, Store, StoreChange, StoreEntry } from "./store.ts";
import { closedStore, storeError } from "./store-error.ts";

const OBJECTS = "entries";

type OnRepair = Parameters<OpenStore>[0];

/**
 * A store of this browser, for pages of this origin. Secure contexts only (https, localhost).
 * @param name stores of different names are apart
 */
export function indexedDbStore(name: string): OpenStore {
  const fullName = `hearsay ${name}`;
  return async (onRepair) => {
    if (globalThis.indexedDB === undefined || globalThis.navigator?.locks === undefined) {
      const message = "IndexedDB and Web Locks are there in pages over https and at localhost only";
      throw storeError("store:missing", message);
    }
    const release = await holdLock(fullName);
    if (release === undefined) {
      throw storeError("store:locked", `another tab has the store ${name} open: close it there`);
    }
    try {
      const database = await openDatabase(fullName);
      return new IndexedDbStore(fullName, database, release, onRepair);
    } catch (error) {
      release();
      throw errorOf(error);
    }
  };
}

class IndexedDbStore implements Store {
  readonly #name: string;
  readonly #release: () => void;
  readonly #onRepair: OnRepair;
  readonly #commits = new GroupCommit((changes) => this.#commit(changes));
  /** Keys of what could not be read: each is told once. */
  readonly #corrupt = new Set<string>();
  /** Undefined once the browser has closed it, for instance because its data were cleared. */
  #database: IDBDatabase | undefined;

  constructor(name: string, database: IDBDatabase, release: () => void, onRepair: OnRepair) {
    this.#name = name;
    this.#release = release;
    this.#onRepair = onRepair;
    this.#use(database);
  }

  async range(from: string, to: string, limit?: number): Promise<StoreEntry[]> {
    if (this.#commits.closed) throw closedStore();
    if (from >= to || limit === 0) return [];
    const range = IDBKeyRange.bound(from, to, false, true);
    try {
      const [keys, values] = await this.#within("readonly", (objects) =>
        Promise.all([
          promisifyRequest(objects.getAllKeys(range, limit)),
          promisifyRequest<unknown[]>(objects.getAll(range, limit)),
        ]),
      );
      return keys.flatMap((key, i) => this.#entry(String(key), values[i]));
    } catch (error) {
      throw errorOf(error);
    }
  }

  write(changes: readonly StoreChange[]): Promise<void> {
    return this.#commits.write(changes);
  }

  async close(): Promise<void> {
    await this.#commits.close();
    this.#database?.close();
    this.#release();
  }

  async #commit(changes: readonly StoreChange[]): Promise<void> {
    try {
      await this.#within("readwrite", (objects) => {
        for (const { key, value } of changes) {
          if (value === undefined) objects.delete(key);
          // Of a part of a larger buffer, all of that would be stored.
          else objects.put(value.slice(), key);
        }
        return promisifyRequest(objects.transaction);
      });
    } catch (error) {
      throw errorOf(error);
    }
  }

  readonly #within: UseStore = async (mode, callback) => {
    const database = this.#database ?? this.#use(await openDatabase(this.#name));
    const transaction = database.transaction(OBJECTS, mode, { durability: "strict" });
    return await callback(transaction.objectStore(OBJECTS));
  };

  #use(database: IDBDatabase): IDBDatabase {
    this.#database = database;
    database.onclose = () => {
      this.#database = undefined;
    };
    return database;
  }

  /** Anything in the page can write to the database. */
  #entry(key: string, value: unknown): StoreEntry[] {
    if (value instanceof Uint8Array) return [{ key, value }];
    if (!this.#corrupt.has(key)) {
      this.#corrupt.add(key);
      this.#onRepair?.(storeError("store:corrupt", `${key} is not what was written: left out`));
    }
    return [];
  }
}

async function openDatabase(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(OBJECTS);
  return await promisifyRequest(request);
}

function errorOf(error: unknown): HearsayError {
  if (error instanceof HearsayError) return error;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  if (name === "QuotaExceededError") {
    return storeError("store:full", "the quota of this origin is used up", error);
  }
  return storeError("store:failed", `IndexedDB: ${message}`, error);
}
