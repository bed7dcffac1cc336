/**
 * Each owner's keys and values, replicated to all (scuttlebutt: van Renesse et al. 2008, section 3).
 *
 * Only the owner writes, and numbers its writes: versions 1, 2, 3, … A replica's `maxVersion` m of an owner means:
 * of every write up to m it holds the latest for each key, or a later one. Changes travel as deltas (from, to].
 * A delta that begins beyond m is applied key by key and leaves m alone; the hole is repaired by comparing digests.
 *
 * Departures: writes are pushed at once and repaired by digests (the paper only gossips), and a delta from 0 is
 * the owner's whole state and replaces what is held. Deleted keys stay as tombstones; when there are more than
 * `TOMBSTONES_MAX` the oldest are forgotten, and whoever is behind the last forgotten one gets the whole state.
 */

import type { Config } from "../config.ts";
import { SetHash } from "../lib/hash.ts";
import { encodeUtf8 } from "../lib/utf8.ts";
import type { MemberId } from "../machine.ts";
import type { MessageOf, StateDigestEntry, StateEntry } from "../wire/messages.ts";

export type StateDelta = MessageOf<"stateDelta">;

/** Tombstones of one owner. Guess, unmeasured. */
const TOMBSTONES_MAX = 1_000;

/** Bytes of one delta that answers a digest, about; a larger single value still goes. */
const DELTA_BYTES = 65_536;

export interface StateChange {
  readonly owner: MemberId;
  readonly key: string;
  /** Undefined: deleted. */
  readonly value: Uint8Array | undefined;
}

interface Owner {
  generation: number;
  maxVersion: number;
  /** Tombstones up to here were forgotten. */
  gcFloor: number;
  entries: Map<string, StateEntry>;
  tombstones: number;
  bytes: number;
  /** Whether the owner counts in the fingerprint: only live members do. */
  live: boolean;
}

export class StateStore {
  readonly #config: Config;
  readonly #owners = new Map<MemberId, Owner>();
  readonly #hash = new SetHash();

  constructor(config: Config) {
    this.#config = config;
    this.#owners.set(config.id, newOwner(config.generation));
    this.setLive(config.id, config.generation, true);
  }

  get hash(): SetHash {
    return this.#hash;
  }

