/**
 * What is said to those who come later too: it travels as any payload, and is kept for its life in what all share
 * (`shared/`), where newcomers and those who were cut off find it. So it outlives its speaker.
 */

import { BoundedMap } from "../lib/bounded-map.ts";
import { Reader, Writer } from "../lib/bytes.ts";
import { isMemberId } from "../lib/ids.ts";
import { NAME_BYTES_MAX, type PayloadId, SHARED_VALUE_BYTES_MAX } from "../wire/messages.ts";

/** Keys of this kind begin with it. */
export const LASTING = "e";

/** What a value may have to be kept, beside its name. */
export const LASTING_BYTES_MAX = SHARED_VALUE_BYTES_MAX - NAME_BYTES_MAX - 8;

export interface Words {
  readonly name: string;
  readonly value: Uint8Array;
}

/** As many as are kept in what all share. */
const LATE_MAX = 4_096;

/** What was heard late, of origins whose payloads had not begun to come: the tree must not bring it again. */
export class Late {
  readonly #ids = new BoundedMap<string, true>(LATE_MAX);

  add(id: PayloadId): void {
    this.#ids.set(keyOf(id), true);
  }

  has(id: PayloadId): boolean {
    return this.#ids.size > 0 && this.#ids.has(keyOf(id));
  }

  /** Whether it was heard so; once. */
  take(id: PayloadId): boolean {
    return this.#ids.size > 0 && this.#ids.delete(keyOf(id));
  }
}

export function keyOf({ origin, generation, sequence }: PayloadId): string {
  return `${LASTING}${origin}.${generation}.${sequence}`;
}

/** Undefined for what is no such key. */
export function idOf(key: string): PayloadId | undefined {
  const match = /^e([0-9a-f]{32})\.(\d{1,16})\.(\d{1,16})$/.exec(key);
  const [generation, sequence] = [Number(match?.[2]), Number(match?.[3])];
  const origin = match?.[1] ?? "";
  if (!isMemberId(origin) || !Number.isSafeInteger(generation) || !Number.isSafeInteger(sequence)) {
    return undefined;
  }
  return { origin, generation, sequence };
}

export function encodeWords({ name, value }: Words): Uint8Array {
  const writer = new Writer();
  writer.string(name);
  writer.raw(value);
  return writer.take();
}

/** Undefined for bytes that are none. */
export function decodeWords(bytes: Uint8Array): Words | undefined {
  const reader = new Reader(bytes);
  const name = reader.string(NAME_BYTES_MAX);
  const value = reader.raw(reader.remaining);
  return reader.failed ? undefined : { name, value };
}
