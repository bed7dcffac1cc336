// A member that all its neighbours take for asleep hears nothing from them: it has to ask by itself.
import { expect, test } from "vitest";
import type { SimMember } from "../../src/sim/index.ts";
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