  /** Our own write; undefined `value` deletes. Gives the delta to push, or why it cannot be. */
  write(key: string, value: Uint8Array | undefined): StateDelta | "unchanged" | "full" {
    const owner = this.#owners.get(this.#config.id) as Owner;
    const held = owner.entries.get(key);
    if (value === undefined && held?.value === undefined) return "unchanged";
    const grown = owner.bytes - sizeOf(held) + sizeOf({ key, version: 0, value });
    if (value !== undefined && grown > this.#config.stateBytesMax) return "full";
    const live = owner.entries.size - owner.tombstones;
    if (held?.value === undefined && live >= this.#config.stateKeysMax) return "full";
    const from = owner.maxVersion;
    const entry: StateEntry = { key, version: from + 1, value };
    this.#putEntry(owner, entry);
    this.#advance(this.#config.id, owner, from + 1);
    forgetTombstones(owner);
    const { generation, maxVersion } = owner;
    return {
      type: "stateDelta",
      owner: this.#config.id,
      generation,
      from,
      to: maxVersion,
      entries: [entry],
    };
  }

  /** Our generation rose before anybody heard of us: the same state under the new one. */
  renumber(generation: number): void {
    const owner = this.#owners.get(this.#config.id) as Owner;
    this.#toggle(this.#config.id, owner);
    owner.generation = generation;
    this.#toggle(this.#config.id, owner);
  }

  /** Merges another owner's delta; gives what changed, or undefined when it is no news. */
  apply(delta: StateDelta): readonly StateChange[] | undefined {
    if (delta.owner === this.#config.id || !isSound(delta)) return undefined;
    let owner = this.#owners.get(delta.owner);
    if (owner === undefined || delta.generation < owner.generation) return undefined;
    const changes: StateChange[] = [];
    if (delta.generation > owner.generation) {
      owner = this.#restart(delta.owner, owner, delta.generation, changes);
    }
    if (delta.to <= owner.maxVersion) return undefined;
    if (delta.from === 0) this.#dropAbsent(owner, delta, changes);
    const fresh = this.#putAll(owner, delta, changes);
    if (delta.from > owner.maxVersion) return fresh ? changes : undefined;
    this.#advance(delta.owner, owner, delta.to);
    // A whole state may lack forgotten tombstones: who is behind it gets a whole state from us too.
    if (delta.from === 0) owner.gcFloor = Math.max(owner.gcFloor, delta.to);
    forgetTombstones(owner);
    return changes;
  }

  /**
   * Makes room for a member's state, or takes it out of the fingerprint when the member is not live.
   * A restarted member begins with none: gives the keys that are gone with its former life.
   */
  setLive(id: MemberId, generation: number, live: boolean): readonly StateChange[] {
    const changes: StateChange[] = [];
    let owner = this.#owners.get(id);
    if (owner === undefined) {
      if (!live) return changes;
      owner = newOwner(generation);
      this.#owners.set(id, owner);
    } else if (generation > owner.generation) {
      owner = this.#restart(id, owner, generation, changes);
    }
    if (owner.live !== live) {
      owner.live = live;
      this.#toggleAlways(id, owner);
    }
    return changes;
  }

  /** Forgets a member's state. Gives the keys that are gone. */
  drop(id: MemberId): readonly StateChange[] {
    const owner = this.#owners.get(id);
    if (owner === undefined) return [];
    this.#toggle(id, owner);
    this.#owners.delete(id);
    return deletions(id, owner);
  }

  digest(): StateDigestEntry[] {
    const entries: StateDigestEntry[] = [];
    for (const [id, { generation, maxVersion, live }] of this.#owners) {
      if (live && maxVersion > 0) entries.push({ owner: id, generation, maxVersion });
    }
    return entries;
  }

  /** The deltas that bring the sender of the digest up to what is held here. */
  *newerThan(entries: readonly StateDigestEntry[]): IterableIterator<StateDelta> {
    const theirs = new Map(entries.map((entry) => [entry.owner, entry]));
    for (const [id, owner] of this.#owners) {
      if (!owner.live || owner.maxVersion === 0) continue;
      const entry = theirs.get(id);
      if (entry !== undefined && entry.generation > owner.generation) continue;
      const known = entry?.generation === owner.generation ? entry.maxVersion : 0;
      if (known < owner.maxVersion) yield* deltasOf(id, owner, known);
    }
  }

  #putAll(owner: Owner, delta: StateDelta, changes: StateChange[]): boolean {
    let fresh = false;
    for (const entry of delta.entries) {
      const known = owner.entries.get(entry.key);
      if (known !== undefined && known.version >= entry.version) continue;
      // Covered by what is held: the key was deleted since, and its tombstone forgotten.
      if (entry.version <= owner.maxVersion && known === undefined) continue;
      if (owner.bytes - sizeOf(known) + sizeOf(entry) > 2 * this.#config.stateBytesMax) continue;
      this.#putEntry(owner, entry);
      fresh = true;
      if (entry.value !== undefined || known?.value !== undefined) {
        changes.push({ owner: delta.owner, key: entry.key, value: entry.value });
      }
    }
    return fresh;
  }

  /** A whole state leaves out what was deleted and forgotten: it goes here too. */
  #dropAbsent(owner: Owner, delta: StateDelta, changes: StateChange[]): void {
    const present = new Set(delta.entries.map((entry) => entry.key));
    for (const [key, entry] of owner.entries) {
      if (present.has(key) || entry.version > delta.to) continue;
      owner.entries.delete(key);
      owner.bytes -= sizeOf(entry);
      if (entry.value === undefined) owner.tombstones--;
      else changes.push({ owner: delta.owner, key, value: undefined });
    }
  }

  #restart(id: MemberId, owner: Owner, generation: number, changes: StateChange[]): Owner {
    changes.push(...deletions(id, owner));
    this.#toggle(id, owner);
    const restarted = newOwner(generation);
    restarted.live = owner.live;
    this.#owners.set(id, restarted);
    this.#toggle(id, restarted);
    return restarted;
  }

  #putEntry(owner: Owner, entry: StateEntry): void {
    const known = owner.entries.get(entry.key);
    owner.bytes += sizeOf(entry) - sizeOf(known);
    owner.tombstones +=
      Number(entry.value === undefined) - Number(known !== undefined && known.value === undefined);
    // Deleted and set again, so that the map stays in the order of the versions.
    owner.entries.delete(entry.key);
    owner.entries.set(entry.key, entry);
  }

