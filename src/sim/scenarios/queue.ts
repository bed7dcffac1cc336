/** A work queue among few members: what it does when all is well, and what it keeps when nothing is. */

import type { Rng } from "../../core/lib/rng.ts";
import { QUEUE_OPTIONS, type QueueOptions } from "../../core/queue/contract.ts";
import { type History, historyOf } from "../queue/history.ts";
import { Mishaps } from "../queue/mishaps.ts";
import { Players, type Wish } from "../queue/players.ts";
import { percentile } from "./figures.ts";
import type { Scenario } from "./scenario.ts";
import type { Figures, Trial } from "./trial.ts";

const MEMBERS_MIN = 4;
const GROW_MS = 6_000;

/** After the last fault: until all jobs are over and forgotten, and what has a bound in time holds. ms. */
const OVER_MS_MAX = 180_000;
const QUIET_MS = 30_000;

export const queue: Scenario = {
  name: "queue",
  summary: "members share a work queue, through all faults; then no confirmed job may be lost",
  members: 6,
  options: {
    faults: { default: 12, min: 0, max: 10_000, what: "how many faults, one after another" },
    apartMs: { default: 4_000, min: 0, max: 60_000, what: "the longest pause between two" },
    jobs: { default: 40, min: 1, max: 1_000_000, what: "how many jobs are published meanwhile" },
    seconds: { default: 20, min: 1, max: 36_000, what: "how long that takes without faults" },
  },
  run(trial) {
    const { world, rng } = trial;
    const history = historyOf(world);
    const faults = trial.option("faults");
    const draws = rng.fork("queue");
    const play = faults === 0 ? CALM : wild(draws);
    const players = new Players(world, draws.fork("players"), play);
    const count = faults === 0 ? trial.settings.members : countOf(trial, draws);
    for (let i = 0; i < count; i++) world.add();
    world.run(GROW_MS);
    const publishing = new Publishing(trial, players, draws.fork("publishing"), play.options);
    const mishaps = new Mishaps(world, draws.fork("mishaps"));
    if (faults === 0) publishing.run(trial.option("seconds") * 1_000, trial.option("jobs"));
    const share = trial.option("jobs") / faults;
    for (let i = 0; i < faults; i++) {
      mishaps.happen();
      const jobs = Math.round(share * (i + 1)) - Math.round(share * i);
      publishing.run(draws.float() * trial.option("apartMs"), jobs);
    }
    mishaps.mend();
    players.improve();
    world.runUntil(() => history.isAllOver(), OVER_MS_MAX, 500);
    // Keys are kept for a while longer than jobs.
    world.run(QUIET_MS + play.options.dedupeMs);
    return figuresOf(history);
  },
};

interface Playing {
  readonly options: QueueOptions;
  readonly manners: ConstructorParameters<typeof Players>[2]["manners"];
  readonly storeless: number;
  readonly credit: number;
}

const CALM: Playing = {
  options: QUEUE_OPTIONS,
  manners: { nack: 0, slow: 0, silent: 0, workMs: 20 },
  storeless: 0,
  credit: 4,
};

/** Times are short, so that little virtual time shows much. */
function wild(rng: Rng): Playing {
  return {
    options: {
      durable: rng.float() < 0.9,
      replicas: 1 + rng.below(4),
      leaseMs: 5_000 + rng.below(4_000),
      maxDeliveries: 3 + rng.below(3),
      backoff: { minMs: 100 + rng.below(1_000), maxMs: 3_000, factor: 1 + rng.float() },
      dedupeMs: rng.below(3) * 10_000,
      rehomeMs: 8_000 + rng.below(30_000),
      forgetMs: rng.float() < 0.7 ? QUEUE_OPTIONS.forgetMs : 40_000,
    },
    manners: { nack: 0.1, slow: 0.1, silent: 0.04, workMs: rng.float() * 2_000 },
    storeless: rng.below(2) * 0.3,
    credit: 1 + rng.below(5),
  };
}

function countOf(trial: Trial, rng: Rng): number {
  const { members } = trial.settings;
  return Math.min(members, MEMBERS_MIN + rng.below(Math.max(1, members - MEMBERS_MIN + 1)));
}

class Publishing {
  readonly #trial: Trial;
  readonly #players: Players;
  readonly #rng: Rng;
  readonly #options: QueueOptions;

  constructor(trial: Trial, players: Players, rng: Rng, options: QueueOptions) {
    this.#trial = trial;
    this.#players = players;
    this.#rng = rng;
    this.#options = options;
  }

  /** So many jobs, while so much time passes. */
  run(ms: number, jobs: number): void {
    const { world } = this.#trial;
    for (let i = 0; i < jobs; i++) {
      world.later(this.#rng.float() * ms, () => {
        const member = this.#rng.pick(world.live().filter(({ paused }) => !paused));
        if (member !== undefined) this.#players.publish(member, this.#wish());
      });
    }
    world.run(ms);
  }

  #wish(): Wish {
    const rng = this.#rng;
    const { replicas } = this.#options;
    const confirm = rng.below(3) === 0 ? ("local" as const) : 1 + rng.below(replicas);
    return {
      confirm,
      ...(rng.below(4) === 0 && { key: `key-${rng.below(4)}` }),
      ...(rng.below(3) === 0 && { order: `order-${rng.below(2)}` }),
      ...(rng.below(6) === 0 && { delayMs: rng.below(5_000) }),
      ...(rng.below(4) === 0 && { priority: rng.below(10) }),
    };
  }
}

function figuresOf(history: History): Figures {
  const jobs = [...history.jobs.values()];
  const confirmed = jobs.filter(({ confirmedAt }) => confirmedAt !== undefined);
  const handled = jobs.filter(({ deliveries }) => deliveries.some(({ ackedAt }) => ackedAt));
  const latencies = handled.map(({ publishedAt, deliveries }) => {
    return Math.min(...deliveries.map(({ ackedAt = Infinity }) => ackedAt)) - publishedAt;
  });
  const open = confirmed.filter((job) => !history.isOver(job));
  const leases = jobs.map(({ deliveries }) => deliveries.length);
  const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
  return {
    published: jobs.length,
    confirmed: confirmed.length,
    duplicates: jobs.filter(({ duplicateOf }) => duplicateOf !== undefined).length,
    failed: jobs.filter(({ failed }) => failed !== undefined).length,
    handled: handled.length,
    repeated: handled.filter(({ deliveries }) => {
      return deliveries.filter(({ ackedAt }) => ackedAt !== undefined).length > 1;
    }).length,
    dead: jobs.filter(({ dead }) => dead).length,
    lost: open.filter((job) => history.survives(job)).length,
    gone: open.filter((job) => !history.survives(job)).length,
    redundantLeases: sum(leases) - leases.filter((count) => count > 0).length,
    latencyMsP50: percentile(latencies, 0.5),
    latencyMsP99: percentile(latencies, 0.99),
  };
}
