// What happens to tabs: they are frozen and go on, loaded anew, duplicated, cut off from the network, closed.
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allLinked, allTalk, each, inMs, seen, without } from "../support/actors.ts";
import { BrowserWindow, setFrozen, visibilityOf } from "../support/browser-window.ts";
import { wallMs } from "../support/member.ts";
import { type Actor, Stage, type TabActor } from "../support/stage.ts";

const stage = new Stage("life-of-tabs");
let window: BrowserWindow;
let tab: TabActor;
let shown: TabActor;
let node: Actor;
let all: Actor[];

const report = (line: string): void => void process.stdout.write(`${line}\n`);

/** What has been told of `actor` since then, by all others. */
async function toldOf(actor: Actor, since: number, events: RegExp): Promise<string[]> {
  return await seen(
    without(all, actor),
    ({ event, id, at }) => id === actor.id && at >= since && events.test(event),
  );
}

async function generationOf(actor: Actor): Promise<number> {
  const peers = await node.member.peers();
  return peers.find(({ id }) => id === actor.id)?.generation ?? Number.NaN;
}

beforeAll(async () => {
  await stage.startServer();
  window = await BrowserWindow.open();
  tab = await stage.tab({}, window.context);
  shown = await stage.tab({}, window.context);
  await shown.page.bringToFront();
  node = await stage.node();
  all = [tab, shown, node];
  await allLinked(all);
}, 60_000);
afterAll(async () => {
  await window?.close();
  await stage.close();
});

describe("row 54: a hidden tab that the browser freezes", () => {
  const GONE = /^(peer:(suspect|down|leave|join)|link:(up|down|failed))$/;
  let since: number;

  test("is asleep for all others at once, and not gone while a real crash is found", async () => {
    expect(await visibilityOf(tab.page)).toBe("hidden");
    const others = without(all, tab);
    const child = await stage.child();
    await allLinked([...all, child]);
    since = wallMs();
    await setFrozen(tab.page, true);
    const asleep = await each(others, ({ member }) => member.untilState(tab.id, "asleep"));
    report(`a frozen tab was asleep after ${inMs(asleep.map((at) => at - since))} ms`);
    // Takes longer than it would take to miss the sleeper.
    child.process.kill("SIGKILL");
    await each(others, ({ member }) => member.untilState(child.id, "down"));
    await allTalk(others, "while-frozen", 50);
    expect(await toldOf(tab, since, GONE)).toEqual([]);
    const peers = await node.member.peers();
    expect(peers.find(({ id }) => id === tab.id)?.state).toBe("asleep");
  });

  test("is alive for all when it goes on, without having been gone", async () => {
    const others = without(all, tab);
    const back = wallMs();
    await setFrozen(tab.page, false);
    const alive = await each(others, ({ member }) => member.untilState(tab.id, "alive"));
    report(`it was back after ${inMs(alive.map((at) => at - back))} ms`);
    await allTalk(all, "after-frozen");
    expect(await toldOf(tab, since, GONE)).toEqual([]);
    const suspected = await seen(all, ({ event, id }) => {
      return event === "peer:suspect" && all.some((one) => one.id === id);
    });
    expect(suspected).toEqual([]);
  });
});

describe("row 8: a tab that is loaded anew", () => {
  test("is the same member, with a higher generation", async () => {
    const [before, since] = [await generationOf(tab), wallMs()];
    expect(await tab.reload()).toBe(tab.id);
    await allLinked(all);
    expect(await generationOf(tab)).toBeGreaterThan(before);
    expect(await toldOf(tab, since, /^peer:(suspect|down)$/)).toEqual([]);
    expect((await tab.member.health()).reasons).not.toContain("identity-ephemeral");
    await allTalk(all, "reloaded");
  });

  test("has a higher generation also when the clock was set back", async () => {
    const before = await generationOf(tab);
    await tab.page.addInitScript(() => {
      Date.now = () => 1_000_000_000_000;
    });
    expect(await tab.reload()).toBe(tab.id);
    await allLinked(all);
    expect(await generationOf(tab)).toBe(before + 1);
    await allTalk(all, "set-back");
  });
});

