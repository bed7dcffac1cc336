// Members that others are wrong about: one taken for asleep has to ask by itself, and halves cannot meet without a seed.
import { expect, test } from "vitest";
import { type SimMember, World } from "../../src/sim/index.ts";
import { islandsOf } from "../../src/sim/islands.ts";
import { sameKnowledge } from "../../src/sim/oracles/agreement.ts";
import { ORACLES } from "../../src/sim/oracles/index.ts";
import { Oracles } from "../../src/sim/oracles/oracle.ts";
import { grown, within } from "./graph.ts";

test.each([1, 2, 3])(
  "a hidden member that was deaf for a while is soon awake to all again, seed %i",
  (seed) => {
    const world = grown(seed, 8);
    // Of each link the lower id compares what both know: the highest never does.
    const last = world.live().reduce((a, b) => (a.config.id > b.config.id ? a : b)) as SimMember;
    const others = world.live().filter((member) => member !== last);
    const stateAt = (member: SimMember): string | undefined =>
      member.core.members().find(({ id }) => id === last.config.id)?.state;
    world.hide(last, true);
    world.run(3_000);
    world.deafen(last, true);
    within(world, 20_000, "asleep to all", () => others.every((one) => stateAt(one) === "asleep"));
    // Its links are gone, and new ones bring no news of it.
    world.cutLinks(last);
    world.deafen(last, false);
    within(world, 20_000, "awake to all", () => others.every((one) => stateAt(one) === "alive"));
    expect(last.core.members().filter(({ state }) => state === "alive")).toHaveLength(8);
  },
);

test.each([1, 2])(
  "half stand still for 8 s while the seed is down: two meshes that each agree, and one when it is back, seed %i",
  (seed) => {
    const world = new World(seed);
    const oracles = new Oracles(world, ORACLES);
    for (let i = 0; i < 12; i++) world.add();
    const [first] = world.members as [SimMember];
    const whole = (): boolean => world.live().every((member) => sameKnowledge(first, member));
    within(world, 20_000, "all know all", () => first.core.liveCount === 12 && whole());
    world.run(10_000);
    world.stopSeed();
    for (const { index } of world.live())
      if (index % 2 === 1) world.pause(world.members[index] as SimMember, 8_000);
    // By then the others have ended their links: nothing is left to find each other by.
    world.run(40_000);
    expect(islandsOf(world).map(({ length }) => length)).toEqual([6, 6]);
    expect(oracles.quiet()).toEqual([]);
    world.startSeed();
    within(world, 60_000, "one mesh again", () => first.core.liveCount === 12 && whole());
    world.run(20_000);
    expect(islandsOf(world)).toHaveLength(1);
    expect(oracles.quiet()).toEqual([]);
  },
);
