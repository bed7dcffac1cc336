// The overlay in virtual time: how many links, with whom, and what becomes of them under faults.
import { describe, expect, test } from "vitest";
import type { Input } from "../../src/core/machine.ts";
import { type SimMember, World } from "../../src/sim/index.ts";
import { grown, invite, linkedWith, linksMade, oneSided, parts, within } from "./graph.ts";

const TARGET = 8;
const CAP = 10;

const degrees = (world: World): number[] => world.live().map((one) => linkedWith(one).length);
const isFull = (world: World): boolean =>
  degrees(world).every((degree) => degree === world.live().length - 1);
const isBounded = (world: World): boolean =>
  degrees(world).every((degree) => degree >= TARGET && degree <= CAP);
const made = (world: World): number =>
  world.members.reduce((sum, member) => sum + linksMade(member), 0);

/** Stays one mesh, in which nobody is held for down, once the news of the meeting has gone round. */
function expectOneMesh(world: World, ms: number): void {
  world.run(5_000);
  for (let at = 0; at < ms; at += 1_000) {
    world.run(1_000);
    expect(parts(world)).toHaveLength(1);
    for (const { core } of world.live()) {
      expect(core.members().every(({ state }) => state === "alive")).toBe(true);
    }
  }
}

/** Nothing is opened and nothing is ended for `ms`. */
function expectCalm(world: World, ms: number): void {
  world.run(2_000);
  const [before, links] = [made(world), JSON.stringify(degrees(world))];
  world.run(ms);
  expect([made(world), JSON.stringify(degrees(world))]).toEqual([before, links]);
}

describe.each([1, 2])("seed %i", (seed) => {
  test("row 4: full up to 10 members and still at 13, bounded at 14, full again at 10, and calm at each", () => {
    const world = grown(seed, 10);
    within(world, 20_000, "full at 10", () => isFull(world));
    for (let i = 0; i < 3; i++) world.add();
    within(world, 20_000, "full at 13", () => isFull(world));
    expectCalm(world, 10_000);
    world.add();
    within(world, 40_000, "bounded at 14", () => isBounded(world));
    world.run(20_000);
    expect(isBounded(world)).toBe(true);
    for (const member of world.live().slice(10)) world.command(member, { type: "leave" });
    within(world, 20_000, "full at 10 again", () => world.live().length === 10 && isFull(world));
    expectCalm(world, 10_000);
  });

  test("row 4: beyond, everyone has 8 to 10 links, known to both ends, and next to all have 8 in the end", () => {
    const world = grown(seed, 32, { loss: 0.05 });
    within(world, 20_000, "8 to 10 links", () => isBounded(world));
    world.run(40_000);
    expect(isBounded(world)).toBe(true);
    expect(oneSided(world)).toEqual([]);
    expect(parts(world)).toEqual([32]);
    const mean = degrees(world).reduce((sum, degree) => sum + degree, 0) / 32;
    expect(mean).toBeLessThan(8.4);
  });

  test("row 22: after a crash of 80 % what is left is one mesh again within 6 s, with 8 to 10 links each soon", () => {
    const world = grown(seed, 50);
    for (const member of world.live().filter(({ index }) => index % 5 !== 0)) world.crash(member);
    within(world, 6_000, "one part", () => parts(world).length === 1);
    within(world, 15_000, "everyone linked with everyone", () =>
      degrees(world).every((degree) => degree >= TARGET),
    );
    for (const member of world.live()) expect(linksMade(member)).toBeLessThan(60);
  });

  test("row 22: half of all crash, without a seed: what still hangs together has its links again soon", () => {
    const world = grown(seed, 40, { loss: 0.2 });
    world.stopSeed();
    for (const member of world.live().filter(({ index }) => index % 2 === 1)) world.crash(member);
    const [largest = 0] = parts(world);
    expect(largest).toBeGreaterThan(15);
    within(world, 20_000, "8 links", () => {
      const enough = degrees(world).filter((degree) => degree >= Math.min(TARGET, largest - 1));
      return enough.length >= largest;
    });
    expect(parts(world)[0]).toBeGreaterThanOrEqual(largest);
  });

  test("row 22: a partition of 70/30 heals by itself through the seed", () => {
    const world = grown(seed, 20);
    world.partition(new Map(world.live().map((one) => [one, one.index % 10 < 7 ? 0 : 1])));
    within(world, 60_000, "two meshes", () => parts(world).join() === "14,6");
    world.run(20_000);
    world.heal();
    within(world, 20_000, "one mesh", () => parts(world).length === 1);
    within(world, 40_000, "8 to 10 links", () => isBounded(world));
  });

  test("row 22: without any seed two meshes become one by an invitation between any two members", () => {
    const world = grown(seed, 8);
    world.stopSeed();
    const first = world.add();
    const others = Array.from({ length: 5 }, () => world.add());
    for (const other of others) invite(world, first, other);
    within(world, 20_000, "two meshes", () => parts(world).join() === "8,6");
    invite(world, world.members[3] as SimMember, others[2] as SimMember);
    within(world, 30_000, "one mesh, bounded", () => parts(world).length === 1 && isBounded(world));
  });

  test("row 22: two meshes that one link has joined again are one, without any seed", () => {
    const world = grown(seed, 16);
    world.stopSeed();
    const side = (one: SimMember): number => one.index % 2;
    const [a, b] = [world.members[0], world.members[1]] as [SimMember, SimMember];
    world.partition(new Map(world.live().map((one) => [one, side(one)])));
    within(world, 60_000, "two meshes", () => parts(world).join() === "8,8");
    world.heal();
    invite(world, a, b);
    within(world, 30_000, "one mesh, bounded", () => parts(world).length === 1 && isBounded(world));
  });

  test("row 22: two halves whose views are full grow together, and do not fall apart again", () => {
    const world = grown(seed, 40);
    const side = (one: SimMember): number => one.index % 2;
    world.run(10_000);
    world.partition(new Map(world.live().map((one) => [one, side(one)])));
    within(world, 60_000, "two meshes", () => parts(world).join() === "20,20");
    within(world, 60_000, "full views", () => degrees(world).every((degree) => degree >= TARGET));
    world.run(60_000);
    world.heal();
    within(world, 20_000, "one mesh", () => parts(world).length === 1);
    const crossing = (): number =>
      world.live().flatMap((one) => linkedWith(one).filter((other) => side(other) > side(one)))
        .length;
    within(world, 20_000, "many links between the halves", () => crossing() >= 10);
    expectOneMesh(world, 90_000);
    expect(crossing()).toBeGreaterThanOrEqual(5);
  });

  test("a storm of 40 newcomers: all have links within 3 s, one mesh within 8 s, and few links are made in vain", () => {
    const world = new World(seed, { loss: 0.05 });
    for (let i = 0; i < 40; i++) world.add();
    within(world, 3_000, "a link each", () => degrees(world).every((degree) => degree > 0));
    within(world, 8_000, "one part", () => parts(world).length === 1);
    within(world, 20_000, "8 to 10 links", () => isBounded(world));
    const counts = world.live().map(linksMade);
    expect(counts.reduce((sum, count) => sum + count, 0) / 40).toBeLessThan(16);
    expect(Math.max(...counts)).toBeLessThanOrEqual(40);
  });

  test("with 4 links wanted nobody is left without any, whoever comes and goes", () => {
    const parameters = { fullMeshMax: 2, fullMeshSlack: 0, linksTarget: 4, linksSlack: 1 };
    const world = grown(seed, 24, { parameters });
    world.stopSeed();
    for (let i = 0; i < 12; i++) {
      world.command(world.live()[(7 * i) % world.live().length] as SimMember, { type: "leave" });
      const newcomer = world.add();
      invite(world, world.live()[(5 * i) % 20] as SimMember, newcomer);
      for (let step = 0; step < 20; step++) {
        world.run(100);
        for (const member of world.live()) expect(linkedWith(member).length).toBeGreaterThan(0);
      }
    }
    within(world, 20_000, "4 links each", () => degrees(world).every((degree) => degree >= 3));
  });
});

