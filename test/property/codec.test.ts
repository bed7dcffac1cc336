// The wire, held to its promises: what is written arrives, one value has one spelling, and no bytes whatever make
// the decoder throw.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Reader, Writer } from "../../src/core/lib/bytes.ts";
import { frameCodec, type RejectReason, WIRE_VERSION } from "../../src/core/wire/codec.ts";
import type { Message } from "../../src/core/wire/messages.ts";
import { type Codec, list, optional, varint } from "../../src/core/wire/schema.ts";
import { bytes, hex, inners, messages, number, uint32 } from "../support/any-messages.ts";

const CLUSTER = 0xfedcba98;
const codec = frameCodec(CLUSTER);
const HEADER_BYTES = 5;
const REASONS: readonly RejectReason[] = ["version", "cluster", "malformed"];

const types = Object.keys(messages) as Message["type"][];

/** Cheaper than `toEqual` on bytes. */
function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function decoded(frame: Uint8Array): Message {
  const result = codec.decode(frame);
  if (!result.ok) throw new Error(`rejected: ${result.reason}`);
  return result.message;
}

describe("what is written arrives as it was, and is written again with the same bytes", () => {
  for (const type of types) {
    test(type, () => {
      fc.assert(
        fc.property(messages[type], (message) => {
          const frame = codec.encode(message);
          const arrived = decoded(frame);
          expect(arrived).toEqual(message);
          expect(hex(codec.encode(arrived))).toBe(hex(frame));
        }),
        { numRuns: 300 },
      );
    });
  }

  for (const [type, arbitrary] of Object.entries(inners)) {
    test(`${type}, through a seed`, () => {
      fc.assert(
        fc.property(arbitrary, (one) => {
          const frame = codec.encodeInner(one);
          expect(codec.decodeInner(frame)).toEqual({ ok: true, message: one });
        }),
      );
    });
  }

  test("a frame begins with the version and the cluster's hash, high byte first", () => {
    const frame = codec.encode({ type: "bye", reason: "leaving" });
    expect([...frame]).toEqual([WIRE_VERSION, 0xfe, 0xdc, 0xba, 0x98, 1, 0]);
  });

  test("what was read is a copy: the packet that it came in may go", () => {
    const message = {
      type: "fragment",
      message: 1,
      index: 0,
      count: 2,
      bytes: Uint8Array.of(1, 2),
    } as const;
    const frame = codec.encode(message);
    const arrived = decoded(frame);
    frame.fill(0xff);
    expect(arrived).toEqual(message);
  });
});

/** One way to spoil a frame. Numbers are taken modulo what there is. */
const mutation = fc.oneof(
  fc.record({ how: fc.constant("flip" as const), at: fc.nat(), bit: fc.nat({ max: 7 }) }),
  fc.record({ how: fc.constant("cut" as const), at: fc.nat() }),
  fc.record({
    how: fc.constant("extend" as const),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }),
  }),
  fc.record({
    how: fc.constant("overwrite" as const),
    at: fc.nat(),
    bytes: fc.uint8Array({ maxLength: 12 }),
  }),
  /** A number of any size in place of a byte: a length that lies, a list of millions. */
  fc.record({ how: fc.constant("number" as const), at: fc.nat(), value: number }),
  fc.record({ how: fc.constant("random" as const), bytes: fc.uint8Array({ maxLength: 60 }) }),
);
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(frame: Uint8Array, one: Mutation): Uint8Array {
  const body = frame.length - HEADER_BYTES;
  switch (one.how) {
    case "flip": {
      const copy = frame.slice();
      const at = one.at % frame.length;
      copy[at] = (copy[at] ?? 0) ^ (1 << one.bit);
      return copy;
    }
    case "cut":
      return frame.slice(0, one.at % frame.length);
    case "extend":
      return Uint8Array.of(...frame, ...one.bytes);
    case "overwrite": {
      const copy = Uint8Array.of(...frame, ...one.bytes);
      copy.set(one.bytes, one.at % frame.length);
      return copy.subarray(0, frame.length);
    }
    case "number": {
      const at = HEADER_BYTES + (one.at % body);
      const w = new Writer();
      w.varint(one.value);
      return Uint8Array.of(...frame.subarray(0, at), ...w.take(), ...frame.subarray(at + 1));
    }
    case "random":
      return Uint8Array.of(...frame.subarray(0, HEADER_BYTES), ...one.bytes);
  }
}

describe("100,000 spoilt frames: each is a message that writes the same bytes, or has a reason", () => {
  const RUNS = 100;
  const MUTATIONS = Math.ceil(100_000 / types.length / RUNS);
  const mutations = fc.array(mutation, { minLength: MUTATIONS, maxLength: MUTATIONS, size: "max" });
  let count = 0;
  let accepted = 0;

  for (const type of types) {
    test(type, () => {
      fc.assert(
        fc.property(messages[type], mutations, (message, mutations) => {
          const frame = codec.encode(message);
          for (const one of mutations) {
            const spoilt = mutate(frame, one);
            const result = codec.decode(spoilt);
            count++;
            if (result.ok) {
              accepted++;
              if (!same(codec.encode(result.message), spoilt))
                expect.fail(`two spellings: ${hex(spoilt)}`);
            } else if (!REASONS.includes(result.reason)) expect.fail(`no reason: ${result.reason}`);
            codec.decodeInner(spoilt);
          }
        }),
        { numRuns: RUNS },
      );
    });
  }

  test("so many it were, and some were messages", () => {
    expect(count).toBeGreaterThanOrEqual(100_000);
    expect(accepted).toBeGreaterThan(1_000);
  });
});

