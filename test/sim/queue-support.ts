/** The work queue under mishaps from one seed, and the command that replays it. */

import { type Result, runScenario, SCENARIOS, type Scenario } from "../../src/sim/index.ts";

const scenario = SCENARIOS.find(({ name }) => name === "queue") as Scenario;
const DEFAULTS = Object.fromEntries(
  Object.entries(scenario.options).map(([name, spec]) => [name, spec.default]),
);

export interface QueueRun {
  readonly violations: readonly string[];
  readonly oracles: ReadonlySet<string>;
  readonly replay: string;
  readonly result: Result;
}

export function runQueue(seed: number, options: Readonly<Record<string, number>> = {}): QueueRun {
  const { members } = scenario;
  const settings = { members, loss: 0, seed, options: { ...DEFAULTS, ...options } };
  const result = runScenario(scenario, settings);
  const more = Object.entries(options).map(([name, value]) => ` --${name} ${value}`);
  return {
    violations: result.violations.map(
      ({ oracle, at, member, what }) =>
        `${oracle}, ${Math.round(at)} ms, member ${member}: ${what}`,
    ),
    oracles: new Set(result.violations.map(({ oracle }) => oracle)),
    replay: `npm run sim -- --scenario queue --seed ${seed}${more.join("")}`,
    result,
  };
}