describe("row 54: a tab that is duplicated", () => {
  test("is another member, and the original goes on undisturbed", async () => {
    const opened = tab.page.waitForEvent("popup");
    // As duplicating does, this copies the tab's storage.
    await tab.page.evaluate(() => void open(location.href));
    const page = await opened;
    await page.waitForLoadState();
    const stored = (of: typeof page): Promise<number> => of.evaluate(() => sessionStorage.length);
    expect(await stored(page)).toBe(await stored(tab.page));
    const since = wallMs();
    const twin = await stage.tabIn(page);
    expect(all.map(({ id }) => id)).not.toContain(twin.id);
    await allLinked([...all, twin]);
    expect(await toldOf(tab, since, /^(peer:(suspect|down|leave)|identity:taken)$/)).toEqual([]);
    expect((await tab.member.story()).map(({ event }) => event)).not.toContain("identity:taken");
    // It stays who it is, too.
    expect(await twin.reload()).toBe(twin.id);
    await allLinked([...all, twin]);
    await twin.close();
    await each(all, ({ member }) => member.untilState(twin.id, "left"));
  });
});

describe("row 14: a tab that goes on to another page, and back", () => {
  /** Leaves the page for another, and comes back: to the same page, or, if the browser dropped it, to a new one. */
  async function awayAndBack(actor: TabActor, whileAway: () => Promise<unknown>): Promise<boolean> {
    const { page } = actor;
    await page.evaluate(() => void Object.assign(globalThis, { isKept: true }));
    const url = page.url();
    await page.goto(`${url}elsewhere`);
    await whileAway();
    // A page that was kept does not load once more.
    await page.goBack({ waitUntil: "commit" });
    await page.waitForFunction(() => "member" in globalThis);
    return await page.evaluate(() => Reflect.has(globalThis, "isKept"));
  }

  test("has left at once for all others, and joins again as the same member", async () => {
    const linked = await stage.tab({}, window.context);
    await allLinked([...all, linked]);
    const before = await generationOf(linked);
    const isKept = await awayAndBack(linked, () =>
      each(all, ({ member }) => member.untilState(linked.id, "left")),
    );
    report(`a page with links was ${isKept ? "kept" : "dropped"} by the browser`);
    if (!isKept) expect(await linked.reload()).toBe(linked.id);
    await allLinked([...all, linked]);
    expect(await generationOf(linked)).toBeGreaterThan(before);
    await linked.close();
  });

  test("that the browser has kept joins again by itself", async () => {
    const cluster = "kept";
    const lonely = await stage.tab({ cluster }, window.context);
    const stories = (): Promise<string[]> =>
      lonely.member.story().then((story) => story.map(({ event }) => event));
    expect(await awayAndBack(lonely, async () => {})).toBe(true);
    const other = await stage.node({ cluster });
    await allLinked([lonely, other]);
    expect((await stories()).filter((event) => /^(start|stop)$/.test(event))).toEqual([
      "start",
      "stop",
      "start",
    ]);
    await lonely.close();
  });
});

describe("a tab whose network is back", () => {
  test("tries the server at once, though it would have waited for long", async () => {
    const backoff = { firstMs: 3_600_000, maxMs: 3_600_000 };
    const patient = await stage.tab({ backoff });
    await patient.member.untilHealth("ok");
    await stage.stopServer();
    await patient.member.untilHealth("degraded");
    await stage.startServer();
    const context = patient.page.context();
    await context.setOffline(true);
    const since = wallMs();
    await context.setOffline(false);
    await patient.member.untilHealth("ok");
    report(`the server was there again ${inMs([wallMs() - since])} ms after the network`);
    await patient.close();
    await each(all, ({ member }) => member.untilState(patient.id, "left"));
  });
});

describe("row 14: tabs that are closed", () => {
  test("are seen to leave at once", async () => {
    const ms: number[] = [];
    for (const one of await each([1, 2, 3, 4], () => stage.tab())) {
      const since = wallMs();
      const closed = one.close();
      const at = await each(all, ({ member }) => member.untilState(one.id, "left"));
      ms.push(...at.map((left) => left - since));
      await closed;
    }
    report(`closed tabs were seen to leave after ${inMs(ms)} ms`);
    expect(Math.max(...ms)).toBeLessThan(3_000);
  });
});
