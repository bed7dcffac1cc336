// The signaling server as a program: its arguments, what it prints, and how signals end it.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { CloseCode } from "../../src/signaling/protocol.ts";
import { hearsay, runNode } from "./cli-support.ts";
import { Inbox, join, RawMember, startServer, within } from "./signaling-support.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

interface Program {
  readonly child: ChildProcess;
  /** All that it has printed so far. */
  output(): string;
  /** Waits until its output matches. */
  prints(pattern: RegExp): Promise<RegExpExecArray>;
  readonly exited: Promise<number | null>;
}

function run(...args: string[]): Program {
  const main = ["--import", "tsx", "signaling-server/main.ts"];
  const child = spawn(process.execPath, [...main, ...args], { cwd: root });
  onTestFinished(() => void child.kill("SIGKILL"));
  const pieces = new Inbox<unknown>("output of the program");
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      output += data;
      pieces.put(data);
    });
  }
  return {
    child,
    output: () => output,
    exited: new Promise((resolve) => child.once("close", resolve)),
    async prints(pattern) {
      for (;;) {
        const match = pattern.exec(output);
        if (match) return match;
        await pieces.next();
      }
    },
  };
}

const ready = /members connect to {2}(ws:\/\/localhost:(\d+))\/CLUSTER\n/;

test.each(["SIGTERM", "SIGINT"] as const)(
  "serves until %s, then takes its leave",
  async (signal) => {
    const program = run("--port", "0");
    const [, url] = await program.prints(ready);
    const member = await join(`${url}/demo`);
    program.child.kill(signal);
    expect((await within("the end", member.closed)).code).toBe(CloseCode.goingAway);
    expect(await within("the exit", program.exited)).toBe(0);
  },
);

test("a second signal does not wait for those who do not go", async () => {
  const program = run("--port", "0", "--log");
  const [, url] = await program.prints(ready);
  const stuck = await join(`${url}/demo`);
  stuck.socket.pause();
  program.child.kill("SIGINT");
  await program.prints(/"event":"sent away"/);
  program.child.kill("SIGINT");
  expect(await within("the exit", program.exited)).not.toBe(0);
});

test("serves a page and says where", async () => {
  const program = run("--port", "0", "--host", "127.0.0.1", "--demo", "docs");
  const [, url] = await program.prints(/the page is at {6}(http:\/\/127\.0\.0\.1:\d+)\/\n/);
  expect((await fetch(`${url}/dependencies.md`)).status).toBe(200);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test("the log is lines of JSON", async () => {
  const program = run("--port", "0", "--log");
  const [, line] = await program.prints(/^(\{.*"listening".*\})$/m);
  expect(JSON.parse(line as string)).toMatchObject({ level: "info", event: "listening" });
});

test.each([
  [["--port", "http"], 2, /a port is a number from 0 to 65535(?:.|\n)*Usage/],
  [["--port", "65536"], 2, /a port is a number/],
  [["--prot", "1"], 2, /--prot(?:.|\n)*Usage/],
  [["extra"], 2, /extra(?:.|\n)*Usage/],
  [["--sockets-max", "0", "--port", "0"], 2, /^hearsay serve: limits.socketsMax is 0: .*from 1\b/],
  [
    ["--origin", "app.example", "--port", "0"],
    2,
    /^hearsay serve: app.example is no origin: .*\n$/,
  ],
  [["--token-key", "short", "--port", "0"], 2, /at least 16 characters; make one with: openssl/],
  [["--turn", "turn:t"], 2, /--turn and --turn-secret go together/],
  [["--demo", "no-such-folder", "--port", "0"], 1, /--demo no-such-folder: no such folder/],
  [["--help"], 0, /^Usage: hearsay serve/],
])("%j exits with %i", async (args, code, output) => {
  const program = run(...args);
  expect(await within("the exit", program.exited)).toBe(code);
  expect(program.output()).toMatch(output);
});

test("a token that the command line makes opens the server that it makes it for", async () => {
  const folder = mkdtempSync(joinPath(tmpdir(), "hearsay-key-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const key = joinPath(folder, "key");
  writeFileSync(key, "a key that is long enough\n");
  const program = run("--port", "0", "--token-key", `@${key}`);
  const [, url] = await program.prints(ready);
  const made = hearsay("token", "a cluster", "--key", `@${key}`, "--life-ms", "60000");
  expect(await made.exit()).toBe(0);
  const token = made.output().trim();
  const peer = ["--import", "tsx", "src/bin/hearsay.ts", "peer", `${url}/a%20cluster`, "--json"];
  const first = runNode(peer, { HEARSAY_TOKEN: token });
  // What it prints, it prints once it is in.
  await first.until("its first line", (output) => /^\{.*\}$/m.test(output) || undefined);
  const second = await join(`${url}/a%20cluster?token=${token}`);
  expect(second.peers.length).toBe(1);
  const stranger = new RawMember(`${url}/demo?token=${token}`);
  expect((await within("the end", stranger.closed)).code).toBe(CloseCode.unauthorized);
  for (const args of [[], ["demo"], ["demo", "--key", "short"], ["demo", "--key", "@/no/file"]]) {
    expect(await hearsay("token", ...args).exit()).toBe(2);
  }
});

test("a port in use is said in one line", async () => {
  const server = await startServer();
  const program = run("--port", `${server.port}`);
  expect(await within("the exit", program.exited)).toBe(1);
  expect(program.output()).toMatch(/^hearsay serve: port \d+ is in use: .*\n$/);
});
