/**
 * Messages larger than a frame cross a link as fragments, in any order, those of several messages side by side. So
 * bulk never holds a small urgent frame up for longer than one fragment, and one that is lost holds up its own message
 * alone. What is under way is bounded at both ends alike, in fragments: a sender begins another message only when all
 * that the other end has not acknowledged as whole would fit together with it.
 */

import { concat } from "../lib/bytes.ts";
import type { Lane } from "../machine.ts";
import type { FrameCodec } from "../wire/codec.ts";
import { FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, type MessageOf } from "../wire/messages.ts";

type Fragment = MessageOf<"fragment">;

/** Room for the frame's and the fragment's own fields. */
const CHUNK_BYTES = FRAME_BYTES_MAX - 32;

/** Fragments of all unfinished messages of a link: one of the largest, or many small ones. */
const FRAGMENTS_MAX = Math.ceil(MESSAGE_BYTES_MAX / CHUNK_BYTES);

/** An encoded message on its way out, cut when its turn comes. */
export class Outgoing {
  readonly lane: Lane;
  /** Tells the sender when the whole message has been handed over; undefined when nobody asks. */
  readonly token: number | undefined;
  readonly count: number;
  readonly #bytes: Uint8Array;
  #number = 0;
  #index = 0;

  constructor(bytes: Uint8Array, lane: Lane, token?: number) {
    this.#bytes = bytes;
    this.lane = lane;
    this.token = token;
    this.count = bytes.length <= FRAME_BYTES_MAX ? 1 : Math.ceil(bytes.length / CHUNK_BYTES);
  }

  get length(): number {
    return this.#bytes.length;
  }

  get done(): boolean {
    return this.#index === this.count;
  }

  /** The next frame; undefined when the other end has no room for this message yet. */
  next(codec: FrameCodec, underway: Underway): Uint8Array | undefined {
    if (this.#index === 0 && this.count > 1) {
      const number = underway.begin(this.count);
      if (number === undefined) return undefined;
      this.#number = number;
    }
    const index = this.#index++;
    if (this.count === 1) return this.#bytes;
    const bytes = this.#bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
    return codec.encode({
      type: "fragment",
      message: this.#number,
      index,
      count: this.count,
      bytes,
    });
  }
}

/** A link's fragmented messages that the other end has not acknowledged as whole. */
export class Underway {
  readonly #counts = new Map<number, number>();
  #fragments = 0;
  #last = 0;

  /** The number of the message that begins now; undefined when it must wait. */
  begin(count: number): number | undefined {
    if (this.#fragments + count > FRAGMENTS_MAX && this.#fragments > 0) return undefined;
    this.#fragments += count;
    this.#counts.set(++this.#last, count);
    return this.#last;
  }

  /** The other end has this one. */
  whole(message: number): void {
    this.#fragments -= this.#counts.get(message) ?? 0;
    this.#counts.delete(message);
  }
}

interface Unfinished {
  readonly chunks: (Uint8Array | undefined)[];
  missing: number;
}

/** Puts a link's fragments together again. */
export class Assembly {
  readonly #unfinished = new Map<number, Unfinished>();
  #fragments = 0;
  /** When the last fragment came, ms; -Infinity when none is waiting for more. */
  #progressAt = Number.NEGATIVE_INFINITY;

  /** No message is waiting for more. */
  get isEmpty(): boolean {
    return this.#unfinished.size === 0;
  }

  get progressAt(): number {
    return this.isEmpty ? Number.NEGATIVE_INFINITY : this.#progressAt;
  }

  /** The whole message, "more" when it is not complete yet, or "broken" when the link cannot be trusted. */
  add(fragment: Fragment, now: number): Uint8Array | "more" | "broken" {
    const { message, index, count, bytes } = fragment;
    const isLast = index === count - 1;
    const isFull = bytes.length === CHUNK_BYTES;
    if (index >= count || !(isFull || (isLast && bytes.length > 0 && bytes.length < CHUNK_BYTES))) {
      return "broken";
    }
    const unfinished = this.#unfinished.get(message) ?? this.#begin(message, count);
    if (unfinished?.chunks.length !== count || unfinished.chunks[index] !== undefined) {
      return "broken";
    }
    unfinished.chunks[index] = bytes;
    this.#progressAt = now;
    if (--unfinished.missing > 0) return "more";
    this.#unfinished.delete(message);
    this.#fragments -= count;
    return concat(...(unfinished.chunks as Uint8Array[]));
  }

  #begin(message: number, count: number): Unfinished | undefined {
    if (count < 2 || this.#fragments + count > FRAGMENTS_MAX) return undefined;
    this.#fragments += count;
    const unfinished = { chunks: new Array<undefined>(count).fill(undefined), missing: count };
    this.#unfinished.set(message, unfinished);
    return unfinished;
  }
}
