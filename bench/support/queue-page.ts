/** Runs in a tab: queues over IndexedDB beside IndexedDB itself. Bundled as a user would. */

import { indexedDbStore, join } from "../../src/index.browser.ts";
import { latencies, type Platform, type Raw, rates } from "./queue-side.ts";

const OBJECTS = "entries";

async function raw(name: string): Promise<Raw> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(OBJECTS);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const within = (act: (objects: IDBObjectStore) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      const transaction = database.transaction(OBJECTS, "readwrite", { durability: "strict" });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      act(transaction.objectStore(OBJECTS));
    });
  return {
    put: (key, value) => within((objects) => objects.put(value, key)),
    remove: (key) => within((objects) => objects.delete(key)),
    close: async () => database.close(),
  };
}

const platform: Platform = { join, storeOf: indexedDbStore, raw };

Object.assign(globalThis, {
  rates: (ms: number) => rates(platform, ms),
  latencies: (jobs: number) => latencies(platform, jobs),
});
