/** Scenarios of telling all: broadcasts, state, and floods after a mass crash. */

import type { SimMember } from "../member.ts";
import { DownWatch } from "./down-watch.ts";
import { largest, percentile, round } from "./figures.ts";
import { ReachWatch } from "./reach-watch.ts";
import { PATIENCE_MS, type Scenario, SETTLE_MS } from "./scenario.ts";
import { StalenessWatch } from "./staleness-watch.ts";
import { Traffic } from "./traffic.ts";
import type { Figures, Trial } from "./trial.ts";

/** Things said to shape the trees, and then to measure them. */
const TREE_SAYS = 10;

/** A flood's first instant: long enough for it to end, too short for anybody to be given up. ms. */
const FIRST_MS = 2_000;

export const massCrash: Scenario = {
  name: "mass-crash",
  summary:
    "a share of all crashes at once; how far floods from survivors reach then, and after healing",
  members: 200,
  options: {
    share: { default: 0.5, min: 0, max: 0.99, what: "how many of the members crash" },
    floods: {
      default: 10,
      min: 1,
      max: 1_000,
      what: "random survivors that tell something at once",
    },
  },
  run(trial) {
    trial.grow();
    const { world } = trial;
    const watch = new DownWatch(world);
    const victims = trial.sample(Math.round(trial.option("share") * trial.settings.members));
    const reach = new ReachWatch(world);
    watch.crashAll(victims);
    const survivors = trial.world.live();
    for (let i = 0; i < trial.option("floods"); i++) {
      reach.set(trial.pick(), `flood-${i}`, 64, survivors);
    }
    world.run(FIRST_MS);
    const reachFirst = round(reach.reachedWithin(FIRST_MS));
    world.runUntil(() => reach.allReached, PATIENCE_MS);
    const healMs = world.runUntil(() => trial.components() === 1, PATIENCE_MS);
    world.runUntil(() => watch.allKnown, PATIENCE_MS);
    world.run(SETTLE_MS);
    const { all, unknown } = watch.times();
    return {
      reachFirst,
      reachWithin5s: round(reach.reachedWithin(5_000)),
      allReachedMs: reach.allReached ? largest(reach.wholeMs()) : null,
      healed: healMs === undefined ? 0 : 1,
      ...treeCosts(trial),
      detectAllMsP50: percentile(all, 0.5),
      detectAllMsP99: percentile(all, 0.99),
      undetectedCount: unknown,
      falseDownCount: watch.falseDowns,
    };
  },
};

/** What saying a thing costs among the survivors, once the trees have found their new shape. */
function treeCosts(trial: Trial): Figures {
  const { world } = trial;
  const speaker = trial.pick();
  const audience = trial.world.live();
  const traffic = new Traffic(world);
  const reach = new ReachWatch(world);
  for (let i = 0; i < 2 * TREE_SAYS; i++) {
    if (i === TREE_SAYS) traffic.reset();
    reach.say(speaker, 64, audience);
    world.run(200);
  }
  world.run(2_000);
  return costs(trial, traffic, TREE_SAYS);
}

export const broadcast: Scenario = {
  name: "broadcast",
  summary: "a few members say many things; how soon all have heard, and at what cost",
  members: 100,
  options: {
    perSecond: {
      default: 250,
      min: 1,
      max: 10_000,
      what: "things said in a second, by all speakers",
    },
    seconds: { default: 10, min: 1, max: 600, what: "for how long" },
    speakers: { default: 1, min: 1, max: 1_000, what: "who says them, in turns" },
    bytes: { default: 1_024, min: 4, max: 1_000_000, what: "the size of each" },
  },
  run(trial) {
    trial.grow();
    const { world } = trial;
    const traffic = new Traffic(world);
    const speakers = trial.sample(Math.min(trial.option("speakers"), trial.settings.members));
    // The trees grow with the first words: they are not measured.
    speakAll(trial, new ReachWatch(world), speakers, 2);
    world.run(5_000);
    const reach = new ReachWatch(world);
    traffic.reset();
    speakAll(trial, reach, speakers, trial.option("seconds"));
    world.runUntil(() => reach.allReached, PATIENCE_MS);
    const figures = {
      allReachedMs: reach.allReached ? largest(reach.wholeMs()) : null,
      allReachedMsP50: percentile(reach.wholeMs(), 0.5),
      allReachedMsP99: percentile(reach.wholeMs(), 0.99),
      reachFirst: round(reach.reachedWithin(FIRST_MS)),
      reachWithin5s: round(reach.reachedWithin(5_000)),
      ...costs(trial, traffic, reach.count),
    };
    world.run(SETTLE_MS);
    return figures;
  },
};