  #advance(id: MemberId, owner: Owner, maxVersion: number): void {
    this.#toggle(id, owner);
    owner.maxVersion = maxVersion;
    this.#toggle(id, owner);
  }

  #toggle(id: MemberId, owner: Owner): void {
    if (owner.live) this.#toggleAlways(id, owner);
  }

  #toggleAlways(id: MemberId, owner: Owner): void {
    // Owners that never wrote leave no trace, so that knowing of one early or late makes no difference.
    if (owner.maxVersion > 0) this.#hash.toggle(id, owner.generation, owner.maxVersion, 0, 0);
  }
}

function newOwner(generation: number): Owner {
  return {
    generation,
    maxVersion: 0,
    gcFloor: 0,
    entries: new Map(),
    tombstones: 0,
    bytes: 0,
    live: false,
  };
}

function deletions(id: MemberId, owner: Owner): StateChange[] {
  return [...owner.entries.values()]
    .filter((entry) => entry.value !== undefined)
    .map(({ key }) => ({ owner: id, key, value: undefined }));
}

function sizeOf(entry: StateEntry | undefined): number {
  if (entry === undefined) return 0;
  return encodeUtf8(entry.key).length + (entry.value?.length ?? 0) + 16;
}

/** Versions lie in (from, to] and ascend: anything else is nobody's honest delta. */
function isSound(delta: StateDelta): boolean {
  let last = delta.from;
  for (const { version } of delta.entries) {
    if (version <= last || version > delta.to) return false;
    last = version;
  }
  return delta.to > delta.from;
}

function forgetTombstones(owner: Owner): void {
  if (owner.tombstones <= TOMBSTONES_MAX) return;
  for (const [key, entry] of owner.entries) {
    // One beyond a hole still has something older to keep out.
    if (entry.value !== undefined || entry.version > owner.maxVersion) continue;
    owner.entries.delete(key);
    owner.bytes -= sizeOf(entry);
    owner.tombstones--;
    owner.gcFloor = Math.max(owner.gcFloor, entry.version);
    if (owner.tombstones <= TOMBSTONES_MAX / 2) return;
  }
}

function* deltasOf(id: MemberId, owner: Owner, known: number): IterableIterator<StateDelta> {
  const whole = known === 0 || known < owner.gcFloor;
  const sorted = [...owner.entries.values()].sort((a, b) => a.version - b.version);
  // What came from beyond a hole has replaced things from before it: those who hold everything answer.
  if ((sorted.at(-1)?.version ?? 0) > owner.maxVersion) return;
  const missing = whole ? sorted : sorted.filter((entry) => entry.version > known);
  let from = whole ? 0 : known;
  let entries: StateEntry[] = [];
  let bytes = 0;
  const delta = (to: number): StateDelta => ({
    type: "stateDelta",
    owner: id,
    generation: owner.generation,
    from,
    to,
    entries,
  });
  for (const entry of missing) {
    // A whole state replaces what the other holds, so it goes in one piece.
    if (!whole && entries.length > 0 && bytes + sizeOf(entry) > DELTA_BYTES) {
      const to = entries[entries.length - 1]?.version as number;
      yield delta(to);
      from = to;
      entries = [];
      bytes = 0;
    }
    entries.push(entry);
    bytes += sizeOf(entry);
  }
  yield delta(owner.maxVersion);
}
