/**
 * Positional codecs from one declaration: what a message holds, in which order and within which limits.
 * Writer, reader and TypeScript type come from the same line, so that they cannot disagree.
 */

import type { Reader, Writer } from "../lib/bytes.ts";

export interface Codec<T> {
  write(w: Writer, value: T): void;
  /** Total: on bad input the reader is failed and the value means nothing. */
  read(r: Reader): T;
}

export type Infer<C> = C extends Codec<infer T> ? T : never;

export const uint8: Codec<number> = {
  write: (w, value) => w.uint8(value),
  read: (r) => r.uint8(),
};

export const uint32: Codec<number> = {
  write: (w, value) => w.uint32(value),
  read: (r) => r.uint32(),
};

/** A whole number, 0 … 2⁵³ − 1. */
export const varint: Codec<number> = {
  write: (w, value) => w.varint(value),
  read: (r) => r.varint(),
};

export const boolean: Codec<boolean> = {
  write: (w, value) => w.uint8(value ? 1 : 0),
  read: (r) => {
    const byte = r.uint8();
    if (byte > 1) r.fail();
    return byte === 1;
  },
};

export const id: Codec<string> = {
  write: (w, value) => w.id(value),
  read: (r) => r.id(),
};

export function string(bytesMax: number): Codec<string> {
  return { write: (w, value) => w.string(value), read: (r) => r.string(bytesMax) };
}

export function bytes(lengthMax: number): Codec<Uint8Array> {
  return { write: (w, value) => w.bytes(value), read: (r) => r.bytes(lengthMax) };
}

/** Everything up to the end of the frame. */
export const rest: Codec<Uint8Array> = {
  write: (w, value) => w.raw(value),
  read: (r) => r.raw(r.remaining),
};

/** One of a closed list of words, as one byte. */
export function oneOf<const W extends readonly string[]>(words: W): Codec<W[number]> {
  return {
    write: (w, value) => w.uint8(words.indexOf(value)),
    read: (r) => {
      const word = words[r.uint8()];
      if (word === undefined) r.fail();
      return word ?? (words[0] as string);
    },
  };
}

/** Up to `countMax` items. Each item takes at least a byte, so a length that lies is seen before it allocates. */
export function list<T>(item: Codec<T>, countMax: number): Codec<readonly T[]> {
  return {
    write: (w, value) => {
      w.varint(value.length);
      for (const one of value) item.write(w, one);
    },
    read: (r) => {
      const count = r.varint();
      if (count > countMax || count > r.remaining) r.fail();
      const items: T[] = [];
      for (let i = 0; i < count && !r.failed; i++) items.push(item.read(r));
      return items;
    },
  };
}

export function optional<T>(inner: Codec<T>): Codec<T | undefined> {
  return {
    write: (w, value) => {
      w.uint8(value === undefined ? 0 : 1);
      if (value !== undefined) inner.write(w, value);
    },
    read: (r) => (boolean.read(r) ? inner.read(r) : undefined),
  };
}

/** What was read lately is kept in so many places, a power of two, and only when it is short. */
const RECENT = 16_384;
const RECENT_BYTES_MAX = 512;

/**
 * What is passed on as it came, to one after another: its bytes are kept beside it. It also comes from one after
 * another: what came lately is known by its bytes and not made again. They differ in the first two.
 */
export function remembered<T extends object>(codec: Codec<T>): Codec<T> {
  const encoded = new WeakMap<T, Uint8Array>();
  const recent: { readonly value: T; readonly bytes: Uint8Array }[] = [];
  const read = (r: Reader, slot: number): T => {
    const from = r.offset;
    const value = codec.read(r);
    if (r.failed || r.offset - from > RECENT_BYTES_MAX) return value;
    const bytes = r.since(from);
    encoded.set(value, bytes);
    recent[slot] = { value, bytes };
    return value;
  };
  return {
    write: (w, value) => {
      const known = encoded.get(value);
      if (known !== undefined) return w.raw(known);
      const from = w.length;
      codec.write(w, value);
      encoded.set(value, w.take(from));
    },
    read: (r) => {
      const slot = r.peekUint16() % RECENT;
      const known = recent[slot];
      return known !== undefined && r.skip(known.bytes) ? known.value : read(r, slot);
    },
  };
}

type Fields = Readonly<Record<string, Codec<never> | Codec<unknown>>>;
/** What may be absent may also be left out. */
type Absent<F> = { [K in keyof F]: undefined extends Infer<F[K]> ? K : never }[keyof F];
type Struct<F> = { readonly [K in Exclude<keyof F, Absent<F>>]: Infer<F[K]> } & {
  readonly [K in Absent<F>]?: Infer<F[K]>;
};

/** The fields in the order of their declaration. */
export function struct<const F extends Fields>(fields: F): Codec<Struct<F>> {
  const entries = Object.entries(fields) as [string, Codec<unknown>][];
  return {
    write: (w, value) => {
      const record = value as Record<string, unknown>;
      for (const [name, codec] of entries) codec.write(w, record[name]);
    },
    read: (r) => {
      const record: Record<string, unknown> = {};
      for (const [name, codec] of entries) {
        record[name] = codec.read(r);
        if (r.failed) break;
      }
      return record as Struct<F>;
    },
  };
}

type Variants = Readonly<Record<string, Codec<never> | Codec<unknown>>>;
/** One of the variants, told apart by `type`. */
export type Tagged<V> = {
  [K in keyof V & string]: Readonly<{ type: K } & Infer<V[K]>>;
}[keyof V & string];

/**
 * A union told apart by `type`. On the wire: one byte, the variant's place in the declaration, so variants are
 * only ever added at the end within one major version.
 */
export function union<const V extends Variants>(variants: V): Codec<Tagged<V>> {
  const names = Object.keys(variants);
  const codecs = Object.values(variants) as Codec<unknown>[];
  const places = new Map(names.map((name, place) => [name, place]));
  return {
    write: (w, value) => {
      const place = places.get(value.type) as number;
      w.uint8(place);
      (codecs[place] as Codec<unknown>).write(w, value);
    },
    read: (r) => {
      const place = r.uint8();
      const codec = codecs[place];
      if (codec === undefined) {
        r.fail();
        return undefined as never;
      }
      const value = codec.read(r) as Record<string, unknown>;
      value["type"] = names[place];
      return value as Tagged<V>;
    },
  };
}
