// Trees, gaps and what is missed, in virtual time: each over several seeds, with loss, crashes, partitions and churn.
import { describe, expect, test } from "vitest";
import type { MeshEvent } from "../../src/core/machine.ts";
import type { SimMember, World } from "../../src/sim/index.ts";
import { type Joined, joined } from "./graph.ts";

const SEEDS = [11, 12];

function grow(seed: number, options: Joined): World {
  const world = joined(seed, options);
  const linked = (): boolean =>
    world
      .live()
      .every(({ core }) => core.members().length === options.count && core.links().length > 2);
  expect(world.runUntil(linked, 30_000), "all know all").toBeDefined();
  world.run(5_000);
  return world;
}

let said = 0;

/** Gives what was said, to be looked for in what others heard. */
function say(world: World, from: SimMember, size = 64): number {
  const value = new Uint8Array(Math.max(4, size));
  new DataView(value.buffer).setUint32(0, ++said);
  world.command(from, { type: "say", id: said, name: "n", value });
  return said;
}

const numberOf = ({ buffer, byteOffset }: Uint8Array): number =>
  new DataView(buffer, byteOffset).getUint32(0);

const isHeard = (event: MeshEvent): event is Extract<MeshEvent, { type: "heard" }> =>
  event.type === "heard";

function heardBy(member: SimMember): number[] {
  return member.events.filter(isHeard).map(({ value }) => numberOf(value));
}

const gapsOf = (member: SimMember): MeshEvent[] =>
  member.events.filter(({ type }) => type === "gap");

function sum(world: World, of: (member: SimMember) => number): number {
  return world.live().reduce((total, member) => total + of(member), 0);
}

const payloads = (world: World): number =>
  sum(world, ({ core }) => core.stats().broadcast.payloadsSent);
const control = (world: World): number =>
  sum(world, ({ core }) => {
    const { iHaves, grafts, prunes } = core.stats().broadcast;
    return iHaves + grafts + prunes;
  });