function speakAll(
  trial: Trial,
  reach: ReachWatch,
  speakers: readonly SimMember[],
  seconds: number,
): void {
  const { world } = trial;
  const audience = trial.world.live();
  const count = Math.round(seconds * trial.option("perSecond"));
  const start = world.now;
  for (let i = 0; i < count; i++) {
    reach.say(speakers[i % speakers.length] as SimMember, trial.option("bytes"), audience);
    world.run(start + ((i + 1) * seconds * 1_000) / count - world.now);
  }
}

/** Payloads sent beyond the one that each member needs, and control messages for each payload that is received. */
function costs(trial: Trial, traffic: Traffic, said: number): Figures {
  const needed = said * (trial.world.live().length - 1);
  const control = traffic.frames("iHave") + traffic.frames("graft") + traffic.frames("prune");
  return {
    redundancy: round(traffic.frames("payload") / needed - 1),
    controlPerPayload: round(control / needed),
    hopsMax: traffic.hopsMax,
  };
}

export const state: Scenario = {
  name: "state",
  summary: "small sets are to be known to all; then more is written than digests can carry at once",
  members: 100,
  options: {
    sets: {
      default: 50,
      min: 1,
      max: 10_000,
      what: "small sets, one after another, by random members",
    },
    bytes: { default: 64, min: 4, max: 256, what: "the size of each of these" },
    writers: { default: 4, min: 0, max: 1_000, what: "members that then write too much" },
    perSecond: { default: 100, min: 1, max: 10_000, what: "writes of each of them in a second" },
    writeBytes: { default: 1_024, min: 4, max: 100_000, what: "the size of each of these" },
    keys: { default: 50, min: 1, max: 1_000, what: "keys that each of them writes in turns" },
    seconds: {
      default: 0,
      min: 0,
      max: 600,
      what: "for how long; 0: 10 s, less among more than 400 members",
    },
  },
  run(trial) {
    trial.grow();
    const { world } = trial;
    const reach = new ReachWatch(world);
    const audience = trial.world.live();
    for (let i = 0; i < trial.option("sets"); i++) {
      reach.set(trial.pick(), `small-${i % 10}`, trial.option("bytes"), audience);
      world.run(100);
    }
    world.runUntil(() => reach.allReached, PATIENCE_MS);
    const staleness = new StalenessWatch(world);
    // A write costs a simulation as much as there are members: by default all sizes cost about the same.
    const manySeconds = Math.max(2, Math.min(10, Math.floor(4_000 / trial.settings.members)));
    const seconds = trial.option("seconds") || manySeconds;
    overload(trial, staleness, seconds);
    const calmMs = world.runUntil(() => trial.allEqual(), PATIENCE_MS);
    world.run(SETTLE_MS);
    return {
      allKnowMs: reach.allReached ? largest(reach.wholeMs()) : null,
      allKnowMsP50: percentile(reach.wholeMs(), 0.5),
      ...staleness.figures(),
      equalDigestsMs: calmMs ?? null,
      seconds,
    };
  },
};

function overload(trial: Trial, staleness: StalenessWatch, seconds: number): void {
  const { world } = trial;
  const writers = trial.sample(Math.min(trial.option("writers"), trial.settings.members));
  const count = seconds * trial.option("perSecond");
  const start = world.now;
  for (let i = 0; i < count; i++) {
    const key = `busy-${i % trial.option("keys")}`;
    for (const writer of writers) staleness.write(writer, key, trial.option("writeBytes"));
    const next = start + ((i + 1) * 1_000) / trial.option("perSecond");
    world.run(next - world.now);
    if (i % Math.max(1, Math.round(trial.option("perSecond") / 4)) === 0) staleness.sample();
  }
}
