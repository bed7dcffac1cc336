/**
 * Messages larger than a frame cross a link as fragments, in order on the reliable lane, one message at a time.
 * So bulk never holds a small urgent frame up for longer than one fragment, and a link holds one unfinished
 * message at most.
 */

import type { FrameCodec } from "../wire/codec.ts";
import { FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, type MessageOf } from "../wire/messages.ts";

/** Room for the frame's and the fragment's own fields. */
const CHUNK_BYTES = FRAME_BYTES_MAX - 32;

/** An encoded message on its way out, cut when its turn comes. */
export class Outgoing {
  /** Tells the sender when the whole message has been handed over; undefined when nobody asks. */
  readonly token: number | undefined;
  readonly #bytes: Uint8Array;
  readonly #count: number;
  #index = 0;

  constructor(bytes: Uint8Array, token: number | undefined) {
    this.#bytes = bytes;
    this.token = token;
    this.#count = bytes.length <= FRAME_BYTES_MAX ? 1 : Math.ceil(bytes.length / CHUNK_BYTES);
  }

  get length(): number {
    return this.#bytes.length;
  }

  get done(): boolean {
    return this.#index === this.#count;
  }

  /** The next frame. `message` numbers the link's fragmented messages. */
  next(codec: FrameCodec, message: number): Uint8Array {
    const index = this.#index++;
    if (this.#count === 1) return this.#bytes;
    const bytes = this.#bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
    return codec.encode({ type: "fragment", message, index, count: this.#count, bytes });
  }
}

/** Puts a link's fragments together again. */
export class Assembly {
  #message = -1;
  #chunks: Uint8Array[] = [];
  #count = 0;
  #length = 0;
  /** When the last fragment came, ms; -Infinity when none is waiting for more. */
  #progressAt = Number.NEGATIVE_INFINITY;

  /** No message is waiting for more. */
  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  get progressAt(): number {
    return this.#progressAt;
  }

  /** The whole message, "more" when it is not complete yet, or "broken" when the link cannot be trusted. */
  add(fragment: MessageOf<"fragment">, now: number): Uint8Array | "more" | "broken" {
    if (fragment.index === 0) {
      if (this.#chunks.length > 0) return "broken";
      const countMax = Math.ceil(MESSAGE_BYTES_MAX / CHUNK_BYTES);
      if (fragment.count < 2 || fragment.count > countMax) return "broken";
      this.#message = fragment.message;
      this.#count = fragment.count;
    }
    if (
      fragment.message !== this.#message ||
      fragment.count !== this.#count ||
      fragment.index !== this.#chunks.length ||
      fragment.bytes.length > CHUNK_BYTES
    ) {
      return "broken";
    }
    this.#chunks.push(fragment.bytes);
    this.#length += fragment.bytes.length;
    this.#progressAt = now;
    return this.#chunks.length < this.#count ? "more" : this.#take();
  }

  #take(): Uint8Array {
    const whole = new Uint8Array(this.#length);
    let offset = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, offset);
      offset += chunk.length;
    }
    this.#message = -1;
    this.#chunks = [];
    this.#length = 0;
    this.#progressAt = Number.NEGATIVE_INFINITY;
    return whole;
  }
}
