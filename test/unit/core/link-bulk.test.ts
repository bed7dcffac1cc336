import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { LinkId, MemberId } from "../../../src/core/machine.ts";
import { FRAME_BYTES_MAX, type Message } from "../../../src/core/wire/messages.ts";
import { Bench, codec, HIGH, LOW, NOTE, OWN } from "./link-bench.ts";
import { memberId } from "./support.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});

describe("bulk", () => {
  const WINDOW = 32_768;
  const bulk = (length: number): Uint8Array =>
    codec.encode({
      type: "fragment",
      message: 0,
      index: 0,
      count: 2,
      bytes: new Uint8Array(length - 9),
    });

  beforeEach(() => {
    bench = new Bench({ windowBytes: WINDOW, windowBytesMax: WINDOW, queueBytesMax: 200_000 });
    bench.greet(1, HIGH);
    bench.table.writable(1, 1_000_000);
    bench.forget();
  });

  test("at most the window and one frame are on their way; it goes on as they leave", () => {
    const message = codec.encode({
      type: "payload",
      id: { origin: OWN, generation: 1, sequence: 1 },
      hop: 0,
      flood: false,
      name: "n",
      value: new Uint8Array(150_000),
    });
    expect(bench.table.sendBulk(HIGH, message, "reliable", { token: 7 })).toBe(true);
    let inFlight = 0;
    let frames = 0;
    for (let rounds = 0; rounds < 100; rounds++) {
      inFlight += bench.sent.slice(frames).reduce((sum, { bytes }) => sum + bytes.length, 0);
      frames = bench.sent.length;
      expect(inFlight).toBeLessThan(WINDOW + FRAME_BYTES_MAX);
      if (inFlight === 0) break;
      const leaves = Math.min(inFlight, 5_000);
      inFlight -= leaves;
      bench.leave(1, HIGH, leaves);
    }
    expect(frames).toBe(Math.ceil(message.length / (FRAME_BYTES_MAX - 32)));
    expect(bench.handedOver).toEqual([7]);
    expect(bench.table.linkTo(HIGH)?.queue.bytes).toBe(0);
  });

  test("what has left the transport and was not acknowledged still fills the window", () => {
    for (let i = 0; i < 5; i++) bench.table.sendBulk(HIGH, bulk(16_000), "reliable");
    bench.table.writable(1, 1_000_000);
    expect(bench.types(1).length).toBe(3);
    bench.receive(1, { type: "credit", total: 48_000, whole: 0 });
    expect(bench.types(1).length).toBe(5);
  });

  test("an acknowledgement of more than was sent, or of less than before, means nothing", () => {
    for (let i = 0; i < 9; i++) bench.table.sendBulk(HIGH, bulk(16_000), "reliable");
    bench.table.writable(1, 1_000_000);
    bench.receive(1, { type: "credit", total: 48_001, whole: 0 });
    expect(bench.types(1).length).toBe(3);
    bench.receive(1, { type: "credit", total: 16_000, whole: 0 });
    bench.receive(1, { type: "credit", total: 1, whole: 0 });
    expect(bench.types(1).length).toBe(4);
  });

  test("state is made when there is room for it, in turn with what is queued", () => {
    for (let i = 0; i < 4; i++) bench.table.sendBulk(HIGH, bulk(16_000), "reliable");
    for (let i = 0; i < 2; i++) bench.made.push(codec.encode(NOTE));
    bench.table.wake(HIGH);
    expect(bench.types(1)).toEqual(["fragment", "fragment", "fragment"]);
    expect(bench.made.length).toBe(2);
    bench.receive(1, { type: "credit", total: 48_000, whole: 0 });
    bench.table.writable(1, 1_000_000);
    expect(bench.types(1).slice(3)).toEqual(["prune", "fragment", "prune"]);
    expect(bench.table.linkTo(HIGH)?.queue.bytes).toBe(0);
  });

  test("what is small passes all that waits, while the window is not full", () => {
    for (let i = 0; i < 2; i++) bench.table.sendBulk(HIGH, bulk(16_000), "reliable");
    expect(bench.table.sendEager(HIGH, bulk(768), "reliable")).toBe(true);
    expect(bench.table.sendEager(HIGH, bulk(100), "reliable")).toBe(false);
    expect(bench.types(1).length).toBe(3);
  });

  test("a neighbour is in the middle of something large until it has come, or for 10 s", () => {
    expect(bench.table.bringsBulk(HIGH)).toBe(false);
    const [first, second] = pieces() as [Uint8Array, Uint8Array];
    bench.table.packet(1, first, 0);
    bench.now = 9_999;
    expect(bench.table.bringsBulk(HIGH)).toBe(true);
    bench.now = 10_000;
    expect(bench.table.bringsBulk(HIGH)).toBe(false);
    bench.table.packet(1, second, 10_000);
    expect(bench.log).toEqual(["graft from high"]);
    bench.now = 10_999;
    expect(bench.table.bringsBulk(HIGH)).toBe(true);
    bench.now = 11_000;
    expect(bench.table.bringsBulk(HIGH)).toBe(false);
  });

  test("bulk is acknowledged as it comes in, and nothing else is", () => {
    const payload = (sequence: number): Message => ({
      type: "payload",
      id: { origin: HIGH, generation: 1, sequence },
      hop: 0,
      flood: false,
      name: "n",
      value: new Uint8Array(12_000),
    });
    for (let i = 1; i <= 6; i++) bench.receive(1, payload(i));
    for (let i = 0; i < 3_000; i++) bench.receive(1, NOTE);
    expect(bench.types(1)).toEqual(["credit", "credit"]);
  });

  test("urgent frames overtake what waits", () => {
    for (let i = 0; i < 5; i++) bench.table.sendBulk(HIGH, bulk(16_000), "reliable");
    bench.table.send(HIGH, NOTE);
    bench.table.send(HIGH, NOTE, "datagram");
    expect(bench.types(1)).toEqual(["fragment", "fragment", "fragment", "prune", "prune"]);
    expect(bench.sent.at(-1)?.lane).toBe("datagram");
  });

  test("datagrams take no room in the window", () => {
    for (let i = 0; i < 3_000; i++) bench.table.send(HIGH, NOTE, "datagram");
    expect(bench.table.linkTo(HIGH)?.inFlightBytes).toBe(0);
  });

  test("an urgent message larger than a frame is cut like bulk, and nobody is told of it", () => {
    const ids = Array.from({ length: 1_000 }, (_, i) => ({
      origin: memberId(i),
      generation: 1,
      sequence: 1,
    }));
    bench.table.send(HIGH, { type: "iHave", ids });
    expect(bench.types(1)).toEqual(["fragment", "fragment"]);
    expect(bench.handedOver).toEqual([]);
  });

  test("the queue is bounded: what does not fit is refused, and takes its place when there is room", () => {
    const taken = Array.from({ length: 20 }, () =>
      bench.table.sendBulk(HIGH, bulk(16_000), "reliable"),
    );
    expect(taken.filter(Boolean).length).toBe(3 + 12);
    expect(bench.table.linkTo(HIGH)?.queue.bytes).toBe(12 * 16_000);
    bench.leave(1, HIGH, 48_000);
    expect(bench.table.sendBulk(HIGH, bulk(16_000), "reliable")).toBe(true);
  });

  test("whoever asked is told when the last frame went, or the link with it", () => {
    for (let token = 1; token <= 5; token++)
      bench.table.sendBulk(HIGH, bulk(16_000), "reliable", { token });
    expect(bench.handedOver).toEqual([1, 2, 3]);
    bench.table.closed(1, "failed");
    expect(bench.handedOver).toEqual([1, 2, 3, 4, 5]);
    bench.table.writable(1, 1_000);
    expect(bench.handedOver.length).toBe(5);
  });

  test("each token once, in whatever order things are sent, leave and end", () => {
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          do: fc.constant("send" as const),
          to: fc.boolean(),
          bytes: fc.integer({ min: 20, max: 40_000 }),
        }),
      },
      {
        weight: 5,
        arbitrary: fc.record({
          do: fc.constant("writable" as const),
          to: fc.boolean(),
          bytes: fc.nat({ max: 60_000 }),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constantFrom("close" as const, "drop" as const, "bye" as const),
          to: fc.boolean(),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("greet" as const), to: fc.boolean() }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const bench = new Bench({ windowBytes: WINDOW, queueBytesMax: 100_000 });
        const links = new Map<MemberId, LinkId>();
        let lastLink = 0;
        const expected: number[] = [];
        steps.forEach((one, token) => {
          const peer = one.to ? LOW : HIGH;
          const link = links.get(peer) ?? -1;
          if (one.do === "send") {
            const bytes = codec.encode({
              type: "local",
              inner: { type: "signal", attempt: 1, number: 0, payload: new Uint8Array(one.bytes) },
            });
            if (bench.table.sendBulk(peer, bytes, "reliable", { token })) expected.push(token);
          } else if (one.do === "writable") bench.leave(link, peer, one.bytes);
          else if (one.do === "close") bench.table.closed(link, "closed");
          else if (one.do === "drop") bench.table.drop(peer, "silent");
          else if (one.do === "bye") bench.table.bye(peer, "full");
          else {
            bench.greet(++lastLink, peer);
            if (bench.table.linkTo(peer)?.id === lastLink) links.set(peer, lastLink);
          }
        });
        for (const peer of bench.table.peers()) bench.table.drop(peer, "end");
        expect(bench.handedOver.toSorted((a, b) => a - b)).toEqual(expected);
      }),
    );
  });
});

