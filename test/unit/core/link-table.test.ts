import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { type ByeReason, LinkTable } from "../../../src/core/links/link-table.ts";
import type { Lane, LinkId, MemberId } from "../../../src/core/machine.ts";
import { frameCodec, WIRE_VERSION } from "../../../src/core/wire/codec.ts";
import {
  FRAME_BYTES_MAX,
  type MemberRecord,
  type Message,
} from "../../../src/core/wire/messages.ts";
import { configOf, memberId, recordOf } from "./support.ts";

const OWN = memberId(5);
const LOW = memberId(1);
const HIGH = memberId(9);
const codec = frameCodec(7);
const NOTE: Message = { type: "prune", origin: OWN };

class Bench {
  readonly table: LinkTable;
  readonly log: string[] = [];
  readonly sent: { link: LinkId; lane: Lane; bytes: Uint8Array }[] = [];
  readonly handedOver: number[] = [];
  /** What can be made when a link has room. */
  readonly made: Uint8Array[] = [];
  refusal: ByeReason | undefined;
  now = 0;

  constructor(overrides = {}) {
    this.table = new LinkTable(configOf(overrides, { id: OWN }), codec, {
      effect: (effect) => {
        if (effect.type === "send") this.sent.push(effect);
        else if (effect.type === "disconnect")
          this.log.push(`disconnect ${effect.link}: ${effect.reason}`);
      },
      ownRecord: () => recordOf(OWN),
      admits: () => this.refusal,
      up: (peer, _record, link) => this.log.push(`up ${nameOf(peer)} by ${link.id}`),
      down: (peer, reason, onPurpose) =>
        this.log.push(`down ${nameOf(peer)}: ${reason}${onPurpose ? ", on purpose" : ""}`),
      message: (from, message) => this.log.push(`${message.type} from ${nameOf(from)}`),
      rejected: (_link, reason) => this.log.push(`rejected: ${reason}`),
      now: () => this.now,
      nextBulk: () => this.made.shift(),
      handedOver: (token) => this.handedOver.push(token),
    });
  }

  /** Bytes have left the transport, and the other end has acknowledged them. */
  leave(link: LinkId, peer: MemberId, bytes: number): void {
    this.table.writable(link, bytes);
    const known = this.table.linkTo(peer);
    if (known?.id !== link) return;
    const total = Math.min(known.bulkSentBytes, known.bulkCreditedBytes + bytes);
    this.receive(link, { type: "credit", total });
  }

  receive(link: LinkId, message: Message): void {
    this.table.packet(link, codec.encode(message), 0);
  }

  greet(link: LinkId, peer: MemberId, change: Partial<MemberRecord> = {}): void {
    this.table.open(link, "memory", 0);
    this.receive(link, { type: "hello", record: recordOf(peer, change), features: 0 });
  }

  /** What was sent since the last call, as types. */
  types(link: LinkId): string[] {
    const taken = this.sent.filter((one) => one.link === link);
    return taken.map(({ bytes }) => {
      const decoded = codec.decode(bytes);
      return decoded.ok ? decoded.message.type : decoded.reason;
    });
  }

  forget(): void {
    this.log.length = 0;
    this.sent.length = 0;
  }
}

function nameOf(id: MemberId): string {
  return id === LOW ? "low" : id === HIGH ? "high" : id === OWN ? "own" : id;
}

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});

