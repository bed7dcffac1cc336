/**
 * The sending half of a stream: what was written and is not acknowledged, and how much of it may be on its way. That
 * is what the reader grants, and no more than the path holds (`SendWindow`), measured to the reader and back: so what
 * waits at relays is bounded, and who reads slowly stops who writes.
 *
 * Links lose nothing, but a way may break with what is on it. Then, or when nothing is acknowledged in time, all goes
 * again from what the other end has without a hole (go-back-n). What comes twice is told by its offset.
 */

import type { Config } from "../config.ts";
import { SendWindow } from "../links/send-window.ts";
import { STREAM_PIECE_BYTES_MAX as PIECE_BYTES } from "../wire/messages.ts";

/** Who reads acknowledges after so much at the latest. Bytes. */
export const ACK_BYTES = 65_536;

/** Written ahead of what may be sent, so that a link never waits for who writes. Bytes. */
const AHEAD_BYTES = 131_072;

/** Nothing acknowledged for so long, or for so many round trips: it goes again. ms. Guess, unmeasured. */
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 8_000;
const ROUND_TRIPS = 4;

export interface Piece {
  readonly offset: number;
  readonly kind: "more" | "pause" | "end";
  readonly bytes: Uint8Array;
}

export class Sending {
  /** What is not acknowledged, in blocks; the first begins at `#freed`. */
  readonly #blocks: Uint8Array[] = [];
  readonly #path: SendWindow;
  #freed = 0;
  #written = 0;
  #ended = false;
  /** Where the next piece begins; one more than was written when the end is sent, too. */
  #next = 0;
  #sent = 0;
  /** What the other end has, and what its application has taken. */
  #received = 0;
  #consumed = 0;
  #granted = 0;
  /** When something was acknowledged last, or the first of what is not was sent. ms. */
  #progressAt = 0;
  #retries = 0;
  #roundTripMs = 0;
  #sample: { readonly to: number; readonly at: number } | undefined;
  resentBytes = 0;

  constructor({ streamWindowBytes: windowBytes, streamWindowBytesMax: windowBytesMax }: Config) {
    this.#path = new SendWindow({ windowBytes, windowBytesMax });
  }

  get sentBytes(): number {
    return Math.min(this.#sent, this.#written);
  }

  get acknowledgedBytes(): number {
    return Math.min(this.#received, this.#written);
  }

  /** The offset up to which the application may write now. */
  get writableTo(): number {
    return this.#limit + AHEAD_BYTES;
  }

  /** Everything was written, and the other end has it. */
  get done(): boolean {
    return this.#ended && this.#received > this.#written;
  }

  get hasNext(): boolean {
    if (this.#next >= this.#written) return this.#ended && this.#next === this.#written;
    // Whole pieces only: what does not fit waits until it does.
    return this.#next + this.#nextLength <= this.#limit;
  }

  get isOutstanding(): boolean {
    return this.#next > this.#received;
  }

  /** When what is outstanding goes again, ms. */
  get retryAt(): number {
    const ms = Math.max(RETRY_MS, ROUND_TRIPS * this.#roundTripMs) * 2 ** this.#retries;
    return this.#progressAt + Math.min(RETRY_MS_MAX, ms);
  }

  write(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length && !this.#ended; ) {
      const at = (this.#written - this.#freed) % PIECE_BYTES;
      if (at === 0) this.#blocks.push(new Uint8Array(PIECE_BYTES));
      const some = bytes.subarray(from, from + PIECE_BYTES - at);
      this.#blocks[this.#blocks.length - 1]?.set(some, at);
      this.#written += some.length;
      from += some.length;
    }
  }

  end(): void {
    this.#ended = true;
  }

  next(now: number): Piece | undefined {
    if (!this.hasNext) return undefined;
    if (!this.isOutstanding) this.#progressAt = now;
    const offset = this.#next;
    const bytes = this.#bytesAt(offset);
    this.#next += bytes.length;
    if (offset < this.#sent) this.resentBytes += bytes.length;
    else this.#sample ??= { to: this.#next, at: now };
    const isEnd = this.#ended && this.#next === this.#written;
    if (isEnd) this.#next++;
    this.#sent = Math.max(this.#sent, this.#next);
    const { hasNext } = this;
    if (!hasNext && this.#next < this.#written) this.#path.onFull(this.#next - ACK_BYTES, now);
    return { offset, bytes, kind: isEnd ? "end" : hasNext ? "more" : "pause" };
  }

  /** False for what cannot be true. */
  onAck(received: number, consumed: number, window: number, now: number): boolean {
    if (received > this.#sent || consumed > received) return false;
    // Acknowledgements may overtake each other.
    if (received < this.#received || consumed < this.#consumed) return true;
    if (received > this.#received) {
      this.#progressAt = now;
      this.#retries = 0;
    }
    this.#received = received;
    this.#next = Math.max(this.#next, received);
    this.#consumed = consumed;
    this.#granted = window;
    this.#path.onAcknowledged(consumed, now);
    if (this.#sample !== undefined && received >= this.#sample.to) {
      const ms = now - this.#sample.at;
      this.#roundTripMs = this.#roundTripMs === 0 ? ms : 0.875 * this.#roundTripMs + 0.125 * ms;
      this.#sample = undefined;
    }
    while (this.#blocks.length > 0 && this.#freed + PIECE_BYTES <= received) {
      this.#blocks.shift();
      this.#freed += PIECE_BYTES;
    }
    return true;
  }

  /** What is on its way is lost, or may be (`late`: nothing is known of it): it goes again. */
  again(now: number, late = false): void {
    this.#next = this.#received;
    this.#sample = undefined;
    this.#progressAt = now;
    if (late) this.#retries = Math.min(3, this.#retries + 1);
  }

  get #limit(): number {
    return this.#consumed + Math.min(this.#granted, this.#path.bytes);
  }

  get #nextLength(): number {
    const rest = PIECE_BYTES - ((this.#next - this.#freed) % PIECE_BYTES);
    return Math.min(rest, this.#written - this.#next);
  }

  #bytesAt(offset: number): Uint8Array {
    const at = offset - this.#freed;
    const from = at % PIECE_BYTES;
    const block = this.#blocks[Math.floor(at / PIECE_BYTES)];
    return block?.subarray(from, from + this.#nextLength) ?? EMPTY;
  }
}

const EMPTY = new Uint8Array(0);
