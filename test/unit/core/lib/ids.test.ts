import fc from "fast-check";
import { expect, test } from "vitest";
import { ID_BYTES, idFromBytes, idToBytes, isMemberId } from "../../../../src/core/lib/ids.ts";

const bytes = fc.uint8Array({ minLength: ID_BYTES, maxLength: ID_BYTES });

test("an id is its bytes and back, at any offset", () => {
  fc.assert(
    fc.property(bytes, fc.nat({ max: 9 }), (bytes, offset) => {
      const id = idFromBytes(bytes);
      expect(isMemberId(id)).toBe(true);
      const target = new Uint8Array(offset + ID_BYTES + 1);
      idToBytes(id, target, offset);
      expect(target).toEqual(Uint8Array.of(...new Uint8Array(offset), ...bytes, 0));
      expect(idFromBytes(target, offset)).toBe(id);
    }),
  );
});

test("the order of the texts is the order of the bytes", () => {
  fc.assert(
    fc.property(bytes, bytes, fc.nat({ max: ID_BYTES }), (a, b, shared) => {
      b.set(a.subarray(0, shared));
      const [x, y] = [idFromBytes(a), idFromBytes(b)];
      expect(Math.sign(Number(x > y) - Number(x < y))).toBe(Buffer.compare(a, b));
    }),
  );
});

test("only 32 lower-case hex digits are an id", () => {
  const bad = [
    "",
    "0".repeat(31),
    "0".repeat(33),
    "A".repeat(32),
    "g".repeat(32),
    `${"0".repeat(32)}\n`,
    undefined,
    7,
  ];
  expect(bad.filter(isMemberId)).toEqual([]);
  expect(isMemberId("0123456789abcdef".repeat(2))).toBe(true);
});
