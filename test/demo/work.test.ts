// The panel of shared work: jobs of a real queue, rendered by real tabs.
import type { Page } from "playwright";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { join } from "../../src/index.node.ts";
import {
  QUEUE,
  QUEUE_OPTIONS,
  DONE as RENDERED,
  renderTile,
  TILES,
} from "../../web-demo/tiling/tiles.ts";
import { allTogether, DemoStage, nameOf, PHONE, SCREENSHOTS, SOON } from "./demo-stage.ts";
import { faintTexts, unnamedControls } from "./in-page.ts";

/** A picture by two tabs of a busy machine, and what a silent end costs: its detection, then the lease. */
const DONE = { timeout: 45_000, interval: 50 };

let stage: DemoStage;
beforeAll(async () => {
  stage = await DemoStage.open();
});
afterAll(() => stage.close());
afterEach(async () => {
  expect(await stage.endTest()).toEqual([]);
});

const doneIn = (page: Page): Promise<number> =>
  page.locator("#work-progress").evaluate((bar) => (bar as HTMLProgressElement).value);

/** Who has done how many. */
async function sharesIn(page: Page): Promise<Map<string, number>> {
  const rows = await page.locator(".work-share").evaluateAll((all) =>
    all.map(({ children: [name, , number] }) => {
      return [name?.textContent ?? "", Number(number?.textContent)] as const;
    }),
  );
  return new Map(rows);
}

async function untilDone(page: Page, count = TILES): Promise<void> {
  await expect.poll(() => doneIn(page), DONE).toBeGreaterThanOrEqual(count);
}

/** The picture alone, without the colours of who did what. */
async function pictureIn(page: Page): Promise<string> {
  await page.locator("#work-who").uncheck();
  const pictures = await page.locator("#work-picture").evaluate(
    (canvas) =>
      new Promise<string>((resolve) => {
        requestAnimationFrame(() => {
          requestAnimationFrame(() => resolve((canvas as HTMLCanvasElement).toDataURL()));
        });
      }),
  );
  await page.locator("#work-who").check();
  return pictures;
}

const render = (page: Page): Promise<void> =>
  page.getByRole("button", { name: /^Render/ }).press("Enter");

test("row 35: three tabs render a picture, one is closed in the middle, and the others do its tiles", async () => {
  const [a, b, c] = (await Promise.all([0, 1, 2].map(() => stage.tab("work")))) as [
    Page,
    Page,
    Page,
  ];
  await allTogether([a, b, c]);
  const name = await nameOf(b);
  await render(a);
  await expect.poll(async () => (await sharesIn(a)).get(name) ?? 0, DONE).toBeGreaterThan(3);
  expect(await doneIn(a)).toBeLessThan(TILES);
  await b.close({ runBeforeUnload: true });
  await a.locator(".work-panel").screenshot({ path: `${SCREENSHOTS}work-begun.png` });
  for (const page of [a, c]) await untilDone(page);
  const shares = await sharesIn(a);
  expect([...shares.values()].reduce((sum, count) => sum + count)).toBe(TILES);
  expect([...shares.keys()].sort()).toEqual(
    [`${await nameOf(a)} (you)`, `${name} (gone)`, await nameOf(c)].sort(),
  );
  await a.getByText(/^All 96 tiles in /).waitFor();
  await a.locator(".work-panel").screenshot({ path: `${SCREENSHOTS}work-done.png` });
  expect(await pictureIn(c)).toBe(await pictureIn(a));

  // Who comes later sees it too.
  const late = await stage.tab("work");
  await untilDone(late);
  expect(await pictureIn(late)).toBe(await pictureIn(a));
  expect((await sharesIn(late)).get(`${name} (gone)`)).toBe(shares.get(`${name} (gone)`));
});

test("row 35: a tab that crashes with tiles begun leaves none undone", async () => {
  const [a, b] = [await stage.tab("crash"), await stage.tab("crash")];
  await allTogether([a, b]);
  const name = await nameOf(b);
  await render(b);
  await expect.poll(async () => (await sharesIn(a)).get(name) ?? 0, DONE).toBeGreaterThan(3);
  const session = await b.context().newCDPSession(b);
  const crashed = b.waitForEvent("crash");
  // It never answers: its tab is gone.
  session.send("Page.crash").catch(() => {});
  await crashed;
  await untilDone(a);
  expect([...(await sharesIn(a)).values()].reduce((sum, count) => sum + count)).toBe(TILES);
});

test("a tab that takes no part gets no tile, and a Node process that does gets some", async () => {
  const [a, b] = [await stage.tab("part"), await stage.tab("part")];
  await allTogether([a, b]);
  const seeds = [`ws://127.0.0.1:${stage.server.port}`];
  const node = await join({ cluster: "part", seeds, name: "worker" });
  try {
    const queue = node.channel(QUEUE, QUEUE_OPTIONS);
    queue.subscribe(async ({ data }) => {
      const { picture, tile } = data as { picture: { scene: number }; tile: number };
      await node.say(RENDERED, { picture, tile, pixels: renderTile(picture.scene, tile) });
    });
    await expect.poll(() => b.locator(".person[data-state=alive]").count(), SOON).toBe(3);
    await b.getByLabel("This tab works").press("Space");
    await render(b);
    for (const page of [a, b]) await untilDone(page);
    expect([...(await sharesIn(b)).keys()].sort()).toEqual([await nameOf(a), "worker"].sort());
    expect(await pictureIn(b)).toBe(await pictureIn(a));
    // Another one, after that, is one of its own too.
    await b.getByLabel("This tab works").press("Space");
    await render(b);
    await a.getByText("Seahorse valley").waitFor();
    const own = await nameOf(b);
    await expect.poll(async () => (await sharesIn(a)).get(own) ?? 0, DONE).toBeGreaterThan(0);
  } finally {
    await node.leave();
  }
});

test.each(["light", "dark"] as const)(
  "in %s it can be read while it is rendered, also on a phone",
  async (colorScheme) => {
    const cluster = `looks-${colorScheme}`;
    const [page, phone] = [
      await stage.tab(cluster, { colorScheme }),
      await stage.tab(cluster, { ...PHONE, colorScheme, reducedMotion: "reduce" }),
    ];
    await allTogether([page, phone]);
    await phone.getByRole("button", { name: "Work" }).tap();
    await phone.screenshot({ path: `${SCREENSHOTS}work-empty-phone-${colorScheme}.png` });
    await render(page);
    await untilDone(phone, 8);
    for (const [one, what] of [
      [page, "desk"],
      [phone, "phone"],
    ] as const) {
      expect(await one.evaluate(faintTexts)).toEqual([]);
      expect(await one.evaluate(unnamedControls)).toEqual([]);
      const beside = await one.evaluate(() => {
        return document.documentElement.scrollWidth - document.documentElement.clientWidth;
      });
      expect(beside).toBe(0);
      await one.screenshot({
        path: `${SCREENSHOTS}work-${what}-${colorScheme}.png`,
        fullPage: true,
      });
    }
    const moving = (): Promise<number> =>
      phone.evaluate(() => {
        return document.getAnimations().filter(({ playState }) => playState === "running").length;
      });
    expect(await moving()).toBe(0);
  },
);
