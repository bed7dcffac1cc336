/** Failure detection in virtual time: crashes are seen by all, soon; nobody else is accused. */
import { describe, expect, test } from "vitest";
import type { SimMember } from "../../src/sim/index.ts";
import { allHold, cases, FalseDowns, grow, stateOf, toldOf, within } from "./detection.ts";

describe.each(cases([1, 2, 3], [0, 0.2]))("seed %i, loss %f", (seed, loss) => {
  test.each([
    [2, 6_500],
    [3, 6_500],
    [4, 6_000],
    [12, 5_500],
  ])("row 20: of %i members one crashes, and is down everywhere within %i ms", (count, msMax) => {
    const world = grow(seed, count, loss);
    const downs = new FalseDowns(world);
    const victim = world.members[seed % count] as SimMember;
    world.crash(victim);
    within(world, "down everywhere", msMax, () => allHold(world.live(), [victim], "down"));
    world.run(15_000);
    expect(downs.told).toEqual([]);
  });

  test.each([
    [3, 2],
    [4, 2],
    [4, 3],
  ])("of %i members %i crash at once", (count, crashes) => {
    const world = grow(seed, count, loss);
    const victims = world.members.slice(0, crashes);
    for (const victim of victims) world.crash(victim);
    within(world, "down everywhere", 20_000, () => allHold(world.live(), victims, "down"));
  });

  test("two members without a seed server: one crashes", () => {
    const world = grow(seed, 2, loss);
    world.stopSeed();
    world.run(1_000);
    const [left, victim] = world.members as [SimMember, SimMember];
    world.crash(victim);
    within(world, "it knows that it is alone", 8_000, () =>
      left.events.some(({ type }) => type === "isolated"),
    );
    within(world, "and takes the other for down", 8_000, () => stateOf(left, victim) === "down");
  });

  test("a newcomer that crashes before it has announced a link", () => {
    const world = grow(seed, 5, loss);
    const newcomer = world.add();
    const known = (): boolean => world.live().some((one) => stateOf(one, newcomer) === "alive");
    expect(world.runUntil(() => known(), 10_000, 1)).toBeDefined();
    world.crash(newcomer);
    const gone = (): boolean =>
      world.live().every((one) => ["down", undefined].includes(stateOf(one, newcomer)));
    within(world, "nobody holds it alive", 20_000, gone);
  });

  test("row 23: who is down is forgotten in the end, and stays so", () => {
    const world = grow(seed, 4, loss);
    const victim = world.members[1] as SimMember;
    world.crash(victim);
    world.run(10_000);
    expect(allHold(world.live(), [victim], "down")).toBe(true);
    const { tombstoneMs } = victim.config;
    const forgotten = (): boolean =>
      world.live().every((one) => stateOf(one, victim) === undefined);
    within(world, "forgotten", 1.5 * tombstoneMs, forgotten);
    world.run(10_000);
    expect(forgotten()).toBe(true);
    for (const kinds of toldOf(world, victim)) expect(kinds.at(-1)).toBe("down");
  });

  test("a newcomer hears nothing of who is down", () => {
    const world = grow(seed, 5, loss);
    const victim = world.members[1] as SimMember;
    world.crash(victim);
    world.run(10_000);
    const newcomer = world.add();
    within(world, "it is there", 20_000, () => allHold(world.live(), world.live(), "alive"));
    world.run(5_000);
    expect(stateOf(newcomer, victim)).toBeUndefined();
    expect(toldOf(world, victim).at(-1)).toEqual([]);
  });

  test("row 19: φ of a link stays low while answers come, and rises with silence", () => {
    const world = grow(seed, 4, loss);
    const [watcher, victim] = world.members as [SimMember, SimMember];
    const phi = (): number | undefined =>
      watcher.core.links(world.now).find(({ peer }) => peer === victim.config.id)?.phi;
    const usual: number[] = [];
    for (let i = 0; i < 100; i++) {
      world.run(100);
      usual.push(phi() ?? Number.NaN);
    }
    expect(usual.reduce((sum, one) => sum + one) / usual.length).toBeLessThan(0.4);
    world.pause(victim, 3_000);
    const risen: number[] = [];
    for (let i = 0; i < 5; i++) {
      world.run(500);
      risen.push(phi() ?? Number.NaN);
    }
    expect(risen).toEqual([...risen].sort((a, b) => a - b));
    expect(risen.at(-1)).toBeGreaterThan(0.8);
    within(world, "and falls with the next answer", 5_000, () => (phi() ?? 9) < 0.5);
  });
});

test("row 18: to know that all are there, no state is written, and none is sent", () => {
  const world = grow(1, 6, 0.05);
  const [writer] = world.members as [SimMember];
  const value = new Uint8Array(1);
  world.command(writer, { type: "set", key: "k", value });
  world.run(5_000);
  const before = world.members.map((member) => JSON.stringify(member.core.fingerprints()));
  const told = world.members.map(({ events }) => events.length);
  world.run(120_000);
  expect(world.members.map((member) => JSON.stringify(member.core.fingerprints()))).toEqual(before);
  expect(world.members.map(({ events }) => events.length)).toEqual(told);
  world.crash(writer);
  within(world, "its heartbeat was there", 6_000, () => allHold(world.live(), [writer], "down"));
});
