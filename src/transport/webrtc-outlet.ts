import { type Chunk, FrameWriter, WHOLE_CHUNK_BYTES_MAX } from "./framing.ts";
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
  send(data: Uint8Array | string): boolean {
    if (!this.hasRoomFor(data.length)) return false;
    try {
      this.#channel.send(data);
    } catch {
      return false;
    }
    this.#heldAtMost += data.length;
    return true;
  }
}

/** What waits for a channel that loses nothing, and goes as the channel has room. */
export class Queue {
  readonly #writer = new FrameWriter();
  readonly #next: () => Chunk | undefined;
  outlet: Outlet | undefined;
  /** Chunks that the channel has taken. */
  chunkCount = 0;
  /** The channel was full when it was last offered something. */
  isWaiting = false;

  /** @param whole each chunk can be read by itself */
  constructor(whole: boolean) {
    const writer = this.#writer;
    this.#next = whole ? () => writer.nextWhole() : () => writer.next();
  }

  /** Bytes of frames that the channel has not taken. */
  get bytes(): number {
    return this.#writer.queuedBytes;
  }

  push(frame: Uint8Array): void {
    this.#writer.push(frame);
  }

  clear(): void {
    this.#writer.clear();
    this.outlet = undefined;
  }

  /** Gives what the channel has room for to it. @returns the bytes of frames that were */
  handOver(bytesMax: number = Number.POSITIVE_INFINITY): number {
    let drained = 0;
    while (drained < bytesMax && this.outlet?.hasRoomFor(WHOLE_CHUNK_BYTES_MAX)) {
      const chunk = this.#next();
      if (chunk === undefined) break;
      // When it fails the channel is closing, and the news of that is on the way.
      if (!this.outlet.send(chunk.bytes)) break;
      this.chunkCount++;
      drained += chunk.frameBytes;
    }
    this.isWaiting = !this.#writer.empty;
    return drained;
  }
}
