import { expect, test } from "vitest";
import { parseSimArgs, type SimArgs } from "../../src/bin/sim-args.ts";
import { runScenario, SCENARIOS, type Scenario } from "../../src/sim/index.ts";

/** Small and short, so that each scenario runs whole; large ones run by hand. */
const SHORT = ["--members", "12", "--loss", "0.05", "--seed", "3"];
const SHORTER: Readonly<Record<string, readonly string[]>> = {
  "pause-grid": ["--seconds", "5", "--concurrent", "3", "--pause-ms", "2048"],
  "hidden-tabs": ["--seconds", "30"],
  sleep: ["--sleep-ms", "20000"],
  partition: ["--partition-ms", "20000"],
  broadcast: ["--seconds", "1", "--per-second", "50"],
  churn: ["--seconds", "10"],
  idle: ["--seconds", "10"],
  state: ["--seconds", "1", "--sets", "5"],
};

const argsOf = ({ name }: Scenario): SimArgs =>
  parseSimArgs(["--scenario", name, ...SHORT, ...(SHORTER[name] ?? [])]) as SimArgs;

/** What the issue names, and what reads these figures relies on. */
const FIGURES: Readonly<Record<string, readonly string[]>> = {
  crash: ["detectAllMsP50", "detectAllMsP99", "falseDownCount"],
  "join-storm": ["allKnowMs", "allEqualMs", "equalDigestsMs"],
  idle: ["payloadBytesPerSecondPerPeer"],
  broadcast: [
    "allReachedMs",
    "reachFirst",
    "reachWithin5s",
    "redundancy",
    "controlPerPayload",
    "hopsMax",
  ],
  "mass-crash": [
    "allReachedMs",
    "reachFirst",
    "reachWithin5s",
    "redundancy",
    "controlPerPayload",
    "hopsMax",
  ],
  state: ["allKnowMs", "stalenessMsP99", "stalenessMsMax"],
  partition: ["healMs", "equalDigestsMs"],
  queue: [
    "published",
    "confirmed",
    "handled",
    "repeated",
    "dead",
    "lost",
    "redundantLeases",
    "latencyMsP50",
    "latencyMsP99",
  ],
};

test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
  "row 55: %s runs, gives its figures, breaks no oracle, and is the same run again",
  (name, scenario) => {
    const { settings } = argsOf(scenario);
    const result = runScenario(scenario, settings);
    expect(result.violations, JSON.stringify(settings)).toEqual([]);
    expect(Object.keys(result.figures)).toEqual(expect.arrayContaining([...(FIGURES[name] ?? [])]));
    expect(runScenario(scenario, settings)).toEqual(result);
    expect(runScenario(scenario, { ...settings, seed: 4 }).traceHash).not.toBe(result.traceHash);
  },
);

test("row 55: every scenario of the issue is there", () => {
  const names = SCENARIOS.map(({ name }) => name).sort();
  expect(names).toEqual([
    "broadcast",
    "chaos",
    "churn",
    "crash",
    "hidden-tabs",
    "idle",
    "join-storm",
    "mass-crash",
    "partition",
    "pause-grid",
    "queue",
    "server-down",
    "sleep",
    "state",
  ]);
});

test.each([
  [["--scenario", "nothing"], /there is no scenario nothing/],
  [[], /which scenario/],
  [["--scenario", "crash", "--members", "1"], /--members 1: say a whole number from 2/],
  [["--scenario", "crash", "--members", "1e9"], /--members/],
  [["--scenario", "crash", "--loss", "1.5"], /--loss 1.5: say a number from 0 to 0.9/],
  [["--scenario", "crash", "--loss", "NaN"], /--loss NaN/],
  [["--scenario", "crash", "--seed", "0x10"], /--seed 0x10/],
  [["--scenario", "crash", "--seed", ""], /--seed/],
  [["--scenario", "crash", "--runs", "0"], /--runs 0/],
  [["--scenario", "crash", "--share", "0.5"], /--share is nothing that crash takes/],
  [["--scenario", "mass-crash", "--share", "1"], /--share 1: say a number from 0 to 0.99/],
  [["--scenario", "crash", "--bogus"], /Unknown option/],
  [["crash"], /Unexpected argument/],
])("arguments %j are refused", (argv, why) => {
  expect(() => parseSimArgs(argv)).toThrow(why);
});
