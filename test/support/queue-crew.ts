/** Tabs and processes that share a work queue, each of which may be killed at any time and come back with its store. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { BrowserContext, Page } from "playwright";
import type { QueueOptions } from "../../src/index.ts";
import { callsOf } from "./calls.ts";
import type { QueueWorker, Told } from "./queue-worker.ts";
import { Stage, servePage } from "./stage.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PAGE = fileURLToPath(new URL("./queue-page.ts", import.meta.url));
const CHILD = fileURLToPath(new URL("./queue-child.ts", import.meta.url));

/** The methods of a worker that is elsewhere. */
export type RemoteWorker = Omit<QueueWorker, never>;

export type Note = Told & { readonly by: string };

export interface Hand {
  readonly name: string;
  /** The worker of the life that runs; without one it rejects. */
  readonly worker: RemoteWorker;
  /** It has joined, and was not killed. */
  readonly isUp: boolean;
  /** Ends it without any last word. */
  kill(): Promise<void>;
  /** Begins it anew, with the store that it had. Resolves when it has joined. */
  start(): Promise<void>;
}

export interface TabHand extends Hand {
  readonly page: Page;
  /** Closes the tab as a person does. */
  close(): Promise<void>;
}

export interface HandOptions {
  readonly queue?: Partial<QueueOptions>;
  /** Default true. */
  readonly store?: boolean;
}

export class QueueCrew {
  /** All that was told, in the order in which it came here. */
  readonly notes: Note[] = [];
  readonly #stage: Stage;
  readonly #queue: Partial<QueueOptions>;
  readonly #folder: string;
  readonly #lookers = new Set<() => void>();
  readonly #ends: (() => unknown)[] = [];
  #script = "";
  #address = "";
  #count = 0;

  constructor(cluster: string, queue: Partial<QueueOptions> = {}) {
    this.#stage = new Stage(cluster);
    this.#queue = queue;
    // Within the project, where packages are found.
    mkdirSync(join(ROOT, ".cache"), { recursive: true });
    this.#folder = mkdtempSync(join(ROOT, ".cache/queue-"));
  }

  async open(): Promise<void> {
    this.#script = join(this.#folder, "child.mjs");
    const pages = servePage(PAGE);
    await Promise.all([
      this.#stage.startServer(),
      this.#stage.openBrowser(),
      build({
        absWorkingDir: ROOT,
        bundle: true,
        format: "esm",
        platform: "node",
        target: "node20",
        packages: "external",
        splitting: true,
        entryPoints: { child: CHILD },
        outdir: this.#folder,
        outExtension: { ".js": ".mjs" },
      }),
    ]);
    const server = await pages;
    this.#ends.push(() => server.close());
    const address = server.address();
    this.#address = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`;
  }

  async close(): Promise<void> {
    await Promise.all(this.#ends.map((end) => end()));
    await this.#stage.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A tab in a browser profile of its own. */
  async tab(options: HandOptions = {}): Promise<TabHand> {
    const name = `tab-${++this.#count}`;
    const context = await this.#profile(name);
    let page = await context.newPage();
    let isUp = false;
    const worker = remote((method, args) =>
      page.evaluate(([one, list]) => Reflect.get(globalThis, "worker")[one](...list), [
        method,
        args,
      ] as const),
    );
    const join = async (): Promise<void> => {
      await page.goto(this.#address);
      await worker.join(this.#options(name, options, "jobs"));
      isUp = true;
    };
    await join();
    return {
      name,
      worker,
      get page() {
        return page;
      },
      get isUp() {
        return isUp;
      },
      async close() {
        isUp = false;
        await page.close();
      },
      async kill() {
        isUp = false;
        const session = await context.newCDPSession(page);
        const crashed = page.waitForEvent("crash");
        // It never answers: its tab is gone.
        session.send("Page.crash").catch(() => {});
        await crashed;
        await page.close();
      },
      async start() {
        page = await context.newPage();
        await join();
      },
    };
  }

  /** A Node process. */
  async child(options: HandOptions = {}): Promise<Hand> {
    const name = `child-${++this.#count}`;
    let child: ChildProcess | undefined;
    let call: ReturnType<typeof callsOf> | undefined;
    let isUp = false;
    const worker = remote(async (method, args) => {
      if (call === undefined || !child?.connected) throw new Error(`${name} is not there`);
      return await call(0, method, args);
    });
    this.#ends.push(() => child?.kill("SIGKILL"));
    const start = async (): Promise<void> => {
      child = fork(this.#script, [], { serialization: "advanced" });
      child.on("message", ({ told }: { readonly told?: Told }) => {
        if (told !== undefined) this.#note(name, told);
      });
      await once(child, "message");
      call = callsOf(child);
      await worker.join(this.#options(name, options, join(this.#folder, name)));
      isUp = true;
    };
    await start();
    return {
      name,
      worker,
      start,
      get isUp() {
        return isUp;
      },
      async kill() {
        isUp = false;
        const exited = once(child as ChildProcess, "exit");
        child?.kill("SIGKILL");
        await exited;
      },
    };
  }

  /** Resolves when `holds` does; looks at every note. */
  until(what: string, holds: () => boolean, ms = 20_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!holds()) return;
        clearTimeout(timer);
        this.#lookers.delete(look);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#lookers.delete(look);
        const tail = this.notes.slice(-20).map((note) => JSON.stringify(note));
        reject(new Error([`not within ${ms} ms: ${what}`, ...tail].join("\n")));
      }, ms);
      this.#lookers.add(look);
      look();
    });
  }

  async #profile(name: string): Promise<BrowserContext> {
    const context = await (await this.#stage.openBrowser()).newContext();
    await context.exposeFunction("report", (told: Told) => this.#note(name, told));
    return context;
  }

  #options(name: string, { queue, store = true }: HandOptions, storeName: string) {
    return {
      cluster: this.#stage.cluster,
      seeds: [this.#stage.seed],
      name,
      backoff: { firstMs: 100, maxMs: 500 },
      queue: { ...this.#queue, ...queue },
      ...(store && { storeName }),
    };
  }

  #note(by: string, told: Told): void {
    this.notes.push({ by, ...told });
    for (const look of [...this.#lookers]) look();
  }
}

function remote(call: (method: string, args: unknown[]) => Promise<unknown>): RemoteWorker {
  return new Proxy({} as RemoteWorker, {
    get: (_, method) =>
      typeof method === "string" && method !== "then"
        ? (...args: unknown[]) => call(method, args)
        : undefined,
  });
}
