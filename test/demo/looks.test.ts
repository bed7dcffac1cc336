import type { Page } from "playwright";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  allTogether,
  DemoStage,
  nameOf,
  PHONE,
  SCREENSHOTS,
  SOON,
  saidIn,
  say,
} from "./demo-stage.ts";
import { faintTexts, unnamedControls } from "./in-page.ts";

let stage: DemoStage;
beforeAll(async () => {
  stage = await DemoStage.open();
});
afterAll(() => stage.close());
afterEach(async () => {
  expect(await stage.endTest()).toEqual([]);
});

const VIEWS = ["Mesh", "Board", "Chat", "Work", "State", "Log"];

/** A mesh of two in which something has happened, so that there is something to look at. */
async function busy(page: Page, cluster: string): Promise<void> {
  const other = await stage.tab(cluster);
  await allTogether([page, other]);
  await other.getByRole("button", { name: "Add a note" }).click();
  await other.getByLabel("Text of your note").fill("A note with quite a few words in it");
  await say(other, `A long word: ${"x".repeat(300)}`);
  await expect.poll(() => saidIn(page), SOON).toHaveLength(1);
  await expect.poll(() => page.locator(".note").count(), SOON).toBe(1);
}

function overflow(page: Page): Promise<number> {
  return page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
}

describe.each(["light", "dark"] as const)("in %s", (colorScheme) => {
  test("at 1280 px: nothing beside the window, text can be read, all controls have names", async () => {
    const page = await stage.tab(`desk-${colorScheme}`, { colorScheme });
    await busy(page, `desk-${colorScheme}`);
    expect(await overflow(page)).toBe(0);
    await page.screenshot({ path: `${SCREENSHOTS}desk-${colorScheme}.png`, fullPage: true });
    expect(await page.evaluate(faintTexts)).toEqual([]);
    expect(await page.evaluate(unnamedControls)).toEqual([]);
    await page.getByRole("button", { name: "Invite" }).click();
    await page.locator("#give-qr canvas").waitFor();
    await page.screenshot({ path: `${SCREENSHOTS}invite-${colorScheme}.png` });
    expect(await page.evaluate(faintTexts)).toEqual([]);
    expect(await page.evaluate(unnamedControls)).toEqual([]);
  });

  test("on a phone of 375 px: the same in every view, and the chat's box is in sight", async () => {
    const page = await stage.tab(`phone-${colorScheme}`, { ...PHONE, colorScheme });
    await busy(page, `phone-${colorScheme}`);
    const bar = page.getByRole("navigation", { name: "Panels" });
    for (const view of VIEWS) {
      await bar.getByRole("button", { name: view }).tap();
      await page.screenshot({ path: `${SCREENSHOTS}phone-${colorScheme}-${view}.png` });
      expect([view, await overflow(page)]).toEqual([view, 0]);
      expect([view, await page.evaluate(faintTexts)]).toEqual([view, []]);
    }
    await bar.getByRole("button", { name: "Chat" }).tap();
    const [box, nav] = [await page.locator("#chat-form").boundingBox(), await bar.boundingBox()];
    expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(nav?.y ?? 0);
    await bar.getByRole("button", { name: "Mesh" }).tap();
    await page.getByRole("button", { name: "Invite" }).tap();
    await page.locator("#give-qr canvas").waitFor();
    expect(await overflow(page)).toBe(0);
  });
});

