/** What happens to many at once: partitions, mass crashes, links lost everywhere. */
import { describe, expect, test } from "vitest";
import type { SimMember, World } from "../../src/sim/index.ts";
import { allHold, cases, FalseDowns, grow, within } from "./detection.ts";

/** Partitions off the first `count`; gives both sides. */
function split(world: World, count: number): [SimMember[], SimMember[]] {
  const sides: [SimMember[], SimMember[]] = [
    world.members.slice(0, count),
    world.members.slice(count),
  ];
  world.partition(new Map(sides[0].map((member) => [member, 1])));
  return sides;
}

describe.each(cases([1, 2], [0, 0.2]))("seed %i, loss %f", (seed, loss) => {
  test.each([
    [4, 2],
    [10, 5],
    [20, 10],
    [20, 2],
  ])(
    "a partition of %i members, %i on one side: each side knows, loses nobody of its own, and heals",
    (count, small) => {
      const world = grow(seed, count, loss);
      const [a, b] = split(world, small);
      within(
        world,
        "each side knows",
        20_000,
        () => allHold(a, b, "down") && allHold(b, a, "down"),
      );
      world.run(10_000);
      expect(allHold(a, a, "alive") && allHold(b, b, "alive")).toBe(true);
      world.heal();
      within(world, "one mesh again", 60_000, () => allHold(world.live(), world.live(), "alive"));
    },
  );

  test("one is cut off from nine: they know; it says that it is isolated, and takes nobody for down at first", () => {
    const world = grow(seed, 10, loss);
    const [[lonely], others] = split(world, 1) as [[SimMember], SimMember[]];
    within(world, "the others know", 8_000, () => allHold(others, [lonely], "down"));
    const isolated = (): boolean => lonely.events.some(({ type }) => type === "isolated");
    within(world, "it says that it is isolated", 4_000, isolated);
    expect(allHold(others, others, "alive")).toBe(true);
    expect(lonely.core.members().filter(({ state }) => state === "down")).toEqual([]);
    world.heal();
    within(world, "one mesh again", 60_000, () => allHold(world.live(), world.live(), "alive"));
  });

  test.each([50, 70, 80])(
    "of 30 members %i %% crash at once: the others know, and lose nobody",
    (percent) => {
      const world = grow(seed, 30, loss);
      const victims = world.members.filter(({ index }) => (index * 37) % 100 < percent);
      const downs = new FalseDowns(world);
      for (const victim of victims) world.crash(victim);
      within(world, "all know of all", 60_000, () => allHold(world.live(), victims, "down"));
      within(world, "and of each other", 60_000, () =>
        allHold(world.live(), world.live(), "alive"),
      );
      expect(downs.told).toEqual([]);
    },
  );

  test("row 22: every member loses most of its links at once; they come back, and nobody is down", () => {
    const world = grow(seed, 16, loss);
    const downs = new FalseDowns(world);
    let nth = 0;
    for (const member of world.members) {
      for (const { to } of [...member.links.values()]) {
        if (to.index > member.index && (++nth * 7 + seed) % 10 < 7) world.cutLink(member, to);
      }
    }
    world.run(30_000);
    expect(downs.told).toEqual([]);
    expect(allHold(world.live(), world.live(), "alive")).toBe(true);
    for (const { links } of world.members) expect(links.size).toBeGreaterThan(3);
  });

  test("a member that loses all links but one is not down", () => {
    const world = grow(seed, 12, loss);
    const downs = new FalseDowns(world);
    const member = world.members[5] as SimMember;
    for (const { to } of [...member.links.values()].slice(1)) world.cutLink(member, to);
    world.run(20_000);
    expect(downs.told).toEqual([]);
  });

  test("the observers change while a suspicion runs: the crash is seen all the same, and nobody else is down", () => {
    const world = grow(seed, 14, loss);
    const downs = new FalseDowns(world);
    const victim = world.members[4] as SimMember;
    const observers = [...victim.links.values()].map(({ to }) => to);
    world.crash(victim);
    world.run(2_700);
    const [crashes, leaves, restarts] = observers as [SimMember, SimMember, SimMember];
    world.crash(crashes);
    world.command(leaves, { type: "leave" });
    world.crash(restarts);
    world.restart(restarts);
    const gone = [victim, crashes];
    const others = world.live().filter((one) => world.members.indexOf(one) < 14);
    within(world, "both crashes", 15_000, () => allHold(others, gone, "down"));
    world.run(10_000);
    expect(downs.told).toEqual([]);
    expect(allHold(world.live(), world.live(), "alive")).toBe(true);
  });

  test("members that know only each other crash together: the others find out without any observer", () => {
    const world = grow(seed, 6, loss);
    const pair = [world.add(), world.add()] as [SimMember, SimMember];
    within(world, "they are there", 20_000, () => allHold(world.live(), pair, "alive"));
    const [a, b] = pair;
    for (const one of pair) {
      for (const { to } of [...one.links.values()]) if (!pair.includes(to)) world.cutLink(one, to);
    }
    world.run(150);
    world.crash(a);
    world.crash(b);
    within(world, "both down", 45_000, () => allHold(world.live(), pair, "down"));
  });
});
