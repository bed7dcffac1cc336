/** The core in virtual time: many members in one process, with faults, from one seed. */

export type { AddOptions, NetworkOptions, SimMember } from "./world.ts";
export { World } from "./world.ts";
