// Which lane a message takes, at the sizes where that changes.
import { describe, expect, test } from "vitest";
import { Deadlines } from "../../../src/core/lib/deadlines.ts";
import { Gossip } from "../../../src/core/membership/gossip.ts";
import {
  DATAGRAM_BYTES_MAX,
  FRAME_BYTES_MAX,
  type Message,
} from "../../../src/core/wire/messages.ts";
import { DATAGRAM_BYTES_MAX as TRANSPORT_MAX } from "../../../src/transport/transport.ts";
import { Bench, codec, HIGH } from "./link-bench.ts";
import { configOf, memberId, opinionOf } from "./support.ts";

const HUGE = Number.MAX_SAFE_INTEGER;

/** A payload whose frame has so many bytes. */
function framed(size: number): Uint8Array {
  const message = (bytes: number): Message => ({
    type: "payload",
    id: { origin: HIGH, generation: 1, sequence: 1 },
    hop: 0,
    flood: false,
    name: "x",
    value: new Uint8Array(bytes),
  });
  for (let bytes = size - 64; ; bytes++) {
    const frame = codec.encode(message(bytes));
    if (frame.length >= size) return frame;
  }
}

function greeted(): Bench {
  const bench = new Bench();
  bench.greet(1, HIGH);
  bench.forget();
  return bench;
}

// Telepathine went over to TCP from 575 bytes on, which broke: with 38 peers it was deaf.
describe("row 46: lanes by size", () => {
  test("a datagram is what a transport takes as one", () => {
    expect(DATAGRAM_BYTES_MAX).toBe(1_100);
    expect(TRANSPORT_MAX).toBe(DATAGRAM_BYTES_MAX);
  });

  test.each([
    [-1, true],
    [0, true],
    [1, false],
  ])(
    "at a datagram's largest size %d, something eager goes past all that waits: %s",
    (more, goes) => {
      const bench = greeted();
      const frame = framed(DATAGRAM_BYTES_MAX + more);
      expect(frame).toHaveLength(DATAGRAM_BYTES_MAX + more);
      for (const lane of ["datagram", "unordered"] as const) {
        expect(bench.table.sendEager(HIGH, frame, lane)).toBe(goes);
      }
      // What is larger has its turn, whole.
      if (!goes) expect(bench.table.sendBulk(HIGH, frame, "unordered")).toBe(true);
      const lanes = goes ? ["datagram", "reliable"] : ["reliable"];
      // Nothing goes unordered before the other end has answered.
      expect(bench.sent.map(({ lane, bytes }) => [lane, bytes.length])).toEqual(
        lanes.map((lane) => [lane, frame.length]),
      );
    },
  );

  test.each([
    [-1, 1],
    [0, 1],
    [1, 2],
  ])("at a frame's largest size %d, a message goes in %d", (more, frames) => {
    const bench = greeted();
    const frame = framed(FRAME_BYTES_MAX + more);
    bench.table.sendBulk(HIGH, frame, "unordered");
    expect(bench.sent).toHaveLength(frames);
    for (const { bytes } of bench.sent) expect(bytes.length).toBeLessThanOrEqual(FRAME_BYTES_MAX);
  });

  test("what rides the datagram lane fits it, whatever numbers are in it", () => {
    const fingerprint = 2 ** 32 - 1;
    const fingerprints = {
      membersHigh: fingerprint,
      membersLow: fingerprint,
      stateHigh: fingerprint,
      stateLow: fingerprint,
      shared: fingerprint,
    };
    const messages: Message[] = [
      { type: "ping", sequence: HUGE, echo: HUGE, mayFreeze: true },
      { type: "ack", sequence: HUGE, mayFreeze: true, fingerprints },
    ];
    for (let count = 1; count <= 20; count++) {
      const gossip = new Gossip(configOf(), new Deadlines(), {
        neighbours: () => [HIGH],
        send: (_, message, lane) => lane === "datagram" && messages.push(message),
      });
      for (let i = 0; i < count; i++) {
        const update = opinionOf("report", memberId(i), memberId(99), {
          observerGeneration: HUGE,
          generation: HUGE,
          incarnation: HUGE,
          agoMs: HUGE,
          heardAgoMs: HUGE,
          sequence: HUGE,
        });
        gossip.tell({ type: "opinion", ...update }, undefined);
      }
      gossip.flushNow(0);
    }
    const sizes = messages.map((message) => codec.encode(message).length);
    expect(sizes.length).toBeGreaterThan(10);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(DATAGRAM_BYTES_MAX);
    // And not far below it, or more could go so.
    expect(Math.max(...sizes)).toBeGreaterThan(DATAGRAM_BYTES_MAX - 150);
  });
});
