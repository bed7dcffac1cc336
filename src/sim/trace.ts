/** A 64-bit hash of everything that happens: two runs with equal hashes were the same run. */

import type { Input } from "../core/machine.ts";

const INPUTS: readonly Input["type"][] = [
  "packet",
  "linkUp",
  "linkDown",
  "connectFailed",
  "writable",
  "signal",
  "seedUp",
  "seedPacket",
  "seedGone",
  "seedDown",
  "deadline",
  "resumed",
  "command",
  "online",
  "clock",
  "restored",
  "signed",
  "verified",
  "attach",
  "stored",
];
const INPUT_CODES: Readonly<Record<string, number>> = Object.fromEntries(
  INPUTS.map((type, code) => [type, code]),
);
export const SENT_CODE = 128;

/** What stands for an input in the hash. */
export function codeOf({ type }: Input): number {
  return INPUT_CODES[type] ?? INPUTS.length;
}

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);

export class Trace {
  #high = 0x811c9dc5;
  #low = 0x2545f491;

  add(at: number, member: number, what: number, size: number): void {
    float[0] = at;
    this.#mix(words[0] as number);
    this.#mix(words[1] as number);
    this.#mix((member << 8) ^ what);
    this.#mix(size);
  }

  get hash(): string {
    return hex(this.#high) + hex(this.#low);
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193);
    this.#high = Math.imul((this.#high ^ (this.#low >>> 15)) + value, 0x85ebca6b);
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
