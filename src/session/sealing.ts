/**
 * Frames sealed with the keys of a handshake: each lane of each direction has a key of its own, and each frame a number
 * that is never used twice under it. On a lane that keeps order both ends count; elsewhere the number goes with the
 * frame, and a window refuses what came before. After every {@link REKEY_FRAMES} frames the key is replaced by one
 * that does not lead back to it (Noise, section 4.2), so that no counter comes to its end.
 */

import { SeenWindow } from "../core/lib/window.ts";
import { hkdf, nonce, rekeyed } from "./noise.ts";
import type { Primitives } from "./primitives.ts";

/** Frames under one key: many more than are ever under way. */
const REKEY_FRAMES = 2 ** 20;

/** What a frame's number takes, where it goes with it. */
const NUMBER_BYTES = 8;

const NOTHING = new Uint8Array(0);

/** A key for each lane of one direction. */
export interface LaneKeys {
  readonly reliable: Uint8Array;
  readonly unordered: Uint8Array;
  readonly datagram: Uint8Array;
}

export function laneKeys(primitives: Primitives, key: Uint8Array): LaneKeys {
  const label = new TextEncoder().encode("hearsay lanes");
  const keys = hkdf(primitives, key, label, 3) as [Uint8Array, Uint8Array, Uint8Array];
  return { reliable: keys[0], unordered: keys[1], datagram: keys[2] };
}

export interface SealOptions {
  readonly primitives: Primitives;
  readonly key: Uint8Array;
  /** The number goes with the frame. */
  readonly numbered: boolean;
  readonly rekeyFrames?: number;
}

export class Sealer {
  readonly #options: SealOptions;
  readonly #rekeyFrames: number;
  #key: Uint8Array;
  #number = 0;

  constructor(options: SealOptions) {
    this.#options = options;
    this.#rekeyFrames = options.rekeyFrames ?? REKEY_FRAMES;
    this.#key = options.key;
  }

  seal(frame: Uint8Array): Uint8Array {
    const { primitives, numbered } = this.#options;
    const number = ++this.#number;
    if (number % this.#rekeyFrames === 0) this.#key = rekeyed(primitives, this.#key);
    const room = numbered ? NUMBER_BYTES : 0;
    const sealed = primitives.seal(this.#key, nonce(number), NOTHING, frame, room);
    if (numbered) writeNumber(sealed, number);
    return sealed;
  }
}

export class Opener {
  readonly #options: SealOptions;
  readonly #rekeyFrames: number;
  readonly #seen: SeenWindow;
  /** How often the key was replaced. */
  #era = 0;
  #key: Uint8Array;
  #lastKey: Uint8Array | undefined;
  #nextKey: Uint8Array | undefined;
  #number = 0;

  /** @param reach how far a frame may stand behind the newest and still be taken; for a lane with numbers */
  constructor(options: SealOptions, reach?: number) {
    this.#options = options;
    this.#rekeyFrames = options.rekeyFrames ?? REKEY_FRAMES;
    this.#key = options.key;
    this.#seen = new SeenWindow(0, reach);
  }

  /** Total: undefined for what was changed, came before, or was never sealed for us. */
  open(frame: Uint8Array): Uint8Array | undefined {
    if (!this.#options.numbered) {
      const opened = this.#open(this.#number + 1, frame);
      if (opened !== undefined) this.#number++;
      return opened;
    }
    const number = numberOf(frame);
    if (number === undefined || this.#seen.has(number)) return undefined;
    const opened = this.#open(number, frame.subarray(NUMBER_BYTES));
    if (opened !== undefined) this.#seen.add(number);
    return opened;
  }

  #open(number: number, sealed: Uint8Array): Uint8Array | undefined {
    const { primitives } = this.#options;
    const era = Math.floor(number / this.#rekeyFrames);
    const key = this.#keyOf(era);
    if (key === undefined) return undefined;
    const opened = primitives.open(key, nonce(number), NOTHING, sealed);
    if (opened !== undefined && era > this.#era) {
      this.#era = era;
      this.#lastKey = this.#key;
      this.#key = key;
      this.#nextKey = undefined;
    }
    return opened;
  }

  /** Of this era, the one before and the one after: a forged number makes no more work than that. */
  #keyOf(era: number): Uint8Array | undefined {
    if (era === this.#era) return this.#key;
    if (era === this.#era - 1) return this.#lastKey;
    if (era !== this.#era + 1) return undefined;
    this.#nextKey ??= rekeyed(this.#options.primitives, this.#key);
    return this.#nextKey;
  }
}

function writeNumber(into: Uint8Array, number: number): void {
  const view = new DataView(into.buffer, into.byteOffset);
  view.setUint32(0, Math.floor(number / 2 ** 32));
  view.setUint32(4, number % 2 ** 32);
}

/** Undefined for none, and for one that a number of ours cannot hold. */
function numberOf(frame: Uint8Array): number | undefined {
  if (frame.length < NUMBER_BYTES) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset);
  const number = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
  return Number.isSafeInteger(number) ? number : undefined;
}
