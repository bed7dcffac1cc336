/** The core in virtual time: many members in one process, with faults, from one seed. */

export { SimMember } from "./member.ts";
export type { Distribution, NetworkOptions } from "./network-options.ts";
export type { AddOptions, Fault, Observer, RestartOptions, WorldOptions } from "./world.ts";
export { World } from "./world.ts";
