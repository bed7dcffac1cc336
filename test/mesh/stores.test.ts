// Stores where they matter: tabs that are loaded anew or crash, processes that are killed.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { OpenStore, Store } from "../../src/index.ts";
import { allLinked, each } from "../support/actors.ts";
import { type ChildActor, Stage } from "../support/stage.ts";

const stage = new Stage("stores");

beforeAll(async () => {
  await stage.startServer();
  await stage.openBrowser();
}, 60_000);
afterAll(() => stage.close());

/** What runs in a page finds there. */
declare const indexedDbStore: (name: string, options?: { wait: boolean }) => OpenStore;
declare let held: Store;
declare let next: Promise<Store>;
declare function acknowledged(batch: number): void;

/** Opens a store in a page: `opened`, or the code of the error. */
function open(page: Page, name: string): Promise<string> {
  return page.evaluate(async (which) => {
    try {
      Object.assign(globalThis, { held: await indexedDbStore(which)() });
      return "opened";
    } catch (error) {
      return Reflect.get(Object(error), "code");
    }
  }, name);
}

describe("row 27: with stores, the configuration survives the end of all", () => {
  test("of two processes that are killed: it is there before they meet anybody", async () => {
    const folder = await mkdtemp(join(tmpdir(), "hearsay-stores-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const names = [join(folder, "a"), join(folder, "b")];
    const start = (): Promise<ChildActor[]> =>
      each(names, (storeName) => stage.child({ storeName }));
    const first = await start();
    await allLinked(first);
    await each(first, ({ name, member }) => member.configure(`by.${name}`, { name }));
    await each(first, ({ member }) => member.untilKept(2));
    const wanted = await first[0]?.member.configuration();
    await each(first, ({ process }) => {
      const exited = once(process, "exit");
      process.kill("SIGKILL");
      return exited;
    });
    await stage.stopServer();
    const second = await each(names, (storeName) => stage.child({ storeName, seeds: [] }));
    await stage.startServer();
    for (const [i, { id, member }] of second.entries()) {
      expect(await member.peers()).toEqual([]);
      expect(id).toBe(first[i]?.id);
      expect(await member.configuration()).toEqual(wanted);
    }
  });

  test("of a tab that is loaded anew, and of one that crashes", async () => {
    const tab = await stage.tab({ storeName: "reloaded", seeds: [], tabs: false });
    await tab.member.configure("a", 1);
    expect(await tab.reload()).toBe(tab.id);
    expect(await tab.member.configuration()).toEqual({ a: 1 });
    await tab.member.configure("b", 2);
    await tab.member.untilKept(1);
    const context = tab.page.context();
    await tab.crash();
    const next = await stage.tab({ storeName: "reloaded", seeds: [], tabs: false }, context);
    expect(next.id).toBe(tab.id);
    expect(await next.member.configuration()).toEqual({ a: 1, b: 2 });
  });
});

describe("a store in IndexedDB", () => {
  test("that a tab waits for comes to it when the other closes or crashes, with all in it", async () => {
    for (const end of ["close", "crash"] as const) {
      const first = await stage.tab();
      const second = await stage.tab({}, first.page.context());
      expect(await open(first.page, "handed over")).toBe("opened");
      await first.page.evaluate(() => held.write([{ key: "a", value: Uint8Array.of(1) }]));
      const pending = await second.page.evaluate(async () => {
        Object.assign(globalThis, { next: indexedDbStore("handed over", { wait: true })() });
        return (await navigator.locks.query()).pending?.map(({ name }) => name);
      });
      expect(pending).toContain("hearsay handed over");
      await first[end]();
      const entries = await second.page.evaluate(async () => {
        return (await (await next).range("", "z")).map(({ key }) => key);
      });
      expect(entries).toEqual(["a"]);
      await second.close();
    }
  });

  test("that a member waits for: it joins as who had it when that has left", async () => {
    const alone = { storeName: "who is who", storeWaits: true, seeds: [], tabs: false };
    const first = await stage.tab(alone);
    await first.member.configure("a", 1);
    const joining = stage.tab(alone, first.page.context());
    await first.member.leave();
    const second = await joining;
    expect(second.id).toBe(first.id);
    expect(await second.member.configuration()).toEqual({ a: 1 });
  });

  test("belongs to one tab: a second one gets store:locked, until the first closes it or crashes", async () => {
    const first = await stage.tab();
    const second = await stage.tab({}, first.page.context());
    expect(await open(first.page, "shared")).toBe("opened");
    expect(await open(second.page, "shared")).toBe("store:locked");
    await first.page.evaluate(() => held.close());
    expect(await open(second.page, "shared")).toBe("opened");
    expect(await open(first.page, "shared")).toBe("store:locked");
    await second.crash();
    expect(await open(first.page, "shared")).toBe("opened");
  });

  test("over its quota: says store:full, keeps what it had, and takes what fits", async () => {
    const { page } = await stage.tab();
    expect(await open(page, "quota")).toBe("opened");
    const session = await page.context().newCDPSession(page);
    const origin = new URL(page.url()).origin;
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 3_000_000 });
    const seen = await page.evaluate(async () => {
      const write = (key: string, bytes: number): Promise<string> =>
        held.write([{ key, value: crypto.getRandomValues(new Uint8Array(bytes)) }]).then(
          () => "written",
          (error) => error.code,
        );
      const big = new Uint8Array(10_000_000);
      const said = [
        await write("before", 60_000),
        await held.write([{ key: "big", value: big }]).catch((error) => error.code),
        await write("after", 60_000),
      ];
      const entries = await held.range("", "z");
      return [...said, ...entries.map(({ key, value }) => `${key} ${value.length}`)];
    });
    expect(seen).toEqual(["written", "store:full", "written", "after 60000", "before 60000"]);
  });

  test("in a tab that crashes as it writes: no acknowledged batch is lost, none is half", async () => {
    const { page, crash } = await stage.tab();
    let last = -1;
    let enough = (): void => {};
    const many = new Promise<void>((resolve) => {
      enough = resolve;
    });
    await page.exposeFunction("acknowledged", (batch: number) => {
      last = batch;
      if (batch === 30) enough();
    });
    expect(await open(page, "crash")).toBe("opened");
    await page.evaluate(() => {
      const write = async (batch: number): Promise<void> => {
        const value = new Uint8Array(3_000).fill(batch);
        const key = String(batch).padStart(6, "0");
        await held.write(
          Array.from({ length: 10 }, (_, part) => ({ key: `${key} ${part}`, value })),
        );
        acknowledged(batch);
        void write(batch + 1);
      };
      void write(0);
    });
    await many;
    await crash();
    const next = await stage.tab({}, page.context());
    expect(await open(next.page, "crash")).toBe("opened");
    const count = await next.page.evaluate(async () => (await held.range("", "z")).length);
    expect(count % 10).toBe(0);
    expect(count / 10).toBeGreaterThan(last);
    expect(last).toBeGreaterThanOrEqual(30);
  });
});
