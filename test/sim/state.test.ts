// State under loss, overload, partition, crash and restart, in virtual time, over several seeds.
import { describe, expect, test } from "vitest";
import type { SimMember, World } from "../../src/sim/index.ts";
import { type Joined, joined } from "./graph.ts";

const SEEDS = [21, 22, 23];

function grow(seed: number, options: Joined): World {
  const world = joined(seed, options);
  expect(
    world.runUntil(() => agree(world) && isKnown(world), 60_000),
    "all know all",
  ).toBeDefined();
  world.run(3_000);
  return world;
}

const isKnown = (world: World): boolean =>
  world.live().every(({ core }) => core.members().length >= world.live().length);

function agree(world: World): boolean {
  return new Set(world.live().map(({ core }) => JSON.stringify(core.fingerprints()))).size === 1;
}

function set(world: World, member: SimMember, key: string, size: number, number = 0): void {
  const value = new Uint8Array(Math.max(4, size));
  new DataView(value.buffer).setUint32(0, number);
  world.command(member, { type: "set", key, value });
}

/** What `member` has been told last of each key of `owner`: the number in the value, or undefined for deleted. */
function seenBy(member: SimMember, owner: SimMember): Map<string, number | undefined> {
  const seen = new Map<string, number | undefined>();
  for (const event of member.events) {
    if (event.type !== "state" || event.owner !== owner.config.id) continue;
    const { value } = event;
    seen.set(event.key, value && new DataView(value.buffer, value.byteOffset).getUint32(0));
  }
  return seen;
}

const knowsOf = (owner: SimMember, key: string, number: number) => (member: SimMember) =>
  member === owner || seenBy(member, owner).get(key) === number;

/** Bytes of all deltas that were made for links. */
const servedBytes = (world: World): number =>
  world.live().reduce((sum, { core }) => sum + core.stats().state.repairBytes, 0);

