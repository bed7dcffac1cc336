/**
 * How old is what members know of a key? A replica is as stale as the first write that it has not seen, or seen
 * overtaken by a later one, is old (van Renesse et al. 2008, section 5). A replica that has it all is not stale.
 */

import type { MeshEvent } from "../../core/machine.ts";
import type { SimMember } from "../member.ts";
import type { Observer, World } from "../world.ts";

interface Key {
  /** When each value was written, ms; numbered from 1. */
  readonly writtenAt: number[];
  /** The latest value that each member has seen. */
  readonly seen: Map<SimMember, number>;
}

export class StalenessWatch implements Observer {
  /** Every sample of every replica of every key, ms. */
  readonly samples: number[] = [];
  readonly #world: World;
  readonly #keys = new Map<SimMember, Map<string, Key>>();

  constructor(world: World) {
    this.#world = world;
    world.observe(this);
  }

  write(owner: SimMember, key: string, bytes: number): void {
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
    for (const [owner, keys] of this.#keys) {
      for (const { writtenAt, seen } of keys.values()) {
        for (const member of live) {
          if (member === owner) continue;
          const missed = writtenAt[seen.get(member) ?? 0];
          this.samples.push(missed === undefined ? 0 : now - missed);
        }
      }
    }
  }

  onEvent(member: SimMember, event: MeshEvent): void {
    if (event.type !== "state" || event.value === undefined) return;
    const owner = this.#world.find(event.owner);
    const key = owner && this.#keys.get(owner)?.get(event.key);
    if (key === undefined) return;
    key.seen.set(member, new DataView(event.value.buffer, event.value.byteOffset).getUint32(0));
  }
}