test("members of different kinds keep to their own targets", () => {
  const world = new World(1);
  for (let i = 0; i < 30; i++) {
    const node = i % 3 === 0;
    world.add({ node, parameters: { linksTarget: node ? 10 : 8 } });
    world.run(50);
  }
  within(world, 60_000, "8 to 10 links, 10 to 12 in Node", () =>
    world.live().every((member) => {
      const { linksTarget, linksSlack } = member.config;
      const degree = linkedWith(member).length;
      return degree >= linksTarget && degree <= linksTarget + linksSlack;
    }),
  );
});

test.each([1, 3])(
  "seed %i: whose network is back after minutes tries at once, though it would have waited",
  (seed) => {
    const world = grown(seed, 6);
    const one = world.live()[2] as SimMember;
    world.partition(new Map(world.live().map((other) => [other, other === one ? 1 : 0])));
    world.run(150_000);
    world.heal();
    world.input(one, { type: "online" });
    within(world, 2_000, "linked", () => linkedWith(one).length > 0);
  },
);

test("what a seed has carried and says again ends no link", () => {
  const world = new World(1);
  const carried: [SimMember, Input][] = [];
  const note = (member: SimMember, input: Input): void => {
    if (input.type === "seedPacket") carried.push([member, input]);
  };
  world.observe({ onInput: note });
  for (let i = 0; i < 6; i++) {
    world.add();
    world.run(500);
  }
  within(world, 20_000, "full", () => isFull(world));
  world.run(5_000);
  const links = made(world);
  const downs: string[] = [];
  world.observe({
    onEvent: (_, event) => {
      if (event.type === "linkDown") downs.push(event.reason);
    },
  });
  const again = carried.slice();
  expect(again.length).toBeGreaterThan(10);
  for (let round = 0; round < 3; round++) {
    for (const [member, input] of again) world.input(member, input);
    world.run(1_000);
  }
  world.run(30_000);
  expect(downs).toEqual([]);
  expect(made(world)).toBe(links);
});

test.each([
  ["request", 0],
  ["acceptance", 1],
  ["offer", 2],
  ["answer", 3],
])("a seed loses the %s: the link comes about within 6 s", (_, lost) => {
  const world = new World(lost);
  const { seedServer } = world;
  const carry = seedServer.onEffect.bind(seedServer);
  let count = 0;
  seedServer.onEffect = (member, effect) => {
    if (effect.type !== "sendSeed" || count++ !== lost) carry(member, effect);
  };
  const [one] = [world.add(), world.add()];
  within(world, 6_000, "linked", () => linkedWith(one).length === 1);
  expect(count).toBeGreaterThan(4);
});
