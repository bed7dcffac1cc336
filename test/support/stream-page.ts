/**
 * Runs in a tab: a member with streams, that pings its neighbour and talks meanwhile, and writes down how long that
 * takes; and a bare data channel to another tab, to compare with. Bundled as a user would.
 */

import { frameCodec } from "../../src/core/wire/codec.ts";
import {
  type Join,
  join,
  type Mesh,
  type MeshStream,
  type Transport,
  webrtcTransport,
} from "../../src/index.browser.ts";
import { hashOfCluster } from "../../src/session/identity.ts";
import { patterned } from "../../src/testing/expectations.ts";
import type { Link } from "../../src/transport/transport.ts";
import { Member, wallMs } from "./member.ts";

/** The content of each stream, over and over: what is out of place shows. */
const PATTERN = patterned(1_000_003, 7);
const PIECE_BYTES = 64_000;
/** Pings of ours, told from those of the member by their number. */
const FIRST_PING = 2 ** 40;
const EACH_MS = 25;
const BARE_PIECE_BYTES = 16_000;
const BARE_WINDOW_BYTES = 1_000_000;

/** A writer that sends nothing while so many messages go there and are acknowledged has been stopped. */
const STILL_TRIPS = 100;

let mesh: Mesh;
let pings: number[] = [];
let unanswered = new Map<number, number>();
let lastPing = FIRST_PING;
const open = new Set<Link>();
let codec = frameCodec(0);

/** Links whose pings are answered as any member's are. */
function pinging(inner: Transport): Transport {
  return {
    kind: inner.kind,
    slowOfferer: inner.slowOfferer,
    encrypted: inner.encrypted,
    connect: (options, handlers) => {
      const link = inner.connect(options, {
        ...handlers,
        signal: (payload) => handlers.signal(payload),
        open: () => {
          open.add(link);
          handlers.open();
        },
        drain: (bytes) => handlers.drain(bytes),
        frame: (lane, bytes) => {
          const decoded = lane === "datagram" ? codec.decode(bytes) : undefined;
          const message = decoded?.ok ? decoded.message : undefined;
          if (message?.type !== "ack" || message.sequence < FIRST_PING) {
            return handlers.frame(lane, bytes);
          }
          const sentAt = unanswered.get(message.sequence);
          if (sentAt !== undefined) pings.push(performance.now() - sentAt);
          unanswered.delete(message.sequence);
        },
        close: (reason) => {
          open.delete(link);
          handlers.close(reason);
        },
      });
      return link;
    },
    close: () => inner.close(),
  };
}

function ping(): void {
  for (const link of open) {
    const sequence = ++lastPing;
    unanswered.set(sequence, performance.now());
    link.send("datagram", codec.encode({ type: "ping", sequence, echo: 0, mayFreeze: false }));
  }
}

/** A member's `join` that keeps the mesh for us. */
const joinAndKeep = (async (options) => {
  const cluster = typeof options === "string" ? options : options.cluster;
  codec = frameCodec(await hashOfCluster(cluster));
  const transport = () => pinging(webrtcTransport());
  mesh = await join({ ...(options as object), cluster, transport });
  return mesh;
}) as Join;

let talking: ReturnType<typeof setInterval> | undefined;
let said: number[] = [];
let holding: MeshStream | undefined;
let watching = false;
let stillMs = 0;

function watch(): void {
  const from = performance.now();
  setTimeout(() => {
    stillMs = Math.max(stillMs, performance.now() - from);
    if (watching) watch();
  }, 4);
}

async function readAll(stream: MeshStream): Promise<{ bytes: number; right: boolean }> {
  let bytes = 0;
  let right = true;
  for await (const piece of stream.readable) {
    for (let i = 0, at = bytes % PATTERN.length; i < piece.length; i++) {
      if (piece[i] !== PATTERN[at]) right = false;
      at = at + 1 === PATTERN.length ? 0 : at + 1;
    }
    bytes += piece.length;
  }
  return { bytes, right };
}

const came: Promise<{ bytes: number; right: boolean }>[] = [];

