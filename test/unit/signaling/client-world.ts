/** A signaling client in a world where time passes only when told to, and a server's end that a test plays by hand. */

import { type SignalingClientOptions, signalingClient } from "../../../src/signaling/client.ts";
import { encodeMessage, encodeRelay } from "../../../src/signaling/protocol.ts";
import type { WebSocketLike } from "../../../src/signaling/websocket.ts";

export const ME = "0".repeat(32);
export const A = "a".repeat(32);
export const B = "b".repeat(32);

type Listener = (event: { data: unknown; code: number; reason: string }) => void;

/** A server's end that a test plays by hand. */
export class FakeSocket implements WebSocketLike {
  binaryType = "blob";
  readyState = 0;
  bufferedAmount = 0;
  readonly url: string;
  readonly sent: (string | Uint8Array)[] = [];
  closedWith: number | undefined;
  readonly #listeners: [string, Listener][] = [];

  constructor(url: string) {
    this.url = url;
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.push([type, listener]);
  }

  send(data: string | Uint8Array): void {
    if (this.readyState !== 1) throw new Error("not open");
    this.sent.push(data);
  }

  close(code?: number): void {
    this.readyState = 2;
    this.closedWith = code;
  }

  open(): void {
    this.readyState = 1;
    this.#happens("open");
  }

  says(data: unknown): void {
    this.#happens("message", data);
  }

  ends(code: number, reason = ""): void {
    this.readyState = 3;
    this.#happens("error");
    this.#happens("close", undefined, code, reason);
  }

  #happens(type: string, data?: unknown, code = 0, reason = ""): void {
    for (const [heard, listener] of this.#listeners) {
      if (heard === type) listener({ data, code, reason });
    }
  }

  get texts(): string[] {
    return this.sent.filter((data) => typeof data === "string");
  }
}

/** A client in a world where time passes only when told to. */
export function world(options: Partial<SignalingClientOptions> = {}) {
  const sockets: FakeSocket[] = [];
  const timers: { task: () => void; at: number }[] = [];
  const log: unknown[] = [];
  const note =
    (name: string) =>
    (...values: unknown[]) =>
      log.push([name, ...values]);
  let now = 0;
  const advance = (ms: number) => {
    const end = now + ms;
    for (;;) {
      timers.sort((one, other) => one.at - other.at);
      const next = timers[0];
      if (!next || next.at > end) break;
      timers.shift();
      now = next.at;
      next.task();
    }
    now = end;
  };
  const client = signalingClient({
    url: "wss://example.net/demo",
    id: ME,
    WebSocket: class extends FakeSocket {
      constructor(url: string) {
        super(url);
        sockets.push(this);
      }
    },
    handlers: {
      up: note("up"),
      introduce: note("introduce"),
      packet: note("packet"),
      gone: note("gone"),
      ice: note("ice"),
      down: note("down"),
    },
    random: () => 0.5,
    now: () => now,
    setTimer: (task, ms) => {
      const timer = { task, at: now + ms };
      timers.push(timer);
      return () => {
        const index = timers.indexOf(timer);
        if (index >= 0) timers.splice(index, 1);
      };
    },
    ...options,
  });
  const last = () => sockets.at(-1) as FakeSocket;
  const up = () => {
    last().open();
    last().says(encodeMessage({ type: "welcome", peers: [] }));
    log.length = 0;
  };
  return { client, sockets, timers, log, advance, last, up };
}

export const frame = (from: string, packet: Uint8Array): ArrayBuffer => {
  const frame = encodeRelay(from, packet);
  if (!frame.ok) throw new Error(frame.refusal.reason);
  return frame.value.buffer;
};