describe("greeting", () => {
  test("both ends begin with hello; the link is up when the other's has come", () => {
    bench.table.open(1, "memory", 0);
    expect(bench.types(1)).toEqual(["hello"]);
    expect(bench.table.peers()).toEqual([]);
    bench.receive(1, { type: "hello", record: recordOf(HIGH), features: 0 });
    expect(bench.log).toEqual(["up high by 1"]);
    expect([bench.table.peers(), bench.table.count, bench.table.has(HIGH)]).toEqual([
      [HIGH],
      1,
      true,
    ]);
  });

  test("nothing is heard, and nothing said, before hello", () => {
    bench.table.open(1, "memory", 0);
    bench.receive(1, NOTE);
    bench.receive(1, { type: "bye", reason: "full" });
    expect(bench.log).toEqual([]);
    expect(bench.table.send(HIGH, NOTE)).toBe(false);
    expect(bench.table.sendBulk(HIGH, codec.encode(NOTE))).toBe(false);
    expect(bench.types(1)).toEqual(["hello"]);
  });

  test("a second hello changes nothing", () => {
    bench.greet(1, HIGH);
    bench.receive(1, { type: "hello", record: recordOf(LOW), features: 0 });
    expect(bench.table.peers()).toEqual([HIGH]);
    expect(bench.log).toEqual(["up high by 1"]);
  });

  test("a fragment before hello ends the link", () => {
    bench.table.open(1, "memory", 0);
    bench.receive(1, {
      type: "fragment",
      message: 0,
      index: 0,
      count: 2,
      bytes: new Uint8Array(5),
    });
    expect(bench.log).toEqual(["rejected: malformed", "disconnect 1: rejected: malformed"]);
  });

  const strangers: [reason: string, frame: Uint8Array][] = [
    ["version", Uint8Array.of(WIRE_VERSION + 1, 1, 2, 3)],
    ["cluster", frameCodec(8).encode(NOTE)],
    ["malformed", codec.encode(NOTE).slice(0, 9)],
  ];
  for (const [reason, frame] of strangers) {
    test(`a stranger is refused: ${reason}`, () => {
      bench.table.open(1, "memory", 0);
      bench.table.packet(1, frame, 0);
      expect(bench.log).toEqual([`rejected: ${reason}`, `disconnect 1: rejected: ${reason}`]);
      bench.receive(1, { type: "hello", record: recordOf(HIGH), features: 0 });
      expect(bench.table.peers()).toEqual([]);
    });

    test(`a greeted link outlives a single bad frame: ${reason}`, () => {
      bench.greet(1, HIGH);
      bench.table.packet(1, frame, 0);
      bench.receive(1, NOTE);
      expect(bench.log).toEqual(["up high by 1", `rejected: ${reason}`, "prune from high"]);
    });
  }

  test("who is not admitted is told why", () => {
    bench.refusal = "taken";
    bench.greet(1, HIGH);
    expect(bench.types(1)).toEqual(["hello", "bye"]);
    expect(bench.log).toEqual(["disconnect 1: bye: taken"]);
    expect(bench.table.peers()).toEqual([]);
  });

  test("a link that does not greet in 5 s is ended, a greeted one stays", () => {
    bench.greet(1, HIGH);
    bench.table.open(2, "memory", 0);
    bench.table.open(3, "memory", 1);
    bench.forget();
    bench.table.expireGreetings(4_999);
    expect(bench.log).toEqual([]);
    bench.table.expireGreetings(5_000);
    expect(bench.log).toEqual(["disconnect 2: no greeting"]);
  });
});

describe("ends", () => {
  test("bye from there: on purpose", () => {
    bench.greet(1, HIGH);
    bench.receive(1, { type: "bye", reason: "leaving" });
    expect(bench.log.slice(1)).toEqual(["down high: bye: leaving, on purpose"]);
    bench.table.closed(1, "gone");
    bench.table.expireGreetings(60_000);
    expect(bench.log.length).toBe(2);
  });

  test("bye from there, and the link stays open: it is closed from here after a while", () => {
    bench.greet(1, HIGH);
    bench.receive(1, { type: "bye", reason: "leaving" });
    bench.receive(1, NOTE);
    bench.table.expireGreetings(4_999);
    expect(bench.log.slice(1)).toEqual(["down high: bye: leaving, on purpose"]);
    bench.table.expireGreetings(5_000);
    expect(bench.log.slice(2)).toEqual(["disconnect 1: bye, and not closed"]);
  });

  test("bye from here: said, then closed", () => {
    bench.greet(1, HIGH);
    bench.table.bye(HIGH, "full");
    expect(bench.types(1)).toEqual(["hello", "bye"]);
    expect(bench.log.slice(1)).toEqual([
      "disconnect 1: bye: full",
      "down high: bye: full, on purpose",
    ]);
  });

  test("lost, or dropped for silence: not on purpose", () => {
    bench.greet(1, HIGH);
    bench.table.closed(1, "failed");
    bench.greet(2, LOW);
    bench.table.drop(LOW, "silent");
    expect(bench.log).toEqual([
      "up high by 1",
      "down high: failed",
      "up low by 2",
      "disconnect 2: silent",
      "down low: silent",
    ]);
    bench.receive(2, NOTE);
    expect(bench.log.length).toBe(5);
  });
});

