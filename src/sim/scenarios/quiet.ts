/** Scenarios without members that fail: nothing happens at all, or the network falls apart and heals. */

import type { SimMember } from "../member.ts";
import { DownWatch } from "./down-watch.ts";
import { round } from "./figures.ts";
import { PATIENCE_MS, type Scenario, SETTLE_MS } from "./scenario.ts";
import { Traffic } from "./traffic.ts";

export const idle: Scenario = {
  name: "idle",
  summary: "nothing happens; what it costs to know that everybody is there",
  members: 100,
  options: {
    seconds: { default: 60, min: 1, max: 36_000, what: "how long it is measured" },
  },
  run(trial) {
    trial.grow();
    const { world } = trial;
    world.run(10_000);
    const watch = new DownWatch(world);
    const traffic = new Traffic(world);
    const seconds = trial.option("seconds");
    const links = 2 * world.network.linkCount;
    world.run(seconds * 1_000);
    const peers = trial.settings.members;
    const perType = traffic
      .byType()
      .slice(0, 6)
      .map(([type, bytes]) => [`bytesPerSecond.${type}`, round(bytes / seconds / peers)] as const);
    return {
      payloadBytesPerSecondPerPeer: round(traffic.totalBytes / seconds / peers),
      linksPerPeer: round(links / peers),
      falseDownCount: watch.falseDowns,
      ...Object.fromEntries(perType),
    };
  },
};

export const partition: Scenario = {
  name: "partition",
  summary:
    "the mesh falls in two parts that cannot talk, and is healed; how long until it is one again",
  members: 50,
  options: {
    share: { default: 0.5, min: 0.01, max: 0.5, what: "the smaller part, of all members" },
    partitionMs: { default: 60_000, min: 1, max: 3_600_000, what: "how long it lasts" },
  },
  run(trial) {
    trial.grow();
    const { world } = trial;
    const watch = new DownWatch(world);
    const count = Math.max(1, Math.round(trial.option("share") * trial.settings.members));
    const small = new Set<SimMember>(trial.sample(count));
    world.partition(new Map(world.live().map((member) => [member, small.has(member) ? 1 : 0])));
    const knows = (one: SimMember): boolean => {
      const live = one.core.members().filter(({ state }) => state !== "down");
      return live.length === (small.has(one) ? count : trial.settings.members - count);
    };
    const start = world.now;
    const apart = world.runUntil(() => world.live().every(knows), trial.option("partitionMs"));
    world.run(Math.max(0, trial.option("partitionMs") - (world.now - start)));
    const apartAfter = world.live().every(knows) ? 1 : 0;
    const downs = watch.falseDowns;
    world.heal();
    const healedAt = world.now;
    const healMs = world.runUntil(() => trial.components() === 1, PATIENCE_MS);
    world.runUntil(() => trial.allEqual(), PATIENCE_MS);
    const equalDigestsMs = trial.allEqual() ? world.now - healedAt : null;
    world.run(SETTLE_MS);
    return {
      apartMs: apart ?? null,
      apart: apartAfter,
      healMs: healMs ?? null,
      equalDigestsMs,
      downsAfterHeal: watch.falseDowns - downs,
    };
  },
};
