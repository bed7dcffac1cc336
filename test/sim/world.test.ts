import { describe, expect, test } from "vitest";
import type { MeshEvent } from "../../src/core/machine.ts";
import { type NetworkOptions, type SimMember, World } from "../../src/sim/index.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const stateOf = (member: SimMember, other: SimMember): string | undefined =>
  member.core.members().find(({ id }) => id === other.config.id)?.state;
const allAlive = (world: World): boolean =>
  world.live().every((one) => world.live().every((other) => stateOf(one, other) === "alive"));

function pair(network: Partial<NetworkOptions> = {}): { world: World; a: SimMember; b: SimMember } {
  const world = new World(7, network);
  const a = world.add();
  const b = world.add();
  expect(world.runUntil(() => allAlive(world), 20_000)).toBeDefined();
  world.run(2_000);
  return { world, a, b };
}

/** Frames that reach `member` within `ms`, by lane, with the time that each came at. */
function arrivals(world: World, member: SimMember, ms: number): { lane: string; at: number }[] {
  const seen: { lane: string; at: number }[] = [];
  world.observe({
    onInput: (to, input) => {
      if (to === member && input.type === "packet") seen.push({ lane: input.lane, at: world.now });
    },
  });
  world.run(ms);
  return seen;
}

describe("row 55: each fault does what it says", () => {
  test("without faults nothing is lost: each ping is answered", () => {
    const { world, a } = pair();
    const before = a.core.links()[0]?.health?.misses;
    expect(before).toBe(0);
    expect(arrivals(world, a, 10_000).length).toBeGreaterThanOrEqual(9);
  });

  test("all datagrams are lost, and the reliable lane carries on", () => {
    const { world, a, b } = pair();
    world.network.options = { ...world.network.options, loss: 1 };
    world.command(a, { type: "say", id: 1, name: "still", value: bytes("here") });
    const seen = arrivals(world, b, 2_000);
    expect(seen.map(({ lane }) => lane)).not.toContain("datagram");
    expect(b.events).toContainEqual(expect.objectContaining({ type: "heard", name: "still" }));
  });

  test("duplicates come twice", () => {
    const { world, a, b } = pair();
    const once = arrivals(world, b, 10_000).filter(({ lane }) => lane === "datagram").length;
    world.network.options = { ...world.network.options, duplicate: 1 };
    const twice = arrivals(world, b, 10_000).filter(({ lane }) => lane === "datagram").length;
    expect(twice).toBeGreaterThan(1.5 * once);
    expect(stateOf(a, b)).toBe("alive");
  });

  test("a lost transmission on the reliable lane comes later, in order, and only once", () => {
    const { world, a, b } = pair({ reliableLoss: 0.5 });
    for (let id = 1; id <= 20; id++) {
      world.command(a, { type: "say", id, name: "n", value: bytes(String(id)) });
      world.run(50);
    }
    world.run(60_000);
    const heard = b.events.flatMap((event) =>
      event.type === "heard" ? [new TextDecoder().decode(event.value)] : [],
    );
    const gaps = b.events.filter((event) => event.type === "gap").length;
    expect(heard).toEqual([...new Set(heard)].sort((x, y) => Number(x) - Number(y)));
    if (gaps === 0) expect(heard).toHaveLength(20);
  });

  test("a partition in one direction lets the other through", () => {
    const { world, a, b } = pair();
    world.block([a], [b]);
    world.run(200);
    world.command(a, { type: "say", id: 1, name: "lost", value: bytes("x") });
    expect(arrivals(world, b, 1_000)).toEqual([]);
    world.command(b, { type: "say", id: 1, name: "heard", value: bytes("x") });
    expect(arrivals(world, a, 1_000).length).toBeGreaterThan(0);
  });

  test("a deaf member hears nothing, a mute one is not heard", () => {
    const { world, a, b } = pair();
    world.deafen(b);
    world.run(200);
    expect(arrivals(world, b, 2_000)).toEqual([]);
    world.deafen(b, false);
    world.silence(a);
    world.run(200);
    expect(arrivals(world, b, 2_000)).toEqual([]);
  });

  test("who is paused handles nothing, then everything late", () => {
    const { world, a, b } = pair();
    const steps: string[] = [];
    world.observe({ onStep: (member, input) => member === b && steps.push(input.type) });
    world.pause(b, 2_500);
    world.command(a, { type: "say", id: 1, name: "late", value: bytes("x") });
    world.run(2_400);
    expect(steps).toEqual([]);
    world.run(200);
    expect(steps[0]).toBe("deadline");
    expect(b.events).toContainEqual(expect.objectContaining({ type: "heard", name: "late" }));
  });

  test("a hidden tab's timers fire on full seconds, and packets are handled at once", () => {
    const { world, a, b } = pair();
    world.hide(b);
    const due: number[] = [];
    const handled: number[] = [];
    world.observe({
      onInput: (member, input) => {
        if (member !== b) return;
        if (input.type === "deadline") due.push(world.now);
        if (input.type === "packet") handled.push(world.now);
      },
    });
    world.run(5_000);
    expect(due.length).toBeGreaterThan(0);
    expect(due.every((at) => at % 1_000 === 0)).toBe(true);
    expect(handled.some((at) => at % 1_000 !== 0)).toBe(true);
    expect(stateOf(a, b)).toBe("alive");
  });

  test("who sleeps gets no datagram, and is told afterwards how long it stood still", () => {
    const { world, b } = pair();
    const told: unknown[] = [];
    world.observe({
      onInput: (member, input) => member === b && input.type === "resumed" && told.push(input),
    });
    world.sleep(b, 30_000);
    world.run(29_000);
    expect(told).toEqual([]);
    world.run(2_000);
    expect(told).toHaveLength(1);
  });

  test("a clock that drifts is early or late with its timers, and a jump is a standstill", () => {
    const { world, a, b } = pair();
    world.drift(a, 1.5);
    const before = a.clock(world.now);
    world.run(1_000);
    expect(a.clock(world.now) - before).toBeCloseTo(1_500);
    const told: MeshEvent["type"][] = [];
    world.observe({
      onInput: (member, input) => member === b && told.push(input.type as MeshEvent["type"]),
    });
    world.jump(b, 10_000);
    expect(told).toContain("resumed");
    world.run(10_000);
    expect(allAlive(world)).toBe(true);
  });

  test("attempts that never open end in a word of the transport", () => {
    const world = new World(7, { linkFailure: 1, linkFailureMs: 1_000 });
    const a = world.add();
    world.add();
    world.run(20_000);
    expect(a.core.links()).toEqual([]);
    expect(a.events.map(({ type }) => type)).toContain("linkFailed");
  });

  test("a link carries so many bytes a second", () => {
    const { world, a, b } = pair({ bytesPerSecond: 100_000 });
    const value = new Uint8Array(400_000);
    world.command(a, { type: "say", id: 1, name: "large", value });
    const heard = (): boolean => b.events.some((event) => event.type === "heard");
    const ms = world.runUntil(heard, 20_000);
    expect(ms).toBeGreaterThan(4_000);
    expect(ms).toBeLessThan(8_000);
  });

  test("a restart with its store counts on, without it begins by the clock, or as another", () => {
    const world = new World(7);
    const first = world.add();
    world.add();
    world.run(5_000);
    const second = world.restart(first);
    expect(second.config).toMatchObject({ id: first.config.id, generation: 2 });
    const third = world.restart(second, { store: false });
    expect(third.config.id).toBe(first.config.id);
    expect(third.config.generation).toBeGreaterThan(1_000_000);
    expect(world.restart(third, { newId: true }).config.id).not.toBe(first.config.id);
    world.run(20_000);
    expect(world.live()).toHaveLength(2);
    expect(allAlive(world)).toBe(true);
  });
});

test.each([40, 120])(
  "a settled mesh of %i members is one, stays so, and changes nothing",
  (count) => {
    const world = new World(5);
    const members = world.settle(count);
    const first = members[0] as SimMember;
    const revision = JSON.stringify(first.core.fingerprints());
    world.run(10_000);
    for (const member of members) {
      expect(JSON.stringify(member.core.fingerprints())).toBe(revision);
      expect(member.core.links().length).toBe(member.config.linksTarget);
      expect(member.events.filter((event) => event.type === "member")).toEqual([]);
    }
    world.crash(members[3] as SimMember);
    const seen = (): boolean =>
      world.live().every((one) => stateOf(one, members[3] as SimMember) === "down");
    expect(world.runUntil(seen, 10_000)).toBeDefined();
  },
);

test("what cannot be is refused", () => {
  expect(() => new World(1, { loss: 2 })).toThrow(RangeError);
  expect(() => new World(1, { bytesPerSecond: 0 })).toThrow(RangeError);
  expect(() => new World(1, { latencyMsMin: 10, latencyMsMax: 5 })).toThrow(RangeError);
  expect(() => new World(1).settle(3)).toThrow(RangeError);
});