/** The two frames of a message that is larger than one. */
function pieces(): Uint8Array[] {
  const other = new Bench();
  other.greet(1, LOW);
  other.forget();
  const ids = Array.from({ length: 1_000 }, (_, i) => ({
    origin: memberId(i),
    generation: 1,
    sequence: 1,
  }));
  other.table.send(LOW, { type: "graft", ids, once: true });
  return other.sent.map(({ bytes }) => bytes);
}

test("a fragmented message arrives whole, and is acknowledged by name; a broken one ends the link", () => {
  const frames = pieces();
  bench.greet(1, HIGH);
  bench.forget();
  for (const bytes of frames.toReversed()) bench.table.packet(1, bytes, 5, "unordered");
  expect(bench.log).toEqual(["graft from high"]);
  const total = frames.reduce((sum, { length }) => sum + length, 0);
  const credit = codec.decode(bench.sent[0]?.bytes as Uint8Array);
  expect(credit).toEqual({ ok: true, message: { type: "credit", total, whole: 1 } });
  bench.log.unshift("up high by 1");
  for (let i = 0; i < 2; i++) bench.table.packet(1, frames[1] as Uint8Array, 6);
  expect(bench.log.slice(2)).toEqual([
    "rejected: malformed",
    "disconnect 1: rejected: malformed",
    "down high: rejected: malformed",
  ]);
});

