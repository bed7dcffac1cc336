// Tabs of one browser find each other without any server, and islands of them become one mesh.
import process from "node:process";
import type { BrowserContext } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { allKnow, allLinked, allTalk, each, inMs } from "../support/actors.ts";
import { wallMs } from "../support/member.ts";
import { type Actor, Stage, type TabActor } from "../support/stage.ts";

const stage = new Stage("tabs-alone");
const NO_SERVER = { seeds: [] };
let context: BrowserContext;

const report = (line: string): void => void process.stdout.write(`${line}\n`);

beforeAll(async () => {
  context = await (await stage.openBrowser()).newContext();
}, 60_000);
afterAll(() => stage.close());

test("two tabs without a server are one mesh, and a third joins it", async () => {
  const first = await stage.tab(NO_SERVER, context);
  const since = wallMs();
  const second = await stage.tab(NO_SERVER, context);
  await allLinked([first, second]);
  report(`a tab that was opened had a link after ${inMs([wallMs() - since])} ms`);
  const third = await stage.tab(NO_SERVER, context);
  const all = [first, second, third];
  await allLinked(all);
  await allTalk(all, "alone");
  await allKnow(all, "alone");
  expect(await each(all, async ({ member }) => (await member.health()).state)).toEqual([
    "ok",
    "ok",
    "ok",
  ]);
  // Another browser profile is another place: nobody there hears of them.
  const stranger = await stage.tab(NO_SERVER);
  expect((await stranger.member.health()).reasons).toContain("no-seed");
  await each([...all, stranger], ({ page }) => page.close());
});

test("a tab that wants no others stays by itself", async () => {
  const first = await stage.tab({ ...NO_SERVER, tabs: false }, context);
  const second = await stage.tab(NO_SERVER, context);
  const third = await stage.tab(NO_SERVER, context);
  await allLinked([second, third]);
  expect((await first.member.health()).peerCount).toBe(0);
  await each([first, second, third], ({ page }) => page.close());
});

test("row 22: two islands become one by the tabs that they have in one browser", async () => {
  // Each has a tab in this browser and a member elsewhere, whom a server of its own has introduced.
  const other = new Stage(stage.cluster);
  const island = async (at: Stage): Promise<readonly [Actor, TabActor]> => {
    const node = await at.node();
    const tab = await stage.tab({ seeds: [at.seed] }, context);
    await allLinked([node, tab]);
    return [node, tab];
  };
  try {
    await Promise.all([stage.startServer(), other.startServer()]);
    const one = await island(stage);
    // The next tab's requests to others of its browser are lost for now, so that it is on an island first.
    await context.addInitScript(() => {
      const { prototype } = BroadcastChannel;
      const { postMessage } = prototype;
      prototype.postMessage = function (message) {
        if (!("packet" in message)) postMessage.call(this, message);
      };
      Object.assign(globalThis, { speakUp: () => Object.assign(prototype, { postMessage }) });
    });
    const two = await island(other);
    expect((await two[1].member.health()).peerCount).toBe(1);
    const since = wallMs();
    await two[1].page.evaluate(() => void Reflect.get(globalThis, "speakUp")());
    await allLinked([...one, ...two]);
    report(`two islands were one mesh after ${inMs([wallMs() - since])} ms`);
    await allTalk([...one, ...two], "merged");
  } finally {
    await other.close();
  }
});