describe("strangers", () => {
  const frame = codec.encode({ type: "bye", reason: "leaving" });

  test("any other version is refused as such, whatever follows", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), bytes, (version, rest) => {
        fc.pre(version !== WIRE_VERSION);
        const expected = { ok: false, reason: "version" };
        expect(codec.decode(Uint8Array.of(version, ...rest))).toEqual(expected);
        expect(codec.decodeInner(Uint8Array.of(version, ...rest))).toEqual(expected);
      }),
    );
  });

  test("any other cluster is refused as such, whatever follows", () => {
    fc.assert(
      fc.property(uint32, bytes, (cluster, rest) => {
        fc.pre(cluster !== CLUSTER);
        const [, ...hash] = frameCodec(cluster).encode({ type: "bye", reason: "full" });
        const foreign = Uint8Array.of(WIRE_VERSION, ...hash.slice(0, 4), ...rest);
        expect(codec.decode(foreign)).toEqual({ ok: false, reason: "cluster" });
      }),
    );
  });

  test("a frame cut anywhere is malformed", () => {
    for (let length = 0; length < frame.length; length++) {
      expect(codec.decode(frame.subarray(0, length))).toEqual({ ok: false, reason: "malformed" });
    }
  });

  test("bytes behind the message are malformed", () => {
    expect(codec.decode(Uint8Array.of(...frame, 0))).toEqual({ ok: false, reason: "malformed" });
  });
});

describe("one value has one spelling", () => {
  const read = (...bytes: number[]): number | undefined => {
    const r = new Reader(Uint8Array.from(bytes));
    const value = r.varint();
    return r.failed || r.remaining > 0 ? undefined : value;
  };

  test("numbers have no padding, and end at 2⁵³ − 1", () => {
    expect(read(0)).toBe(0);
    expect(read(0x80, 0)).toBeUndefined();
    expect(read(0xff, 0x80, 0)).toBeUndefined();
    expect(read(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f)).toBe(Number.MAX_SAFE_INTEGER);
    expect(read(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10)).toBeUndefined();
    expect(read(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x8f, 0x01)).toBeUndefined();
  });

  test("what has grown beyond is told as the most that can be told", () => {
    for (const grown of [2 ** 53, 2 ** 53 + 1_000, Number.POSITIVE_INFINITY]) {
      const w = new Writer();
      w.varint(grown);
      expect(read(...w.take())).toBe(Number.MAX_SAFE_INTEGER);
    }
  });

  test("true is 1 and nothing else", () => {
    const w = new Writer();
    w.uint8(2);
    w.varint(5);
    const r = new Reader(w.take());
    optional(varint).read(r);
    expect(r.failed).toBe(true);
  });

  test("texts are UTF-8 in its shortest form", () => {
    const bad: number[][] = [
      [0xc0, 0x80],
      [0xff],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xe2, 0x82],
    ];
    for (const bytes of bad) {
      const r = new Reader(Uint8Array.of(bytes.length, ...bytes));
      expect(r.string(256)).toBe("");
      expect(r.failed).toBe(true);
    }
  });
});

describe("a length that lies", () => {
  const LIES = [6, 1_000, 4_096, 4_097, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER];

  test("in a list: not one item is read", () => {
    let reads = 0;
    const item: Codec<number> = {
      write: (w, value) => w.uint8(value),
      read: (r) => {
        reads++;
        return r.uint8();
      },
    };
    for (const count of LIES) {
      const w = new Writer();
      w.varint(count);
      w.raw(new Uint8Array(5));
      const r = new Reader(w.take());
      expect(list(item, 4_096).read(r)).toEqual([]);
      expect(r.failed).toBe(true);
    }
    expect(reads).toBe(0);
  });

  test("in bytes or a text: nothing is copied", () => {
    for (const length of LIES) {
      const w = new Writer();
      w.varint(length);
      w.raw(new Uint8Array(5));
      const bytes = new Reader(w.take());
      expect(bytes.bytes(2 ** 40).length).toBe(0);
      const text = new Reader(w.take());
      expect(text.string(2 ** 40)).toBe("");
      expect([bytes.failed, text.failed]).toEqual([true, true]);
    }
  });

  test("after a failure everything reads as nothing, and stays failed", () => {
    const r = new Reader(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    r.fail();
    expect([r.uint8(), r.uint32(), r.varint(), r.id(), r.string(9), r.bytes(9).length]).toEqual([
      0,
      0,
      0,
      "",
      "",
      0,
    ]);
    expect([r.failed, r.remaining]).toEqual([true, 0]);
  });
});
