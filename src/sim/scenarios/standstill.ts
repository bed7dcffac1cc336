/** Scenarios of members that are slow, hidden or asleep, and are to be taken for alive. */

import { DownWatch } from "./down-watch.ts";
import { percentile } from "./figures.ts";
import { PATIENCE_MS, type Scenario, SETTLE_MS } from "./scenario.ts";

export const pauseGrid: Scenario = {
  name: "pause-grid",
  summary: "Lifeguard's grid: some members stand still and go on, again and again; who is accused",
  members: 128,
  options: {
    seconds: { default: 30, min: 1, max: 3_600, what: "how long each cell of the grid lasts" },
    concurrent: { default: 0, min: 0, max: 1_000, what: "how many pause at once; 0: 1, 8 and 32" },
    pauseMs: { default: 0, min: 0, max: 60_000, what: "how long; 0: 512, 2048 and 8192" },
    intervalMs: { default: 0, min: 0, max: 60_000, what: "time between pauses; 0: 64 and 1024" },
  },
  run(trial) {
    trial.grow();
    const { world } = trial;
    const watch = new DownWatch(world);
    const grid = (name: string, all: readonly number[]): readonly number[] =>
      trial.option(name) === 0 ? all : [trial.option(name)];
    const paused = new Set<number>();
    let healthyDowns = 0;
    for (const concurrent of grid("concurrent", [1, 8, 32])) {
      for (const pauseMs of grid("pauseMs", [512, 2_048, 8_192])) {
        for (const intervalMs of grid("intervalMs", [64, 1_024])) {
          const slow = trial.sample(Math.min(concurrent, trial.settings.members - 1));
          watch.accused.clear();
          const end = world.now + trial.option("seconds") * 1_000;
          while (world.now < end) {
            for (const member of slow) world.pause(member, pauseMs);
            world.run(pauseMs + intervalMs);
          }
          world.run(SETTLE_MS);
          const slowOnes = new Set(slow.map(({ index }) => index));
          for (const index of watch.accused) {
            if (slowOnes.has(index)) paused.add(index);
            else healthyDowns++;
          }
        }
      }
    }
    const equalMs = world.runUntil(() => trial.allEqual(), PATIENCE_MS);
    world.run(SETTLE_MS);
    return {
      falseDownCount: healthyDowns,
      pausedDownCount: paused.size,
      equalDigestsMs: equalMs ?? null,
    };
  },
};

export const hiddenTabs: Scenario = {
  name: "hidden-tabs",
  summary: "tabs are hidden and their timers fire once a second; none is declared down",
  members: 40,
  options: {
    share: { default: 0.75, min: 0, max: 1, what: "how many of the members are hidden" },
    seconds: { default: 120, min: 1, max: 36_000, what: "for how long" },
    crashes: { default: 5, min: 0, max: 100, what: "how many crash meanwhile" },
  },
  run(trial) {
    trial.grow();
    const { world, rng } = trial;
    const watch = new DownWatch(world);
    const hidden = trial.sample(Math.round(trial.option("share") * trial.settings.members));
    for (const member of hidden) world.hide(member);
    const crashes = Math.min(trial.option("crashes"), Math.floor(trial.settings.members / 3));
    const pauseMs = (trial.option("seconds") * 1_000) / (crashes + 1);
    for (let i = 0; i < crashes; i++) {
      world.run(pauseMs);
      watch.crash(rng.pick(trial.world.live()) ?? trial.pick());
    }
    world.run(pauseMs);
    for (const member of hidden) if (member.alive) world.hide(member, false);
    world.run(SETTLE_MS);
    const { all, unknown } = watch.times();
    return {
      falseDownCount: watch.falseDowns,
      detectAllMsP50: percentile(all, 0.5),
      detectAllMsP99: percentile(all, 0.99),
      undetectedCount: unknown,
    };
  },
};

export const sleep: Scenario = {
  name: "sleep",
  summary:
    "machines sleep and wake, after saying so or without a word; who is accused, and who returns",
  members: 20,
  options: {
    share: { default: 0.3, min: 0, max: 1, what: "how many of the members sleep" },
    sleepMs: { default: 240_000, min: 1, max: 3_600_000, what: "for how long" },
    announced: { default: 1, min: 0, max: 1, what: "1: they say so before; 0: they do not" },
  },
  run(trial) {
    trial.grow();
    const { world } = trial;
    const watch = new DownWatch(world);
    const sleepers = trial.sample(Math.round(trial.option("share") * trial.settings.members));
    const announced = trial.option("announced") >= 0.5;
    for (const member of sleepers) world.sleep(member, trial.option("sleepMs"), announced);
    world.run(trial.option("sleepMs"));
    const asleepDowns = watch.falseDowns;
    const returnMs = world.runUntil(() => trial.allEqual(), PATIENCE_MS);
    world.run(SETTLE_MS);
    return {
      falseDownCount: announced ? watch.falseDowns : watch.falseDowns - asleepDowns,
      sleepingDownCount: asleepDowns,
      returnMs: returnMs ?? null,
    };
  },
};
