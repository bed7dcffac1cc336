/**
 * Member ids: 128 bits derived from the member's public key, as 32 lower-case hex digits in memory
 * and 16 bytes on the wire. Text order equals byte order, so "the lower id" means the same everywhere.
 */

export type MemberId = string;

export const ID_BYTES = 16;
export const ID_DIGITS = 2 * ID_BYTES;

const PATTERN = /^[0-9a-f]{32}$/;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function isMemberId(text: unknown): text is MemberId {
  return typeof text === "string" && PATTERN.test(text);
}

/**
 * Ids that were read lately, by their first bytes: the same few come again and again, to make a text is dear, and
 * one that is the same object is found at once in every map.
 */
const recent: MemberId[] = [];
const RECENT_BITS = 14;

export function idFromBytes(bytes: Uint8Array, offset = 0): MemberId {
  const slot =
    (((bytes[offset] as number) << 8) | (bytes[offset + 1] as number)) >> (16 - RECENT_BITS);
  const known = recent[slot];
  if (known !== undefined && isOf(known, bytes, offset)) return known;
  let id = "";
  for (let i = offset; i < offset + ID_BYTES; i++) id += HEX[bytes[i] as number];
  recent[slot] = id;
  return id;
}

function isOf(id: MemberId, bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < ID_BYTES; i++) if (byteOf(id, i) !== bytes[offset + i]) return false;
  return true;
}

/** Writes the 16 bytes of `id` into `target` at `offset`. */
export function idToBytes(id: MemberId, target: Uint8Array, offset = 0): void {
  for (let i = 0; i < ID_BYTES; i++) target[offset + i] = byteOf(id, i);
}

function byteOf(id: MemberId, i: number): number {
  return (nibble(id.charCodeAt(2 * i)) << 4) | nibble(id.charCodeAt(2 * i + 1));
}

function nibble(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}
