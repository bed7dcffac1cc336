/**
 * The signaling server beside a bare `ws` relay: relayed messages per second, processor time per message, and
 * memory per idle client. Each server runs in a process of its own, as JavaScript without what loads TypeScript; both are
 * measured in turns in one run.
 *
 *   npm run bench -- signaling [--clients 5000] [--seconds 2] [--rounds 3] [--json]
 */

import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { WebSocket, WebSocketServer } from "ws";
import { createSignalingServer } from "../signaling-server/index.ts";
import { encodeMessage } from "../src/signaling/protocol.ts";
import { median, print, type Row, rowOf } from "./support/report.ts";

const PAIRS = 20;
/** Packets under way per pair. */
const WINDOW = 50;
const PACKET_BYTES = 300;

interface Usage {
  readonly rssBytes: number;
  readonly cpuMicros: number;
}

type Kind = "ours" | "beside";

/** This file in plain JavaScript, where its packages are found. */
const SERVER = fileURLToPath(new URL("../dist/bench/signaling.mjs", import.meta.url));

async function buildServer(): Promise<void> {
  const entryPoints = [fileURLToPath(import.meta.url)];
  const options = { bundle: true, platform: "node", format: "esm", packages: "external" } as const;
  await build({ ...options, entryPoints, outfile: SERVER });
}

/** In the child: serves until its parent goes, and tells what it uses whenever it is asked. */
async function runServer(kind: Kind): Promise<void> {
  const port = kind === "ours" ? await startOurs() : await startBare();
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    global.gc?.();
    process.send?.({ rssBytes: process.memoryUsage.rss(), cpuMicros: user + system });
  });
  process.on("disconnect", () => process.exit());
  process.send?.({ port });
}

async function startOurs(): Promise<number> {
  const unlimited = { perSecond: 1e12, burst: 1e12 };
  const limits = {
    messageRate: unlimited,
    byteRate: unlimited,
    addressMessageRate: unlimited,
    requestRate: unlimited,
    addressSocketsMax: 1_000_000,
  };
  return (await createSignalingServer({ port: 0, limits }).listen()).port;
}

/** The least that relays: the first message is the id, all others go to the id at their front. */
function startBare(): Promise<number> {
  const members = new Map<string, WebSocket>();
  const server = new WebSocketServer({ port: 0, perMessageDeflate: false });
  server.on("connection", (socket) => {
    let id: Buffer | undefined;
    socket.on("message", (data: Buffer, isBinary) => {
      if (!isBinary) {
        const text: string = JSON.parse(data.toString()).id;
        id = Buffer.from(text, "hex");
        members.set(text, socket);
        socket.send(encodeMessage({ type: "welcome", peers: [] }));
      } else if (id) {
        const to = members.get(data.toString("hex", 0, 16));
        to?.send(Buffer.concat([id, data.subarray(16)]));
      }
    });
  });
  return new Promise((resolve) => {
    server.on("listening", () => resolve((server.address() as { port: number }).port));
  });
}

/** A server in its own process. */
class Served {
  readonly #child: ChildProcess;
  readonly #port: Promise<number>;

  constructor(kind: Kind) {
    this.#child = fork(SERVER, ["--serve", kind], { execArgv: ["--expose-gc"] });
    this.#port = this.#reply<{ port: number }>().then(({ port }) => port);
  }

  async usage(): Promise<Usage> {
    const reply = this.#reply<Usage>();
    this.#child.send("usage");
    return await reply;
  }

  /** Connects one member and waits for its welcome. */
  async join(id: string): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${await this.#port}/bench`, {
      perMessageDeflate: false,
    });
    await new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    const welcome = new Promise((resolve) => socket.once("message", resolve));
    socket.send(encodeMessage({ type: "hello", id }));
    await welcome;
    socket.on("message", (data: Buffer, isBinary) => {
      if (!isBinary && data.includes('"ping"')) socket.send(encodeMessage({ type: "pong" }));
    });
    return socket;
  }

  end(): void {
    this.#child.disconnect();
  }

  #reply<T>(): Promise<T> {
    return new Promise((resolve) => this.#child.once("message", (reply) => resolve(reply as T)));
  }
}

