/** What a scenario is: a name, what it takes, and a run that gives figures. */

import type { Figures, Trial } from "./trial.ts";

export interface OptionSpec {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly what: string;
}

/** Nothing takes longer than this, or it is taken never to happen. ms. */
export const PATIENCE_MS = 120_000;

/** Faults are over: so long until what must hold then is looked at, ms. */
export const SETTLE_MS = 20_000;

export interface Scenario {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** How many members there are unless it is said. */
  readonly members: number;
  readonly options: Readonly<Record<string, OptionSpec>>;
  run(trial: Trial): Figures;
}