describe.each(SEEDS)("seed %i", (seed) => {
  test("a stable tree has hardly a duplicate, few announcements, and short ways", () => {
    const world = grow(seed, { count: 20 });
    const speaker = world.members[seed % 20] as SimMember;
    // Links still change for a while after so many have joined at once.
    world.run(20_000);
    for (let i = 0; i < 50; i++) {
      say(world, speaker);
      world.run(20);
    }
    world.run(3_000);
    const before = { payloads: payloads(world), control: control(world) };
    const messages = 250;
    for (let i = 0; i < messages; i++) {
      say(world, speaker, 1_024);
      world.run(4);
    }
    world.run(3_000);
    const needed = messages * 19;
    expect((payloads(world) - before.payloads) / needed - 1).toBeLessThanOrEqual(0.05);
    expect((control(world) - before.control) / needed).toBeLessThanOrEqual(0.5);
    for (const member of world.live()) {
      expect(member.core.stats().broadcast.hopsMax).toBeLessThanOrEqual(8);
      if (member !== speaker) expect(heardBy(member).length).toBe(messages + 50);
      expect(gapsOf(member)).toEqual([]);
    }
  });

  test("where all are linked nobody hears anything twice, not even the first words", () => {
    const world = grow(seed, { count: 8 });
    for (const member of world.live()) for (let i = 0; i < 5; i++) say(world, member);
    world.run(20_000);
    // After a long silence the next words find the tree anew; here there is none to find.
    for (const member of world.live()) say(world, member);
    world.run(5_000);
    expect(sum(world, ({ core }) => core.stats().broadcast.duplicates)).toBe(0);
  });

  test("what is said while half of all crash reaches every survivor, or a gap is shown", () => {
    const world = grow(seed, { count: 20, network: { loss: 0.05, reliableLoss: 0.05 } });
    const speaker = world.members[0] as SimMember;
    const words: number[] = [];
    for (let i = 0; i < 20; i++) {
      words.push(say(world, speaker));
      world.run(50);
    }
    for (const victim of world.members.slice(1)) if (victim.index % 2 === 0) world.crash(victim);
    for (let i = 0; i < 20; i++) {
      words.push(say(world, speaker));
      world.run(200);
    }
    world.run(20_000);
    for (const member of world.live()) {
      if (member === speaker) continue;
      const heard = heardBy(member);
      expect(heard).toEqual(words.filter((word) => heard.includes(word)));
      if (gapsOf(member).length === 0) expect(heard).toEqual(words);
    }
  });

  test("the last word before a silence is not lost when the link that should bring it breaks", () => {
    const world = grow(seed, { count: 20 });
    const speaker = world.members[3] as SimMember;
    for (let i = 0; i < 5; i++) {
      say(world, speaker);
      world.run(100);
    }
    const last = say(world, speaker);
    world.run(30);
    // The word is under way on these links.
    for (const member of world.live()) if (member !== speaker) world.cutLink(speaker, member);
    world.run(20_000);
    const missing = world
      .live()
      .filter((member) => member !== speaker && !heardBy(member).includes(last));
    expect(missing.map(({ index }) => index)).toEqual([]);
  });

  test("who is cut off for a while hears what came after it, and a gap names what it missed", () => {
    const world = grow(seed, { count: 16, parameters: { payloadKeepMs: 1_000 } });
    const [speaker, absent] = world.members as [SimMember, SimMember];
    const before = say(world, speaker);
    world.run(2_000);
    world.partition(new Map([[absent, 1]]));
    for (let i = 0; i < 10; i++) {
      say(world, speaker);
      world.run(1_000);
    }
    world.heal();
    world.run(30_000);
    const after = say(world, speaker);
    world.run(10_000);
    const heard = heardBy(absent);
    expect([heard[0], heard.at(-1)]).toEqual([before, after]);
    const missed = gapsOf(absent).reduce(
      (total, event) => total + (event.type === "gap" ? event.last - event.first + 1 : 0),
      0,
    );
    expect(heard.length + missed).toBe(12);
  });

  test("words of a newcomer are heard by all though it is hardly known yet", () => {
    const world = grow(seed, { count: 20 });
    const newcomer = world.add();
    const up = (): boolean => newcomer.core.links().length > 0;
    expect(world.runUntil(up, 10_000, 5)).toBeDefined();
    const words = [1, 2, 3].map(() => say(world, newcomer));
    world.run(10_000);
    for (const member of world.live()) {
      if (member !== newcomer) expect(heardBy(member).slice(-3)).toEqual(words);
    }
  });

  test("trees become quick again after churn: at once, or with what is said after a silence", () => {
    const world = grow(seed, { count: 20 });
    const speaker = world.members[0] as SimMember;
    const reachedIn = (): number => {
      const word = say(world, speaker);
      const all = (): boolean =>
        world.live().every((one) => one === speaker || heardBy(one).includes(word));
      return world.runUntil(all, 10_000, 10) ?? Number.POSITIVE_INFINITY;
    };
    reachedIn();
    for (let round = 0; round < 5; round++) {
      world.crash(world.members[round + 1] as SimMember);
      world.add();
      world.run(3_000);
      reachedIn();
    }
    world.run(15_000);
    // Five of the slowest links.
    expect(reachedIn()).toBeLessThanOrEqual(750);
    world.run(1_000);
    expect(reachedIn()).toBeLessThanOrEqual(750);
  });
});

test("many that speak at once are heard in order, each once, through bounded inboxes", () => {
  const world = grow(7, { count: 16, network: { reliableLoss: 0.02 } });
  const words = new Map<SimMember, number[]>(world.live().map((member) => [member, []]));
  for (let i = 0; i < 60; i++) {
    for (const [member, own] of words) own.push(say(world, member));
    world.run(20);
  }
  world.run(20_000);
  for (const member of world.live()) {
    for (const [other, own] of words) {
      if (other === member) continue;
      const { id } = other.config;
      const heard = member.events.filter(isHeard).filter(({ from }) => from === id);
      expect(heard.map(({ value }) => numberOf(value))).toEqual(own);
    }
  }
});
