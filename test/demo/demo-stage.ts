/** The demo page as people use it: built once, served by the real signaling server, opened in real tabs. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright";
import { expect } from "vitest";
import { buildDemo } from "../../scripts/build-demo.mjs";
import { createSignalingServer, type SignalingServer } from "../../signaling-server/index.ts";
import { launchOptions } from "../support/chromium.ts";

/** Screenshots for people to look at; the folder is not part of the tree. */
export const SCREENSHOTS = fileURLToPath(new URL("__screenshots__/", import.meta.url));

/** How long anything may take to show. */
export const SOON = { timeout: 15_000, interval: 50 };

const DESK = { width: 1280, height: 800 };
export const PHONE: BrowserContextOptions = {
  viewport: { width: 375, height: 760 },
  deviceScaleFactor: 2,
  hasTouch: true,
  isMobile: true,
};

export interface TabOptions extends BrowserContextOptions {
  /** What stands after the `?`, beside the cluster. */
  readonly query?: string;
  /** What the page may complain about: other lines on its console fail the test. */
  readonly expected?: RegExp;
}

export class DemoStage {
  readonly #browser: Browser;
  readonly server: SignalingServer;
  readonly #folder: string;
  readonly #complaints: string[] = [];

  private constructor(browser: Browser, server: SignalingServer, folder: string) {
    this.#browser = browser;
    this.server = server;
    this.#folder = folder;
  }

  static async open(): Promise<DemoStage> {
    const folder = await mkdtemp(join(tmpdir(), "hearsay-demo-"));
    await buildDemo(folder);
    const server = await serve(0, folder);
    return new DemoStage(await chromium.launch(launchOptions()), server, folder);
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Closes all tabs and gives what they complained about. */
  async endTest(): Promise<readonly string[]> {
    await Promise.all(this.#browser.contexts().map((context) => context.close()));
    return this.#complaints.splice(0);
  }

  async tab(cluster: string, { query = "", ...options }: TabOptions = {}): Promise<Page> {
    const suffix = query === "" ? "" : `&${query}`;
    return this.tabAt(`http://127.0.0.1:${this.server.port}/?cluster=${cluster}${suffix}`, options);
  }

  /** A tab of its own browser profile, as if on another machine. */
  async tabAt(address: string, { expected, ...options }: TabOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: DESK, ...options });
    const page = await context.newPage();
    const complain = (text: string): void => {
      if (expected === undefined || !expected.test(text)) this.#complaints.push(text);
    };
    page.on("pageerror", (error) => complain(`thrown: ${error.stack}`));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complain(message.text());
    });
    await page.goto(address);
    // It has joined, and its buttons do something.
    await page.getByLabel("Your name").waitFor({ state: "attached" });
    return page;
  }
}

/** A signaling server; with a folder it serves the page as well. */
export function serve(port: number, folder?: string): Promise<SignalingServer> {
  const page = folder === undefined ? {} : { staticDir: folder };
  return createSignalingServer({ port, host: "127.0.0.1", ...page }).listen();
}

/** The names of the others that are here, sorted. */
export async function othersOf(page: Page): Promise<string[]> {
  const names = await page.locator(".person[data-state=alive] .person-name").allTextContents();
  return names.sort();
}

export async function nameOf(page: Page): Promise<string> {
  return page.getByLabel("Your name").inputValue();
}

/** Waits until each of these tabs shows all the others, and a link with each. */
export async function allTogether(pages: readonly Page[]): Promise<void> {
  for (const page of pages) {
    const others = await Promise.all(pages.filter((other) => other !== page).map(nameOf));
    await expect.poll(() => othersOf(page), SOON).toEqual(others.sort());
  }
  const count = (pages.length * (pages.length - 1)) / 2;
  const words = `${count} ${count === 1 ? "link" : "links"} over WebRTC`;
  for (const page of pages) {
    await expect.poll(() => page.locator("#mesh-note").textContent(), SOON).toBe(words);
  }
}

export async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Say to everybody").fill(text);
  await page.getByLabel("Say to everybody").press("Enter");
}

export function saidIn(page: Page): Promise<string[]> {
  return page.locator(".chat-text").allTextContents();
}

export function healthOf(page: Page): Promise<string | null> {
  return page.locator("#health-badge").textContent();
}
