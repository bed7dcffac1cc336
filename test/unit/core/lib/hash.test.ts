import fc from "fast-check";
import { expect, test } from "vitest";
import { SetHash } from "../../../../src/core/lib/hash.ts";

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
