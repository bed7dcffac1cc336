import { CHUNK_BYTES_MAX } from "./framing.ts";
import type { DataChannel } from "./webrtc-shapes.ts";

/** The sending side of a data channel that never holds more than it may. */
export class Outlet {
  readonly #channel: DataChannel;
  #bytesMax: number;
  /** Never less than what the channel holds. In Node asking it costs a trip to another thread. */
  #heldAtMost = 0;

  constructor(channel: DataChannel, bytesMax: number) {
    this.#channel = channel;
    this.#bytesMax = bytesMax;
  }

  /** Whether the channel tells when it has become emptier. In Node it does not. */
  get tellsWhenLow(): boolean {
    return typeof this.#channel.bufferedAmountLowThreshold === "number";
  }

  /** Room for one more message. */
  get hasRoom(): boolean {
    const most = this.#bytesMax - CHUNK_BYTES_MAX;
    if (this.#heldAtMost > most) this.#heldAtMost = this.#channel.bufferedAmount;
    return this.#heldAtMost <= most;
  }

  widen(bytesMax: number): void {
    this.#bytesMax = bytesMax;
  }

  /** @returns whether the channel took it */
  send(bytes: Uint8Array): boolean {
    if (!this.hasRoom) return false;
    try {
      this.#channel.send(bytes);
    } catch {
      return false;
    }
    this.#heldAtMost += bytes.length;
    return true;
  }
}
