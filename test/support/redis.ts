/** A real Redis for a test, which can be killed and started again at the same port. It stores nothing, unless told to. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { onTestFinished } from "vitest";
import { freePort } from "./free-port.ts";

/** Far above what it takes. */
const START_MS = 20_000;

export class Redis {
  readonly url: string;
  readonly #port: number;
  readonly #folder: string;
  readonly #options: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, folder: string, options: readonly string[]) {
    this.url = `redis://127.0.0.1:${port}`;
    this.#port = port;
    this.#folder = folder;
    this.#options = options;
  }

  /**
   * Ends with the test.
   * @param options of its command line
   */
  static async start(...options: string[]): Promise<Redis> {
    const folder = mkdtempSync(join(tmpdir(), "hearsay-redis-"));
    const redis = new Redis(await freePort(), folder, options);
    onTestFinished(async () => {
      await redis.kill();
      rmSync(folder, { recursive: true });
    });
    await redis.start();
    return redis;
  }

  async start(): Promise<void> {
    const program = process.env["REDIS_SERVER_PATH"] ?? "redis-server";
    const where = ["--port", `${this.#port}`, "--bind", "127.0.0.1", "--dir", this.#folder];
    const nothing = ["--save", "", "--appendonly", "no"];
    const child = spawn(program, [...where, ...nothing, ...this.#options]);
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      let output = "";
      const fail = (why: string): void => reject(new Error(`Redis ${why}. It printed:\n${output}`));
      const timer = setTimeout(() => fail(`is not ready within ${START_MS} ms`), START_MS);
      child.on("error", (error) => fail(`cannot be started: ${error.message}`));
      child.on("exit", () => fail("has ended"));
      child.stdout.setEncoding("utf8").on("data", (data) => {
        output += data;
        if (!/Ready to accept connections/.test(output)) return;
        clearTimeout(timer);
        resolve();
      });
    });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
}
