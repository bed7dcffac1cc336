// A member that says good-bye, in virtual time: whoever misses it learns of it all the same.
import { expect, test } from "vitest";
import type { SimMember, World } from "../../src/sim/index.ts";
import { grown, linkedWith, within } from "./graph.ts";

const stateOf = (of: SimMember, at: SimMember): string =>
  at.core.members().find(({ id }) => id === of.config.id)?.state ?? "unknown";

function leaves(world: World): SimMember {
  const leaver = world.live()[5] as SimMember;
  world.command(leaver, { type: "leave" });
  return leaver;
}

const NETWORK = { loss: 0.2, reliableLoss: 0.2, duplicate: 0.1, reorder: 0.3, reorderMs: 400 };

test.each([1, 2, 3, 4])(
  "seed %i: whose links all break as somebody leaves hears of it from the first that it meets again",
  (seed) => {
    const world = grown(seed, 24, NETWORK);
    const deaf = world.live()[11] as SimMember;
    const leaver = leaves(world);
    // What is on its way to it, and what it would be told next, is lost.
    world.cutLinks(deaf);
    within(world, 20_000, "all know", () =>
      world.live().every((one) => stateOf(leaver, one) === "left"),
    );
    const accused = world
      .live()
      .filter(({ events }) =>
        events.some((event) => event.type === "member" && event.kind === "down"),
      );
    expect(accused).toEqual([]);
  },
);

test.each([1, 2, 3, 4])(
  "seed %i: a good-bye that reached one neighbour alone is known to all before it counts as a crash",
  (seed) => {
    const world = grown(seed, 24, NETWORK);
    const leaver = world.live()[5] as SimMember;
    const [heard, ...others] = linkedWith(leaver);
    // Who leaves repeats nothing: what that one gets must not be lost, nor what it waits behind.
    const { options } = world.network;
    world.network.options = { ...options, loss: 0, reliableLoss: 0 };
    world.run(3_000);
    world.block([leaver], others);
    leaves(world);
    world.network.options = options;
    within(world, 3_000, "all know", () =>
      world.live().every((one) => stateOf(leaver, one) === "left"),
    );
    expect(heard).toBeDefined();
  },
);

test.each([1, 2])("seed %i: a good-bye that nobody heard is a crash, known to all", (seed) => {
  const world = grown(seed, 24, NETWORK);
  const leaver = world.live()[5] as SimMember;
  world.block([leaver], world.live());
  leaves(world);
  within(world, 12_000, "all know", () =>
    world.live().every((one) => stateOf(leaver, one) === "down"),
  );
});

test.each([1, 2])(
  "seed %i: who leaves during a partition is down on the other side, and has left once it is over",
  (seed) => {
    const world = grown(seed, 24, { loss: 0.05, reliableLoss: 0.05 });
    const [here, there] = [world.live().slice(0, 12), world.live().slice(12)];
    world.partition(new Map(here.map((member) => [member, 1])));
    const leaver = leaves(world);
    within(world, 30_000, "each side knows", () =>
      there.every((one) => stateOf(leaver, one) === "down"),
    );
    expect(here.filter((one) => one.alive && stateOf(leaver, one) !== "left")).toEqual([]);
    world.heal();
    within(world, 30_000, "all know", () =>
      world.live().every((one) => stateOf(leaver, one) === "left"),
    );
  },
);
