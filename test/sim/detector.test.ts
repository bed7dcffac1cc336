/** Failure detection in virtual time: what must be noticed, how soon, and what must never be taken for a failure. */
import { describe, expect, test } from "vitest";
import type { MemberView } from "../../src/core/machine.ts";
import { type SimMember, World } from "../../src/sim/index.ts";

const SEEDS = [1, 2, 3];
const LOSSES = [0, 0.2];
const CASES = SEEDS.flatMap((seed) => LOSSES.map((loss) => [seed, loss] as const));

type State = MemberView["state"];

function stateOf(member: SimMember, other: SimMember): State | undefined {
  return member.core.members().find(({ id }) => id === other.config.id)?.state;
}

/** A world of `count` members that have all met. */
function grow(seed: number, count: number, loss: number): World {
  const world = new World(seed, { loss });
  for (let i = 0; i < count; i++) {
    world.add();
    world.run(37 * (i % 5));
  }
  within(world, "all see each other", 30_000, () => everyoneHolds(world, world.live(), "alive"));
  world.run(5_000);
  return world;
}

function within(world: World, what: string, msMax: number, holds: () => boolean): number {
  const ms = world.runUntil(holds, msMax);
  expect(ms, what).toBeDefined();
  return ms ?? msMax;
}

/** Whether every live member but `one` itself holds each of `ones` in `state`. */
function everyoneHolds(world: World, ones: readonly SimMember[], state: State): boolean {
  return world
    .live()
    .every((member) => ones.every((one) => one === member || stateOf(member, one) === state));
}

/** What members were told of each other since they met, as "kind" by the index of whom it is about. */
function toldOf(world: World, about: SimMember): string[][] {
  return world
    .live()
    .filter((member) => member !== about)
    .map((member) =>
      member.events.flatMap((event) =>
        event.type === "member" && event.member.id === about.config.id && event.kind !== "update"
          ? [event.kind]
          : [],
      ),
    );
}

const each = (world: World, kinds: string[]): string[][] =>
  Array.from({ length: world.live().length - 1 }, () => kinds);

describe.each(CASES)("seed %i, loss %f", (seed, loss) => {
  test.each([2, 3, 12])(
    "an announced sleep of under 5 min is no failure, of %i members",
    (count) => {
      const world = grow(seed, count, loss);
      const sleeper = world.members[1] as SimMember;
      world.command(sleeper, { type: "sleep" });
      within(world, "all know that it sleeps", 2_000, () =>
        everyoneHolds(world, [sleeper], "asleep"),
      );
      world.run(290_000);
      expect(everyoneHolds(world, [sleeper], "asleep")).toBe(true);
      world.input(sleeper, { type: "resumed", gapMs: 290_000 });
      within(world, "it is back", 5_000, () => everyoneHolds(world, world.live(), "alive"));
      world.run(10_000);
      expect(toldOf(world, sleeper)).toEqual(each(world, ["join", "up", "asleep", "up"]));
    },
  );

  test("who sleeps for longer is down", () => {
    const world = grow(seed, 5, loss);
    const sleeper = world.members[1] as SimMember;
    world.command(sleeper, { type: "sleep" });
    world.run(1_000);
    world.crash(sleeper);
    world.run(298_000);
    expect(everyoneHolds(world, [sleeper], "asleep")).toBe(true);
    within(world, "down", 3_000, () => everyoneHolds(world, [sleeper], "down"));
  });
});