describe.each(SEEDS)("seed %i", (seed) => {
  test.each([0, 0.2])("a small set is known to all within a second; loss %f", (loss) => {
    const world = grow(seed, { count: 30, network: { loss, reliableLoss: loss } });
    for (let i = 1; i <= 10; i++) {
      const owner = world.members[(7 * i) % 30] as SimMember;
      set(world, owner, "k", 256, i);
      const all = (): boolean => world.live().every(knowsOf(owner, "k", i));
      expect(world.runUntil(all, 5_000, 10)).toBeLessThanOrEqual(1_000);
    }
  });

  test("a small set of which many lose every copy is known to all within a second", () => {
    const world = grow(seed, { count: 24 });
    world.network.options = { ...world.network.options, loss: 0.5 };
    for (let i = 1; i <= 40; i++) {
      const owner = world.members[(7 * i) % 24] as SimMember;
      set(world, owner, "k", 64, i);
      const all = (): boolean => world.live().every(knowsOf(owner, "k", i));
      expect(world.runUntil(all, 5_000, 10)).toBeLessThanOrEqual(1_000);
    }
  });

  test("row 30: what is large comes to each once, by who was asked, however many have it", () => {
    const world = grow(seed, { count: 24 });
    const owner = world.members[2] as SimMember;
    const size = 500_000;
    const before = servedBytes(world);
    set(world, owner, "large", size, 1);
    set(world, owner, "larger", 2 * size, 2);
    const all = (): boolean => world.live().every(knowsOf(owner, "larger", 2));
    expect(world.runUntil(all, 60_000)).toBeDefined();
    world.run(5_000);
    const carried = (servedBytes(world) - before) / (3 * size * 23);
    expect(carried).toBeLessThanOrEqual(1.15);
    expect(world.live().every(knowsOf(owner, "large", 1))).toBe(true);
  });

  test("row 30: a newcomer gets everything within its link's budget, each owner once", () => {
    const world = grow(seed, { count: 12 });
    for (const member of world.live()) {
      for (let key = 0; key < 40; key++) set(world, member, `${key}`, 5_000, key);
    }
    expect(world.runUntil(() => agree(world), 60_000)).toBeDefined();
    const all = 12 * 40 * 5_000;
    const before = servedBytes(world);
    const newcomer = world.add();
    const has = (): boolean =>
      world.live().every((one) => one === newcomer || seenBy(newcomer, one).size === 40);
    expect(world.runUntil(has, 30_000, 20)).toBeDefined();
    world.run(3_000);
    expect((servedBytes(world) - before) / all).toBeLessThanOrEqual(1.1);
    expect(agree(world)).toBe(true);
  });

  test("row 31: sync compares at once what would be compared later", () => {
    const world = grow(seed, { count: 20, parameters: { repairPeriodMs: 60_000 } });
    const owner = world.members[3] as SimMember;
    const { options } = world.network;
    const digests = (): number => owner.core.stats().state.digests;
    // It floods, and is lost altogether.
    world.network.options = { ...options, loss: 1 };
    set(world, owner, "k", 100, 1);
    world.run(200);
    world.network.options = options;
    const before = digests();
    world.run(50);
    expect(digests()).toBe(before);
    world.command(owner, { type: "sync" });
    expect(digests() - before).toBe(owner.links.size);
    const all = (): boolean => world.live().every(knowsOf(owner, "k", 1));
    expect(world.runUntil(all, 10_000, 10)).toBeLessThanOrEqual(2_000);
  });

  test.each([{ bytesPerSecond: 400_000 }, { loss: 0.2, reliableLoss: 0.2 }])(
    "row 50: writes above what links carry are conflated, and nobody is stale for long; %o",
    (network) => {
      const world = grow(seed, { count: 20, network });
      const writers = world.live().slice(0, 3);
      const written = new Map(writers.map((writer) => [writer, [] as number[][]]));
      let worst = 0;
      const samples: number[] = [];
      for (let i = 1; i <= 400; i++) {
        for (const writer of writers) {
          const key = i % 10;
          set(world, writer, `${key}`, 2_000, i);
          const times = written.get(writer) as number[][];
          times[key] = [...(times[key] ?? []), world.now];
        }
        world.run(10);
        if (i % 50 !== 0) continue;
        for (const [writer, keys] of written) {
          for (const member of world.live()) {
            if (member === writer) continue;
            const seen = seenBy(member, writer);
            for (const [key, times] of keys.entries()) {
              const got = seen.get(`${key}`) ?? 0;
              const missed = times[Math.ceil((got - key) / 10) + (key === 0 ? 0 : 1)];
              const staleMs = missed === undefined ? 0 : world.now - missed;
              samples.push(staleMs);
              worst = Math.max(worst, staleMs);
            }
          }
        }
      }
      samples.sort((a, b) => a - b);
      expect(worst).toBeLessThanOrEqual(3_000);
      expect(samples[Math.floor(0.99 * samples.length)]).toBeLessThanOrEqual(1_000);
      expect(world.runUntil(() => agree(world), 30_000)).toBeDefined();
    },
  );

  test("deleted keys never return, whatever was missed, and however many tombstones are forgotten", () => {
    const world = grow(seed, { count: 10, network: { loss: 0.1, reliableLoss: 0.1 } });
    const [owner, away] = world.live() as [SimMember, SimMember];
    for (let i = 0; i < 50; i++) set(world, owner, `old ${i}`, 300, i);
    world.run(5_000);
    world.partition(new Map([[away, 1]]));
    world.run(1_000);
    for (let i = 0; i < 50; i++) world.command(owner, { type: "delete", key: `old ${i}` });
    for (let i = 0; i < 1_200; i++) {
      set(world, owner, `churn ${i}`, 4, i);
      world.command(owner, { type: "delete", key: `churn ${i}` });
      if (i % 100 === 0) world.run(200);
    }
    set(world, owner, "kept", 4, 77);
    world.run(1_000);
    world.heal();
    expect(world.runUntil(() => agree(world), 120_000)).toBeDefined();
    world.run(20_000);
    expect(agree(world)).toBe(true);
    for (const member of world.live()) {
      if (member === owner) continue;
      const live = [...seenBy(member, owner)].filter(([, value]) => value !== undefined);
      expect(live).toEqual([["kept", 77]]);
    }
  });

  test("writes on both sides of a partition are everywhere soon after it", () => {
    const world = grow(seed, { count: 16, network: { loss: 0.05, reliableLoss: 0.05 } });
    world.partition(new Map(world.live().map((member) => [member, member.index % 2])));
    for (let i = 0; i < 10; i++) {
      for (const member of world.live()) set(world, member, "k", 1 + 400 * (i % 2), i);
      world.run(1_500);
    }
    world.heal();
    expect(world.runUntil(() => agree(world), 60_000)).toBeDefined();
    for (const member of world.live()) {
      for (const owner of world.live()) expect(knowsOf(owner, "k", 9)(member)).toBe(true);
    }
  });
});
