/** Where meshes of real parts are put on: a signaling server, a browser with tabs, Node members here and elsewhere. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright";
import { createSignalingServer, type SignalingServer } from "../../signaling-server/index.ts";
import { callsOf } from "./calls.ts";
import { launchOptions } from "./chromium.ts";
import { type MemberOptions, type Remote, remote } from "./member.ts";
import { nodeMember } from "./node-member.ts";

const PAGE = fileURLToPath(new URL("./member-page.ts", import.meta.url));
const CHILD = fileURLToPath(new URL("./member-child.ts", import.meta.url));

/** A server that was away is looked for often, so that no test waits for long. */
const BACKOFF = { firstMs: 100, maxMs: 500 };

/** A member and the place where it lives. */
export interface Actor {
  readonly name: string;
  readonly id: string;
  readonly member: Remote;
}

export interface TabActor extends Actor {
  readonly page: Page;
  /** Loads the page anew, and joins with the same options. Resolves with the id. */
  reload(): Promise<string>;
  /** Closes the tab as a person does. */
  close(): Promise<void>;
  /** Ends its process without any last word. */
  crash(): Promise<void>;
}

export interface ChildActor extends Actor {
  readonly process: ChildProcess;
}

export class Stage {
  readonly cluster: string;
  readonly #script: string;
  #server: SignalingServer | undefined;
  #port = 0;
  #pages: Promise<Server> | undefined;
  #browser: Promise<Browser> | undefined;
  readonly #ends: (() => unknown)[] = [];
  #count = 0;

  /** @param script what runs in each tab: a member, and what else a test wants there */
  constructor(cluster: string, script = PAGE) {
    this.cluster = cluster;
    this.#script = script;
  }

  /** Starts the signaling server; after {@link stopServer} again at the same address. */
  async startServer(): Promise<void> {
    this.#server = await createSignalingServer({ port: this.#port, host: "127.0.0.1" }).listen();
    this.#port = this.#server.port;
  }

  async stopServer(): Promise<void> {
    await this.#server?.close({ graceMs: 0 });
    this.#server = undefined;
  }

  get seed(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  async close(): Promise<void> {
    await Promise.all(this.#ends.map((end) => end()));
    await (await this.#browser)?.close();
    (await this.#pages)?.close();
    await this.stopServer();
  }

  /** A tab, by default of a browser profile of its own, so that it has a process of its own too. */
  async tab(options: Partial<MemberOptions> = {}, within?: BrowserContext): Promise<TabActor> {
    const context = within ?? (await this.#context());
    const page = await context.newPage();
    await page.goto(`${await this.#address()}/`);
    return await this.tabIn(page, options);
  }

  /** A member in a page that is there already. */
  async tabIn(page: Page, options: Partial<MemberOptions> = {}): Promise<TabActor> {
    page.on("pageerror", (error) => process.stderr.write(`in the tab: ${error.stack}\n`));
    const context = page.context();
    const member = remote((method, args) =>
      page.evaluate(([name, list]) => Reflect.get(globalThis, "member")[name](...list), [
        method,
        args,
      ] as const),
    );
    const actor = await this.#join("tab", member, options);
    return {
      ...actor,
      page,
      reload: async () => {
        await page.reload();
        return await member.join({ ...this.#common(actor.name), ...options });
      },
      close: () => page.close(),
      crash: async () => {
        const session = await context.newCDPSession(page);
        const crashed = page.waitForEvent("crash");
        // It never answers: its tab is gone.
        session.send("Page.crash").catch(() => {});
        await crashed;
      },
    };
  }

  /** A member in this process. */
  async node(options: Partial<MemberOptions> = {}): Promise<Actor> {
    const member = nodeMember();
    this.#ends.push(() => member.leave().catch(() => {}));
    return await this.#join("node", member, options);
  }

  /** A member in a Node process of its own. */
  async child(options: Partial<MemberOptions> = {}): Promise<ChildActor> {
    const [only] = await this.children(1, options);
    return only as ChildActor;
  }

  /** Several members in one Node process of their own. */
  async children(count: number, options: Partial<MemberOptions> = {}): Promise<ChildActor[]> {
    const child = fork(CHILD, [], {
      execArgv: ["--import", "tsx"],
      serialization: "advanced",
    });
    this.#ends.push(() => child.kill("SIGKILL"));
    await once(child, "message");
    const call = callsOf(child);
    return await Promise.all(
      Array.from({ length: count }, async (_, number) => {
        const member = remote((method, args) => call(number, method, args));
        return { ...(await this.#join("child", member, options)), process: child };
      }),
    );
  }

  async #join(kind: string, member: Remote, options: Partial<MemberOptions>): Promise<Actor> {
    const name = `${kind}-${++this.#count}`;
    const id = await member.join({ ...this.#common(name), ...options });
    return { name, id, member };
  }

  #common(name: string): MemberOptions {
    return { cluster: this.cluster, seeds: [this.seed], name, backoff: BACKOFF };
  }

  /** Tabs open one by themselves; done beforehand, it takes no time later. */
  async openBrowser(): Promise<Browser> {
    this.#browser ??= chromium.launch(launchOptions());
    return await this.#browser;
  }

  async #context(): Promise<BrowserContext> {
    return await (await this.openBrowser()).newContext();
  }

  async #address(): Promise<string> {
    this.#pages ??= servePage(this.#script);
    const { port } = (await this.#pages).address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }
}

/** One page that holds a member, and nothing else. Its server has nothing to do with signaling. */
export async function servePage(script: string): Promise<Server> {
  const options = { bundle: true, format: "esm", platform: "browser", write: false } as const;
  const { outputFiles } = await build({ ...options, entryPoints: [script] });
  const html = '<!doctype html><title>member</title><script type="module" src="/page.js"></script>';
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? outputFiles[0]?.text : html);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
