// How tests start a browser: one that was found on the machine, and that makes no connections of its own.
import type { LaunchOptions } from "playwright";
import { findChromium } from "../../scripts/find-chromium.mjs";

export function launchOptions(): LaunchOptions {
  const executablePath = findChromium();
  return {
    // Without one Playwright looks for its own and says what to do; `npm test` installs one beforehand.
    ...(executablePath ? { executablePath } : {}),
    headless: true,
    // Its sandbox needs rights that neither root nor a container has; the pages are our own.
    chromiumSandbox: false,
    args: [
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  };
}
