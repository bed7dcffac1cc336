/** All scenarios, and how one of them is run. */

import type { Violation } from "../oracles/oracle.ts";
import { chaos } from "./chaos.ts";
import { churn, crash, joinStorm, serverDown } from "./membership.ts";
import { queue } from "./queue.ts";
import { idle, partition } from "./quiet.ts";
import type { Scenario } from "./scenario.ts";
import { broadcast, massCrash, state } from "./spreading.ts";
import { hiddenTabs, pauseGrid, sleep } from "./standstill.ts";
import { type Figures, type Settings, Trial } from "./trial.ts";

export const SCENARIOS: readonly Scenario[] = [
  joinStorm,
  crash,
  massCrash,
  churn,
  pauseGrid,
  partition,
  hiddenTabs,
  sleep,
  idle,
  broadcast,
  state,
  serverDown,
  chaos,
  queue,
];

/** What a run has shown. The same settings give the same result, to the last bit of its hash. */
export interface Result {
  readonly scenario: string;
  readonly members: number;
  readonly loss: number;
  readonly seed: number;
  readonly virtualMs: number;
  readonly traceHash: string;
  readonly violations: readonly Violation[];
  readonly figures: Figures;
}

const LAST_NEWS_MS = 5_000;

/** @param onBuilt called when a settled world is made, and before any virtual time passes */
export function runScenario(
  scenario: Scenario,
  settings: Settings,
  onBuilt: () => void = () => {},
): Result {
  const trial = new Trial(settings, onBuilt);
  const figures = scenario.run(trial);
  // News that are just under way are no disagreement.
  trial.world.runUntil(() => trial.allEqual(), LAST_NEWS_MS);
  const violations = trial.oracles.quiet();
  const { members, loss, seed } = settings;
  const { now, traceHash } = trial.world;
  const virtualMs = Math.round(now);
  return {
    scenario: scenario.name,
    members,
    loss,
    seed,
    virtualMs,
    traceHash,
    violations,
    figures,
  };
}
