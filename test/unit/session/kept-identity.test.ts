import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { KeptIdentity, keptIdentity } from "../../../src/session/kept-identity.ts";

/** The locks of a browser: one holder for each name, the others wait or give up. */
class Locks {
  readonly held = new Set<string>();
  readonly #waiting: (() => void)[] = [];

  request(
    name: string,
    { ifAvailable, signal }: { ifAvailable?: boolean; signal?: AbortSignal },
    hold: (lock: { name: string } | null) => Promise<void> | undefined,
  ) {
    return new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (signal?.aborted) return reject(signal.reason);
        if (this.held.has(name) && ifAvailable) return resolve(hold(null));
        if (this.held.has(name)) return void this.#waiting.push(look);
        this.held.add(name);
        hold({ name })?.then(() => {
          this.held.delete(name);
          resolve();
          for (const waiting of this.#waiting.splice(0)) waiting();
        });
      };
      signal?.addEventListener("abort", look);
      look();
    });
  }
}

/** What a tab keeps; a duplicate begins with a copy. */
class TabStorage {
  readonly items: Map<string, string>;
  constructor(from: Iterable<[string, string]> = []) {
    this.items = new Map(from);
  }
  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.items.set(key, value);
  }
}

let locks: Locks;
beforeEach(() => {
  locks = new Locks();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** A load of a page: a module of its own, in a tab with that storage. */
async function load(storage: unknown): Promise<{ keptIdentity: typeof keptIdentity }> {
  vi.stubGlobal("navigator", { locks });
  vi.stubGlobal("sessionStorage", storage);
  vi.resetModules();
  return await import("../../../src/session/kept-identity.ts");
}

const hexOf = (kept: KeptIdentity | undefined): string =>
  Buffer.from(kept?.secretKey ?? []).toString("hex");

async function first(storage: TabStorage, generation = 7): Promise<KeptIdentity> {
  const kept = await (await load(storage)).keptIdentity("demo");
  if (kept === undefined) throw new Error("nothing is kept");
  kept.keep(generation);
  return kept;
}

test("a reload has the identity of before, and knows its generation", async () => {
  const storage = new TabStorage();
  const before = await first(storage);
  expect(before.secretKey).toHaveLength(32);
  before.release();
  const after = await (await load(storage)).keptIdentity("demo");
  expect(hexOf(after)).toBe(hexOf(before));
  expect(after?.generation).toBe(7);
});

test("a page that comes while the last one is still going waits for it", async () => {
  const storage = new TabStorage();
  const before = await first(storage);
  const { keptIdentity } = await load(storage);
  const coming = keptIdentity("demo");
  before.release();
  expect(hexOf(await coming)).toBe(hexOf(before));
});

test("a duplicated tab has an identity of its own, and keeps that one", async () => {
  const storage = new TabStorage();
  const original = await first(storage);
  const copy = new TabStorage(storage.items);
  const duplicate = await first(copy, 9);
  expect(hexOf(duplicate)).not.toBe(hexOf(original));
  duplicate.release();
  expect(hexOf(await first(copy))).toBe(hexOf(duplicate));
});

test("two meshes of one page have two identities, and a reload has both again", async () => {
  const storage = new TabStorage();
  const page = await load(storage);
  const both = await Promise.all([page.keptIdentity("demo"), page.keptIdentity("demo")]);
  const other = await page.keptIdentity("another");
  for (const kept of [...both, other]) kept?.keep(1);
  expect(new Set([...both, other].map(hexOf)).size).toBe(3);
  for (const kept of [...both, other]) kept?.release();
  const next = await load(storage);
  expect(hexOf(await next.keptIdentity("demo"))).toBe(hexOf(both[0]));
  expect(hexOf(await next.keptIdentity("demo"))).toBe(hexOf(both[1]));
  expect(hexOf(await next.keptIdentity("another"))).toBe(hexOf(other));
});

test("the generation that is kept never goes back", async () => {
  const storage = new TabStorage();
  const kept = await first(storage, 100);
  kept.keep(50);
  kept.release();
  expect((await first(storage, 0)).generation).toBe(100);
});

test("what was let go can be held again, unless another has it by then", async () => {
  const storage = new TabStorage();
  const kept = await first(storage);
  kept.release();
  expect(await kept.hold()).toBe(true);
  expect(await kept.hold()).toBe(true);
  kept.release();
  const other = await first(storage);
  expect(hexOf(other)).toBe(hexOf(kept));
  expect(await kept.hold()).toBe(false);
});

test.each(["", "x", `${"0".repeat(64)}`, `${"0".repeat(64)} -1`, `${"g".repeat(64)} 1`, "{}"])(
  "what is no identity is replaced by one: %j",
  async (text) => {
    const storage = new TabStorage([["hearsay demo 0", text]]);
    const kept = await first(storage);
    expect([kept.secretKey.length, kept.generation]).toEqual([32, 7]);
    kept.release();
    expect(hexOf(await first(storage))).toBe(hexOf(kept));
  },
);

test("without Web Locks, or without storage, nothing is kept", async () => {
  const page = await load(new TabStorage());
  vi.stubGlobal("navigator", {});
  expect(await page.keptIdentity("demo")).toBeUndefined();
  const forbidden = await load(undefined);
  expect(await forbidden.keptIdentity("demo")).toBeUndefined();
});

test("storage that fails does no harm", async () => {
  const storage = new TabStorage();
  storage.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  const kept = await first(storage, 3);
  expect(kept.generation).toBe(3);
});
