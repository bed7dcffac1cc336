import { expect, test } from "vitest";
import { TokenBucket } from "../../../../src/core/lib/token-bucket.ts";

/** How many of `count` are granted at `now`. */
const taken = (bucket: TokenBucket, count: number, now: number): number =>
  Array.from({ length: count }, () => bucket.take(now)).filter(Boolean).length;

test("a burst at once, then so much in a time, and never more than the burst", () => {
  const bucket = new TokenBucket(2, 5, 1_000);
  expect(taken(bucket, 10, 1_000)).toBe(5);
  expect(taken(bucket, 10, 1_499)).toBe(0);
  expect(taken(bucket, 10, 1_500)).toBe(1);
  expect(taken(bucket, 10, 3_000)).toBe(3);
  expect(taken(bucket, 10, 1_000_000)).toBe(5);
});

test("asking often does not lose what has come in between", () => {
  const bucket = new TokenBucket(1, 1, 0);
  expect(taken(bucket, 1, 0)).toBe(1);
  for (let now = 0; now < 1_000; now += 10) expect(bucket.available(now)).toBe(0);
  expect(bucket.available(1_001)).toBe(1);
});
