// npm start: builds the library and the demo, then runs the signaling server with the demo page and one Node peer.
//   npm start -- --port 9000      or PORT=9000 npm start
import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { buildDemo } from "./build-demo.mjs";

const CLUSTER = "demo";
const PORT = 8080;
/** How many ports after the usual one are tried before any free one is taken. */
const PORTS_TRIED = 10;

/** @param {string} path */
const inProject = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const demo = inProject("dist/demo");

/** @returns {number | undefined} the port that was asked for */
function askedPort() {
  const { values } = parseArgs({ options: { port: { type: "string" } } });
  const port = values.port ?? process.env["PORT"];
  if (port === undefined || port === "") return undefined;
  if (/^\d{1,5}$/.test(port) && Number(port) <= 65_535) return Number(port);
  throw new Error(`the port is a number from 0 to 65535, and ${port} is none`);
}

async function build() {
  const tsc = [
    inProject("node_modules/typescript/bin/tsc"),
    "-p",
    inProject("tsconfig.build.json"),
  ];
  const library = promisify(execFile)(process.execPath, tsc).catch((error) => {
    throw new Error(`the library cannot be built:\n${error.stdout}${error.stderr}`);
  });
  await Promise.all([library, buildDemo(demo)]);
}

/** @param {number | undefined} asked */
async function listen(asked) {
  const { createSignalingServer } = await import("hearsay/server");
  const ports = [PORT, ...Array.from({ length: PORTS_TRIED }, (_, i) => PORT + 1 + i), 0];
  for (const port of asked === undefined ? ports : [asked]) {
    try {
      return await createSignalingServer({ port, staticDir: demo }).listen();
    } catch (error) {
      const taken =
        error instanceof Error && "code" in error && error.code === "server:port-in-use";
      if (asked !== undefined || !taken || port === 0) throw error;
    }
  }
  throw new Error("no port is free");
}

/** @param {Awaited<ReturnType<typeof listen>>} server */
function say(server) {
  const [here, ...others] = server.urls.map((url) => `${url.replace(/^ws/, "http")}/`);
  const lines = [
    `  open it in two tabs     ${here}`,
    ...others.map((url) => `  from another machine    ${url}`),
    `  one more Node peer      npx hearsay peer ws://localhost:${server.port}/${CLUSTER} --name me`,
    "  stop everything         Ctrl-C",
  ];
  console.log(`\nhearsay is running\n\n${lines.join("\n")}\n`);
  if (others.length > 0) return;
  console.log(
    "This machine has no network but loopback. Browsers find no addresses for WebRTC there,",
  );
  console.log("so tabs stay isolated; connect the machine to any network.\n");
}

/**
 * The peer has a process of its own: whatever becomes of it, the page stays.
 * @param {number} port
 */
function startPeer(port) {
  const child = fork(inProject("scripts/start-peer.mjs"), [`ws://localhost:${port}`, CLUSTER]);
  child.once("exit", (code, signal) => {
    if (stopping || code === 0) return;
    console.log(
      `node peer: it has ended (${signal ?? `exit code ${code}`}). The page does without it.`,
    );
  });
  return child;
}

let stopping = false;

try {
  const asked = askedPort();
  console.log("building the library and the demo …");
  await build();
  const server = await listen(asked);
  if (asked === undefined && server.port !== PORT) {
    console.log(
      `port ${PORT} is in use, so ${server.port} is taken (npm start -- --port PORT chooses one)`,
    );
  }
  say(server);
  const peer = startPeer(server.port);
  const stop = async () => {
    if (stopping) process.exit(1);
    stopping = true;
    console.log("stopping …");
    // Ctrl-C in a terminal reaches the peer by itself; without one it leaves when this connection ends.
    const gone =
      peer.exitCode === null && peer.signalCode === null ? once(peer, "exit") : undefined;
    if (peer.connected) peer.disconnect();
    await gone;
    await server.close({ graceMs: 500 });
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);
} catch (error) {
  console.error(`npm start: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
