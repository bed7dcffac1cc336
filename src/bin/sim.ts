/** `hearsay sim`: runs scenarios of the simulator and prints what they show. */

import process from "node:process";
import { type Result, runScenario, SCENARIOS } from "../sim/scenarios/index.ts";
import type { Scenario } from "../sim/scenarios/scenario.ts";
import { kebab, parseSimArgs, SIM_USAGE, type SimArgs } from "./sim-args.ts";

/** Gives the exit code: 0 when all oracles hold, 1 when one does not, 2 for wrong arguments. */
export function sim(argv: readonly string[]): number {
  let args: SimArgs | Scenario | "help" | "list";
  try {
    args = parseSimArgs(argv);
  } catch (error) {
    process.stderr.write(`hearsay sim: ${(error as Error).message}\n`);
    return 2;
  }
  if (args === "help") print(SIM_USAGE.trimEnd());
  else if (args === "list") for (const one of SCENARIOS) print(lineOf(one));
  else if ("summary" in args) print(`${lineOf(args)}${optionsOf(args)}`);
  else return runAll(args);
  return 0;
}

function runAll(args: SimArgs): number {
  let code = 0;
  for (let run = 0; run < args.runs; run++) {
    const settings = { ...args.settings, seed: args.settings.seed + run };
    const start = performance.now();
    let builtAt = start;
    let before = process.cpuUsage();
    const { scenario, members, loss, seed, virtualMs, ...rest } = runScenario(
      args.scenario,
      settings,
      () => {
        builtAt = performance.now();
        before = process.cpuUsage();
      },
    );
    const { user, system } = process.cpuUsage(before);
    const cost: Cost = {
      wallMs: Math.round(performance.now() - builtAt),
      processorMs: Math.round((user + system) / 1_000),
      buildMs: Math.round(builtAt - start),
      memoryMbMax: Math.round(process.resourceUsage().maxRSS / 1_024),
    };
    const result = { scenario, members, loss, seed, virtualMs, ...cost, ...rest };
    if (args.json) print(JSON.stringify(result));
    else print(summary(result));
    if (result.violations.length === 0) continue;
    code = 1;
    process.stderr.write(`replay: ${commandOf(args, seed)}\n`);
  }
  return code;
}

/** What a run took of this machine. */
interface Cost {
  /** Time in which the virtual time passed. */
  readonly wallMs: number;
  /** The same in time of processors: less where others use this machine, more where garbage is collected beside. */
  readonly processorMs: number;
  /** Time before it, in which a settled world was made. */
  readonly buildMs: number;
  /** The most memory of the process so far, MiB. */
  readonly memoryMbMax: number;
}

function summary(result: Result & Cost): string {
  const { scenario, members, loss, seed, virtualMs, traceHash, figures, violations } = result;
  const { wallMs, processorMs, buildMs, memoryMbMax } = result;
  const lines = [
    `${scenario}: ${members} members, loss ${loss}, seed ${seed}`,
    `  ${virtualMs} ms of virtual time in ${wallMs} ms (${(virtualMs / wallMs).toFixed(1)}×), trace ${traceHash}`,
    `  ${processorMs} ms of processor time, ${buildMs} ms before to make the members, ${memoryMbMax} MiB at most`,
    ...Object.entries(figures).map(([name, value]) => `  ${name.padEnd(32)} ${value ?? "never"}`),
    ...violations.map(
      ({ oracle, at, member, what }) =>
        `  VIOLATION of ${oracle} at ${Math.round(at)} ms, ${member === undefined ? "mesh" : `member ${member}`}: ${what}`,
    ),
  ];
  return lines.join("\n");
}

/** What replays this run, and no other. */
function commandOf({ scenario, settings }: SimArgs, seed: number): string {
  const options = Object.entries(settings.options)
    .filter(([name, value]) => scenario.options[name]?.default !== value)
    .map(([name, value]) => ` --${kebab(name)} ${value}`);
  const { members, loss } = settings;
  return `npm run sim -- --scenario ${scenario.name} --members ${members} --loss ${loss} --seed ${seed}${options.join("")}`;
}

function lineOf({ name, summary: line, members }: Scenario): string {
  return `${name.padEnd(12)} ${line} (${members} members unless it is said)`;
}

function optionsOf({ options }: Scenario): string {
  return Object.entries(options)
    .map(
      ([name, { default: value, what }]) =>
        `\n  --${kebab(name).padEnd(14)} ${what} (default ${value})`,
    )
    .join("");
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
