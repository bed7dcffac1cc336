// What the common messages weigh on the wire, and that each takes a lane that it fits, in virtual time.
import { describe, expect, test } from "vitest";
import type { Command, Lane } from "../../src/core/machine.ts";
import { frameCodec } from "../../src/core/wire/codec.ts";
import { DATAGRAM_BYTES_MAX, FRAME_BYTES_MAX, type Message } from "../../src/core/wire/messages.ts";
import { type SimMember, World } from "../../src/sim/index.ts";
import { joined } from "./graph.ts";

const codec = frameCodec(1);

interface Frame {
  readonly member: SimMember;
  readonly lane: Lane;
  readonly type: Message["type"];
  readonly size: number;
}

/** Two or more that have met and are quiet, and all that they put on their links from then on. */
function watched(count: number): { world: World; frames: Frame[] } {
  const world = joined(1, { count });
  const all = (): boolean => world.live().every(({ core }) => core.members().length >= count);
  expect(world.runUntil(all, 60_000), "all know all").toBeDefined();
  world.run(30_000);
  const frames: Frame[] = [];
  world.observe({
    onSent(member, lane, bytes) {
      const decoded = codec.decode(bytes);
      if (!decoded.ok) throw new Error(`sent, and ${decoded.reason}`);
      frames.push({ member, lane, type: decoded.message.type, size: bytes.length });
    },
  });
  return { world, frames };
}

const bytesOf = (frames: readonly Frame[]): number =>
  frames.reduce((sum, { size }) => sum + size, 0);

// The older projects put JSON or field names around each value, and each peer's address into each digest.
describe("row 49: the wire is compact", () => {
  test("an idle link costs less than 20 bytes a second at each end, in pings of 12 at the most", () => {
    const { world, frames } = watched(2);
    const seconds = 600;
    world.run(seconds * 1_000);
    expect(new Set(frames.map(({ type }) => type))).toEqual(new Set(["ping", "ack"]));
    const perSecond = bytesOf(frames) / seconds / 2;
    expect(perSecond).toBeGreaterThan(5);
    expect(perSecond).toBeLessThan(20);
    const pings = frames.filter(({ type }) => type === "ping").map(({ size }) => size);
    expect(Math.max(...pings)).toBeLessThanOrEqual(12);
    const acks = frames.filter(({ type }) => type === "ack").map(({ size }) => size);
    expect(Math.max(...acks)).toBeLessThanOrEqual(30);
  });

  const VALUE = new Uint8Array(10);
  test.each<[type: Message["type"], sizeMax: number, command: (to: SimMember) => Command]>([
    ["stateDelta", 48, () => ({ type: "set", key: "k", value: VALUE })],
    ["payload", 42, () => ({ type: "say", id: 1, name: "n", value: VALUE, forMs: 0 })],
    [
      "local",
      24,
      ({ config: { id: to } }) => ({
        type: "send",
        id: 1,
        to,
        name: "n",
        value: VALUE,
        timeoutMs: 1_000,
      }),
    ],
  ])("10 bytes of a value go in one %s of %i bytes at the most", (type, sizeMax, command) => {
    const { world, frames } = watched(2);
    const [one, other] = world.members as [SimMember, SimMember];
    world.command(one, command(other));
    world.run(2_000);
    const carrying = frames.filter((frame) => frame.member === one && frame.type === type);
    expect(carrying).toHaveLength(1);
    expect(bytesOf(carrying)).toBeGreaterThan(VALUE.length);
    expect(bytesOf(carrying)).toBeLessThanOrEqual(sizeMax);
  });
});

// With 38 peers Telepathine's digest was larger than its datagram, and from then on nobody heard anything.
test("row 46: 50 members know values of all sizes, and all that goes fits its lane", () => {
  const { world, frames } = watched(50);
  const sizes = [1, 255, 256, 257, 500, 575, 1_099, 1_100, 1_101, 16_383, 16_384, 16_385, 70_000];
  const [owner] = world.members as [SimMember];
  for (const size of sizes) {
    world.command(owner, { type: "set", key: `k${size}`, value: new Uint8Array(size) });
  }
  const known = (): boolean =>
    world.live().every((member) => {
      const got = member.events.flatMap((event) =>
        event.type === "state" && event.owner === owner.config.id ? [event.value?.length] : [],
      );
      return member === owner || sizes.every((size) => got.includes(size));
    });
  expect(world.runUntil(known, 20_000), "all know all values").toBeDefined();
  world.run(5_000);
  const largest = (lane: Lane): number =>
    Math.max(...frames.filter((frame) => frame.lane === lane).map(({ size }) => size));
  // What is small and its frame races ahead as datagrams; what is larger has its turn and is cut up.
  expect(largest("datagram")).toBeGreaterThan(256);
  expect(largest("datagram")).toBeLessThanOrEqual(DATAGRAM_BYTES_MAX);
  expect(largest("unordered")).toBeGreaterThan(FRAME_BYTES_MAX - 100);
  expect(largest("unordered")).toBeLessThanOrEqual(FRAME_BYTES_MAX);
  expect(largest("reliable")).toBeLessThanOrEqual(FRAME_BYTES_MAX);
});

// Wished for by Telepathine ("vary interval duration"): what all do at the same time comes in waves.
test("row 50: members that start in the same instant do not probe at the same time", () => {
  const world = new World(1);
  for (let i = 0; i < 40; i++) world.add();
  world.run(60_000);
  const slots = new Map<number, number>();
  let pings = 0;
  world.observe({
    onSent(_, lane, bytes) {
      const decoded = codec.decode(bytes);
      if (lane !== "datagram" || !decoded.ok || decoded.message.type !== "ping") return;
      const slot = Math.floor(world.now / 20);
      slots.set(slot, (slots.get(slot) ?? 0) + 1);
      pings++;
    },
  });
  const seconds = 20;
  world.run(seconds * 1_000);
  const perSecond = pings / seconds;
  expect(perSecond).toBeGreaterThan(100);
  // In step they would all go in one 20 ms; evenly, in each a fiftieth.
  expect(Math.max(...slots.values()) / perSecond).toBeLessThan(0.15);
});
