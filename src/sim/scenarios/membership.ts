/** Scenarios of joining, failing and coming back. */

import type { SimMember } from "../member.ts";
import { DownWatch } from "./down-watch.ts";
import { largest, percentile } from "./figures.ts";
import { PATIENCE_MS, type Scenario, SETTLE_MS } from "./scenario.ts";
import type { Figures, Trial } from "./trial.ts";

export const joinStorm: Scenario = {
  name: "join-storm",
  summary:
    "all join at once through one seed; how long until all know all, all hold all alive, all links are known",
  members: 100,
  options: {},
  run(trial) {
    const { world } = trial;
    const { members } = trial.settings;
    for (let i = 0; i < members; i++) world.add();
    const whenAll = (holds: (member: SimMember) => boolean): number | null =>
      world.runUntil(() => world.live().every(holds), PATIENCE_MS) === undefined ? null : world.now;
    const allKnowMs = whenAll(({ core }) => core.liveCount === members);
    const allEqualMs = whenAll((member) => holdsAllAlive(member, members));
    world.runUntil(() => trial.allEqual(), PATIENCE_MS);
    const equalDigestsMs = trial.allEqual() ? world.now : null;
    const oneComponent = trial.components() === 1 ? 1 : 0;
    world.run(SETTLE_MS);
    return { allKnowMs, allEqualMs, equalDigestsMs, oneComponent };
  },
};

/** Its view is that of everybody: all members, each of them alive. Which links they have is no part of it. */
function holdsAllAlive({ core }: SimMember, count: number): boolean {
  if (core.liveCount !== count) return false;
  for (const { state } of core.layers.membership.table.others()) {
    if (state !== "alive") return false;
  }
  return true;
}

export const crash: Scenario = {
  name: "crash",
  summary: "members crash one after another; how long until every live member knows of each",
  members: 100,
  options: {
    crashes: { default: 20, min: 1, max: 1_000, what: "how many crash, at most a third" },
    apartMs: { default: 2_000, min: 0, max: 60_000, what: "the longest pause between two crashes" },
    clean: {
      default: 0,
      min: 0,
      max: 1,
      what: "1: they say good-bye instead, as a closed tab does",
    },
  },
  run(trial) {
    trial.grow();
    const { world } = trial;
    const watch = new DownWatch(world);
    const count = Math.min(trial.option("crashes"), Math.floor(trial.settings.members / 3) || 1);
    for (let i = 0; i < count; i++) {
      if (trial.option("clean") >= 0.5) watch.leave(trial.pick());
      else watch.crash(trial.pick());
      world.run(trial.rng.float() * trial.option("apartMs"));
    }
    world.runUntil(() => watch.allKnown, PATIENCE_MS);
    world.run(SETTLE_MS);
    return detectionFigures(watch);
  },
};

function detectionFigures(watch: DownWatch): Figures {
  const { first, all, unknown } = watch.times();
  return {
    detectFirstMsP50: percentile(first, 0.5),
    detectFirstMsP99: percentile(first, 0.99),
    detectAllMsP50: percentile(all, 0.5),
    detectAllMsP95: percentile(all, 0.95),
    detectAllMsP99: percentile(all, 0.99),
    detectAllMsMax: largest(all),
    undetectedCount: unknown,
    falseDownCount: watch.falseDowns,
  };
}

export const churn: Scenario = {
  name: "churn",
  summary: "members join, leave, crash and restart all the time; then all must agree",
  members: 50,
  options: {
    seconds: { default: 60, min: 1, max: 3_600, what: "how long it goes on" },
    perSecond: { default: 1, min: 0.01, max: 100, what: "comings and goings in a second" },
  },
  run(trial) {
    trial.grow();
    const { world, rng } = trial;
    const watch = new DownWatch(world);
    const gone: SimMember[] = [];
    const end = world.now + trial.option("seconds") * 1_000;
    const pauseMs = 1_000 / trial.option("perSecond");
    while (world.now < end) {
      churnOnce(trial, watch, gone);
      world.run(rng.jitter(pauseMs, 0.9));
    }
    const equalDigestsMs = world.runUntil(() => trial.allEqual(), PATIENCE_MS);
    world.run(SETTLE_MS);
    return {
      equalDigestsMs: equalDigestsMs ?? null,
      ...detectionFigures(watch),
    };
  },
};

function churnOnce(trial: Trial, watch: DownWatch, gone: SimMember[]): void {
  const { world, rng } = trial;
  const few = trial.world.live().length <= Math.max(2, trial.settings.members / 2);
  switch (few ? rng.below(2) : rng.below(4)) {
    case 0:
      world.add();
      return;
    case 1: {
      const former = gone.splice(rng.below(gone.length), 1)[0];
      if (former === undefined) world.add();
      else world.restart(former, { store: rng.float() < 0.5 });
      return;
    }
    case 2: {
      const member = trial.pick();
      watch.crash(member);
      gone.push(member);
      return;
    }
    case 3:
      world.command(trial.pick(), { type: "leave" });
  }
}

export const serverDown: Scenario = {
  name: "server-down",
  summary: "the seed server goes; crashes, broken links and leaves are dealt with without it",
  members: 30,
  options: {
    events: { default: 12, min: 1, max: 1_000, what: "how many crash, leave or lose a link" },
  },
  run(trial) {
    trial.grow();
    const { world, rng } = trial;
    const watch = new DownWatch(world);
    world.stopSeed();
    for (let i = 0; i < trial.option("events") && trial.world.live().length > 3; i++) {
      const member = trial.pick();
      const kind = rng.below(3);
      if (kind === 0) watch.crash(member);
      else if (kind === 1) world.command(member, { type: "leave" });
      else for (const { to } of [...member.links.values()].slice(0, 2)) world.cutLink(member, to);
      world.run(rng.float() * 3_000);
    }
    const from = world.now;
    world.runUntil(() => watch.allKnown && trial.allEqual(), PATIENCE_MS);
    const equalDigestsMs = trial.allEqual() ? world.now - from : null;
    const components = trial.components();
    world.run(SETTLE_MS);
    return { ...detectionFigures(watch), equalDigestsMs, components };
  },
};
