/**
 * One WebSocket to the signaling server, from the first attempt to its end, which comes exactly once. What the
 * server sends is hostile until parsed: garbage, floods and messages out of order end the connection and do nothing else.
 */

import {
  CloseCode,
  encodeMessage,
  encodeRelay,
  type IceServer,
  parseRelay,
  parseServerMessage,
  type Rate,
  type Refusal,
  spend,
} from "./protocol.ts";
import type { SetTimer } from "./timer.ts";
import type { WebSocketConstructor, WebSocketLike } from "./websocket.ts";

export interface ConnectionOptions {
  readonly url: string;
  readonly id: string;
  readonly island: string | undefined;
  readonly WebSocket: WebSocketConstructor;
  readonly setTimer: SetTimer;
  readonly now: () => number;
  /** From the attempt to the welcome. Milliseconds. */
  readonly connectMs: number;
  /** Without a message for this long the server is taken for gone. Milliseconds. */
  readonly silenceMs: number;
}

export interface ConnectionHandlers {
  welcome(peers: readonly string[]): void;
  introduce(peers: readonly string[]): void;
  packet(from: string, packet: Uint8Array): void;
  gone(id: string): void;
  /** STUN and TURN servers, in place of those named before. */
  ice(servers: readonly IceServer[]): void;
  /** The end, called exactly once unless {@link Connection.close} was; nothing is called after it. */
  end(refusal: Refusal): void;
}

/** Bytes that may wait to leave; beyond them the network is too slow, and what is old helps nobody. */
const BUFFERED_BYTES_MAX = 262_144;

/**
 * What we send at most: well below what the server takes, so that messages held up on the way and arriving
 * together are no flood.
 */
const SENT_MESSAGES: Rate = { perSecond: 15, burst: 50 };
const SENT_BYTES: Rate = { perSecond: 98_304, burst: 262_144 };

/** What we take: a popular introducer hears from thousands within seconds. More is a flood. */
const TAKEN_MESSAGES: Rate = { perSecond: 1_000, burst: 5_000 };
const TAKEN_BYTES: Rate = { perSecond: 4_194_304, burst: 16_777_216 };

/** The state of a WebSocket that can be written to. */
const OPEN = 1;

/** A budget of messages and bytes, see {@link spend}. */
class Allowance {
  readonly #messages: Rate;
  readonly #bytes: Rate;
  #messagesFullAt = 0;
  #bytesFullAt = 0;

  constructor(messages: Rate, bytes: Rate) {
    this.#messages = messages;
    this.#bytes = bytes;
  }

