/**
 * What must hold in every run: watched as it happens where a single step can break it, looked at once a second
 * where it has a bound in time, and at the end, when all is quiet.
 */

import type { SimMember } from "../member.ts";
import type { Observer, World } from "../world.ts";
import { Weather } from "./weather.ts";

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
/** `weather` is the same for all oracles of a world. */
export type MakeOracle = (world: World, report: Report, weather: Weather) => Oracle;

const CHECK_MS = 1_000;

/** One cause shows in many places: what comes after so many is not kept. */
const VIOLATIONS_MAX = 50;

/** The oracles of one world. Made before its first member is added. */
export class Oracles {
  readonly violations: Violation[] = [];
  readonly #world: World;
  readonly #oracles: Oracle[];
  readonly weather: Weather;

  constructor(world: World, makers: readonly MakeOracle[]) {
    this.#world = world;
    this.weather = new Weather(world);
    this.#oracles = makers.map((make) => {
      const report: Report = (member, what) => this.#report(oracle.name, member, what);
      const oracle = make(world, report, this.weather);
      world.observe(oracle);
      return oracle;
    });
    this.#watch();
  }

  /** To be called when all faults are over and the mesh has had its time. */
  quiet(): readonly Violation[] {
    this.#check();
    for (const oracle of this.#oracles) oracle.quiet?.();
    return this.violations;
  }

  #watch(): void {
    this.#world.later(CHECK_MS, () => {
      this.#check();
      this.#watch();
    });
  }

  #check(): void {
    this.weather.look();
    for (const oracle of this.#oracles) oracle.check?.();
  }

  #report(oracle: string, member: SimMember | undefined, what: string): void {
    if (this.violations.length >= VIOLATIONS_MAX) return;
    const { seed, now } = this.#world;
    this.violations.push({ oracle, seed, at: now, member: member?.index, what });
  }
}
