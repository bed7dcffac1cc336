import { describe, expect, test } from "vitest";
import { PairKeys } from "../../../src/session/pair-keys.ts";
import { primitives as plain } from "../../../src/session/primitives.noble.ts";
import { primitives as inNode } from "../../../src/session/primitives.node.ts";

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);
const WORDS = bytes(1, 2, 3, 4);
const ABOUT = bytes(9, 9);

describe.each([
  ["Node and Node", inNode, inNode],
  ["a page and Node", plain, inNode],
  ["a page and a page", plain, plain],
])("%s", (_, ofOne, ofOther) => {
  const [one, other, third] = [ofOne, ofOther, ofOther].map((p) => new PairKeys(p)) as [
    PairKeys,
    PairKeys,
    PairKeys,
  ];

  test("each reads what the other has sealed for it, by that number and with that beside it", () => {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      const sealed = from.seal(to.publicKey, 5, ABOUT, WORDS) as Uint8Array;
      expect(sealed).toHaveLength(WORDS.length + 16);
      const open = (number: number, about: Uint8Array, changed = sealed) =>
        to.open(from.publicKey, number, about, changed);
      expect(open(5, ABOUT)).toEqual(WORDS);
      expect(open(6, ABOUT)).toBeUndefined();
      expect(open(5, bytes(9, 8))).toBeUndefined();
      expect(
        open(
          5,
          ABOUT,
          sealed.map((byte) => byte ^ 1),
        ),
      ).toBeUndefined();
      expect(open(5, ABOUT, bytes(1, 2))).toBeUndefined();
    }
  });

  test("nobody else reads it, nor its sender what is sent back to it", () => {
    const sealed = one.seal(other.publicKey, 5, ABOUT, WORDS) as Uint8Array;
    expect(third.open(one.publicKey, 5, ABOUT, sealed)).toBeUndefined();
    expect(one.open(other.publicKey, 5, ABOUT, sealed)).toBeUndefined();
    expect(other.open(third.publicKey, 5, ABOUT, sealed)).toBeUndefined();
    expect(one.seal(other.publicKey, 6, ABOUT, WORDS)).not.toEqual(sealed);
  });

  test("with what is no key, gives no secret, or is our own, nothing is sealed or opened", () => {
    for (const key of [bytes(), new Uint8Array(31), new Uint8Array(32), one.publicKey]) {
      expect(one.seal(key, 1, ABOUT, WORDS)).toBeUndefined();
      expect(one.open(key, 1, ABOUT, new Uint8Array(40))).toBeUndefined();
    }
  });
});

test("each start has a key of its own, and what was forgotten of a pair is made again", () => {
  const [one, other] = [new PairKeys(inNode), new PairKeys(inNode)];
  expect(one.publicKey).not.toEqual(other.publicKey);
  const sealed = one.seal(other.publicKey, 1, ABOUT, WORDS) as Uint8Array;
  for (let i = 0; i < 1_100; i++) {
    const key = new Uint8Array(32).fill(i & 255);
    key[0] = i >> 8;
    other.open(key, 1, ABOUT, sealed);
  }
  expect(other.open(one.publicKey, 1, ABOUT, sealed)).toEqual(WORDS);
});
