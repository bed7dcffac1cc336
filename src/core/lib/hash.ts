/**
 * A 64-bit fingerprint of a set that is kept up to date by adding and removing items (XOR of mixed items), and
 * 32 bits for each of up to `PARTS_MAX` parts of it, told apart by the id. Two members compare fingerprints to see
 * whether they know the same, and parts to see where they differ; they are no proof against an adversary.
 */

/** Parts of a set at most, a power of two. At 16,384 items one part holds 32. */
export const PARTS_MAX = 512;

export class SetHash {
  #high = 0;
  #low = 0;
  #parts: Int32Array | undefined;

  /** Adds an item, or removes one that was added: both are the same operation. */
  toggle(id: string, a: number, b: number, c: number, d: number): void {
    mixId(id);
    const part = (low >>> 0) % PARTS_MAX;
    mixNumber(a);
    mixNumber(b);
    mixNumber(c);
    mixNumber(d);
    this.#high ^= high;
    this.#low ^= low;
    this.#parts ??= new Int32Array(PARTS_MAX);
    this.#parts[part] = (this.#parts[part] as number) ^ low;
  }

  get high(): number {
    return this.#high >>> 0;
  }

  get low(): number {
    return this.#low >>> 0;
  }

  /** One hash for each of `count` parts, a power of two. Fewer parts are sums of more of them. */
  parts(count: number): number[] {
    const hashes = new Array<number>(count).fill(0);
    for (let part = 0; this.#parts !== undefined && part < PARTS_MAX; part++) {
      const folded = part % count;
      hashes[folded] = ((hashes[folded] as number) ^ (this.#parts[part] as number)) >>> 0;
    }
    return hashes;
  }

  /** Takes the value of another. */
  become(other: SetHash): void {
    this.#high = other.#high;
    this.#low = other.#low;
    this.#parts = other.#parts?.slice();
  }
}

/** Any text as an id of 16 digits, for sets whose items are no members. */
export function hashOfText(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x2545f491;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = mix(b ^ code, a);
  }
  return hex(a) + hex(b);
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}

/** The part of `count` in which the items of `id` are. */
export function partOf(id: string, count: number): number {
  mixId(id);
  return (low >>> 0) % count;
}

/** Items in one part, about: what one difference costs. */
const PART_SIZE = 32;

/** Into how many parts a set of so many items is cut. */
export function partCount(items: number): number {
  let count = 1;
  while (count < PARTS_MAX && count * PART_SIZE < items) count *= 2;
  return count;
}

/** Whether a set can be cut into so many parts. */
export function isPartCount(count: number): boolean {
  return count >= 1 && count <= PARTS_MAX && (count & (count - 1)) === 0;
}

/** The rendezvous weight of `id` for `subject`: whoever knows both agrees on it. */
export function weightOf(id: string, subject: string): number {
  mixId(id);
  const [idHigh, idLow] = [high, low];
  mixId(subject);
  return mix(high ^ idHigh, low + idLow) >>> 0;
}

// The two halves of the item being mixed: plain variables, for this runs for every change of every member.
let high = 0;
let low = 0;

function mixId(id: string): void {
  high = 0x2545f491;
  low = 0x9e3779b9;
  for (let i = 0; i < id.length; i += 8) {
    let word = 0;
    for (let j = i; j < i + 8; j++) {
      const code = id.charCodeAt(j);
      word = (word << 4) | (code < 58 ? code - 48 : code - 87);
    }
    high = mix(high ^ word, low);
    low = mix(low + word, high);
  }
}

function mixNumber(value: number): void {
  high = mix(high ^ (value | 0), low);
  low = mix(low + Math.floor(value / 2 ** 32), high);
}

function mix(a: number, b: number): number {
  let x = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ b;
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) | 0;
}
