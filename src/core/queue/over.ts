/**
 * Which jobs are over and forgotten: for each life of a publisher all up to a number, and some above it. Who is shown
 * one of them says so, and does not begin it anew. The publisher knows the number best and says it with its records.
 */

import { BoundedMap } from "../lib/bounded-map.ts";
import type { MemberId } from "../lib/ids.ts";
import type { JobId } from "./contract.ts";
import { partsOf } from "./job.ts";
import { ORIGINS_MAX, RANGES_MAX } from "./limits.ts";

interface Life {
  floor: number;
  readonly above: Set<number>;
}

export class Over {
  readonly #lives = new BoundedMap<string, Life>(ORIGINS_MAX);

  has(job: JobId): boolean {
    const parts = partsOf(job);
    if (parts === undefined) return true;
    const life = this.#lives.get(`${parts.origin}.${parts.generation}`);
    return life !== undefined && (parts.sequence <= life.floor || life.above.has(parts.sequence));
  }

  add(job: JobId): void {
    const parts = partsOf(job);
    if (parts === undefined) return;
    const life = this.#of(parts.origin, parts.generation);
    if (parts.sequence <= life.floor) return;
    life.above.add(parts.sequence);
    while (life.above.delete(life.floor + 1)) life.floor++;
    if (life.above.size > RANGES_MAX) {
      const [oldest] = life.above;
      life.above.delete(oldest as number);
    }
  }

  /** Up to which number all are over. */
  floorOf(origin: MemberId, generation: number): number {
    return this.#lives.get(`${origin}.${generation}`)?.floor ?? 0;
  }

  /** The publisher says so. */
  raise(origin: MemberId, generation: number, floor: number): void {
    if (floor === 0) return;
    const life = this.#of(origin, generation);
    if (floor <= life.floor) return;
    if (floor - life.floor < life.above.size) {
      for (let passed = life.floor + 1; passed <= floor; passed++) life.above.delete(passed);
    } else {
      for (const sequence of life.above) if (sequence <= floor) life.above.delete(sequence);
    }
    life.floor = floor;
    while (life.above.delete(life.floor + 1)) life.floor++;
  }

  #of(origin: MemberId, generation: number): Life {
    const key = `${origin}.${generation}`;
    let life = this.#lives.get(key);
    if (life === undefined) {
      life = { floor: 0, above: new Set() };
      this.#lives.set(key, life);
    }
    return life;
  }
}
