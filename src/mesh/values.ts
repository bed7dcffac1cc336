/**
 * The user's values on the wire: MessagePack, with limits, so that a header that lies allocates nothing.
 * `undefined` as a whole value travels as no bytes at all.
 */

import { HearsayError } from "../errors.ts";
import { pack, unpack } from "./message-pack.ts";

/** Maps and arrays within each other. More is refused on both ends. */
const DEPTH_MAX = 64;

const EMPTY = new Uint8Array(0);

/** @throws HearsayError `value:unsupported` or `value:too-large` */
export function encodeValue(value: unknown, bytesMax: number): Uint8Array {
  if (value === undefined) return EMPTY;
  let bytes: Uint8Array;
  try {
    bytes = pack(value, DEPTH_MAX);
  } catch (cause) {
    const message =
      "the value cannot be sent: use null, booleans, numbers, strings, Uint8Array, Date, arrays and plain objects, " +
      `at most ${DEPTH_MAX} deep`;
    throw new HearsayError("value:unsupported", message, { cause });
  }
  if (bytes.length > bytesMax) {
    throw new HearsayError(
      "value:too-large",
      `the value has ${bytes.length} bytes and may have ${bytesMax}: send it in parts`,
    );
  }
  return bytes;
}

export type Decoded =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string };

/** Total: any bytes give a value or the reason why not. */
export function decodeValue(bytes: Uint8Array): Decoded {
  if (bytes.length === 0) return { ok: true, value: undefined };
  try {
    return { ok: true, value: unpack(bytes, DEPTH_MAX) };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
