import { expect, test } from "vitest";
import { Bench, HIGH } from "./link-bench.ts";

/** Told apart by its first byte. */
const message = (kind: number): Uint8Array => new Uint8Array(16_000).fill(kind);

test("what is queued, passed on, ahead and made take turns, however much there is of one", () => {
  const bench = new Bench({ windowBytes: 32_768, windowBytesMax: 32_768 });
  bench.greet(1, HIGH);
  bench.table.writable(1, 1_000_000);
  for (let i = 0; i < 3; i++) bench.table.sendBulk(HIGH, message(0), "reliable");
  bench.forget();
  const places = ["ahead", "queue", "passing"] as const;
  for (const [kind, place] of places.entries()) {
    for (let i = 0; i < (place === "ahead" ? 40 : 4); i++) {
      bench.table.sendBulk(HIGH, message(kind + 1), "reliable", { place });
    }
  }
  for (let i = 0; i < 4; i++) bench.made.push(message(4));
  for (let i = 0; i < 16; i++) bench.leave(1, HIGH, 16_000);
  const kinds = bench.sent.map(({ bytes }) => bytes[0]);
  expect(kinds.length).toBe(16);
  for (const kind of [1, 2, 3, 4]) expect(kinds.filter((one) => one === kind).length).toBe(4);
});

test("what is passed on is bounded by itself, and takes no room from what is queued", () => {
  const limits = { streamWindowBytesMax: 65_536, queueBytesMax: 65_536 };
  const bench = new Bench({ windowBytes: 32_768, windowBytesMax: 32_768, ...limits });
  bench.greet(1, HIGH);
  bench.table.writable(1, 1_000_000);
  const taken = (place: "passing" | "queue" | "ahead"): number => {
    const all = Array.from({ length: 10 }, () =>
      bench.table.sendBulk(HIGH, message(1), "unordered", { place }),
    );
    return all.filter(Boolean).length;
  };
  // The first three go at once.
  expect(taken("passing")).toBe(3 + 4);
  expect(taken("queue")).toBe(4);
  expect(taken("ahead")).toBe(4);
});
