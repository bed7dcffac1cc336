/** Chaos from one seed, and the command that replays it. */

import { runScenario, SCENARIOS, type Scenario } from "../../src/sim/index.ts";

const scenario = SCENARIOS.find(({ name }) => name === "chaos") as Scenario;
const DEFAULTS = Object.fromEntries(
  Object.entries(scenario.options).map(([name, spec]) => [name, spec.default]),
);

export interface ChaosResult {
  readonly violations: readonly string[];
  readonly replay: string;
  readonly traceHash: string;
}

export function runChaos(seed: number, members: number, faults: number): ChaosResult {
  const settings = { members, loss: 0, seed, options: { ...DEFAULTS, faults } };
  const { violations, traceHash } = runScenario(scenario, settings);
  return {
    violations: violations.map(
      ({ oracle, at, member, what }) =>
        `${oracle}, ${Math.round(at)} ms, member ${member}: ${what}`,
    ),
    replay: `npm run sim -- --scenario chaos --members ${members} --faults ${faults} --seed ${seed}`,
    traceHash,
  };
}

export const seeds = (from: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => from + index);
