/** Values with a checksum, of the key too: in stores that do not look by themselves whether a bit has turned. */

import { crc32 } from "node:zlib";

const SUM_BYTES = 4;

/** Big-endian, so that bytes are in the order of code units. */
export function keyBytes(key: string): Buffer {
  return Buffer.from(key, "utf16le").swap16();
}

export function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).swap16().toString("utf16le");
}

export function summed(key: Buffer, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(SUM_BYTES + value.length);
  bytes.set(value, SUM_BYTES);
  bytes.writeUInt32LE(crc32(value, crc32(key)));
  return bytes;
}

/** Undefined when it is not what was written. */
export function unsummed(key: Uint8Array, stored: Uint8Array): Uint8Array | undefined {
  const value = new Uint8Array(stored.subarray(SUM_BYTES));
  return Buffer.compare(summed(Buffer.from(key), value), stored) === 0 ? value : undefined;
}
