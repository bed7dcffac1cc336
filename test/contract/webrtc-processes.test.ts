import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { equal, patterned, samePattern } from "../../src/testing/expectations.ts";
import { LinkEnd } from "../../src/testing/link-end.ts";
import { webrtcTransport } from "../../src/transport/webrtc.ts";
import { loadWrtc } from "../../src/transport/wrtc.node.ts";

const CHILD = fileURLToPath(new URL("./webrtc-child.ts", import.meta.url));

/** How long the end of a process takes when nothing holds it up: 10 to 60 ms. This allows for a busy machine. */
const EXIT_MS_MAX = 2_000;

interface Child {
  readonly process: ChildProcess;
  /** Its exit code, and the time from just before it closed its transport to the end of the process. */
  readonly exited: Promise<{ code: number | null; exitMs: number }>;
}

function start(mode: string): Child {
  const execArgv = ["--import", "tsx"];
  const child = fork(CHILD, [mode], { execArgv, stdio: ["ignore", "pipe", "inherit", "ipc"] });
  onTestFinished(() => void child.kill());
  let closingAt = Number.NaN;
  child.stdout?.once("data", () => {
    closingAt = performance.now();
  });
  const exited = once(child, "exit").then(([code]) => ({
    code,
    exitMs: performance.now() - closingAt,
  }));
  return { process: child, exited };
}

function report(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function answeringProcess() {
  const { wrtc, reason } = await loadWrtc();
  if (wrtc === undefined) throw new Error(reason);
  const transport = webrtcTransport({ wrtc });
  onTestFinished(() => transport.close());
  const { process: child, exited } = start("answer");
  const end = new LinkEnd(transport, { initiator: true });
  end.onSignal = (payload) => child.send(Buffer.from(payload).toString("base64"));
  child.on("message", (message) => end.signal(Buffer.from(String(message), "base64")));
  await end.opened();
  return { child, end, exited };
}

describe("processes with WebRTC links", () => {
  test.each(["open", "opening", "untrickled"])(
    "end soon after their transport is closed: %s",
    async (mode) => {
      const { code, exitMs } = await start(mode).exited;
      report(`the process ended ${exitMs.toFixed(0)} ms after close (${mode})`);
      expect(code).toBe(0);
      expect(exitMs).toBeLessThan(EXIT_MS_MAX);
    },
  );

  test("carry frames between them and back on both lanes", async () => {
    const { end } = await answeringProcess();
    for (let i = 0; i < 40; i++) end.send("reliable", patterned(i * 1_000, i));
    await end.until("all frames", () => end.frames.length === 40);
    for (const [i, { bytes }] of end.frames.entries()) samePattern(bytes, i * 1_000, i);
    const again = setInterval(() => end.send("datagram", patterned(1_000, 3)), 50);
    await end.until("a datagram", () => end.frames.at(-1)?.lane === "datagram");
    clearInterval(again);
    equal(end.misdeeds.join(), "", "misdeeds");
  });

  test("are noticed when they close", async () => {
    const { child, end, exited } = await answeringProcess();
    const from = performance.now();
    child.send("close");
    const { code } = await end.closed();
    report(`the close was noticed after ${(performance.now() - from).toFixed(0)} ms`);
    expect(code).toBe("remote");
    expect((await exited).exitMs).toBeLessThan(EXIT_MS_MAX);
  });
});
