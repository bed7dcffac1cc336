/** The core in virtual time: many members in one process, with faults, from one seed. */

export { SimMember } from "./member.ts";
export type { Distribution, NetworkOptions } from "./network-options.ts";
export { ORACLES } from "./oracles/index.ts";
export type { MakeOracle, Oracle, Report, Violation } from "./oracles/oracle.ts";
export { Oracles } from "./oracles/oracle.ts";
export type { Weather } from "./oracles/weather.ts";
export { type Result, runScenario, SCENARIOS } from "./scenarios/index.ts";
export type { OptionSpec, Scenario } from "./scenarios/scenario.ts";
export type { Figures, Settings, Trial } from "./scenarios/trial.ts";
export type { AddOptions, Fault, Observer, RestartOptions, WorldOptions } from "./world.ts";
export { World } from "./world.ts";
