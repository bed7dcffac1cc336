/**
 * What is held of one owner's state: its keys by version, and how far it is complete.
 *
 * `maxVersion` m means (scuttlebutt, section 3): the latest write of a key, if it is one up to m, is here. The same
 * holds of the parts beyond m that came early (`#ahead`): they are told to others as they are, hole and all, so that
 * what was lost on one link holds up nobody beyond it.
 *
 * Forgotten tombstones: up to `floor` deletions may be unknown here. Who is behind the floor of the replica that
 * serves it is told which versions still hold; what it has beside them is in doubt, and goes once it has reached
 * the version at which that was said, unless a newer value has come. So a state of any size travels in parts.
 */

import { encodeUtf8 } from "../lib/utf8.ts";
import { type MessageOf, STATE_ENTRIES_MAX, type StateEntry } from "../wire/messages.ts";
import { type Range, Ranges } from "./ranges.ts";

export type StateDelta = MessageOf<"stateDelta">;
export type StatePart = Omit<StateDelta, "type" | "owner" | "generation">;

/** Entries that are kept in the order of their coming, beside their keys. */
const TAIL_MAX = 128;

/** Tombstones of one owner. Guess, unmeasured. */
const TOMBSTONES_MAX = 1_000;

/** Bytes of one delta, about; a larger single value still goes. */
const DELTA_BYTES = 65_536;

/** A value of 256 bytes with a key of 256 and what they cost. */
const SMALL_BYTES = 256 + 256 + 16;

export type Shown = (key: string, value: Uint8Array | undefined) => void;

export class Replica {
  generation: number;
  maxVersion = 0;
  /** Whether the owner counts in the fingerprint: only live members do. */
  live: boolean;
  #floor = 0;
  #entries = new Map<string, StateEntry>();
  #highest = 0;
  #ascending = true;
  /** What was put last, ascending: everything above `#tailFrom`, so that the latest is served without a search. */
  #tail: StateEntry[] = [];
  #tailFrom = 0;
  #tombstones = 0;
  #loose = 0;
  readonly #ahead = new Ranges();
  #bytes = 0;
  /** Keys that may be gone, with the versions held, and when that is certain. */
  readonly #doubts = new Map<string, number>();
  #doubtUntil = 0;

  constructor(generation: number, live: boolean) {
    this.generation = generation;
    this.live = live;
  }

  /** Nothing in it came early, or is in doubt. */
  get isWhole(): boolean {
    return this.#loose === 0 && this.#doubts.size === 0;
  }

