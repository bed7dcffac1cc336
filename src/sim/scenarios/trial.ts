/** One run of one scenario: its world, its oracles, and what scenarios have in common. */

import { Rng } from "../../core/lib/rng.ts";
import { islandsOf } from "../islands.ts";
import type { SimMember } from "../member.ts";
import { sameKnowledge } from "../oracles/agreement.ts";
import { ORACLES } from "../oracles/index.ts";
import { Oracles } from "../oracles/oracle.ts";
import { World } from "../world.ts";

/** Figures by name: times in ms, shares from 0 to 1; null where it was never reached. */
export type Figures = Readonly<Record<string, number | null>>;

export interface Settings {
  readonly members: number;
  /** Share of transmissions that are lost, on both lanes. */
  readonly loss: number;
  readonly seed: number;
  /** What else the scenario takes, by name. */
  readonly options: Readonly<Record<string, number>>;
}

/** More members than this begin settled. */
const JOINED_MAX = 200;

/** Neighbours of a settled mesh get to know each other's round trips, ms. */
const SETTLED_MS = 10_000;

/** How long a mesh may take to come together before a scenario begins, ms. */
const GROW_MS_MAX = 120_000;

/** Members come so far apart while a mesh grows, ms. */
const GROW_SPACING_MS = 25;

export class Trial {
  readonly settings: Settings;
  readonly world: World;
  readonly oracles: Oracles;
  readonly rng: Rng;
  readonly #onBuilt: () => void;

  /** @param onBuilt the members are made: from now on virtual time passes */
  constructor(settings: Settings, onBuilt: () => void = () => {}) {
    this.#onBuilt = onBuilt;
    const { seed, loss } = settings;
    this.settings = settings;
    this.rng = Rng.fromSeed(seed).fork("scenario");
    this.world = new World(seed, { loss, reliableLoss: loss }, { keepEvents: false });
    this.oracles = new Oracles(this.world, ORACLES);
  }

  option(name: string): number {
    const value = this.settings.options[name];
    if (value === undefined) throw new RangeError(`the scenario has no option ${name}`);
    return value;
  }

  /** A mesh of all members that has come together: by joining, or, when there are many, settled from the start. */
  grow(): void {
    const { world } = this;
    if (this.settings.members > JOINED_MAX) {
      world.settle(this.settings.members);
      this.#onBuilt();
      world.run(SETTLED_MS);
      return;
    }
    for (let i = 0; i < this.settings.members; i++) {
      world.add();
      world.run(GROW_SPACING_MS);
    }
    world.runUntil(() => this.allEqual(), GROW_MS_MAX, 200);
    world.run(5_000);
  }

  /** Whether all live members know each other, and the same of everything. */
  allEqual(): boolean {
    const live = this.world.live();
    const [first] = live;
    if (first === undefined) return true;
    if (!live.every((member) => sameKnowledge(first, member))) return false;
    const held = first.core.members().filter(({ state }) => state === "alive");
    return held.length === live.length;
  }

  /** How many parts the live members' links leave. */
  components(): number {
    return islandsOf(this.world).length;
  }

  pick(): SimMember {
    return this.rng.pick(this.world.live()) as SimMember;
  }

  sample(count: number): SimMember[] {
    return this.rng.sample(this.world.live(), count);
  }
}
