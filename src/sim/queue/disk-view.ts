/** What the disks hold of the jobs, and when it came there: read from the writes as they become durable. */

import type { PartChange } from "../../core/part.ts";
import type { SimDisk } from "../disks.ts";
import { type Recorded, recordedIn } from "./recorded.ts";

export type Head = Extract<Recorded, { type: "head" }>;

/** Phases of a job that is still to be done. */
const OPEN = ["new", "leased", "released"];

/** Since when each disk has it, by its store's id. */
type Since = Map<string, number>;

export class DiskView {
  /** What is there now. */
  readonly #disks = new WeakMap<SimDisk, Map<string, Head>>();
  /** Disks that have ever held a job. */
  readonly #holders = new Map<string, Set<SimDisk>>();
  readonly #leases = new Map<string, Since>();
  readonly #done = new Map<string, Since>();
  /** The stores of each job, by the number of their placement. */
  readonly #placements = new Map<string, Map<number, readonly string[]>>();
  /** A job was placed anew. */
  onPlaced: ((job: string, stores: readonly string[]) => void) | undefined;

  apply(disk: SimDisk, changes: readonly PartChange[], now: number): void {
    const held = this.#disks.get(disk) ?? new Map<string, Head>();
    this.#disks.set(disk, held);
    for (const { key, value } of changes) {
      const recorded = recordedIn(key, value);
      if (recorded === undefined) continue;
      const { type, job } = recorded;
      if (type === "gone") held.delete(job);
      else entry(this.#holders, job, () => new Set()).add(disk);
      if (type === "head") this.#note(disk, held, recorded, now);
    }
  }

  holdersOf(job: string): Iterable<SimDisk> {
    return this.#holders.get(job) ?? [];
  }

  /** What is there now. */
  held(disk: SimDisk): Head[] {
    return [...(this.#disks.get(disk)?.values() ?? [])];
  }

  hasOpen(disk: SimDisk): boolean {
    return this.held(disk).some(isOpen);
  }

  /** When a majority of its stores had the lease, ms; undefined: never. */
  grantedAt(job: string, epoch: number): number | undefined {
    return this.#majorityAt(job, this.#leases.get(`${job} ${epoch}`));
  }

  leasedOn(job: string, epoch: number): number {
    return this.#leases.get(`${job} ${epoch}`)?.size ?? 0;
  }

  /** When a majority of its stores knew that it was done, ms; undefined: never. */
  doneAt(job: string): number | undefined {
    return this.#majorityAt(job, this.#done.get(job));
  }

  #note(disk: SimDisk, held: Map<string, Head>, recorded: Head, now: number): void {
    const { job, phase, epoch, placement, stores } = recorded;
    held.set(job, recorded);
    const placements = entry(this.#placements, job, () => new Map());
    if (!placements.has(placement)) {
      const [before] = [...placements.values()].slice(-1);
      placements.set(placement, stores);
      if (before !== undefined) this.onPlaced?.(job, before);
    }
    const { storeId } = disk;
    if (storeId === undefined) return;
    const since = (all: Map<string, Since>, key: string): void => {
      const times = entry(all, key, () => new Map());
      if (!times.has(storeId)) times.set(storeId, now);
    };
    if (phase === "leased") since(this.#leases, `${job} ${epoch}`);
    if (phase === "done") since(this.#done, job);
  }

  /** By any of its placements: which of them holds is another question. */
  #majorityAt(job: string, since: Since | undefined): number | undefined {
    const times = [...(this.#placements.get(job)?.values() ?? [])].flatMap((stores) => {
      const some = stores.flatMap((store) => since?.get(store) ?? []);
      const at = some.sort((a, b) => a - b)[stores.length >> 1];
      return at === undefined ? [] : [at];
    });
    return times.length === 0 ? undefined : Math.min(...times);
  }
}

export function isOpen({ phase }: Head): boolean {
  return OPEN.includes(phase);
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}
