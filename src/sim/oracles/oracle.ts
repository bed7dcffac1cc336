/**
 * What must hold in every run: watched as it happens where a single step can break it, looked at once a second
 * where it has a bound in time, and at the end, when all is quiet.
 */

import type { SimMember } from "../member.ts";
import type { Observer, World } from "../world.ts";

export interface Violation {
  readonly oracle: string;
  readonly seed: number;
  /** Virtual time, ms. */
  readonly at: number;
  /** The member that it was seen at, by its index in the world; undefined: the whole mesh. */
  readonly member: number | undefined;
  readonly what: string;
}

/** One invariant. It hears everything that an observer hears. */
export interface Oracle extends Observer {
  readonly name: string;
  /** Looks at what has a bound in time; called once a second. */
  check?(): void;
  /** All faults are over and time enough has passed: what must hold now? */
  quiet?(): void;
}

export type Report = (member: SimMember | undefined, what: string) => void;
export type MakeOracle = (world: World, report: Report) => Oracle;

const CHECK_MS = 1_000;

/** One cause shows in many places: what comes after so many is not kept. */
const VIOLATIONS_MAX = 50;

/** The oracles of one world. Made before its first member is added. */
export class Oracles {
  readonly violations: Violation[] = [];
  readonly #world: World;
  readonly #oracles: Oracle[];

  constructor(world: World, makers: readonly MakeOracle[]) {
    this.#world = world;
    this.#oracles = makers.map((make) => {
      const oracle = make(world, (member, what) => this.#report(oracle.name, member, what));
      world.observe(oracle);
      return oracle;
    });
    this.#watch();
  }

  /** To be called when all faults are over and the mesh has had its time. */
  quiet(): readonly Violation[] {
    for (const oracle of this.#oracles) oracle.check?.();
    for (const oracle of this.#oracles) oracle.quiet?.();
    return this.violations;
  }

  #watch(): void {
    this.#world.later(CHECK_MS, () => {
      for (const oracle of this.#oracles) oracle.check?.();
      this.#watch();
    });
  }

  #report(oracle: string, member: SimMember | undefined, what: string): void {
    if (this.violations.length >= VIOLATIONS_MAX) return;
    const { seed, now } = this.#world;
    this.violations.push({ oracle, seed, at: now, member: member?.index, what });
  }
}
