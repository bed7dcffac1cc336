/**
 * The user's values on the wire: MessagePack, with limits, so that a header that lies allocates nothing.
 * `undefined` as a whole value travels as no bytes at all.
 */

import { Decoder, Encoder, ExtensionCodec } from "@msgpack/msgpack";
import { HearsayError } from "../errors.ts";
import { isWellFormed } from "./well-formed.ts";

/** Maps and arrays within each other. More is refused on both ends. */
const DEPTH_MAX = 64;

/** Items of one array or map. A length that lies is refused before it allocates. */
const ITEMS_MAX = 1_000_000;

const EMPTY = new Uint8Array(0);

/** Asked about every object before it is encoded: refuses what would arrive as something else, or not at all. */
class StrictCodec extends ExtensionCodec {
  override tryToEncode(
    object: unknown,
    context: undefined,
  ): ReturnType<ExtensionCodec["tryToEncode"]> {
    if (typeof object === "object" && object !== null) refuseLossy(object);
    return super.tryToEncode(object, context);
  }
}

const CODEC = new StrictCodec();

function refuseLossy(object: object): void {
  if (Array.isArray(object) || ArrayBuffer.isView(object) || object instanceof Date) return;
  if (Object.hasOwn(object, "__proto__")) throw new TypeError("a key must not be __proto__");
  const prototype = Object.getPrototypeOf(object);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  // A Map, a Set, an ArrayBuffer, a Promise would arrive as an empty object.
  if (!isPlain && Object.keys(object).length === 0) {
    throw new TypeError(`a ${prototype.constructor?.name} has nothing that can be sent`);
  }
}

/** @throws HearsayError `value:unsupported` or `value:too-large` */
export function encodeValue(value: unknown, bytesMax: number): Uint8Array {
  if (value === undefined) return EMPTY;
  let bytes: Uint8Array;
  try {
    const encoder = new Encoder({
      extensionCodec: CODEC,
      maxDepth: DEPTH_MAX,
      initialBufferSize: 128,
    });
    bytes = encoder.encode(value);
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
  if (!isWellFormed(bytes, DEPTH_MAX)) return { ok: false, reason: "no value, or one too deep" };
  try {
    const decoder = new Decoder({
      maxStrLength: bytes.length,
      maxBinLength: bytes.length,
      maxExtLength: bytes.length,
      maxArrayLength: Math.min(bytes.length, ITEMS_MAX),
      maxMapLength: Math.min(bytes.length, ITEMS_MAX),
    });
    return { ok: true, value: decoder.decode(bytes) };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