test("a fragment inside of fragments ends the link", () => {
  bench.greet(1, HIGH);
  const inside = codec.encode({
    type: "fragment",
    message: 0,
    index: 0,
    count: 2,
    bytes: new Uint8Array(9),
  });
  for (const index of [0, 1]) {
    const bytes = index === 0 ? inside.subarray(0, 4) : inside.subarray(4);
    bench.receive(1, { type: "fragment", message: 1, index, count: 2, bytes });
  }
  expect(bench.log).toContain("disconnect 1: rejected: malformed");
});

describe("the unordered lane", () => {
  const payload = codec.encode({
    type: "payload",
    id: { origin: OWN, generation: 1, sequence: 1 },
    hop: 0,
    flood: false,
    name: "n",
    value: new Uint8Array(9),
  });
  const lanes = (): string[] => bench.sent.map(({ lane }) => lane);

  test("carries nothing that could overtake our hello: not before the other end has greeted us back", () => {
    bench.greet(1, HIGH);
    bench.forget();
    bench.table.sendBulk(HIGH, payload, "unordered");
    bench.table.send(HIGH, NOTE);
    expect(lanes()).toEqual(["reliable", "reliable"]);
    bench.receive(1, NOTE);
    bench.forget();
    bench.table.sendBulk(HIGH, payload, "unordered");
    bench.table.send(HIGH, NOTE);
    bench.table.send(HIGH, { type: "release", hard: false });
    expect(lanes()).toEqual(["unordered", "unordered", "reliable"]);
  });

  test("counts in the window like the reliable one", () => {
    bench = new Bench({ windowBytes: 32_768, windowBytesMax: 32_768 });
    bench.greet(1, HIGH);
    bench.receive(1, NOTE);
    bench.table.writable(1, 1_000_000);
    bench.forget();
    for (let i = 0; i < 9; i++) {
      bench.table.sendBulk(HIGH, new Uint8Array(16_000), i % 2 === 0 ? "unordered" : "reliable");
    }
    expect(lanes()).toEqual(["unordered", "reliable", "unordered"]);
    bench.receive(1, { type: "credit", total: 48_000, whole: 0 });
    expect(lanes().length).toBe(3);
    bench.table.writable(1, 48_000);
    expect(lanes().length).toBe(6);
  });

  test("what a bye has overtaken still arrives, until the link is closed", () => {
    bench.greet(1, HIGH);
    bench.receive(1, { type: "bye", reason: "leaving" });
    bench.forget();
    bench.table.packet(1, payload, 1, "unordered");
    expect(bench.log).toEqual(["payload from high"]);
    bench.table.packet(1, payload, 1, "reliable");
    for (const bytes of pieces()) bench.table.packet(1, bytes, 1, "unordered");
    expect(bench.log).toEqual(["payload from high", "graft from high"]);
    expect(bench.sent).toEqual([]);
    bench.table.closed(1, "closed");
    bench.table.packet(1, payload, 2, "unordered");
    expect(bench.log.length).toBe(2);
  });
});
