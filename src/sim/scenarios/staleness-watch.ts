/**
 * How old is what members know of a key? A replica is as stale as the first write that it has not seen, or seen
 * overtaken by a later one, is old (van Renesse et al. 2008, section 5). A replica that has it all is not stale.
 */

import type { MeshEvent } from "../../core/machine.ts";
import type { SimMember } from "../member.ts";
import type { Observer, World } from "../world.ts";
import { round } from "./figures.ts";
import type { Figures } from "./trial.ts";

interface Key {
  /** When each value was written, ms; numbered from 1. */
  readonly writtenAt: number[];
  /** The latest value that each member has seen. */
  readonly seen: Map<SimMember, number>;
}

/** Who asks whom for a writer's state is found out with its first writes, ms. */
const FORMING_MS = 2_000;

export class StalenessWatch implements Observer {
  /** How often each staleness was seen, ms: every replica of every key is looked at, and few differ. */
  readonly #samples = new Map<number, number>();
  /** … since the trees have formed. */
  readonly #later = new Map<number, number>();
  #firstAt: number | undefined;
  readonly #world: World;
  readonly #keys = new Map<SimMember, Map<string, Key>>();

  constructor(world: World) {
    this.#world = world;
    world.observe(this);
  }

  write(owner: SimMember, key: string, bytes: number): void {
    this.#firstAt ??= this.#world.now;
    const keys = this.#keys.get(owner) ?? new Map<string, Key>();
    this.#keys.set(owner, keys);
    const known: Key = keys.get(key) ?? { writtenAt: [], seen: new Map() };
    keys.set(key, known);
    known.writtenAt.push(this.#world.now);
    const value = new Uint8Array(Math.max(4, bytes));
    new DataView(value.buffer).setUint32(0, known.writtenAt.length);
    this.#world.command(owner, { type: "set", key, value });
  }

  /** Looks at every replica now. */
  sample(): void {
    const { now } = this.#world;
    const live = this.#world.live();
    const isLater = now - (this.#firstAt ?? now) > FORMING_MS;
    for (const [owner, keys] of this.#keys) {
      for (const { writtenAt, seen } of keys.values()) {
        for (const member of live) {
          if (member === owner) continue;
          const missed = writtenAt[seen.get(member) ?? 0];
          const ms = missed === undefined ? 0 : now - missed;
          this.#samples.set(ms, (this.#samples.get(ms) ?? 0) + 1);
          if (isLater) this.#later.set(ms, (this.#later.get(ms) ?? 0) + 1);
        }
      }
    }
  }

  /** The p50, p99, largest and mean of all, and the p99 since the trees have formed. */
  figures(): Figures {
    const sorted = sortedOf(this.#samples);
    const count = countOf(sorted);
    const sum = sorted.reduce((total, [ms, times]) => total + ms * times, 0);
    return {
      stalenessMsP50: shareOf(sorted, 0.5),
      stalenessMsP99: shareOf(sorted, 0.99),
      stalenessMsP99Later: shareOf(sortedOf(this.#later), 0.99),
      stalenessMsMax: shareOf(sorted, 1),
      stalenessMsMean: count === 0 ? null : round(sum / count),
    };
  }

  onEvent(member: SimMember, event: MeshEvent): void {
    if (event.type !== "state" || event.value === undefined) return;
    const owner = this.#world.find(event.owner);
    const key = owner && this.#keys.get(owner)?.get(event.key);
    if (key === undefined) return;
    key.seen.set(member, new DataView(event.value.buffer, event.value.byteOffset).getUint32(0));
  }
}

/** How often each value was seen, the least first. */
type Sorted = readonly (readonly [ms: number, times: number])[];

function sortedOf(samples: ReadonlyMap<number, number>): Sorted {
  return [...samples].sort(([a], [b]) => a - b);
}

function countOf(sorted: Sorted): number {
  return sorted.reduce((sum, [, times]) => sum + times, 0);
}

/** What a share of all does not exceed. */
function shareOf(sorted: Sorted, share: number): number | null {
  let left = Math.max(1, Math.ceil(share * countOf(sorted)));
  for (const [ms, times] of sorted) {
    left -= times;
    if (left <= 0) return round(ms);
  }
  return null;
}