  /** The highest version that is known of. */
  get last(): number {
    return Math.max(this.maxVersion, this.#ahead.last);
  }

  /** What is next for somebody who holds everything up to `at`, and `sent` beyond; nothing while there are doubts. */
  nextFor(at: number, sent: Ranges): Range | undefined {
    if (this.#doubts.size > 0) return undefined;
    for (const [from, to] of [[0, this.maxVersion], ...this.#ahead] as const) {
      const next = sent.gap(Math.max(from, at), to);
      if (next !== undefined) return next;
    }
    return undefined;
  }

  /** Keys that have a value. */
  get count(): number {
    return this.#entries.size - this.#tombstones;
  }

  get(key: string): StateEntry | undefined {
    return this.#entries.get(key);
  }

  *keys(): IterableIterator<string> {
    for (const { key, value } of this.#entries.values()) if (value !== undefined) yield key;
  }

  /** Bytes held if `entry` were put. */
  bytesWith(entry: StateEntry): number {
    return this.#bytes - sizeOf(this.#entries.get(entry.key)) + sizeOf(entry);
  }

  /** The owner's own next write. */
  write(key: string, value: Uint8Array | undefined): StatePart {
    const from = this.maxVersion;
    const entry: StateEntry = { key, version: from + 1, value };
    this.maxVersion++;
    this.#put(entry);
    this.#forgetTombstones();
    const { maxVersion: to } = this;
    return { from, to, last: to, floor: this.#floor, kept: undefined, entries: [entry] };
  }

  /** Merges a sound part; whether it was news. */
  apply(part: StatePart, bytesMax: number, shown: Shown): boolean {
    const held = this.maxVersion;
    if (part.to <= held) return false;
    const contiguous = part.from <= held;
    if (!contiguous && this.#ahead.covers(part.from, part.to)) return false;
    if (contiguous) {
      // What is held and would have been named is in doubt, before the part's own entries are put.
      if (part.floor > held) {
        this.#doubt(part);
        this.#floor = Math.max(this.#floor, part.floor);
      }
      this.#advance(this.#ahead.follow(part.to));
    } else if (part.floor <= held) this.#ahead.add(part.from, part.to);
    let fresh = contiguous;
    for (const entry of part.entries) {
      const known = this.#entries.get(entry.key);
      if (known !== undefined && known.version >= entry.version) continue;
      // Covered by what is held: the key was deleted since, and its tombstone forgotten.
      if (entry.version <= held && known === undefined) continue;
      if (this.bytesWith(entry) > bytesMax) continue;
      this.#put(entry);
      fresh = true;
      if (entry.value !== undefined || known?.value !== undefined) shown(entry.key, entry.value);
    }
    if (this.maxVersion >= this.#doubtUntil) this.#dropDoubtful(shown);
    this.#forgetTombstones();
    return fresh;
  }

  /**
   * What is here of a range that `nextFor` gave, or as much of it as one delta takes.
   * @param told the floor when it was last told what holds: no tombstone was forgotten since if it is the same
   */
  partOf([from, upTo]: Range, told: number): StatePart {
    const isBehind = from > 0 && from < this.#floor && told !== this.#floor;
    const kept = isBehind ? this.#keptUpTo(from) : undefined;
    const entries: StateEntry[] = [];
    let bytes = 0;
    let to = upTo;
    for (const entry of from >= this.#tailFrom ? this.#tail : this.#inOrder()) {
      if (entry.version <= from || this.#entries.get(entry.key) !== entry) continue;
      if (entry.version > upTo) break;
      bytes += sizeOf(entry);
      if (entries.length > 0 && (bytes > DELTA_BYTES || entries.length >= STATE_ENTRIES_MAX)) {
        to = entries[entries.length - 1]?.version as number;
        break;
      }
      entries.push(entry);
    }
    return { from, to, last: this.last, floor: this.#floor, kept, entries };
  }

  /** Everything it says lies within what it names: anything else is nobody's honest delta. */
  static isSound({ from, to, last, floor, kept, entries }: StatePart): boolean {
    let version = from;
    for (const entry of entries) {
      if (entry.version <= version || entry.version > to) return false;
      version = entry.version;
    }
    const keptUpTo = kept?.reduce((sum, step) => (step > 0 ? sum + step : Infinity), 0) ?? 0;
    return to > from && last >= to && floor <= last && keptUpTo <= from;
  }

  #keptUpTo(from: number): number[] {
    const steps: number[] = [];
    let before = 0;
    for (const { version } of this.#inOrder()) {
      if (version > from) break;
      steps.push(version - before);
      before = version;
    }
    return steps;
  }

  #doubt(part: StatePart): void {
    const named = new Set(part.entries.map(({ version }) => version));
    let version = 0;
    for (const step of part.kept ?? []) {
      version += step;
      named.add(version);
    }
    const least = part.kept === undefined ? part.from : 0;
    for (const entry of this.#entries.values()) {
      // A tombstone that others have forgotten does no harm, and may still keep something out.
      if (entry.value === undefined || named.has(entry.version)) continue;
      if (entry.version <= least || entry.version > part.to) continue;
      this.#doubts.set(entry.key, entry.version);
    }
    if (this.#doubts.size > 0) this.#doubtUntil = Math.max(this.#doubtUntil, part.last);
  }

  #dropDoubtful(shown: Shown): void {
    for (const [key, version] of this.#doubts) {
      const entry = this.#entries.get(key);
      if (entry?.version !== version) continue;
      this.#remove(entry);
      shown(key, undefined);
    }
    this.#doubts.clear();
  }

  #advance(maxVersion: number): void {
    if (this.#loose > 0) {
      this.#loose = 0;
      for (const { version } of this.#entries.values()) if (version > maxVersion) this.#loose++;
    }
    this.maxVersion = maxVersion;
  }

  #put(entry: StateEntry): void {
    const known = this.#entries.get(entry.key);
    if (known !== undefined) this.#remove(known);
    if (entry.version > this.maxVersion) this.#loose++;
    if (entry.value === undefined) this.#tombstones++;
    this.#bytes += sizeOf(entry);
    // At the end of the map, which stays in the order of the versions unless one came early.
    if (entry.version < this.#highest) {
      this.#ascending = false;
      this.#tail = [];
      this.#tailFrom = this.#highest;
    } else {
      this.#highest = entry.version;
      this.#tail.push(entry);
    }
    if (this.#tail.length > TAIL_MAX) {
      this.#tailFrom = (this.#tail[TAIL_MAX / 2 - 1] as StateEntry).version;
      this.#tail = this.#tail.slice(TAIL_MAX / 2);
    }
    this.#entries.set(entry.key, entry);
  }

  #remove(entry: StateEntry): void {
    this.#entries.delete(entry.key);
    this.#bytes -= sizeOf(entry);
    if (entry.value === undefined) this.#tombstones--;
    if (entry.version > this.maxVersion) this.#loose--;
  }

  #inOrder(): Iterable<StateEntry> {
    if (!this.#ascending) {
      const sorted = [...this.#entries].sort(([, a], [, b]) => a.version - b.version);
      this.#entries = new Map(sorted);
      this.#ascending = true;
    }
    return this.#entries.values();
  }

  #forgetTombstones(): void {
    if (this.#tombstones <= TOMBSTONES_MAX) return;
    for (const entry of this.#inOrder()) {
      // One beyond a hole still has something older to keep out.
      if (entry.version > this.maxVersion) return;
      if (entry.value !== undefined) continue;
      this.#remove(entry);
      this.#floor = Math.max(this.#floor, entry.version);
      if (this.#tombstones <= TOMBSTONES_MAX / 2) return;
    }
  }
}

/** Small enough to flood at once: one value and its key. Source: design. */
export function isSmall({ entries }: Pick<StateDelta, "entries">): boolean {
  return entries.length === 1 && sizeOf(entries[0]) <= SMALL_BYTES;
}

function sizeOf(entry: StateEntry | undefined): number {
  if (entry === undefined) return 0;
  return encodeUtf8(entry.key).length + (entry.value?.length ?? 0) + 16;
}
