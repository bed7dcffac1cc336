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

  hasRoomFor(bytes: number): boolean {
    const most = this.#bytesMax - bytes;
    if (this.#heldAtMost > most) this.#heldAtMost = this.#channel.bufferedAmount;
    return this.#heldAtMost <= most;
  }

  widen(bytesMax: number): void {
    this.#bytesMax = bytesMax;
  }

  /** @returns whether the channel took it */
  send(bytes: Uint8Array): boolean {
    if (!this.hasRoomFor(bytes.length)) return false;
    try {
      this.#channel.send(bytes);
    } catch {
      return false;
    }
    this.#heldAtMost += bytes.length;
    return true;
  }
}
