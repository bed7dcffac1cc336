import { describe, expect, test } from "vitest";
import type { MeshEvent } from "../../src/core/machine.ts";
import { type NetworkOptions, type SimMember, World } from "../../src/sim/index.ts";

const SEEDS = [1, 2, 3, 4, 5];

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);

const stateOf = (member: SimMember, other: SimMember): string | undefined =>
  member.core.members().find(({ id }) => id === other.config.id)?.state;

type Heard = Extract<MeshEvent, { type: "heard" }>;
const heardBy = (member: SimMember): Heard[] =>
  member.events.filter((event): event is Heard => event.type === "heard");
const kindsSeenBy = (member: SimMember): string[] =>
  member.events.flatMap((event) => (event.type === "member" ? [event.kind] : []));
const linkCount = (member: SimMember): number => member.core.links().length;

function grow(seed: number, count: number, network: Partial<NetworkOptions> = {}): World {
  const world = new World(seed, network);
  for (let i = 0; i < count; i++) {
    world.add();
    world.run(37 * (i % 5));
  }
  const all = (): boolean =>
    world.live().every((member) => world.live().every((one) => stateOf(member, one) === "alive"));
  expect(world.runUntil(all, 30_000), "all see each other").toBeDefined();
  return world;
}

function runUntil(world: World, what: string, holds: () => boolean, msMax: number): number {
  const ms = world.runUntil(holds, msMax);
  expect(ms, what).toBeDefined();
  return ms ?? msMax;
}

