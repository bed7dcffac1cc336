/**
 * Frames over an ordered stream of chunks: a data channel, a TCP socket.
 *
 * A frame is its length in three bytes, high byte first, and its bytes. Frames know nothing of chunks: a
 * chunk may carry many frames, a frame may span many chunks, and a length may be cut in two. Where chunks may overtake
 * each other, each holds whole frames alone.
 */

import { FRAME_BYTES_MAX, UNORDERED_BYTES_MAX } from "./transport.ts";

/** The largest chunk, in bytes. SCTP here does not interleave: a larger one would hold up the other lane. */
export const CHUNK_BYTES_MAX = 16_384;

const HEADER_BYTES = 3;

/** The largest chunk of whole frames, in bytes. */
export const WHOLE_CHUNK_BYTES_MAX = HEADER_BYTES + UNORDERED_BYTES_MAX;

/** A chunk for the wire, and how many bytes of frames (their lengths not counted) it carries. */
export interface Chunk {
  readonly bytes: Uint8Array;
  readonly frameBytes: number;
}

/**
 * Queues frames and packs them into chunks as full as can be, because sending one costs the same whatever
 * its size. The caller bounds what it pushes.
 */
export class FrameWriter {
  #frames: Uint8Array[] = [];
  /** Index of the frame that is being written, and how much of it (length included) already is. */
  #head = 0;
  #written = 0;
  #wireBytes = 0;
  #frameBytes = 0;

  get empty(): boolean {
    return this.#wireBytes === 0;
  }

  /** Bytes of frames that no chunk has taken yet. */
  get queuedBytes(): number {
    return this.#frameBytes;
  }

  push(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.#wireBytes += HEADER_BYTES + frame.length;
    this.#frameBytes += frame.length;
  }

  /** The next chunk, at most `bytesMax` long; undefined when nothing is queued. */
  next(bytesMax: number = CHUNK_BYTES_MAX): Chunk | undefined {
    return this.#take(Math.min(bytesMax, this.#wireBytes));
  }

  /** The next chunk of whole frames: as many as fit, one at the least; undefined when nothing is queued. */
  nextWhole(): Chunk | undefined {
    let length = 0;
    for (let i = this.#head; i < this.#frames.length; i++) {
      const wireBytes = HEADER_BYTES + (this.#frames[i] as Uint8Array).length;
      if (length > 0 && length + wireBytes > WHOLE_CHUNK_BYTES_MAX) break;
      length += wireBytes;
    }
    return this.#take(length);
  }

  #take(length: number): Chunk | undefined {
    if (length === 0) return undefined;
    const bytes = new Uint8Array(length);
    let frameBytes = 0;
    let filled = 0;
    while (filled < bytes.length) {
      const frame = this.#frames[this.#head] as Uint8Array;
      while (this.#written < HEADER_BYTES && filled < bytes.length) {
        bytes[filled++] = frame.length >> (8 * (HEADER_BYTES - 1 - this.#written++));
      }
      if (this.#written < HEADER_BYTES) break;
      const from = this.#written - HEADER_BYTES;
      const part = frame.subarray(from, from + bytes.length - filled);
      bytes.set(part, filled);
      filled += part.length;
      frameBytes += part.length;
      this.#written += part.length;
      if (this.#written === HEADER_BYTES + frame.length) this.#advance();
    }
    this.#wireBytes -= bytes.length;
    this.#frameBytes -= frameBytes;
    return { bytes, frameBytes };
  }

  clear(): void {
    this.#frames = [];
    this.#head = 0;
    this.#written = 0;
    this.#wireBytes = 0;
    this.#frameBytes = 0;
  }

  /** `Array.shift` moves a long queue every time; cutting off half of it now and then does not. */
  #advance(): void {
    this.#written = 0;
    this.#head++;
    const queued = this.#frames.length - this.#head;
    if (queued > 0 && (this.#head < 64 || this.#head < queued)) return;
    this.#frames = this.#frames.slice(this.#head);
    this.#head = 0;
  }
}

/**
 * Finds the frames in chunks that come from a stranger. Never throws; holds at most one unfinished frame.
 * Every frame gets a buffer of its own: the copy is cheap, and a kept frame then pins nothing else.
 */
export class FrameReader {
  readonly #frameBytesMax: number;
  readonly #deliver: (frame: Uint8Array) => void;
  #headerBytes = 0;
  #length = 0;
  #frame: Uint8Array | undefined;
  #filled = 0;
  #broken: string | undefined;

  constructor(deliver: (frame: Uint8Array) => void, frameBytesMax: number = FRAME_BYTES_MAX) {
    this.#deliver = deliver;
    this.#frameBytesMax = frameBytesMax;
  }

  /** Whether no frame has begun that the next chunk is to complete. */
  get isBetween(): boolean {
    return this.#frame === undefined && this.#headerBytes === 0;
  }

  /**
   * Delivers the frames that `chunk` completes.
   * @returns why the stream cannot be followed, now and for ever after; undefined when all is well
   */
  push(chunk: Uint8Array): string | undefined {
    let at = 0;
    while (at < chunk.length && this.#broken === undefined) {
      at = this.#frame === undefined ? this.#readHeader(chunk, at) : at;
      if (this.#frame === undefined) continue;
      const part = chunk.subarray(at, at + this.#frame.length - this.#filled);
      this.#frame.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#frame.length) this.#finish(this.#frame);
    }
    return this.#broken;
  }

  #readHeader(chunk: Uint8Array, from: number): number {
    let at = from;
    while (this.#headerBytes < HEADER_BYTES && at < chunk.length) {
      this.#length = (this.#length << 8) | (chunk[at++] as number);
      this.#headerBytes++;
    }
    if (this.#headerBytes < HEADER_BYTES) return at;
    if (this.#length > this.#frameBytesMax) {
      this.#broken = `a frame of ${this.#length} bytes was announced; the limit is ${this.#frameBytesMax}`;
    } else {
      this.#frame = new Uint8Array(this.#length);
    }
    return at;
  }

  #finish(frame: Uint8Array): void {
    this.#frame = undefined;
    this.#filled = 0;
    this.#headerBytes = 0;
    this.#length = 0;
    this.#deliver(frame);
  }
}
