/**
 * Member ids: 128 bits derived from the member's public key, as 32 lower-case hex digits in memory
 * and 16 bytes on the wire. Text order equals byte order, so "the lower id" means the same everywhere.
 */

export type MemberId = string;

export const ID_BYTES = 16;

const PATTERN = /^[0-9a-f]{32}$/;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function isMemberId(text: unknown): text is MemberId {
  return typeof text === "string" && PATTERN.test(text);
}

export function idFromBytes(bytes: Uint8Array, offset = 0): MemberId {
  let id = "";
  for (let i = offset; i < offset + ID_BYTES; i++) id += HEX[bytes[i] as number];
  return id;
}

/** Writes the 16 bytes of `id` into `target` at `offset`. */
export function idToBytes(id: MemberId, target: Uint8Array, offset = 0): void {
  for (let i = 0; i < ID_BYTES; i++) {
    target[offset + i] = (nibble(id.charCodeAt(2 * i)) << 4) | nibble(id.charCodeAt(2 * i + 1));
  }
}

function nibble(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}
