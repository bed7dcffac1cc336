/**
 * The seeded generator (sfc32, PractRand-clean, 128 bits of state). Forked by label, so that one layer's
 * draws never shift another's and a recorded run replays after a layer has changed.
 * Not for secrets: keys and nonces come from the host.
 */

export class Rng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(a: number, b: number, c: number) {
    this.#a = a | 0;
    this.#b = b | 0;
    this.#c = c | 0;
    for (let i = 0; i < 15; i++) this.uint32();
  }

  static fromSeed(seed: number): Rng {
    return new Rng(seed, Math.floor(seed / 2 ** 32), 0x9e3779b9);
  }

  /** An independent generator for `label`; this one does not advance. */
  fork(label: string): Rng {
    let hash = 0x811c9dc5;
    for (let i = 0; i < label.length; i++) {
      hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193);
    }
    return new Rng(this.#a ^ hash, this.#b ^ Math.imul(hash, 0x85ebca6b), this.#c ^ (hash >>> 13));
  }

  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1). */
  float(): number {
    return this.uint32() / 2 ** 32;
  }

  /** Uniform among 0 … count − 1. */
  below(count: number): number {
    return Math.floor(this.float() * count);
  }

  /** `ms` spread evenly over ± `share` of itself. */
  jitter(ms: number, share: number): number {
    return ms * (1 + share * (2 * this.float() - 1));
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }

  /** Up to `count` different items, in random order. */
  sample<T>(items: readonly T[], count: number): T[] {
    const pool = items.slice();
    const taken = Math.min(count, pool.length);
    for (let i = 0; i < taken; i++) {
      const j = i + this.below(pool.length - i);
      const other = pool[j] as T;
      pool[j] = pool[i] as T;
      pool[i] = other;
    }
    pool.length = taken;
    return pool;
  }
}
