// A process ends soon after its mesh was left, or when it is told to: no timer, socket or connection holds it.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { wallMs } from "../support/member.ts";
import { type Actor, Stage } from "../support/stage.ts";

const CHILD = fileURLToPath(new URL("../support/exit-child.ts", import.meta.url));

/** It takes 60 to 100 ms. This allows for a busy machine. */
const EXIT_MS_MAX = 1_000;

const stage = new Stage("exit");
let watcher: Actor;
beforeAll(async () => {
  await stage.startServer();
  watcher = await stage.node();
});
afterAll(() => stage.close());

/** Starts the child, and waits until it has said `mark`. */
async function started(
  mode: string,
  mark: string,
): Promise<{ child: ChildProcess; said: string[] }> {
  const child = fork(CHILD, [mode, stage.seed], {
    execArgv: ["--import", "tsx"],
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  // It has nothing to hear from us: an open channel would hold it.
  child.disconnect();
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on("data", (data) => {
      said.push(...String(data).trim().split("\n"));
      if (said.some((line) => line.startsWith(mark))) resolve();
    });
    child.once("exit", (code) => reject(new Error(`it ended with ${code}: ${said.join(", ")}`)));
  });
  return { child, said };
}

async function ended(child: ChildProcess, since: number): Promise<{ how: unknown; ms: number }> {
  const [code, signal] = child.exitCode === null ? await once(child, "exit") : [child.exitCode];
  const ms = performance.now() - since;
  return { how: signal ?? code, ms };
}

function report(what: string, ms: number): void {
  process.stdout.write(`the process ended ${ms.toFixed(0)} ms after ${what}\n`);
}

describe("a process with two meshes and their WebRTC links", () => {
  test.each(["leave", "invite"])("ends soon after both were left: %s", async (mode) => {
    const { child } = await started(mode, "left");
    const { how, ms } = await ended(child, performance.now());
    report(`both meshes were left (${mode})`, ms);
    expect(how).toBe(0);
    expect(ms).toBeLessThan(EXIT_MS_MAX);
  });

  test.each(["SIGTERM", "SIGINT"] as const)("leaves and ends at %s", async (signal) => {
    const { child, said } = await started("signal", "linked");
    const ids = said.join(" ").split(" ").slice(1);
    expect(ids).toHaveLength(2);
    // Both leave at once: news of one that has no link of its own with us may end with the other.
    await watcher.member.untilLinked(ids);
    const [from, since] = [performance.now(), wallMs()];
    child.kill(signal);
    const { how, ms } = await ended(child, from);
    report(signal, ms);
    // As if nobody had listened: a shell sees that it ended by the signal.
    expect(how).toBe(signal);
    expect(ms).toBeLessThan(EXIT_MS_MAX);
    for (const id of ids) {
      expect((await watcher.member.untilState(id, "left")) - since).toBeLessThan(EXIT_MS_MAX);
    }
  });

  test("leaves at SIGTERM, and leaves the rest to the application's own handler", async () => {
    const { child, said } = await started("handler", "linked");
    const from = performance.now();
    child.kill("SIGTERM");
    const { how, ms } = await ended(child, from);
    report("SIGTERM with a handler of its own", ms);
    expect(said).toContain("handled");
    expect(how).toBe(0);
    expect(ms).toBeLessThan(EXIT_MS_MAX);
  });

  test("with a store ends at SIGTERM when that is written", async () => {
    const { child, said } = await started("store", "set");
    const from = performance.now();
    child.kill("SIGTERM");
    const { how, ms } = await ended(child, from);
    report("SIGTERM while its store was written", ms);
    expect(said).toEqual(["set", "stopped", "written"]);
    expect(how).toBe("SIGTERM");
    expect(ms).toBeLessThan(EXIT_MS_MAX);
  });

  test("that did not come in ends too", async () => {
    const { child } = await started("nowhere", "join:unreachable");
    const { how, ms } = await ended(child, performance.now());
    report("it could not join", ms);
    expect(how).toBe(0);
    expect(ms).toBeLessThan(EXIT_MS_MAX);
  });
});
