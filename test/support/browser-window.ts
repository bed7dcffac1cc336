/**
 * One window of a browser as a person has it: of its tabs one is shown, the others are hidden and throttled, and the
 * browser may freeze them. Started without what automation usually adds, which keeps every tab awake and in sight.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright";
import { findChromium } from "../../scripts/find-chromium.mjs";
import { launchOptions } from "./chromium.ts";

export class BrowserWindow {
  /** Its tabs share one profile. */
  readonly context: BrowserContext;
  readonly #browser: Browser;
  readonly #end: () => Promise<void>;

  private constructor(browser: Browser, end: () => Promise<void>) {
    const [context] = browser.contexts();
    if (context === undefined) throw new Error("the browser has no window");
    this.context = context;
    this.#browser = browser;
    this.#end = end;
  }

  static async open(): Promise<BrowserWindow> {
    const profile = await mkdtemp(join(tmpdir(), "hearsay-window-"));
    const { args = [], executablePath = findChromium() ?? chromium.executablePath() } =
      launchOptions();
    const own = ["--headless=new", "--remote-debugging-port=0", `--user-data-dir=${profile}`];
    const child = spawn(executablePath, [...own, "--no-sandbox", ...args, "about:blank"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const endpoint = await new Promise<string>((resolve, reject) => {
      let said = "";
      child.stderr.on("data", (data) => {
        said += data;
        const [, url] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
        if (url !== undefined) resolve(url);
      });
      child.once("exit", (code) => reject(new Error(`Chromium ended with ${code}: ${said}`)));
    });
    const browser = await chromium.connectOverCDP(endpoint, { noDefaults: true });
    return new BrowserWindow(browser, async () => {
      const ended = once(child, "exit");
      child.kill();
      await ended;
      // Its helpers may still be writing.
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    });
  }

  /** Brings a new, empty tab to the front of all others. */
  async cover(): Promise<Page> {
    const page = await this.context.newPage();
    await page.bringToFront();
    return page;
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.#end();
  }
}

/** What passes between two ticks of a timer that the page wants every 50 ms. In hidden tabs it ticks once a second. */
export function timerMs(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        let before: number | undefined;
        const ticking = setInterval(() => {
          const now = performance.now();
          if (before !== undefined) {
            clearInterval(ticking);
            resolve(now - before);
          }
          before = now;
        }, 50);
      }),
  );
}

export function visibilityOf(page: Page): Promise<string> {
  return page.evaluate(() => document.visibilityState);
}

/** Stops all that the page does, as a browser does with a tab that was hidden for long; and lets it go on. */
export async function setFrozen(page: Page, frozen: boolean): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state: frozen ? "frozen" : "active" });
  await session.detach();
}