describe.each(SEEDS)("seed %i", (seed) => {
  test.each([2, 5, 10])("up to 10 members everyone is linked with everyone: %i", (count) => {
    const world = grow(seed, count);
    const full = (): boolean => world.live().every((one) => linkCount(one) === count - 1);
    runUntil(world, "a full mesh", full, 20_000);
  });

  test("beyond that links stay within the budget, and nobody is left out", () => {
    const world = grow(seed, 40, { loss: 0.05 });
    world.run(10_000);
    for (const member of world.live()) {
      const { linksTarget, linksSlack } = member.config;
      expect(linkCount(member)).toBeLessThanOrEqual(linksTarget + linksSlack);
      expect(linkCount(member)).toBeGreaterThan(1);
    }
  });

  test.each([
    [6, 0],
    [10, 0.2],
    [20, 0.2],
  ])("what %i members say is heard once, in order, by all others; loss %f", (count, loss) => {
    const world = grow(seed, count, { loss });
    for (let n = 0; n < 10; n++) {
      for (const member of world.live()) {
        world.command(member, { type: "say", id: n, name: "n", value: bytes(String(n)) });
      }
      world.run(20);
    }
    world.run(8_000);
    for (const member of world.live()) {
      for (const other of world.live()) {
        const heard = heardBy(member).filter(({ from }) => from === other.config.id);
        const expected = other === member ? [] : Array.from({ length: 10 }, (_, n) => String(n));
        expect(heard.map(({ value }) => text(value))).toEqual(expected);
      }
    }
  });

  test("a value of 5 MB arrives whole, and small ones are not lost beside it", () => {
    const world = grow(seed, 6, { loss: 0.05 });
    const [speaker] = world.live() as [SimMember];
    const value = Uint8Array.from({ length: 5_000_000 }, (_, i) => (i * 31) % 251);
    world.command(speaker, { type: "say", id: 1, name: "large", value });
    world.command(speaker, { type: "say", id: 2, name: "small", value: bytes("x") });
    world.run(15_000);
    for (const member of world.live().slice(1)) {
      expect(heardBy(member).map(({ name }) => name)).toEqual(["large", "small"]);
      expect(Buffer.compare(heardBy(member)[0]?.value ?? bytes(""), value)).toBe(0);
    }
  });

  test("state reaches all, deletions too, and late joiners", () => {
    const world = grow(seed, 8, { loss: 0.2 });
    for (const member of world.live()) {
      world.command(member, { type: "set", key: "kept", value: bytes(`of ${member.index}`) });
      world.command(member, { type: "set", key: "dropped", value: bytes("x") });
      world.command(member, { type: "delete", key: "dropped" });
    }
    const late = world.add();
    const agree = (): boolean =>
      new Set(world.live().map(({ core }) => JSON.stringify(core.fingerprints()))).size === 1;
    runUntil(world, "all know the same", agree, 20_000);
    for (const member of world.live().slice(0, 8)) {
      const known = late.events.filter(
        (event) => event.type === "state" && event.owner === member.config.id,
      );
      expect(known.map((event) => (event.type === "state" ? event.key : ""))).toContain("kept");
    }
  });

  test.each([
    [2, 0],
    [3, 0],
    [8, 0.2],
    [20, 0.05],
  ])(
    "a crash among %i members is seen by all within 6.5 s, nobody else is accused; loss %f",
    (count, loss) => {
      const world = grow(seed, count, { loss });
      world.run(3_000);
      const victim = world.members[seed % count] as SimMember;
      world.crash(victim);
      const seen = (): boolean => world.live().every((one) => stateOf(one, victim) === "down");
      runUntil(world, "down everywhere", seen, 6_500);
      world.run(20_000);
      for (const member of world.live()) {
        expect(kindsSeenBy(member).filter((kind) => kind === "down")).toHaveLength(1);
      }
    },
  );

  test("an announced leave is known to all at once", () => {
    const world = grow(seed, 8);
    const leaver = world.members[2] as SimMember;
    world.command(leaver, { type: "leave" });
    const known = (): boolean =>
      world.live().every((one) => one === leaver || stateOf(one, leaver) === "left");
    expect(runUntil(world, "left everywhere", known, 2_000)).toBeLessThanOrEqual(500);
  });

  test("with the seed away, members that lose their link get it again over the mesh", () => {
    const world = grow(seed, 6);
    const full = (): boolean => world.live().every((one) => linkCount(one) === 5);
    runUntil(world, "a full mesh", full, 20_000);
    world.stopSeed();
    const [, cut] = world.live() as [SimMember, SimMember];
    const other = world.members[3] as SimMember;
    world.cutLink(cut, other);
    expect(linkCount(cut)).toBe(4);
    runUntil(world, "linked again without the seed", full, 20_000);
    for (const member of world.live()) expect(kindsSeenBy(member)).not.toContain("suspect");
  });

  test("a message to a member without a link arrives once, over others", () => {
    const world = grow(seed, 30, { loss: 0.05 });
    const sender = world.members[0] as SimMember;
    const linked = new Set(sender.core.links().map(({ peer }) => peer));
    const far = world.live().find((one) => one !== sender && !linked.has(one.config.id));
    expect(far).toBeDefined();
    const to = (far as SimMember).config.id;
    const command = { type: "send", id: 7, to, name: "psst", timeoutMs: 5_000 } as const;
    world.command(sender, { ...command, value: bytes("you") });
    const sent = (): boolean => sender.events.some((event) => event.type === "sent");
    runUntil(world, "acknowledged", sent, 5_000);
    expect(heardBy(far as SimMember).filter(({ direct }) => direct)).toHaveLength(1);
    for (const member of world.live()) {
      if (member !== far) expect(heardBy(member)).toEqual([]);
    }
  });

  test("halves of a partition declare each other down, and are one mesh again after it", () => {
    const world = grow(seed, 8);
    world.partition(new Map(world.live().map((member) => [member, member.index % 2])));
    const apart = (): boolean =>
      world
        .live()
        .every((one) =>
          world
            .live()
            .every((other) => (stateOf(one, other) === "down") === (one.group !== other.group)),
        );
    runUntil(world, "each half knows of the other", apart, 40_000);
    world.heal();
    const agree = (): boolean =>
      world.live().every((one) => world.live().every((other) => stateOf(one, other) === "alive"));
    runUntil(world, "one mesh again", agree, 40_000);
  });
});

test("a stranger's cluster is refused at the greeting and never half joined", () => {
  const world = new World(1);
  const here = world.add();
  const stranger = world.add({ clusterHash: 2 });
  world.run(10_000);
  expect(here.events).toContainEqual({ type: "refused", reason: "cluster" });
  for (const member of [here, stranger]) {
    expect(member.core.members()).toHaveLength(1);
    expect(member.core.links()).toEqual([]);
  }
});

test("a restarted member's new life wins, and its old state is gone", () => {
  const world = grow(1, 3);
  const first = world.add({ generation: 5 });
  world.run(2_000);
  world.command(first, { type: "set", key: "old", value: bytes("1") });
  world.run(2_000);
  world.crash(first);
  const second = world.add({ id: first.config.id, generation: 1 });
  const witness = world.members[0] as SimMember;
  const alive = (): boolean =>
    stateOf(witness, second) === "alive" &&
    (witness.core.members().find(({ id }) => id === second.config.id)?.generation ?? 0) === 6;
  runUntil(world, "its second life", alive, 20_000);
  world.command(second, { type: "set", key: "new", value: bytes("2") });
  world.run(3_000);
  const told = witness.events.flatMap((event) => (event.type === "state" ? [event] : []));
  expect(told.map(({ key, value }) => [key, value && text(value)])).toEqual([
    ["old", "1"],
    ["old", undefined],
    ["new", "2"],
  ]);
});
