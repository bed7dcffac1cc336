import { isDeepStrictEqual } from "node:util";
import { ExtData, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HearsayError } from "../../src/errors.ts";
import { decodeValue, encodeValue } from "../../src/mesh/values.ts";

const MAX = 1_000_000;

function roundTrip(value: unknown): unknown {
  const decoded = decodeValue(encodeValue(value, MAX));
  if (!decoded.ok) throw new Error(decoded.reason);
  return decoded.value;
}

function roundTripOf(bytes: Uint8Array): unknown {
  const decoded = decodeValue(bytes);
  return decoded.ok ? decoded.value : decoded;
}

function codeOf(value: unknown, bytesMax = MAX): string | undefined {
  try {
    encodeValue(value, bytesMax);
  } catch (error) {
    return error instanceof HearsayError ? error.code : String(error);
  }
  return undefined;
}

function nested(depth: number): unknown {
  let value: unknown = "core";
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

/** An array header and `depth - 1` more inside of it, around nil. */
function deepBytes(depth: number): Uint8Array {
  const bytes = new Uint8Array(depth + 1).fill(0x91);
  bytes[depth] = 0xc0;
  return bytes;
}

describe("values", () => {
  test("arrive as they were", () => {
    const plain = fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.maxSafeInteger(),
      // MessagePack has one zero: −0 arrives as 0.
      fc.double().map((number) => number + 0),
      fc.string({ unit: "grapheme" }),
      fc.uint8Array(),
      fc.date({ min: new Date(0), max: new Date(8.64e15), noInvalidDate: true }),
    );
    const key = fc.string().filter((key) => key !== "__proto__");
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        plain,
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(value, (value) => {
        expect(roundTrip(value)).toEqual(value);
      }),
      { numRuns: 300 },
    );
  });

  test("undefined is no bytes as a whole, and null inside", () => {
    expect(encodeValue(undefined, 0).length).toBe(0);
    expect(decodeValue(new Uint8Array(0))).toEqual({ ok: true, value: undefined });
    expect(roundTrip({ a: undefined, b: [undefined] })).toEqual({ a: null, b: [null] });
  });

  test("dates keep their milliseconds, before 1970 too", () => {
    for (const ms of [0, 1, -1, 1_700_000_000_123, -62_135_596_800_001]) {
      expect(roundTrip(new Date(ms))).toEqual(new Date(ms));
    }
  });

  test("bytes arrive as a Uint8Array of their own, whatever view they were", () => {
    const buffer = Uint8Array.from([1, 2, 3, 4, 5]);
    const encoded = encodeValue(buffer.subarray(1, 3), MAX);
    const decoded = decodeValue(encoded);
    const value = decoded.ok ? decoded.value : undefined;
    expect(value).toBeInstanceOf(Uint8Array);
    expect(value).toEqual(Uint8Array.of(2, 3));
    buffer.fill(9);
    expect(value).toEqual(Uint8Array.of(2, 3));
  });

  test("the limit in bytes is exact", () => {
    expect(encodeValue("12345", 6).length).toBe(6);
    expect(codeOf("12345", 5)).toBe("value:too-large");
  });

  test("what cannot be sent is refused here, and not found out there", () => {
    const loop: unknown[] = [];
    loop.push(loop);
    for (const value of [() => 1, Symbol("s"), { a: () => 1 }, loop]) {
      expect(codeOf(value)).toBe("value:unsupported");
    }
  });

  test("64 within each other and not one more, here and there", () => {
    expect(roundTrip(nested(63))).toEqual(nested(63));
    expect(codeOf(nested(100))).toBe("value:unsupported");
    expect(decodeValue(deepBytes(64)).ok).toBe(true);
    expect(decodeValue(deepBytes(65)).ok).toBe(false);
    expect(decodeValue(deepBytes(1_000_000)).ok).toBe(false);
  });
});

describe("bytes from outside", () => {
  test("every kind of item is looked over as it is decoded", () => {
    const kinds: unknown[] = [
      [0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER],
      [-1, -32, -33, -128, -129, -32_768, -32_769, -(2 ** 31), -(2 ** 31) - 1],
      [0.5, null, true, false, new Date(1_000), new Date(1_500), new Date(-1)],
      [0, 31, 32, 255, 256, 65_535, 65_536].map((length) => "x".repeat(length)),
      [0, 255, 256, 65_535, 65_536].map((length) => new Uint8Array(length)),
      [0, 15, 16, 65_535, 65_536].map((length) => new Array(length).fill(1)),
      [0, 15, 16, 65_535, 65_536].map((length) =>
        Object.fromEntries(Array.from({ length }, (_, i) => [`k${i}`, i])),
      ),
    ];
    for (const value of kinds) {
      expect(isDeepStrictEqual(roundTripOf(encode(value)), value)).toBe(true);
    }
    for (const length of [1, 2, 4, 8, 16, 17, 255, 256, 65_536]) {
      const bytes = encode(new ExtData(5, new Uint8Array(length)));
      expect(decodeValue(bytes).ok).toBe(true);
      expect(decodeValue(bytes.subarray(0, -1)).ok).toBe(false);
      expect(decodeValue(Uint8Array.of(...bytes, 1)).ok).toBe(false);
    }
  });

  test("any bytes give a value or a reason", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const decoded = decodeValue(bytes);
        if (!decoded.ok) expect(decoded.reason).not.toBe("");
      }),
      { numRuns: 5_000 },
    );
  });

  test("a key __proto__ changes no prototype", () => {
    const bytes = Uint8Array.of(0x81, 0xa9, ...Buffer.from("__proto__"), 0x81, 0xa1, 0x78, 0x01);
    expect(decodeValue(bytes).ok).toBe(false);
    expect(({} as { x?: number }).x).toBeUndefined();
    const ctor = encode({ constructor: { prototype: { x: 1 } }, toString: 1 });
    expect(decodeValue(ctor).ok).toBe(true);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  const lies: [what: string, bytes: number[]][] = [
    ["an array of 4 billion", [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["a map of 4 billion", [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ["a text of 4 billion", [0xdb, 0xff, 0xff, 0xff, 0xff]],
    ["bytes of 4 billion", [0xc6, 0xff, 0xff, 0xff, 0xff]],
    ["an extension of 4 billion", [0xc9, 0xff, 0xff, 0xff, 0xff, 1]],
    ["an array of one more than there is", [0x93, 1, 2]],
    ["a map without its last value", [0x81, 0xa1, 0x61]],
    ["something behind the value", [1, 1]],
    ["a byte that means nothing", [0xc1]],
    ["a date that is none", [0xd6, 0xff, 1]],
    ["a date of an impossible length", [0xc7, 3, 0xff, 1, 2, 3]],
  ];
  for (const [what, bytes] of lies) {
    test(`${what} is refused`, () => {
      expect(decodeValue(Uint8Array.from(bytes)).ok).toBe(false);
    });
  }

  test("lengths that lie within each other allocate nothing", () => {
    // 60 arrays within each other, each of which says that it has as many items as the whole has bytes.
    const size = 1_000_000;
    const bytes = new Uint8Array(size).fill(0xc0);
    for (let i = 0; i < 60; i++) bytes.set([0xdd, 0, 0x0f, 0x42, 0x40 - 1], 5 * i);
    const before = process.memoryUsage().heapTotal;
    expect(decodeValue(bytes).ok).toBe(false);
    expect(process.memoryUsage().heapTotal - before).toBeLessThan(100_000_000);
  });
});
