/** A tab at a host of a lab: a browser of its own whose network is the host's. */

import { readFileSync, writeFileSync } from "node:fs";
import { chromium } from "playwright";
import { onTestFinished } from "vitest";
import { launchOptions } from "../chromium.ts";
import { type MemberOptions, remote } from "../member.ts";
import type { Actor } from "../stage.ts";
import { bundleOf } from "./bundle.ts";
import type { Host } from "./host.ts";
import { COMMON } from "./members.ts";

/** A page that needs no server: a secure context all the same. */
const URL = "http://localhost/";
const HTML = '<!doctype html><title>member</title><script type="module" src="/page.js"></script>';

export async function tabAt(host: Host, options: Partial<MemberOptions>): Promise<Actor> {
  const { executablePath = chromium.executablePath(), args = [], ...rest } = launchOptions();
  const browser = await chromium.launch({
    ...rest,
    args: [...args, "--disable-features=LocalNetworkAccessChecks"],
    executablePath: scriptOf(host.inside(executablePath)),
  });
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  const script = readFileSync(bundleOf("page"), "utf8");
  await page.route(`${URL}**`, (route) =>
    route.request().url().endsWith("/page.js")
      ? route.fulfill({ contentType: "text/javascript", body: script })
      : route.fulfill({ contentType: "text/html", body: HTML }),
  );
  await page.goto(URL);
  const member = remote((method, args) =>
    page.evaluate(([name, list]) => Reflect.get(globalThis, "member")[name](...list), [
      method,
      args,
    ] as const),
  );
  const name = host.outside;
  return { name, id: await member.join({ ...COMMON, name, ...options }), member };
}

/** Playwright starts a file: one that runs a command with all that it is given. */
function scriptOf(command: readonly string[]): string {
  const path = `${bundleOf("page")}-${command.join(" ").replaceAll(/\W+/g, "-")}.sh`;
  writeFileSync(path, `#!/bin/sh\nexec ${command.join(" ")} "$@"\n`, { mode: 0o755 });
  return path;
}
