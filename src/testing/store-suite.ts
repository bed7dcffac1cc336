/**
 * What every store must do, as a list of checks for any test runner:
 *
 *     for (const check of storeChecks(() => myStore(somewhereEmpty()))) test(check.name, check.run);
 */

import type { OpenStore, Store, StoreEntry } from "../store/store.ts";
import { equal, expect, patterned, samePattern } from "./expectations.ts";

export interface StoreCheck {
  readonly name: string;
  /** Rejects with what went wrong. Takes a few seconds at most on a sound store. */
  run(): Promise<void>;
}

/** Opens as the tested store does, and closes in the end what a check has left open. */
type Open = () => Promise<Store>;

const ALL = ["", "\uffff"] as const;

/** @param make gives what opens a store that is still empty, for each check another */
export function storeChecks(make: () => OpenStore | Promise<OpenStore>): readonly StoreCheck[] {
  return Object.entries(checks).map(([name, check]) => ({
    name,
    async run() {
      const openStore = await make();
      const opened: Store[] = [];
      try {
        await check(async () => {
          const store = await openStore((error) => {
            throw error;
          });
          opened.push(store);
          return store;
        });
      } finally {
        for (const store of opened) await store.close();
      }
    },
  }));
}

const checks: Record<string, (open: Open) => Promise<void>> = {
  async "keeps what was written, and gives it after it was closed and opened again"(open) {
    const first = await open();
    equal((await first.range(...ALL)).length, 0, "entries at first");
    await first.write([put("a", 1), put("b", 2)]);
    await first.write([put("a", 3), put("c", 4), { key: "b", value: undefined }]);
    await first.close();
    const second = await open();
    expectEntries(await second.range(...ALL), [
      ["a", 3],
      ["c", 4],
    ]);
  },

  async "gives ranges in the order of code units, from the first key to before the last"(open) {
    const store = await open();
    const keys = ["z", "a", "a\0", "aa", "Z", "é", "\u{1f600}", "\uff5e", "0", "10", "9", "\ud800"];
    await store.write(keys.map((key) => put(key, key.length)));
    const sorted = [...keys].sort((a, b) => (a < b ? -1 : 1));
    equal(keysOf(await store.range(...ALL)), sorted.join(), "all keys");
    equal(keysOf(await store.range("9", "aa")), ["9", "Z", "a", "a\0"].join(), "from 9 to aa");
    equal(keysOf(await store.range("9", "zz", 2)), ["9", "Z"].join(), "two from 9");
    equal(keysOf(await store.range("a\0\0", "aa")), "", "between two keys");
    equal(keysOf(await store.range("b", "a")), "", "from b to a");
    equal(keysOf(await store.range("a", "a")), "", "from a to a");
  },

  async "keeps bytes of every size, also of a part of a larger buffer"(open) {
    const store = await open();
    const sizes = [0, 1, 255, 4_096, 65_536, 1_000_003];
    for (const size of sizes) {
      const buffer = new Uint8Array(size + 20);
      buffer.set(patterned(size, size), 7);
      await store.write([{ key: `${size}`, value: buffer.subarray(7, 7 + size) }]);
    }
    await store.close();
    const entries = await (await open()).range(...ALL);
    equal(entries.length, sizes.length, "entries");
    for (const { key, value } of entries) samePattern(value, Number(key), Number(key));
  },

  async "writes a batch as a whole, its last change of a key last"(open) {
    const store = await open();
    await store.write([]);
    await store.write([put("a", 1), { key: "a", value: undefined }, put("a", 2), put("b", 1)]);
    await store.write([put("b", 2), { key: "b", value: undefined }]);
    await store.write([{ key: "never there", value: undefined }]);
    expectEntries(await store.range(...ALL), [["a", 2]]);
  },

  async "writes a batch of thousands as a whole"(open) {
    const store = await open();
    const keys = Array.from({ length: 5_000 }, (_, i) => `${i}`.padStart(4, "0"));
    const wrote = store.write(keys.map((key, i) => put(key, i)));
    const during = await store.range(...ALL);
    expect(during.length % keys.length === 0, `${during.length} entries while it is written`);
    await wrote;
    await store.close();
    const next = await open();
    const entries = await next.range(...ALL);
    equal(keysOf(entries), keys.join(), "keys");
    await next.write(entries.map(({ key }) => ({ key, value: undefined })));
    equal((await next.range(...ALL)).length, 0, "entries when all are deleted");
  },

  async "gives every entry once to who reads it part by part"(open) {
    const store = await open();
    const keys = Array.from({ length: 25 }, (_, i) => `key ${i}\0`).sort();
    await store.write(keys.map((key) => put(key, 1)));
    const seen: string[] = [];
    for (let from = ""; ; ) {
      const entries = await store.range(from, "l", 10);
      seen.push(...entries.map(({ key }) => key));
      if (entries.length < 10) break;
      from = `${seen.at(-1)}\0`;
    }
    equal(seen.join(), keys.join(), "all keys");
    equal((await store.range("", "l", 0)).length, 0, "none of them");
  },

  async "gives bytes that whoever has them may change"(open) {
    const store = await open();
    await store.write([put("a", 1)]);
    for (const { value } of await store.range(...ALL)) value.fill(9);
    expectEntries(await store.range(...ALL), [["a", 1]]);
  },

  async "keeps the order of writes that are under way together"(open) {
    const store = await open();
    const writes = Array.from({ length: 200 }, (_, i) =>
      store.write([put("last", i), put(`key ${i % 50}`, i)]),
    );
    await Promise.all(writes);
    const entries = await store.range(...ALL);
    equal(entries.length, 51, "entries");
    equal(entries.at(-1)?.value.join(), "199", "the last write");
    for (const { key, value } of entries.slice(0, -1)) {
      equal(value[0], 150 + Number(key.slice(4)), key);
    }
  },

  async "finishes at its close what is being written"(open) {
    const store = await open();
    const writes = Array.from({ length: 20 }, (_, i) => store.write([put(`${i}`, i)]));
    await store.close();
    await Promise.all(writes);
    equal((await (await open()).range(...ALL)).length, 20, "entries");
  },

  async "says store:closed after its close, which may be repeated"(open) {
    const store = await open();
    await Promise.all([store.close(), store.close()]);
    await rejects(store.write([put("a", 1)]), "store:closed");
    await rejects(store.range(...ALL), "store:closed");
    await store.close();
  },

  async "has one owner: another opening says store:locked until it is closed"(open) {
    const store = await open();
    await store.write([put("a", 1)]);
    await rejects(open(), "store:locked");
    await store.write([put("a", 2)]);
    await store.close();
    const next = await open();
    expectEntries(await next.range(...ALL), [["a", 2]]);
    await rejects(open(), "store:locked");
  },
};

function put(key: string, value: number): StoreEntry {
  return { key, value: Uint8Array.of(value) };
}

function keysOf(entries: readonly StoreEntry[]): string {
  return entries.map(({ key }) => key).join();
}

function expectEntries(
  entries: readonly StoreEntry[],
  wanted: readonly (readonly [key: string, value: number])[],
): void {
  equal(
    entries.map(({ key, value }) => `${key}: ${value}`).join(),
    wanted.map(([key, value]) => `${key}: ${value}`).join(),
    "entries",
  );
}

async function rejects(promise: Promise<unknown>, code: string): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error instanceof Error, `it did not fail with ${code}`);
  equal(Reflect.get(error as Error, "code"), code, "code of the error");
}