describe.each(["light", "dark"] as const)("in %s", (colorScheme) => {
  test("who is hidden or asleep is shown so, and who is back as before", async () => {
    const cluster = `asleep-${colorScheme}`;
    const [page, sleeper] = [await stage.tab(cluster, { colorScheme }), await stage.tab(cluster)];
    await stage.tab(cluster);
    const pages = [page, sleeper];
    await expect.poll(() => page.locator(".person").count(), SOON).toBe(3);
    const row = page.locator(".person", { hasText: await nameOf(sleeper) });
    // What a browser does to a tab that is put behind others, and then forgotten there.
    await sleeper.evaluate(() => {
      Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await expect.poll(() => row.locator(".person-how").textContent(), SOON).toMatch(/^hidden tab/);
    await sleeper.evaluate(() => document.dispatchEvent(new Event("freeze")));
    await expect.poll(() => row.getAttribute("data-state"), SOON).toBe("asleep");
    await expect.poll(() => row.locator(".tag").textContent(), SOON).toBe("asleep");
    expect(await page.evaluate(faintTexts)).toEqual([]);
    await page.screenshot({ path: `${SCREENSHOTS}asleep-${colorScheme}.png`, fullPage: true });
    await sleeper.evaluate(() => document.dispatchEvent(new Event("resume")));
    await expect.poll(() => row.getAttribute("data-state"), SOON).toBe("alive");
    for (const one of pages) expect(await one.locator(".person[data-state=down]").count()).toBe(0);
  });
});

test("at 900 px, between the two, nothing stands beside the window", async () => {
  const page = await stage.tab("tablet", { viewport: { width: 900, height: 1_100 } });
  await busy(page, "tablet");
  expect(await overflow(page)).toBe(0);
  await page.screenshot({ path: `${SCREENSHOTS}tablet.png`, fullPage: true });
});

test("by keyboard alone: the chat is the first stop, and a message is said", async () => {
  const [page, other] = [await stage.tab("keys"), await stage.tab("keys")];
  await allTogether([page, other]);
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the chat");
  await page.keyboard.press("Enter");
  await page.keyboard.type("no mouse");
  await page.keyboard.press("Enter");
  await expect.poll(() => saidIn(other), SOON).toEqual(["no mouse"]);
  // Enter with Shift makes a line.
  await page.keyboard.type("two");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("lines");
  await page.keyboard.press("Enter");
  await expect.poll(() => saidIn(other), SOON).toEqual(["no mouse", "two\nlines"]);
});

test("by keyboard alone: focus goes through all controls in the order of the page, and shows", async () => {
  const page = await stage.tab("order");
  await page.getByText("You are the first one here.").waitFor();
  const stops: { id: string; top: boolean; outlined: boolean }[] = [];
  for (;;) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const focused = document.activeElement;
      if (!(focused instanceof HTMLElement) || focused === document.body) return undefined;
      // Boxes and radios are see-through; what stands beside them shows the focus.
      const shown = focused.matches("[type=checkbox], [type=radio]")
        ? (focused.nextElementSibling ?? focused)
        : focused;
      const { outlineStyle, outlineWidth } = getComputedStyle(shown);
      return {
        id: focused.id || focused.className || focused.tagName,
        top: focused.tabIndex > 0,
        outlined: outlineStyle !== "none" && outlineWidth !== "0px",
      };
    });
    if (stop === undefined || stops.length > 60) break;
    stops.push(stop);
  }
  expect(stops.filter(({ top, outlined }) => top || !outlined)).toEqual([]);
  const order = ["open-tab", "invite-open", "server-button", "hint-open", "own-name"].concat([
    "note-add",
    "board-clear",
    "chat-scroll",
    "chat-input",
    "work-render",
    "work-part",
    "work-who",
    "state-key",
    "state-value",
  ]);
  const ids = stops.map(({ id }) => id);
  expect(ids.filter((id) => order.includes(id))).toEqual(order);
});

test("a note is moved by arrow keys and deleted by keyboard, and the dialog closes by Escape", async () => {
  const page = await stage.tab("note-keys");
  await page.getByRole("button", { name: "Add a note" }).press("Enter");
  await page.keyboard.type("keys only");
  await expect.poll(() => page.locator(".note-own textarea").inputValue(), SOON).toBe("keys only");
  const left = (): Promise<number> =>
    page.locator(".note-own").evaluate((note) => note.getBoundingClientRect().left);
  const before = await left();
  await page.getByRole("button", { name: /^Your note/ }).press("ArrowRight");
  await expect.poll(left, SOON).toBeGreaterThan(before);
  await page.getByRole("button", { name: "Delete your note" }).press("Enter");
  await expect.poll(() => page.locator(".note").count(), SOON).toBe(0);
  await page.getByRole("button", { name: "Invite" }).press("Enter");
  await page.locator("#invite").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("#invite").waitFor({ state: "hidden" });
});

test("who wants no motion gets the same page without it", async () => {
  const page = await stage.tab("still", { reducedMotion: "reduce" });
  await busy(page, "still");
  const moving = await page.evaluate(
    () => document.getAnimations().filter(({ playState }) => playState === "running").length,
  );
  expect(moving).toBe(0);
});
