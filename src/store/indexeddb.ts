/**
 * A store in IndexedDB: one database for each, which one page of the origin has at a time, by a Web Lock. Every write
 * is one transaction with strict durability: it is over when the disk has it, not when the operating system does.
 */

import { promisifyRequest, type UseStore } from "idb-keyval";
import { HearsayError } from "../errors.ts";
import { awaitLock, holdLock } from "../session/web-lock.ts";
import { BackedStore, type Backend, type FoundEntry } from "./backed.ts";
import { type OnRepair, type OpenStore, STORE_VERSION, type StoreChange } from "./store.ts";
import { migratedStore, newerStore, storeError } from "./store-error.ts";

const OBJECTS = "entries";

export interface WaitOptions {
  /** While another has the store open, wait until it is free. Default: `store:locked`. */
  readonly wait?: boolean;
}

/**
 * A store of this browser, for pages of this origin. Secure contexts only (https, localhost).
 * @param name stores of different names are apart
 */
export function indexedDbStore(name: string, { wait = false }: WaitOptions = {}): OpenStore {
  const fullName = `hearsay ${name}`;
  return async (onRepair, signal) => {
    if (globalThis.indexedDB === undefined || globalThis.navigator?.locks === undefined) {
      const message = "IndexedDB and Web Locks are there in pages over https and at localhost only";
      throw storeError("store:missing", message);
    }
    const release = wait ? await awaitLock(fullName, signal) : await holdLock(fullName);
    if (release === undefined) {
      const remedy = "close it there, or use the option wait";
      throw storeError("store:locked", `another tab has the store ${name} open: ${remedy}`);
    }
    try {
      const database = await openDatabase(fullName, onRepair);
      return new BackedStore(new IndexedDbBackend(fullName, database, release), onRepair);
    } catch (error) {
      release();
      throw errorOf(error);
    }
  };
}

class IndexedDbBackend implements Backend {
  readonly errorOf = errorOf;
  readonly #name: string;
  readonly #release: () => void;
  /** Undefined once the browser has closed it, for instance because its data were cleared. */
  #database: IDBDatabase | undefined;

  constructor(name: string, database: IDBDatabase, release: () => void) {
    this.#name = name;
    this.#release = release;
    this.#use(database);
  }

  async read(from: string, to: string, limit: number | undefined): Promise<FoundEntry[]> {
    const range = IDBKeyRange.bound(from, to, false, true);
    const [keys, values] = await this.#within("readonly", (objects) =>
      Promise.all([
        promisifyRequest(objects.getAllKeys(range, limit)),
        promisifyRequest<unknown[]>(objects.getAll(range, limit)),
      ]),
    );
    // Anything in the page can write to the database.
    return keys.map((key, i) => {
      const value = values[i];
      return { key: String(key), value: value instanceof Uint8Array ? value : undefined };
    });
  }

  async commit(changes: readonly StoreChange[]): Promise<void> {
    await this.#within("readwrite", (objects) => {
      for (const { key, value } of changes) {
        if (value === undefined) objects.delete(key);
        // Of a part of a larger buffer, all of that would be stored.
        else objects.put(value.slice(), key);
      }
      return promisifyRequest(objects.transaction);
    });
  }

  async close(): Promise<void> {
    this.#database?.close();
    this.#release();
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
}

async function openDatabase(name: string, onRepair?: OnRepair): Promise<IDBDatabase> {
  const request = indexedDB.open(name, STORE_VERSION);
  let former = 0;
  request.onupgradeneeded = ({ oldVersion }) => {
    former = oldVersion;
    if (former === 0) request.result.createObjectStore(OBJECTS);
  };
  const database = await promisifyRequest(request).catch((error) => {
    if (error?.name === "VersionError") throw newerStore(name, "later");
    throw error;
  });
  if (former > 0) onRepair?.(migratedStore(name, former));
  return database;
}

function errorOf(error: unknown): HearsayError {
  if (error instanceof HearsayError) return error;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  if (name === "QuotaExceededError") {
    return storeError("store:full", "the quota of this origin is used up", error);
  }
  return storeError("store:failed", `IndexedDB: ${message}`, error);
}
