/** What every link counts, whatever it goes by. */

import type { LinkStats } from "./transport.ts";

export class Traffic {
  droppedDatagrams = 0;
  #sentBytes = 0;
  #receivedBytes = 0;
  #sentFrames = 0;
  #receivedFrames = 0;

  sent(frame: Uint8Array): void {
    this.#sentFrames++;
    this.#sentBytes += frame.length;
  }

  received(frame: Uint8Array): void {
    this.#receivedFrames++;
    this.#receivedBytes += frame.length;
  }

  stats(bufferedBytes: number): LinkStats {
    return {
      sentBytes: this.#sentBytes,
      receivedBytes: this.#receivedBytes,
      sentFrames: this.#sentFrames,
      receivedFrames: this.#receivedFrames,
      bufferedBytes,
      droppedDatagrams: this.droppedDatagrams,
    };
  }
}
