/**
 * Frames of several kinds over one TCP connection. A frame is the length of what follows in three bytes, its kind, and
 * its bytes: to the reader of `framing.ts`, the kind is the first byte of a frame.
 */

import type { Socket } from "node:net";
import { FrameReader } from "../framing.ts";
import { FRAME_BYTES_MAX, SEAL_BYTES } from "../transport.ts";

/** `use`: this connection is the link. `proof`: what a datagram has brought, to show that it came. */
export const KINDS = ["use", "reliable", "unordered", "datagram", "proof"] as const;
export type Kind = (typeof KINDS)[number];

const HEADER_BYTES = 4;
const WIRE_BYTES_MAX = 1 + FRAME_BYTES_MAX + SEAL_BYTES;

/** Frames are written together up to so much: a call costs more than a copy. */
const CHUNK_BYTES = 65_536;
/** Handed to the socket and not yet taken by the system: more waits here, so that `drain` is told bit by bit. */
const SOCKET_BYTES_MAX = 262_144;

/** What a closing stream still hands over, and how long the other end has to take it, ms. */
const FLUSH_BYTES_MAX = 1_048_576;
const FLUSH_MS = 10_000;

export interface FrameStreamOut {
  frame(kind: Kind, bytes: Uint8Array): void;
  /** `bytes` of counted frames have been taken by the system. */
  drain(bytes: number): void;
  /** The other end has ended it (undefined), or it broke. */
  end(problem: string | undefined): void;
  /** The other end speaks another language. */
  broken(why: string): void;
}

interface Queued {
  readonly kind: number;
  readonly bytes: Uint8Array;
  readonly counts: boolean;
}

export class FrameStream {
  readonly #socket: Socket;
  readonly #out: FrameStreamOut;
  readonly #reader = new FrameReader((frame) => this.#read(frame), WIRE_BYTES_MAX);
  #queue: Queued[] = [];
  #head = 0;
  #waitingBytes = 0;
  #inSocketBytes = 0;
  #countedBytes = 0;
  #pumpDue = false;
  #over = false;
  #closing: ReturnType<typeof setTimeout> | undefined;

  /** @param socket one that has greeted, and whose errors somebody hears */
  constructor(socket: Socket, out: FrameStreamOut) {
    this.#socket = socket;
    this.#out = out;
    let problem: string | undefined;
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", ({ message }) => {
      problem = message;
    });
    socket.on("end", () => this.#ended(undefined));
    socket.on("close", () => {
      clearTimeout(this.#closing);
      this.#ended(problem ?? "the connection broke");
    });
  }

  /** Bytes of counted frames that the system has not taken yet. */
  get bufferedBytes(): number {
    return this.#countedBytes;
  }

  /** Bytes of all frames that the system has not taken yet. */
  get backlogBytes(): number {
    return this.#waitingBytes + this.#inSocketBytes;
  }

  /** What came right behind the greeting. */
  start(rest: Uint8Array): void {
    if (rest.length > 0) this.#take(rest);
  }

  /** After the current tick, so that what it still sends goes out with it. @param counts `drain` tells of it */
  send(kind: Kind, bytes: Uint8Array, counts = false): void {
    if (this.#over) return;
    this.#queue.push({ kind: KINDS.indexOf(kind), bytes, counts });
    this.#waitingBytes += HEADER_BYTES + bytes.length;
    if (counts) this.#countedBytes += bytes.length;
    if (this.#pumpDue || this.#inSocketBytes >= SOCKET_BYTES_MAX) return;
    this.#pumpDue = true;
    queueMicrotask(() => {
      this.#pumpDue = false;
      if (!this.#over) this.#pump(SOCKET_BYTES_MAX);
    });
  }

  /** Hands over what waits and ends the stream; nothing more is told. */
  close(flushMs: number = FLUSH_MS): void {
    if (!this.#over) {
      this.#over = true;
      this.#pump(FLUSH_BYTES_MAX);
      this.#queue = [];
      // What still comes in is read and dropped: left unread, it would break what we have just handed over.
      this.#socket.end();
    }
    clearTimeout(this.#closing);
    if (flushMs === 0 || this.#socket.destroyed) this.#socket.destroy();
    else this.#closing = setTimeout(() => this.#socket.destroy(), flushMs);
  }

  destroy(): void {
    this.#over = true;
    this.#queue = [];
    this.#socket.destroy();
  }

  #take(chunk: Uint8Array): void {
    if (this.#over) return;
    const broken = this.#reader.push(chunk);
    if (broken !== undefined && !this.#over) this.#out.broken(broken);
  }

  #read(frame: Uint8Array): void {
    if (this.#over) return;
    const kind = KINDS[frame[0] ?? KINDS.length];
    if (kind === undefined) this.#out.broken("a frame of no known kind came");
    else this.#out.frame(kind, frame.subarray(1));
  }

  #ended(problem: string | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#queue = [];
    this.#socket.destroy();
    this.#out.end(problem);
  }

  #pump(bytesMax: number): void {
    while (this.#head < this.#queue.length && this.#inSocketBytes < bytesMax) this.#write();
    const waiting = this.#queue.length - this.#head;
    if (waiting > 0 && (this.#head < 64 || this.#head < waiting)) return;
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
  }

  /** As many frames as fit into a chunk, one at the least. */
  #write(): void {
    let length = 0;
    let end = this.#head;
    for (; end < this.#queue.length; end++) {
      const wireBytes = HEADER_BYTES + (this.#queue[end] as Queued).bytes.length;
      if (length > 0 && length + wireBytes > CHUNK_BYTES) break;
      length += wireBytes;
    }
    const chunk = Buffer.allocUnsafe(length);
    let at = 0;
    let counted = 0;
    for (; this.#head < end; this.#head++) {
      const { kind, bytes, counts } = this.#queue[this.#head] as Queued;
      at = chunk.writeUIntBE(1 + bytes.length, at, 3);
      at = chunk.writeUInt8(kind, at);
      chunk.set(bytes, at);
      at += bytes.length;
      if (counts) counted += bytes.length;
    }
    this.#waitingBytes -= length;
    this.#inSocketBytes += length;
    this.#socket.write(chunk, (error) => {
      this.#inSocketBytes -= length;
      if (error || this.#over) return;
      this.#countedBytes -= counted;
      this.#pump(SOCKET_BYTES_MAX);
      if (counted > 0) this.#out.drain(counted);
    });
  }
}
