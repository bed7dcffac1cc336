/**
 * A WebRTC link beside a bare data channel, Node with Node within this process: round trips, small messages,
 * bulk. Both are measured in turns in one run; the figures are medians of the rounds.
 *
 *   npm run bench -- link [--rounds 5] [--json]
 */

import { once } from "node:events";
import process from "node:process";
import { parseArgs } from "node:util";
import { LinkEnd } from "../src/testing/link-end.ts";
import { webrtcTransport } from "../src/transport/webrtc.ts";
import { loadWrtc } from "../src/transport/wrtc.node.ts";
import { median, print, rowOf } from "./support/report.ts";

const PINGS = 2_000;
const SMALL_BYTES = 100;
const SMALL_COUNT = 20_000;
/** Small messages sent in one turn of the event loop. */
const SMALL_BURST = 100;
const CHUNK_BYTES = 16_000;
const CHUNK_COUNT = 2_000;
/** Bytes that may wait on the sending side. */
const WINDOW_BYTES = 1_000_000;

/** Two ends, alike for both contenders. */
interface Wire {
  send(from: 0 | 1, bytes: Uint8Array): void;
  /** Called with the length of what arrives at an end. */
  onReceive(at: 0 | 1, handler: (length: number) => void): void;
  /** Ends when less than the window waits at the first end. */
  room(): Promise<void>;
  close(): void;
}

const { wrtc, reason } = await loadWrtc();
if (wrtc === undefined) throw new Error(reason);

async function ourWire(): Promise<Wire> {
  const transport = webrtcTransport(wrtc === undefined ? {} : { wrtc });
  const ends = [true, false].map((initiator) => new LinkEnd(transport, { initiator }));
  const [near, far] = ends as [LinkEnd, LinkEnd];
  near.onSignal = (payload) => queueMicrotask(() => far.signal(payload));
  far.onSignal = (payload) => queueMicrotask(() => near.signal(payload));
  await Promise.all([near.opened(), far.opened()]);
  let sentBytes = 0;
  return {
    send(from, bytes) {
      if (from === 0) sentBytes += bytes.length;
      ends[from]?.link.send("reliable", bytes);
    },
    onReceive(at, handler) {
      (ends[at] as LinkEnd).onFrame = ({ bytes }) => handler(bytes.length);
    },
    room: () => near.until("room", () => sentBytes - near.drainedBytes < WINDOW_BYTES),
    close: () => transport.close(),
  };
}

async function bareWire(): Promise<Wire> {
  const Connection = wrtc?.RTCPeerConnection as typeof RTCPeerConnection;
  const [near, far] = [new Connection(), new Connection()];
  near.onicecandidate = ({ candidate }) => void (candidate && far.addIceCandidate(candidate));
  far.onicecandidate = ({ candidate }) => void (candidate && near.addIceCandidate(candidate));
  const channels = [near, far].map((it) => it.createDataChannel("", { negotiated: true, id: 2 }));
  await near.setLocalDescription(await near.createOffer());
  await far.setRemoteDescription(near.localDescription as RTCSessionDescription);
  await far.setLocalDescription(await far.createAnswer());
  await near.setRemoteDescription(far.localDescription as RTCSessionDescription);
  const [first, second] = channels as [RTCDataChannel, RTCDataChannel];
  for (const channel of channels) {
    channel.binaryType = "arraybuffer";
    if (channel.readyState !== "open") await once(channel, "open");
  }
  return {
    send: (from, bytes) => (from === 0 ? first : second).send(bytes as Uint8Array<ArrayBuffer>),
    onReceive(at, handler) {
      (at === 0 ? first : second).onmessage = ({ data }) => handler(data.byteLength);
    },
    async room() {
      while (first.bufferedAmount >= WINDOW_BYTES) await new Promise((go) => setTimeout(go, 1));
    },
    close() {
      near.close();
      far.close();
    },
  };
}

async function roundTrips(wire: Wire): Promise<number[]> {
  const ping = new Uint8Array(SMALL_BYTES);
  wire.onReceive(1, () => wire.send(1, ping));
  const tripMs: number[] = [];
  for (let i = 0; i < PINGS; i++) {
    const sentAt = performance.now();
    await new Promise<void>((resolve) => {
      wire.onReceive(0, () => resolve());
      wire.send(0, ping);
    });
    tripMs.push(performance.now() - sentAt);
  }
  return tripMs.sort((a, b) => a - b);
}

/** @returns seconds until all have arrived */
async function flow(wire: Wire, size: number, count: number, burst: number): Promise<number> {
  let received = 0;
  const all = new Promise<void>((resolve) => {
    wire.onReceive(1, () => {
      if (++received === count) resolve();
    });
  });
  const startedAt = performance.now();
  for (let sent = 0; sent < count; ) {
    await wire.room();
    for (let i = 0; i < burst && sent < count; i++, sent++) wire.send(0, new Uint8Array(size));
    await new Promise((go) => setImmediate(go));
  }
  await all;
  return (performance.now() - startedAt) / 1_000;
}

async function measure(wire: Wire): Promise<number[]> {
  const trips = await roundTrips(wire);
  const small = await flow(wire, SMALL_BYTES, SMALL_COUNT, SMALL_BURST);
  const bulk = await flow(wire, CHUNK_BYTES, CHUNK_COUNT, 16);
  wire.close();
  return [
    trips[PINGS / 2] as number,
    trips[Math.floor(PINGS * 0.99)] as number,
    SMALL_COUNT / small,
    (CHUNK_BYTES * CHUNK_COUNT) / 1e6 / bulk,
  ];
}

const ROWS = [
  ["round trip, median", "ms"],
  ["round trip, 99th percentile", "ms"],
  [`messages of ${SMALL_BYTES} bytes`, "1/s"],
  ["bulk in frames of 16 kB", "MB/s"],
] as const;

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, json: { type: "boolean", default: false } },
});

const measured: { ours: number[]; beside: number[] }[] = [];
for (let round = 0; round < Number(options.rounds); round++) {
  const beside = await measure(await bareWire());
  measured.push({ ours: await measure(await ourWire()), beside });
}

const rows = ROWS.map(([row, unit], i) =>
  rowOf(
    row,
    unit,
    median(measured.map(({ ours }) => ours[i] as number)),
    median(measured.map(({ beside }) => beside[i] as number)),
  ),
);
print("link", rows, options.json);
process.exit();