  take(bytes: number, now: number): boolean {
    const messagesFullAt = spend(this.#messagesFullAt, now, this.#messages);
    const bytesFullAt = spend(this.#bytesFullAt, now, this.#bytes, bytes);
    if (messagesFullAt === undefined || bytesFullAt === undefined) return false;
    this.#messagesFullAt = messagesFullAt;
    this.#bytesFullAt = bytesFullAt;
    return true;
  }
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #handlers: ConnectionHandlers;
  readonly #socket: WebSocketLike;
  readonly #sent = new Allowance(SENT_MESSAGES, SENT_BYTES);
  readonly #taken = new Allowance(TAKEN_MESSAGES, TAKEN_BYTES);
  #welcomed = false;
  #ended = false;
  #cancelTimer: () => void;

  /** Starts the attempt. Throws what the WebSocket's constructor throws: it does so for a URL that can never work. */
  constructor(options: ConnectionOptions, handlers: ConnectionHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    const socket = new options.WebSocket(options.url);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.#hello());
    socket.addEventListener("message", (event) => this.#receive(event.data));
    // Says nothing about the cause, and is followed by close.
    socket.addEventListener("error", () => {});
    socket.addEventListener("close", ({ code, reason }) => {
      this.#end({ code, reason: reason || "the connection was lost, or never came about" });
    });
    this.#cancelTimer = options.setTimer(() => {
      this.#cut(CloseCode.timeout, "no welcome from the server in time");
    }, options.connectMs);
  }

  /** The server has welcomed us and has not gone since. */
  get up(): boolean {
    return this.#welcomed && !this.#ended;
  }

  /** False if the packet was not handed over: not connected, over the size, or more than the network or the rate takes. */
  send(to: string, packet: Uint8Array): boolean {
    const frame = encodeRelay(to, packet);
    return frame.ok && this.#write(frame.value, frame.value.length);
  }

  /** Reports the lowest live id we know; false as for {@link send}. */
  island(id: string): boolean {
    return this.#write(encodeMessage({ type: "island", id }), 0);
  }

  /** Ends the connection; no handler is called any more. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelTimer();
    this.#socket.close(1000);
  }

  #write(data: string | Uint8Array<ArrayBuffer>, bytes: number): boolean {
    const socket = this.#socket;
    if (!this.up || socket.readyState !== OPEN) return false;
    if (socket.bufferedAmount + bytes > BUFFERED_BYTES_MAX) return false;
    if (!this.#sent.take(bytes, this.#options.now())) return false;
    socket.send(data);
    return true;
  }

  #hello(): void {
    if (this.#ended) return;
    const { id, island } = this.#options;
    this.#socket.send(encodeMessage({ type: "hello", id, ...(island && { island }) }));
  }

  #receive(data: unknown): void {
    if (this.#ended) return;
    if (typeof data === "string") {
      if (this.#take(data.length)) this.#onText(data);
    } else if (data instanceof ArrayBuffer) {
      if (this.#take(data.byteLength)) this.#onFrame(new Uint8Array(data));
    } else {
      this.#cut(CloseCode.malformed, "the server sent neither text nor bytes");
    }
  }

  /** Something came: the server lives. False if it is too much. */
  #take(bytes: number): boolean {
    if (!this.#taken.take(bytes, this.#options.now())) {
      this.#cut(CloseCode.flood, "the server sends more than we take");
      return false;
    }
    if (this.#welcomed) this.#listen();
    return true;
  }

  #onText(text: string): void {
    const parsed = parseServerMessage(text);
    if (!parsed.ok) return this.#refuse(parsed.refusal);
    const message = parsed.value;
    if (this.#welcomed === (message.type === "welcome")) return this.#outOfOrder();
    switch (message.type) {
      case "welcome":
        this.#welcomed = true;
        this.#listen();
        // Before the first links.
        if (message.iceServers) this.#handlers.ice(message.iceServers);
        return this.#handlers.welcome(this.#others(message.peers));
      case "introduce":
        return this.#handlers.introduce(this.#others(message.peers));
      case "gone":
        return this.#handlers.gone(message.id);
      case "ping":
        if (message.iceServers) this.#handlers.ice(message.iceServers);
        // Not counted: the server asked for it.
        if (this.#socket.readyState === OPEN) this.#socket.send(encodeMessage({ type: "pong" }));
    }
  }

  #onFrame(frame: Uint8Array): void {
    const parsed = parseRelay(frame);
    if (!parsed.ok) return this.#refuse(parsed.refusal);
    if (!this.#welcomed) return this.#outOfOrder();
    const { id, packet } = parsed.value;
    if (id !== this.#options.id) this.#handlers.packet(id, packet);
  }

  #others(peers: readonly string[]): readonly string[] {
    return peers.filter((peer) => peer !== this.#options.id);
  }

  /** Starts the time anew within which the server has to be heard. */
  #listen(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.setTimer(() => {
      this.#cut(CloseCode.timeout, "the server fell silent");
    }, this.#options.silenceMs);
  }

  #outOfOrder(): void {
    this.#cut(CloseCode.malformed, "the server sent a message out of order");
  }

  #refuse({ code, reason }: Refusal): void {
    this.#cut(code, `the server sent an invalid message: ${reason}`);
  }

  /** Ends the connection from our side. The reason stays here: it is for our user, not for the server. */
  #cut(code: number, reason: string): void {
    if (this.#ended) return;
    this.#socket.close(code);
    this.#end({ code, reason });
  }

  #end(refusal: Refusal): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelTimer();
    this.#handlers.end(refusal);
  }
}
