import { promisifyRequest } from "idb-keyval";
import { describe, expect, test } from "vitest";
import { indexedDbStore } from "../../src/store/indexeddb.ts";
import { storeChecks } from "../../src/testing/store-suite.ts";

let count = 0;
const emptyStore = () => indexedDbStore(`test ${++count}`);

describe("store in IndexedDB", () => {
  for (const check of storeChecks(emptyStore)) test(check.name, check.run);

  test("leaves out what others wrote into its database, and says so once", async () => {
    const open = emptyStore();
    const first = await open();
    await first.write([
      { key: "a", value: Uint8Array.of(1) },
      { key: "b", value: Uint8Array.of(2) },
    ]);
    await first.close();
    await spoil(`hearsay test ${count}`, "a");
    const repairs: unknown[] = [];
    const second = await open((error) => repairs.push(error));
    for (let i = 0; i < 2; i++) {
      expect(await second.range("", "z")).toEqual([{ key: "b", value: Uint8Array.of(2) }]);
    }
    expect(repairs).toMatchObject([{ code: "store:corrupt" }]);
    await second.write([{ key: "a", value: Uint8Array.of(3) }]);
    expect(await second.range("", "b")).toEqual([{ key: "a", value: Uint8Array.of(3) }]);
    await second.close();
  });

  test("of an older version: keeps what is in it, and says so once", async () => {
    const open = emptyStore();
    const former = await database(`hearsay test ${count}`, 1);
    const transaction = former.transaction("entries", "readwrite");
    transaction.objectStore("entries").put(Uint8Array.of(1), "a");
    await promisifyRequest(transaction);
    former.close();
    const repairs: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      const store = await open((error) => repairs.push(error));
      expect(await store.range("", "z")).toEqual([{ key: "a", value: Uint8Array.of(1) }]);
      await store.close();
    }
    expect(repairs).toMatchObject([{ code: "store:migrated" }]);
  });

  test("of a newer version: says store:newer, and touches nothing", async () => {
    const open = emptyStore();
    (await database(`hearsay test ${count}`, 3)).close();
    await expect(open()).rejects.toMatchObject({ code: "store:newer" });
    const there = await promisifyRequest(indexedDB.open(`hearsay test ${count}`));
    expect([there.version, ...there.objectStoreNames]).toEqual([3, "entries"]);
    there.close();
    // The lock is free again.
    await expect(open()).rejects.toMatchObject({ code: "store:newer" });
  });

  test("who waits for it has it when it is closed, and may give up before", async () => {
    const name = `test ${++count}`;
    const first = await indexedDbStore(name)();
    const waiting = indexedDbStore(name, { wait: true });
    const ending = new AbortController();
    const given = waiting(undefined, ending.signal);
    const next = waiting();
    ending.abort(new Error("enough"));
    await expect(given).rejects.toThrow("enough");
    await first.write([{ key: "a", value: Uint8Array.of(1) }]);
    await first.close();
    const second = await next;
    expect(await second.range("", "z")).toHaveLength(1);
    await expect(indexedDbStore(name)()).rejects.toMatchObject({ code: "store:locked" });
    await second.close();
  });
});

/** A database as a store of that version has it. */
async function database(name: string, version: number): Promise<IDBDatabase> {
  const request = indexedDB.open(name, version);
  request.onupgradeneeded = () => request.result.createObjectStore("entries");
  return await promisifyRequest(request);
}

/** Puts into a database of a store what no store writes. */
async function spoil(name: string, key: string): Promise<void> {
  const database = await promisifyRequest(indexedDB.open(name));
  const transaction = database.transaction("entries", "readwrite");
  transaction.objectStore("entries").put("a text", key);
  await promisifyRequest(transaction);
  database.close();
}