describe("two links with one member", () => {
  test("the lower id ends the newer", () => {
    bench.greet(1, HIGH);
    bench.greet(2, HIGH);
    expect(bench.log).toEqual(["up high by 1", "disconnect 2: bye: duplicate"]);
    expect(bench.types(2)).toEqual(["hello", "bye"]);
  });

  test("the higher id waits, hears on both, and goes on with the one that is left", () => {
    bench.greet(1, LOW);
    bench.greet(2, LOW);
    bench.receive(1, NOTE);
    bench.receive(2, NOTE);
    bench.receive(1, { type: "bye", reason: "duplicate" });
    bench.forget();
    bench.table.send(LOW, NOTE);
    expect(bench.types(2)).toEqual(["prune"]);
    bench.table.closed(2, "failed");
    expect(bench.log).toEqual(["down low: failed"]);
  });

  test("a restarted member's new link replaces the old one at once", () => {
    bench.greet(1, HIGH);
    bench.greet(2, HIGH, { generation: 2 });
    expect(bench.log).toEqual(["up high by 1", "disconnect 1: restarted", "up high by 2"]);
    bench.forget();
    bench.table.send(HIGH, NOTE);
    expect(bench.types(2)).toEqual(["prune"]);
  });
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
    expect(bench.table.sendBulk(HIGH, message, 7)).toBe(true);
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
    expect(bench.table.linkTo(HIGH)?.queuedBytes).toBe(0);
  });

  test("what has left the transport and was not acknowledged still fills the window", () => {
    for (let i = 0; i < 5; i++) bench.table.sendBulk(HIGH, bulk(16_000));
    bench.table.writable(1, 1_000_000);
    expect(bench.types(1).length).toBe(3);
    bench.receive(1, { type: "credit", total: 48_000 });
    expect(bench.types(1).length).toBe(5);
  });

  test("an acknowledgement of more than was sent, or of less than before, means nothing", () => {
    for (let i = 0; i < 9; i++) bench.table.sendBulk(HIGH, bulk(16_000));
    bench.table.writable(1, 1_000_000);
    bench.receive(1, { type: "credit", total: 48_001 });
    expect(bench.types(1).length).toBe(3);
    bench.receive(1, { type: "credit", total: 16_000 });
    bench.receive(1, { type: "credit", total: 1 });
    expect(bench.types(1).length).toBe(4);
  });

  test("state is made when there is room for it, in turn with what is queued", () => {
    for (let i = 0; i < 4; i++) bench.table.sendBulk(HIGH, bulk(16_000));
    for (let i = 0; i < 2; i++) bench.made.push(codec.encode({ ...NOTE, type: "prune" }));
    bench.table.wake(HIGH);
    expect(bench.types(1)).toEqual(["fragment", "fragment", "fragment"]);
    expect(bench.made.length).toBe(2);
    bench.receive(1, { type: "credit", total: 48_000 });
    bench.table.writable(1, 1_000_000);
    expect(bench.types(1).slice(3)).toEqual(["prune", "fragment", "prune"]);
    expect(bench.table.linkTo(HIGH)?.queuedBytes).toBe(0);
  });

  test("what is small passes all that waits, while the window is not full", () => {
    for (let i = 0; i < 2; i++) bench.table.sendBulk(HIGH, bulk(16_000));
    expect(bench.table.sendEager(HIGH, bulk(768))).toBe(true);
    expect(bench.table.sendEager(HIGH, bulk(100))).toBe(false);
    expect(bench.types(1).length).toBe(3);
  });

  test("a neighbour is in the middle of something large until it has come, or for 10 s", () => {
    expect(bench.table.bringsBulk(HIGH)).toBe(false);
    const piece = (index: number): Message => ({
      type: "fragment",
      message: 0,
      index,
      count: 2,
      bytes: codec.encode(NOTE).slice(5 * index, 5 * (index + 1) + 17 * index),
    });
    bench.receive(1, piece(0));
    bench.now = 9_999;
    expect(bench.table.bringsBulk(HIGH)).toBe(true);
    bench.now = 10_000;
    expect(bench.table.bringsBulk(HIGH)).toBe(false);
    bench.table.packet(1, codec.encode(piece(1)), 10_000);
    expect(bench.log).toEqual(["prune from high"]);
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
    for (let i = 0; i < 5; i++) bench.table.sendBulk(HIGH, bulk(16_000));
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
    const taken = Array.from({ length: 20 }, () => bench.table.sendBulk(HIGH, bulk(16_000)));
    expect(taken.filter(Boolean).length).toBe(3 + 12);
    expect(bench.table.linkTo(HIGH)?.queuedBytes).toBe(12 * 16_000);
    bench.leave(1, HIGH, 48_000);
    expect(bench.table.sendBulk(HIGH, bulk(16_000))).toBe(true);
  });

  test("whoever asked is told when the last frame went, or the link with it", () => {
    for (let token = 1; token <= 5; token++) bench.table.sendBulk(HIGH, bulk(16_000), token);
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
              inner: { type: "signal", attempt: 1, payload: new Uint8Array(one.bytes) },
            });
            if (bench.table.sendBulk(peer, bytes, token)) expected.push(token);
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

test("a fragmented message arrives whole; a broken one ends the link", () => {
  const other = new Bench();
  bench.greet(1, HIGH);
  other.greet(1, LOW);
  other.forget();
  const ids = Array.from({ length: 1_000 }, (_, i) => ({
    origin: memberId(i),
    generation: 1,
    sequence: 1,
  }));
  other.table.send(LOW, { type: "graft", ids });
  for (const { bytes } of other.sent) bench.table.packet(1, bytes, 5);
  expect(bench.log).toEqual(["up high by 1", "graft from high"]);
  bench.table.packet(1, other.sent[1]?.bytes as Uint8Array, 6);
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
