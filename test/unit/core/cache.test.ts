import fc from "fast-check";
import { expect, test } from "vitest";
import { type Payload, PayloadCache } from "../../../src/core/broadcast/cache.ts";
import { configOf, memberId } from "./support.ts";

const KEEP_BYTES = 65_536;
const OVERHEAD = 128;
const config = configOf({ payloadKeepMs: 1_000, payloadKeepBytes: KEEP_BYTES });

function payload(sequence: number, bytes: number): Payload {
  const id = { origin: memberId(2), generation: 1, sequence };
  return { type: "payload", id, hop: 0, flood: false, name: "n", value: new Uint8Array(bytes) };
}

test("what is kept is found by its whole id", () => {
  const cache = new PayloadCache(config);
  const kept = payload(1, 10);
  cache.add(kept, 0);
  expect(cache.get(kept.id)).toBe(kept);
  const others = [{ origin: memberId(3) }, { generation: 2 }, { sequence: 2 }];
  for (const other of others) expect(cache.get({ ...kept.id, ...other })).toBeUndefined();
});

test("the oldest makes room by bytes, and by time", () => {
  const cache = new PayloadCache(config);
  const half = payload(1, KEEP_BYTES / 2 - OVERHEAD);
  const otherHalf = payload(2, KEEP_BYTES / 2 - OVERHEAD);
  cache.add(half, 0);
  cache.add(otherHalf, 500);
  expect([cache.get(half.id), cache.get(otherHalf.id)]).toEqual([half, otherHalf]);
  cache.add(payload(3, 0), 600);
  expect([cache.get(half.id), cache.get(otherHalf.id)]).toEqual([undefined, otherHalf]);
  cache.add(payload(4, 0), 1_501);
  expect(cache.get(otherHalf.id)).toBeUndefined();
});

test("one that is larger than all room is not kept", () => {
  const cache = new PayloadCache(config);
  const large = payload(1, KEEP_BYTES);
  cache.add(large, 0);
  expect(cache.get(large.id)).toBeUndefined();
  expect(cache.expire(0)).toBe(Number.POSITIVE_INFINITY);
});

test("the next look is due when the oldest is too old, and takes it out", () => {
  const cache = new PayloadCache(config);
  cache.add(payload(1, 1), 0);
  cache.add(payload(2, 1), 300);
  const next = cache.expire(0);
  expect(next).toBe(1_001);
  expect(cache.expire(next)).toBe(1_301);
  expect(cache.get(payload(1, 1).id)).toBeUndefined();
  expect(cache.expire(1_301)).toBe(Number.POSITIVE_INFINITY);
});

test("at any fraction of time the look that is due takes something out", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e10, noNaN: true }), (at) => {
      const cache = new PayloadCache(config);
      cache.add(payload(1, 1), at);
      expect(cache.expire(cache.expire(at))).toBe(Number.POSITIVE_INFINITY);
    }),
    { numRuns: 5_000 },
  );
});