/** What the test's process calls. */
export const page = {
  /** Takes streams, and reads them. */
  receive(): void {
    mesh.hear("tick", (sentAt) => said.push(wallMs() - (sentAt as number)));
    mesh.onStream("read", (stream) => {
      const reading = readAll(stream);
      came.push(reading);
      return reading;
    });
    mesh.onStream("hold", (stream) => {
      holding = stream;
    });
  },

  /** What the last stream has brought. */
  async received(): Promise<{ bytes: number; right: boolean } | undefined> {
    return await came.at(-1);
  },

  /** Sends so many bytes; gives how long that took until all had arrived, ms. */
  async send(to: string, total: number): Promise<number> {
    const from = performance.now();
    const stream = await mesh.stream(to, "read");
    const writer = stream.writable.getWriter();
    for (let at = 0; at < total; ) {
      await writer.ready;
      const begin = at % PATTERN.length;
      const end = Math.min(PATTERN.length, begin + PIECE_BYTES, begin + total - at);
      writer.write(PATTERN.subarray(begin, end));
      at += end - begin;
    }
    await writer.close();
    await stream.closed;
    return performance.now() - from;
  },

  /** Writes until the other end, which does not read, stops it; gives what was written and sent by then. */
  async fill(to: string, total: number): Promise<{ wrote: number; sent: number }> {
    const stream = await mesh.stream(to, "hold");
    const writer = stream.writable.getWriter();
    let wrote = 0;
    void (async () => {
      for (; wrote < total; wrote += PIECE_BYTES) {
        await writer.write(new Uint8Array(PIECE_BYTES));
      }
      await writer.close();
    })();
    let sent = -1;
    for (let unchanged = 0; unchanged < STILL_TRIPS; unchanged++) {
      await mesh.send(to, "still");
      if (stream.progress.sentBytes !== sent) unchanged = 0;
      sent = stream.progress.sentBytes;
    }
    return { wrote, sent };
  },

  /** What waits for the stream that is not read; reads all of it. */
  async release(): Promise<{ held: number; bytes: number }> {
    const held = holding?.progress.receivedBytes ?? 0;
    let bytes = 0;
    for await (const piece of holding?.readable ?? []) bytes += piece.length;
    await holding?.writable.close();
    return { held, bytes };
  },

  /** From now on says and pings, each 25 ms, and sees how long the tab does nothing. */
  talk(): void {
    pings = [];
    stillMs = 0;
    watching = true;
    watch();
    unanswered = new Map();
    talking = setInterval(() => {
      ping();
      mesh.say("tick", wallMs());
    }, EACH_MS);
  },

  /**
   * Round trips of the pings since `talk`, ms, and how many had no answer within a second; and the longest time in
   * which the tab did nothing, for want of a processor or because it was busy in one piece.
   */
  quiet(): { pings: number[]; unanswered: number; stillMs: number } {
    clearInterval(talking);
    watching = false;
    const late = [...unanswered.values()].filter((at) => performance.now() - at > 1_000);
    return { pings, unanswered: late.length, stillMs };
  },

  /** How late each word of the other has come, ms; forgets them. */
  late(): number[] {
    const all = said;
    said = [];
    return all;
  },
};

let connection: RTCPeerConnection;
let channel: RTCDataChannel;

async function described(): Promise<string> {
  while (connection.iceGatheringState !== "complete") {
    await new Promise((go) => connection.addEventListener("icegatheringstatechange", go));
  }
  return JSON.stringify(connection.localDescription);
}

/** A data channel and nothing else. */
export const bare = {
  async offer(): Promise<string> {
    bare.begin();
    await connection.setLocalDescription(await connection.createOffer());
    return await described();
  },

  async answer(offer: string): Promise<string> {
    bare.begin();
    await connection.setRemoteDescription(JSON.parse(offer));
    await connection.setLocalDescription(await connection.createAnswer());
    return await described();
  },

  async complete(answer: string): Promise<void> {
    await connection.setRemoteDescription(JSON.parse(answer));
    if (channel.readyState !== "open") await new Promise((go) => (channel.onopen = go));
  },

  begin(): void {
    connection = new RTCPeerConnection();
    channel = connection.createDataChannel("", { negotiated: true, id: 1, ordered: false });
    channel.binaryType = "arraybuffer";
  },

  /** Resolves once so much has come, and says so to the other end. */
  receive(total: number): void {
    let bytes = 0;
    channel.onmessage = ({ data }) => {
      bytes += data.byteLength;
      if (bytes >= total) channel.send("all");
    };
  },

  async send(total: number): Promise<number> {
    const from = performance.now();
    const all = new Promise((resolve) => {
      channel.onmessage = resolve;
    });
    channel.bufferedAmountLowThreshold = BARE_WINDOW_BYTES / 2;
    for (let at = 0; at < total; at += BARE_PIECE_BYTES) {
      if (channel.bufferedAmount > BARE_WINDOW_BYTES) {
        await new Promise((go) => (channel.onbufferedamountlow = go));
      }
      const begin = at % (PATTERN.length - BARE_PIECE_BYTES);
      const end = begin + Math.min(BARE_PIECE_BYTES, total - at);
      channel.send(PATTERN.subarray(begin, end) as Uint8Array<ArrayBuffer>);
    }
    await all;
    return performance.now() - from;
  },
};

Object.assign(globalThis, {
  member: new Member(joinAndKeep, async () => webrtcTransport()),
  page,
  bare,
});
