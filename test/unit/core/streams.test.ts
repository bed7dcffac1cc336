import { describe, expect, test } from "vitest";
import { frameCodec } from "../../../src/core/wire/codec.ts";
import {
  FRAME_BYTES_MAX,
  HOPS_MAX,
  STREAM_PIECE_BYTES_MAX,
} from "../../../src/core/wire/messages.ts";
import { patterned } from "../../../src/testing/expectations.ts";
import { StreamBench } from "./stream-bench.ts";
import { memberId } from "./support.ts";

describe("a stream", () => {
  test("is offered, taken, written at both ends and done", () => {
    const bench = new StreamBench();
    const { a, b } = bench.opened();
    const [there, back] = [patterned(100_001, 1), patterned(17, 2)];
    bench.a.streams.write(a, there);
    bench.a.streams.end(a);
    bench.b.streams.write(b, back);
    bench.b.streams.end(b);
    bench.until("done", () => bench.a.whats().includes("closed: done"));
    bench.until("done", () => bench.b.whats().includes("closed: done"));
    expect(Buffer.compare(bench.b.bytes(b), there)).toBe(0);
    expect(bench.a.bytes(a)).toEqual(back);
    expect(bench.a.streams.count + bench.b.streams.count).toBe(0);
    expect(bench.carriedBytes).toBe(there.length + back.length);
    expect(bench.a.deadlines.size + bench.b.deadlines.size).toBe(0);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "arrives whole when much is lost, doubled and overtaken (seed %i)",
    (seed) => {
      const bench = new StreamBench(seed);
      const { a, b } = bench.opened();
      Object.assign(bench, { loss: 0.15, again: 0.1, overtaken: 0.3 });
      const bytes = patterned(600_007, seed);
      bench.write(bench.a, a, bytes, 10_000 + seed * 1_711);
      bench.a.streams.end(a);
      bench.b.streams.end(b);
      bench.until("done", () => bench.b.whats().includes("closed: done"), 600_000);
      bench.until("done", () => bench.a.whats().includes("closed: done"), 600_000);
      expect(Buffer.compare(bench.b.bytes(b), bytes)).toBe(0);
      expect(bench.a.streams.stats.resentBytes).toBeGreaterThan(0);
      expect(bench.b.streams.stats.rejected + bench.a.streams.stats.rejected).toBe(0);
    },
  );

  test("goes on where it was when its way was cut for a while", () => {
    const bench = new StreamBench();
    const { a, b } = bench.opened();
    const bytes = patterned(300_000, 1);
    bench.write(bench.a, a, bytes);
    bench.a.streams.end(a);
    bench.run(2);
    bench.isCut = true;
    bench.run(9_000);
    bench.isCut = false;
    bench.until("all", () => bench.b.whats().includes("ended"), 20_000);
    expect(Buffer.compare(bench.b.bytes(b), bytes)).toBe(0);
  });

  test("who does not read stops who writes, within the first window; it goes on when it reads", () => {
    const bench = new StreamBench();
    bench.b.reads = false;
    const { a, b } = bench.opened();
    for (let i = 0; i < 100 && bench.a.writableTo > i * 60_000; i++) {
      bench.a.streams.write(a, new Uint8Array(60_000));
    }
    bench.run(10_000);
    const came = bench.b.bytes(b).length;
    expect(came).toBeGreaterThan(100_000);
    expect(came).toBeLessThanOrEqual(262_144);
    bench.b.streams.read(b, came);
    bench.until("more", () => bench.b.bytes(b).length > came);
  });

  test("the window grows with a long way, and not above its bound", () => {
    const bench = new StreamBench(1, { streamWindowBytesMax: 1_048_576 });
    const { a, b } = bench.opened();
    Object.assign(bench, { overtaken: 0 });
    let most = 0;
    for (let at = 0; at < 8_000_000; at += 40_000) {
      bench.until("room", () => bench.a.writableTo > at);
      bench.a.streams.write(a, new Uint8Array(40_000));
      most = Math.max(most, bench.a.writableTo - bench.b.bytesCount(b));
    }
    expect(most).toBeGreaterThan(400_000);
    expect(most).toBeLessThanOrEqual(1_048_576 + 131_072 + 200_000);
  });

  test("streams take turns", () => {
    const bench = new StreamBench();
    const first = bench.opened(1);
    const second = bench.opened(2);
    bench.a.streams.write(first.a, new Uint8Array(160_000));
    bench.a.streams.write(second.a, new Uint8Array(160_000));
    bench.run(15);
    const counts = [first, second].map(({ b }) => bench.b.bytesCount(b));
    expect(Math.abs((counts[0] ?? 0) - (counts[1] ?? 0))).toBeLessThanOrEqual(16_000);
    expect(counts[0]).toBeGreaterThan(0);
  });

  test("either end aborts, and the other learns why, also when that was lost", () => {
    for (const loss of [0, 1]) {
      const bench = new StreamBench();
      const { a, b } = bench.opened();
      bench.loss = loss;
      bench.b.streams.abort(b, "the disk is full");
      bench.run(1);
      bench.loss = 0;
      bench.a.streams.write(a, new Uint8Array(10));
      bench.until("told", () => bench.a.told.at(-1)?.what === "closed", 10_000);
      expect(bench.a.told.at(-1)).toMatchObject({
        outcome: "aborted",
        message: "the disk is full",
      });
      expect(bench.b.whats(b)).not.toContain("closed: aborted");
    }
  });

  test("nobody takes it: refused after streamTakeMs", () => {
    const bench = new StreamBench();
    bench.a.streams.open(1, bench.b.id, "name");
    const ms = bench.until("refused", () => bench.a.whats().includes("closed: refused"));
    expect(ms).toBeGreaterThanOrEqual(5_000);
    expect(ms).toBeLessThan(6_000);
    expect(bench.b.whats()).toEqual(["offered", "closed: refused"]);
  });

  test("the other end is not heard of any more: gone after streamSilenceMs, at both", () => {
    const bench = new StreamBench();
    const { a } = bench.opened();
    bench.isCut = true;
    bench.a.streams.write(a, new Uint8Array(10));
    const ms = bench.until("gone", () => bench.a.whats().includes("closed: gone"));
    expect(ms).toBeGreaterThan(29_000);
    expect(ms).toBeLessThan(31_000);
    bench.until("gone", () => bench.b.whats().includes("closed: gone"), 6_000);
  });

  test("an idle stream stays, and costs a question each 5 s", () => {
    const bench = new StreamBench();
    const { a } = bench.opened();
    bench.run(120_000);
    bench.a.streams.write(a, new Uint8Array(10));
    bench.a.streams.end(a);
    bench.until("ended", () => bench.b.whats().includes("ended"));
  });

  test("what ended because the other end was gone is not begun anew by an open that comes late", () => {
    const { b } = new StreamBench();
    const open = {
      type: "streamOpen",
      generation: 1,
      number: 1,
      name: "n",
      window: 1_000,
    } as const;
    b.streams.onMessage(memberId(1), open);
    b.streams.gone(memberId(1));
    b.streams.onMessage(memberId(1), open);
    expect(b.whats()).toEqual(["offered", "closed: gone"]);
  });

  test("a member that is gone ends all its streams", () => {
    const bench = new StreamBench();
    bench.opened(1);
    bench.opened(2);
    bench.a.streams.gone(bench.b.id);
    expect(bench.a.whats().filter((what) => what === "closed: gone").length).toBe(2);
    bench.until("the other end asks, and learns it", () => bench.b.streams.count === 0, 10_000);
  });
});

test("a piece fits into one frame over the longest way", () => {
  const path = Array.from({ length: HOPS_MAX }, (_, i) => memberId(i));
  const inner = {
    type: "streamData",
    generation: 2 ** 45,
    number: 2 ** 40,
    ours: true,
    offset: 2 ** 50,
    kind: "pause",
    bytes: new Uint8Array(STREAM_PIECE_BYTES_MAX),
  } as const;
  const codec = frameCodec(7);
  const sealed = {
    type: "sealed",
    turn: "piece",
    from: 1,
    to: 2,
    number: Number.MAX_SAFE_INTEGER,
    bytes: new Uint8Array(codec.encodeInner(inner).length + 16),
  } as const;
  const routed = {
    type: "routed",
    from: memberId(99),
    path,
    hop: HOPS_MAX,
    inner: sealed,
  } as const;
  expect(codec.encode(routed).length).toBeLessThanOrEqual(FRAME_BYTES_MAX);
});

describe("hostile", () => {
  const ofA = { generation: 1, number: 1, ours: true };
  const piece = (offset: number, length: number, kind: "more" | "pause" | "end" = "more") =>
    ({ type: "streamData", ...ofA, offset, kind, bytes: new Uint8Array(length) }) as const;

  test("what was not granted, forged ends and acknowledgements change nothing and are counted", () => {
    const bench = new StreamBench(1, { streamWindowBytesMax: 262_144 });
    const { a, b } = bench.opened();
    bench.b.reads = false;
    const before = bench.b.told.length;
    const { streams } = bench.b;
    const bad = [
      piece(262_144, 1),
      piece(Number.MAX_SAFE_INTEGER - 5, 1),
      { type: "streamAck", ...ofA, received: 1, consumed: 0, window: 1e9 },
      { type: "streamAck", ...ofA, received: 0, consumed: 1, window: 1e9 },
    ] as const;
    for (const message of bad) streams.onMessage(bench.a.id, message);
    expect(streams.stats.rejected).toBe(bad.length);
    expect(bench.b.told.length).toBe(before);
    streams.onMessage(bench.a.id, piece(0, 1_000));
    streams.onMessage(bench.a.id, piece(500, 100, "end"));
    streams.onMessage(bench.a.id, piece(2_000, 100, "end"));
    streams.onMessage(bench.a.id, piece(2_000, 200));
    streams.onMessage(bench.a.id, piece(1_000, 50, "end"));
    expect(streams.stats.rejected).toBe(bad.length + 3);
    expect(bench.b.whats(b)).not.toContain("ended");
    bench.a.streams.abort(a, "");
  });

  test("pieces that never join stay within the window", () => {
    const bench = new StreamBench(1, { streamWindowBytesMax: 262_144 });
    bench.opened();
    for (let offset = 1; offset < 100_000; offset += 10) {
      bench.b.streams.onMessage(bench.a.id, piece(offset, 16_000));
    }
    // 16 of the largest fill the window.
    expect(bench.b.streams.stats.rejected).toBeGreaterThan(9_900);
  });

  test("what belongs to no stream is answered once, and an abort by nothing", () => {
    const bench = new StreamBench();
    const { streams } = bench.b;
    streams.onMessage(bench.a.id, piece(0, 10));
    streams.onMessage(bench.a.id, {
      type: "streamAck",
      ...ofA,
      received: 0,
      consumed: 0,
      window: 1,
    });
    streams.onMessage(bench.a.id, { type: "streamAbort", ...ofA, reason: "unknown", message: "" });
    expect(streams.stats.rejected).toBe(2);
    bench.run(1_000);
    // Its answers say that there is no such stream: the other end rejects nothing for it.
    expect(bench.a.streams.stats.rejected).toBe(0);
    expect(bench.a.told).toEqual([]);
  });

  test("a flood of opens is bounded for each peer and in all", () => {
    const bench = new StreamBench(1, { streamsMax: 40 });
    for (const peer of [bench.a.id, "f".repeat(32)]) {
      for (let number = 1; number <= 1_000; number++) {
        const open = { type: "streamOpen", generation: 1, number, name: "n", window: 1 } as const;
        bench.b.streams.onMessage(peer, open);
      }
    }
    expect(bench.b.streams.count).toBe(40);
    expect(bench.b.told.filter(({ what }) => what === "offered").length).toBe(40);
    expect(bench.b.streams.stats.rejected).toBe(2_000 - 40);
    bench.run(6_000);
    expect(bench.b.streams.count).toBe(0);
  });

  test("only its two ends have a say in a stream", () => {
    const bench = new StreamBench();
    const { b } = bench.opened();
    const stranger = "e".repeat(32);
    bench.b.streams.onMessage(stranger, piece(0, 10));
    const abort = { type: "streamAbort", ...ofA, reason: "aborted", message: "" } as const;
    bench.b.streams.onMessage(stranger, abort);
    bench.b.streams.onMessage(bench.a.id, { ...abort, ours: false });
    expect(bench.b.whats(b)).toEqual(["offered"]);
    expect(bench.b.streams.count).toBe(1);
  });
});
