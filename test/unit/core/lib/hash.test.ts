import fc from "fast-check";
import { expect, test } from "vitest";
import { isPartCount, PARTS_MAX, partOf, SetHash } from "../../../../src/core/lib/hash.ts";

const number = fc.oneof(fc.nat({ max: 5 }), fc.maxSafeNat());
const item = fc.tuple(
  fc
    .uint8Array({ minLength: 16, maxLength: 16 })
    .map((bytes) => Buffer.from(bytes).toString("hex")),
  number,
  number,
  number,
  number,
);
type Item = [string, number, number, number, number];

function hashOf(items: readonly Item[]): string {
  const hash = new SetHash();
  for (const one of items) hash.toggle(...one);
  expect([hash.high, hash.low].every((half) => half >= 0 && half < 2 ** 32)).toBe(true);
  return `${hash.high} ${hash.low}`;
}

test("the order of the items makes no difference", () => {
  const shuffled = fc
    .array(item)
    .chain((items) =>
      fc.tuple(fc.constant(items), fc.shuffledSubarray(items, { minLength: items.length })),
    );
  fc.assert(
    fc.property(shuffled, ([items, other]) => {
      expect(hashOf(other)).toBe(hashOf(items));
    }),
  );
});

test("toggling twice is as if nothing had happened", () => {
  fc.assert(
    fc.property(fc.array(item), item, (items, extra) => {
      expect(hashOf([extra, ...items, extra])).toBe(hashOf(items));
    }),
  );
  expect(hashOf([])).toBe("0 0");
});

test("any difference shows in both halves, also one above 32 bits and one that only changes places", () => {
  const base: Item = ["0123456789abcdef0123456789abcdef", 1, 2, 3, 4];
  const others: Item[] = [
    ["0123456789abcdef0123456789abcdee", 1, 2, 3, 4],
    ["1123456789abcdef0123456789abcdef", 1, 2, 3, 4],
    ["89abcdef012345670123456789abcdef", 1, 2, 3, 4],
    [base[0], 1 + 2 ** 32, 2, 3, 4],
    [base[0], 1 + 2 ** 52, 2, 3, 4],
    [base[0], 2, 1, 3, 4],
    [base[0], 1, 2, 3, 5],
    [base[0], 1, 2, 4, 3],
  ];
  const hashes = [base, ...others].map((one) => hashOf([one]).split(" "));
  for (const half of [0, 1]) expect(new Set(hashes.map((hash) => hash[half])).size).toBe(9);
});

test("twenty thousand members have twenty thousand fingerprints", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 20_000; i++) {
    seen.add(hashOf([[i.toString(16).padStart(32, "0"), 1, i % 7, 0, 0]]));
  }
  expect(seen.size).toBe(20_000);
});

test("two sets differ in the parts in which their items differ, and in no other", () => {
  const counts = fc.integer({ min: 0, max: 9 }).map((bits) => 2 ** bits);
  fc.assert(
    fc.property(fc.array(item), fc.array(item, { maxLength: 3 }), counts, (items, extra, count) => {
      const parts = (all: readonly Item[]): number[] => {
        const hash = new SetHash();
        for (const one of all) hash.toggle(...one);
        return hash.parts(count);
      };
      const before = parts(items);
      const after = parts([...items, ...extra]);
      const differing = after.flatMap((hash, part) => (hash === before[part] ? [] : [part]));
      // An item that is there twice is not there.
      const odd = extra.filter(
        (one) => extra.filter((other) => String(other) === String(one)).length % 2 === 1,
      );
      const expected = new Set(odd.map(([id]) => partOf(id, count)));
      expect(differing).toEqual([...expected].sort((a, b) => a - b));
    }),
  );
});

test("parts are so many as a power of two up to the most", () => {
  const valid = Array.from({ length: 2 * PARTS_MAX + 2 }, (_, count) => count).filter(isPartCount);
  expect(valid).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
  expect([-1, 2 ** 32, 2 ** 33 + 4].filter(isPartCount)).toEqual([]);
});

test("one set takes the value of another, and goes its own way", () => {
  const hash = new SetHash();
  hash.toggle("0123456789abcdef0123456789abcdef", 1, 2, 3, 4);
  const copy = new SetHash();
  copy.become(hash);
  expect([copy.high, copy.low, copy.parts(8)]).toEqual([hash.high, hash.low, hash.parts(8)]);
  copy.toggle("ffff456789abcdef0123456789abcdef", 1, 2, 3, 4);
  expect(copy.parts(8)).not.toEqual(hash.parts(8));
});
