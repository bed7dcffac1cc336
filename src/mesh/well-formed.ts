/**
 * A look at MessagePack before it is decoded. The decoder makes room for what a header announces, so headers within
 * each other that all lie would cost a process its memory. Here every item must be there, and nothing is made.
 */

/** Items with a fixed number of bytes, then how many of the last of these tell a length: 0xc0 … 0xdf. */
const SIZES: readonly (readonly [bytes: number, lengthBytes: number])[] = [
  ...pairs([1, 0], [0, 0], [1, 0], [1, 0]), // nil, never used, false, true
  ...pairs([2, 1], [3, 2], [5, 4]), // bytes
  ...pairs([2, 1], [3, 2], [5, 4]), // extensions: their type comes behind the length
  ...pairs([5, 0], [9, 0]), // floats
  ...pairs([2, 0], [3, 0], [5, 0], [9, 0]), // unsigned
  ...pairs([2, 0], [3, 0], [5, 0], [9, 0]), // signed
  ...pairs([3, 0], [4, 0], [6, 0], [10, 0], [18, 0]), // extensions of fixed length
  ...pairs([2, 1], [3, 2], [5, 4]), // texts
  ...pairs([3, 2], [5, 4]), // arrays
  ...pairs([3, 2], [5, 4]), // maps
];

function pairs(...all: [bytes: number, lengthBytes: number][]): [number, number][] {
  return all;
}

/** Whether `bytes` are one value, whole and with nothing behind it, at most `depthMax` lists within each other. */
export function isWellFormed(bytes: Uint8Array, depthMax: number): boolean {
  /** How many items are still to come, in the list that is open and in those around it. */
  let left = 1;
  const around: number[] = [];
  let offset = 0;
  for (;;) {
    while (left === 0) {
      const outer = around.pop();
      if (outer === undefined) return offset === bytes.length;
      left = outer;
    }
    left--;
    const head = bytes[offset];
    if (head === undefined) return false;
    let size = 1;
    let items = 0;
    if (head >= 0x80 && head < 0x90) items = 2 * (head & 0x0f);
    else if (head >= 0x90 && head < 0xa0) items = head & 0x0f;
    else if (head >= 0xa0 && head < 0xc0) size += head & 0x1f;
    else if (head >= 0xc0 && head < 0xe0) {
      const [fixed, lengthBytes] = SIZES[head - 0xc0] ?? [0, 0];
      if (fixed === 0) return false;
      let length = 0;
      for (let i = 1; i <= lengthBytes; i++) length = length * 256 + (bytes[offset + i] ?? 0);
      size = fixed;
      if (head >= 0xde) items = 2 * length;
      else if (head >= 0xdc) items = length;
      else size += length + (head >= 0xc7 && head <= 0xc9 ? 1 : 0);
    }
    offset += size;
    // Each item takes a byte at least.
    if (offset > bytes.length || items > bytes.length - offset) return false;
    if (items === 0) continue;
    if (around.length >= depthMax) return false;
    around.push(left);
    left = items;
  }
}
