import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import wrtc from "wrtc";
import { webrtcTransport } from "../../src/transport/webrtc.ts";
import { LAST_WORDS_BYTES, type Party, party } from "../contract/webrtc-party.ts";
import { launchOptions } from "../support/chromium.ts";

const PAGE = fileURLToPath(new URL("../contract/webrtc-page.ts", import.meta.url));

let browser: Browser;
let script: string;
beforeAll(async () => {
  const options = { bundle: true, format: "esm", platform: "browser", write: false } as const;
  const { outputFiles } = await build({ ...options, entryPoints: [PAGE] });
  script = outputFiles[0]?.text ?? "";
  browser = await chromium.launch(launchOptions());
});
afterAll(() => browser.close());

/** Makes a party that passes its signals to `other`, which may be set later. */
interface Place {
  readonly party: Party;
  readonly page?: Page;
  other: Party | undefined;
}

async function tab(): Promise<Place> {
  const page = await (await browser.newContext()).newPage();
  onTestFinished(() => page.context().close());
  page.on("pageerror", (error) => process.stderr.write(`in the tab: ${error.stack}\n`));
  const place: Place = { party: remoteParty(page), page, other: undefined };
  await page.exposeFunction("emit", (payload: string) => place.other?.signal(payload));
  await page.addScriptTag({ content: script, type: "module" });
  // The tag is there before its module has run.
  await page.waitForFunction(() => "party" in globalThis, undefined, { timeout: 10_000 });
  return place;
}

/** The same methods, performed in the tab. */
function remoteParty(page: Page): Party {
  const call =
    (method: string) =>
    (...args: unknown[]) =>
      page.evaluate(([name, list]) => Reflect.get(globalThis, "party")[name](...list), [
        method,
        args,
      ] as const);
  return new Proxy({} as Party, { get: (_, method) => call(String(method)) });
}

async function node(): Promise<Place> {
  const transport = webrtcTransport({ wrtc });
  onTestFinished(() => transport.close());
  const place: Place = {
    party: party(transport, wrtc.RTCDataChannel, (payload) => void place.other?.signal(payload)),
    other: undefined,
  };
  return place;
}

async function linked(near: Place, far: Place): Promise<void> {
  near.other = far.party;
  far.other = near.party;
  await far.party.begin(false);
  await near.party.begin(true);
  await Promise.all([near.party.opened(), far.party.opened()]);
}

const places = { tab, node };

describe.each([
  ["tab", "tab"],
  ["tab", "node"],
  ["node", "tab"],
] as const)("WebRTC from %s to %s", (nearKind, farKind) => {
  test("carries both lanes both ways", async () => {
    const [near, far] = [await places[nearKind](), await places[farKind]()];
    await linked(near, far);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      for (const size of [0, 1, 16_381, 16_384, 65_536]) {
        await from.party.send("reliable", size);
        await to.party.received("reliable", size);
      }
      for (const size of [0, 1_100]) {
        await from.party.send("datagram", size);
        await to.party.received("datagram", size);
        await from.party.stop();
      }
    }
  });

  test("carries 5 MB whole each way, paced", async () => {
    const [near, far] = [await places[nearKind](), await places[farKind]()];
    await linked(near, far);
    const paced = [500, 10_000, 300_000] as const;
    const receiving = [near, far].map((it) => it.party.receiveBulk(500, 10_000));
    await Promise.all([near.party.sendBulk(...paced), far.party.sendBulk(...paced), ...receiving]);
  });

  test("holds back what the channel should not hold", async () => {
    const [near, far] = [await places[nearKind](), await places[farKind]()];
    await linked(near, far);
    const receiving = far.party.receiveBulk(400, 50_000);
    await near.party.sendBulk(400, 50_000, 1e9);
    await receiving;
    const { bufferedBytes, messageBytes } = await near.party.peaks();
    expect(bufferedBytes).toBeGreaterThan(16_384);
    expect(bufferedBytes).toBeLessThanOrEqual(262_144);
    expect(messageBytes).toBe(16_384);
  });

  test("notices a close, after what was sent before it", async () => {
    const [near, far] = [await places[nearKind](), await places[farKind]()];
    await linked(near, far);
    await far.party.send("reliable", 60_000);
    await far.party.close();
    expect(await near.party.closed()).toBe("remote");
    expect(await far.party.closed()).toBe("local");
    await near.party.received("reliable", 60_000);
  });
});

describe("WebRTC to a tab that goes away", () => {
  test.each<[string, (page: Page) => Promise<unknown>]>([
    ["is closed", (page) => page.close()],
    ["goes to another page", (page) => page.goto("data:text/html,elsewhere")],
  ])("notices when it %s, and hears its last words", async (what, leave) => {
    const [near, far] = [await node(), await tab()];
    await linked(near, far);
    const from = performance.now();
    const left = leave(far.page as Page);
    expect(await near.party.closed()).toBe("remote");
    const ms = performance.now() - from;
    await left;
    await near.party.received("reliable", LAST_WORDS_BYTES);
    process.stdout.write(`the tab ${what}: noticed after ${ms.toFixed(0)} ms\n`);
    expect(ms).toBeLessThan(3_000);
  });
});
