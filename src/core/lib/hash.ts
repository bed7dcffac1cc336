/**
 * A 64-bit fingerprint of a set that is kept up to date by adding and removing items (XOR of mixed items).
 * Two members compare fingerprints to see whether they know the same; they are no proof against an adversary.
 */

export class SetHash {
  #high = 0;
  #low = 0;

  /** Adds an item, or removes one that was added: both are the same operation. */
  toggle(id: string, a: number, b: number, c: number, d: number): void {
    let high = 0x2545f491;
    let low = 0x9e3779b9;
    for (let i = 0; i < id.length; i += 8) {
      const word = Number.parseInt(id.slice(i, i + 8), 16) | 0;
      high = mix(high ^ word, low);
      low = mix(low + word, high);
    }
    for (const value of [a, b, c, d]) {
      high = mix(high ^ (value | 0), low);
      low = mix(low + Math.floor(value / 2 ** 32), high);
    }
    this.#high ^= high;
    this.#low ^= low;
  }

  get high(): number {
    return this.#high >>> 0;
  }

  get low(): number {
    return this.#low >>> 0;
  }
}

function mix(a: number, b: number): number {
  let x = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ b;
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) | 0;
}
