/** The arguments of `hearsay sim`. */

import { parseArgs } from "node:util";
import { HearsayError } from "../errors.ts";
import { SCENARIOS } from "../sim/scenarios/index.ts";
import type { OptionSpec, Scenario } from "../sim/scenarios/scenario.ts";
import type { Settings } from "../sim/scenarios/trial.ts";

export const SIM_USAGE = `Usage: hearsay sim --scenario NAME [options]

Runs the core in virtual time: many members in this process, with faults, all from one seed.

  --scenario NAME  which one; --list explains each
  --members N      how many members, from 2 to 20000 (default: the scenario's own number)
  --loss P         share of transmissions that are lost, from 0 to 0.9 (default 0)
  --seed S         a whole number from 0 up: the same seed gives the same run (default 1)
  --runs R         so many runs, with the seeds S, S + 1, … (default 1)
  --json           print one line of JSON for each run
  --list           print the scenarios
  --help           print this; with --scenario NAME, what that scenario takes beside this

Exit codes: 0 when every oracle holds, 1 when one does not, 2 for wrong arguments.
`;

export interface SimArgs {
  readonly scenario: Scenario;
  readonly settings: Settings;
  readonly runs: number;
  readonly json: boolean;
}

const COMMON = {
  scenario: { type: "string" },
  members: { type: "string" },
  loss: { type: "string", default: "0" },
  seed: { type: "string", default: "1" },
  runs: { type: "string", default: "1" },
  json: { type: "boolean", default: false },
  list: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** @throws Error that says what is wrong */
export function parseSimArgs(argv: readonly string[]): SimArgs | Scenario | "help" | "list" {
  // Every scenario's own options are known before it is known which one is meant.
  const own = Object.fromEntries(
    SCENARIOS.flatMap(({ options }) => Object.keys(options)).map((name) => [
      kebab(name),
      { type: "string" as const },
    ]),
  );
  const { values } = parseArgs({ args: [...argv], options: { ...own, ...COMMON } });
  if (values.list) return "list";
  if (values.help) return values.scenario === undefined ? "help" : scenarioOf(values.scenario);
  const scenario = scenarioOf(values.scenario);
  const members = whole("--members", values.members ?? String(scenario.members), 2, 20_000);
  const settings: Settings = {
    members,
    loss: numberOf("--loss", values.loss, 0, 0.9),
    seed: whole("--seed", values.seed, 0, Number.MAX_SAFE_INTEGER - 1_000_000),
    options: optionsOf(scenario, values as Readonly<Record<string, unknown>>),
  };
  const runs = whole("--runs", values.runs, 1, 1_000_000);
  return { scenario, settings, runs, json: values.json };
}

function scenarioOf(name: string | undefined): Scenario {
  const names = SCENARIOS.map((scenario) => scenario.name).join(", ");
  if (name === undefined) throw wrong(`which scenario? Say --scenario NAME, one of ${names}`);
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario === undefined) throw wrong(`there is no scenario ${name}; there are ${names}`);
  return scenario;
}

function optionsOf(
  scenario: Scenario,
  values: Readonly<Record<string, unknown>>,
): Record<string, number> {
  const options: Record<string, number> = {};
  for (const [name, spec] of Object.entries(scenario.options)) {
    const given = values[kebab(name)];
    options[name] =
      given === undefined ? spec.default : optionOf(`--${kebab(name)}`, String(given), spec);
  }
  for (const name of Object.keys(values)) {
    if (name in COMMON || values[name] === undefined) continue;
    const known = Object.keys(scenario.options).some((option) => kebab(option) === name);
    if (!known) throw wrong(`--${name} is nothing that ${scenario.name} takes; see --list`);
  }
  return options;
}

function optionOf(name: string, text: string, { min, max }: OptionSpec): number {
  return numberOf(name, text, min, max);
}

function numberOf(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+([.]\d+)?$/.test(text) || value < min || value > max) {
    throw wrong(`${name} ${text}: say a number from ${min} to ${max}`);
  }
  return value;
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw wrong(`${name} ${text}: say a whole number from ${min} to ${max}`);
  }
  return value;
}

/** As it is written on the command line. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function wrong(message: string): HearsayError {
  return new HearsayError("cli:arguments", message);
}
