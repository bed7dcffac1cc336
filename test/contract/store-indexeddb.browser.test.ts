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
});

/** Puts into a database of a store what no store writes. */
async function spoil(name: string, key: string): Promise<void> {
  const database = await promisifyRequest(indexedDB.open(name));
  const transaction = database.transaction("entries", "readwrite");
  transaction.objectStore("entries").put("a text", key);
  await promisifyRequest(transaction);
  database.close();
}
