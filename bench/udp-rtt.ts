/**
 * Links over UDP and TCP beside bare sockets, on loopback within this process: round trips of datagrams and of what
 * must arrive, small messages, bulk; bare and with the seal of a session. All are measured in turns in one run; the
 * figures are medians of the rounds.
 *
 *   npm run bench -- udp-rtt [--rounds 5] [--json]
 */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import process from "node:process";
import { parseArgs } from "node:util";
import { keyPair } from "../src/session/identity.ts";
import { primitives } from "../src/session/primitives.node.ts";
import { makeSession, secured } from "../src/session/secured.ts";
import { LinkEnd } from "../src/testing/link-end.ts";
import type { Lane, Transport } from "../src/transport/transport.ts";
import { udpTransport } from "../src/transport/udp/udp.ts";
import { median, print, rowOf } from "./support/report.ts";

const PINGS = 2_000;
const SMALL_BYTES = 100;
const SMALL_COUNT = 50_000;
/** Small messages sent in one turn of the event loop. */
const SMALL_BURST = 100;
const CHUNK_BYTES = 16_000;
const CHUNK_COUNT = 10_000;
/** Bytes that may wait on the sending side. */
const WINDOW_BYTES = 1_000_000;

/** Two ends, alike for all contenders. */
interface Wire {
  send(from: 0 | 1, bytes: Uint8Array, lossy: boolean): void;
  /** Called with the length of what arrives at an end. */
  onReceive(at: 0 | 1, handler: (length: number) => void): void;
  /** Ends when less than the window waits at the first end. */
  room(): Promise<void>;
  close(): void;
}

type Ends = [LinkEnd, LinkEnd];

async function ourWire(wrap: (transport: Transport) => Promise<Transport>): Promise<Wire> {
  const transports = await Promise.all([0, 1].map(() => wrap(udpTransport({ host: "127.0.0.1" }))));
  const ends = transports.map((one, i) => new LinkEnd(one, { initiator: i === 0 })) as Ends;
  const [near, far] = ends;
  near.onSignal = (payload) => queueMicrotask(() => far.signal(payload));
  far.onSignal = (payload) => queueMicrotask(() => near.signal(payload));
  await Promise.all([near.opened(), far.opened()]);
  let sentBytes = 0;
  return {
    send(from, bytes, lossy) {
      const lane: Lane = lossy ? "datagram" : "reliable";
      if (from === 0 && !lossy) sentBytes += bytes.length;
      ends[from].link.send(lane, bytes);
    },
    onReceive(at, handler) {
      ends[at].onFrame = ({ bytes }) => handler(bytes.length);
    },
    room: () => near.until("room", () => sentBytes - near.drainedBytes < WINDOW_BYTES),
    close() {
      for (const one of transports) one.close();
    },
  };
}

/** Bare sockets know nothing of messages: the bytes that came are counted. */
async function bareWire(): Promise<Wire> {
  const server = createServer({ noDelay: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const first = connect({ port: (server.address() as AddressInfo).port, noDelay: true });
  const [second] = (await accepted) as [Socket];
  const tcp = [first, second] as const;
  const udp = [createSocket("udp4"), createSocket("udp4")] as const;
  for (const socket of udp) {
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
  }
  const ports = udp.map((socket) => socket.address().port);
  return {
    send(from, bytes, lossy) {
      if (lossy) udp[from].send(bytes, ports[1 - from] as number, "127.0.0.1");
      else tcp[from].write(bytes);
    },
    onReceive(at, handler) {
      for (const source of [
        tcp[at].removeAllListeners("data"),
        udp[at].removeAllListeners("message"),
      ]) {
        source.on(source === tcp[at] ? "data" : "message", (bytes: Buffer) =>
          handler(bytes.length),
        );
      }
    },
    async room() {
      if (first.writableLength >= WINDOW_BYTES) await once(first, "drain");
    },
    close() {
      for (const socket of udp) socket.close();
      for (const socket of tcp) socket.destroy();
      server.close();
    },
  };
}

async function roundTrips(wire: Wire, lossy: boolean): Promise<number> {
  const ping = new Uint8Array(SMALL_BYTES);
  wire.onReceive(1, () => wire.send(1, ping, lossy));
  const tripUs: number[] = [];
  for (let i = 0; i < PINGS; i++) {
    const sentAt = performance.now();
    await new Promise<void>((resolve) => {
      wire.onReceive(0, () => resolve());
      wire.send(0, ping, lossy);
    });
    tripUs.push(1_000 * (performance.now() - sentAt));
  }
  return median(tripUs);
}

/** @returns seconds until all bytes have arrived */
async function flow(wire: Wire, size: number, count: number, burst: number): Promise<number> {
  let missing = size * count;
  const all = new Promise<void>((resolve) => {
    wire.onReceive(1, (length) => {
      missing -= length;
      if (missing === 0) resolve();
    });
  });
  const startedAt = performance.now();
  for (let sent = 0; sent < count; ) {
    await wire.room();
    for (let i = 0; i < burst && sent < count; i++, sent++) {
      wire.send(0, new Uint8Array(size), false);
    }
    await new Promise((go) => setImmediate(go));
  }
  await all;
  return (performance.now() - startedAt) / 1_000;
}

async function measure(wire: Wire): Promise<number[]> {
  const figures = [
    await roundTrips(wire, true),
    await roundTrips(wire, false),
    SMALL_COUNT / (await flow(wire, SMALL_BYTES, SMALL_COUNT, SMALL_BURST)),
    (CHUNK_BYTES * CHUNK_COUNT) / 1e6 / (await flow(wire, CHUNK_BYTES, CHUNK_COUNT, 16)),
  ];
  wire.close();
  return figures;
}

async function sealed(transport: Transport): Promise<Transport> {
  const keys = await keyPair();
  const clusterHash = 1;
  const session = await makeSession({ keys, cluster: "c", clusterHash, secrets: [], primitives });
  return secured(transport, session);
}

const ROWS = [
  ["datagram round trip, median", "µs"],
  ["reliable round trip, median", "µs"],
  [`messages of ${SMALL_BYTES} bytes`, "1/s"],
  ["bulk in frames of 16 kB", "MB/s"],
] as const;

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, json: { type: "boolean", default: false } },
});

const rounds: { bare: number[]; ours: number[]; sealed: number[] }[] = [];
for (let round = 0; round < Number(options.rounds); round++) {
  const bare = await measure(await bareWire());
  const ours = await measure(await ourWire(async (transport) => transport));
  rounds.push({ bare, ours, sealed: await measure(await ourWire(sealed)) });
}

const rows = (["ours", "sealed"] as const).flatMap((contender) =>
  ROWS.map(([row, unit], i) => {
    const figure = (of: "bare" | "ours" | "sealed"): number =>
      median(rounds.map((round) => round[of][i] as number));
    const name = contender === "sealed" ? `${row}, sealed` : row;
    return rowOf(name, unit, figure(contender), figure("bare"));
  }),
);
print("udp-rtt", rows, options.json);
process.exit();