/** Packets in both directions between pairs of members for some seconds. */
async function relay(kind: Kind, seconds: number): Promise<{ perSecond: number; micros: number }> {
  const served = new Served(kind);
  const sockets: WebSocket[] = [];
  let received = 0;
  let running = true;
  for (let pair = 0; pair < PAIRS; pair++) {
    const ids = [randomBytes(16), randomBytes(16)] as const;
    const ends = await Promise.all(ids.map((id) => served.join(id.toString("hex"))));
    ends.forEach((socket, index) => {
      const to = ids[1 - index] as Buffer;
      const frame = Buffer.concat([to, randomBytes(PACKET_BYTES)]);
      socket.on("message", (_, isBinary) => {
        if (!isBinary) return;
        received += 1;
        if (running) socket.send(frame);
      });
      for (let i = 0; i < WINDOW; i++) socket.send(frame);
    });
    sockets.push(...ends);
  }
  // The first moments belong to the compiler.
  await pause(500);
  const [before, from, startedAt] = [await served.usage(), received, performance.now()];
  await pause(seconds * 1_000);
  const [after, count, ms] = [await served.usage(), received - from, performance.now() - startedAt];
  running = false;
  for (const socket of sockets) socket.terminate();
  served.end();
  return { perSecond: (count * 1_000) / ms, micros: (after.cpuMicros - before.cpuMicros) / count };
}

/** What idle clients cost, and all of the process. Bytes. */
async function idle(kind: Kind, clients: number): Promise<{ each: number; all: number }> {
  const served = new Served(kind);
  // Past the growth that the first members bring.
  const sockets = await Promise.all(Array.from({ length: 50 }, () => join(served)));
  const before = await served.usage();
  while (sockets.length < clients + 50) {
    sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => join(served)))));
  }
  const after = await served.usage();
  for (const socket of sockets) socket.terminate();
  served.end();
  // Of few clients the process may take nothing, and give some back meanwhile.
  const each = Math.max(0, after.rssBytes - before.rssBytes) / clients;
  return { each, all: after.rssBytes };
}

const join = (served: Served): Promise<WebSocket> => served.join(randomBytes(16).toString("hex"));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function compared(
  row: string,
  unit: string,
  ours: readonly number[],
  beside: readonly number[],
): Row {
  return rowOf(row, unit, median(ours), median(beside));
}

async function measure(clients: number, seconds: number, rounds: number): Promise<Row[]> {
  const relays = { ours: [] as number[], beside: [] as number[] };
  const micros = { ours: [] as number[], beside: [] as number[] };
  for (let i = 0; i < rounds; i++) {
    for (const kind of ["ours", "beside"] as const) {
      const result = await relay(kind, seconds);
      relays[kind].push(result.perSecond);
      micros[kind].push(result.micros);
    }
  }
  const [ours, beside] = [await idle("ours", clients), await idle("beside", clients)];
  const size = `${PACKET_BYTES} B`;
  return [
    compared(`relayed packets of ${size}`, "1/s", relays.ours, relays.beside),
    compared(`server's processor time per packet of ${size}`, "µs", micros.ours, micros.beside),
    compared(`memory per idle client, of ${clients}`, "kB", [ours.each / 1e3], [beside.each / 1e3]),
    compared(
      `memory of the process with ${clients} idle clients`,
      "MB",
      [ours.all / 1e6],
      [beside.all / 1e6],
    ),
  ];
}

const { values } = parseArgs({
  options: {
    serve: { type: "string" },
    clients: { type: "string", default: "5000" },
    seconds: { type: "string", default: "2" },
    rounds: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
  },
});
if (values.serve !== undefined) {
  await runServer(values.serve === "ours" ? "ours" : "beside");
} else {
  const { clients, seconds, rounds } = values;
  await buildServer();
  const rows = await measure(Number(clients), Number(seconds), Number(rounds));
  print("signaling", rows, values.json);
}
