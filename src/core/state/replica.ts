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
 *
 * What has a life and is over becomes a tombstone in its place, at its version: so it does at everybody, by itself.
 */

import type { Deadlines } from "../lib/deadlines.ts";
import { encodeUtf8 } from "../lib/utf8.ts";
import type { MemberId } from "../machine.ts";
import type { Digest } from "../proof/contents.ts";
import {
  type MessageOf,
  STATE_ENTRIES_MAX,
  type StateEntry,
  type Vouched,
} from "../wire/messages.ts";
import { entryOf, type Item, itemOf, type Slot, slotOf, weightOf } from "./items.ts";
import { type LogChange, Logs, nextPlace } from "./logs.ts";
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

export type Shown = (key: string, value: Uint8Array | undefined, log?: LogChange) => void;

/** How a key is written. */
export interface Manner {
  /** When it ends by itself, on the store's clock, ms. */
  readonly endsAt?: number;
  /** So many changes are kept. */
  readonly log?: number;
}

/** What an owner may hold. */
export interface Room {
  readonly bytes: number;
  readonly entries: number;
}

export class Replica {
  generation: number;
  maxVersion = 0;
  /** Where writes need a proof: our own are told up to here. */
  provenTo = Number.POSITIVE_INFINITY;
  /** Whether the owner counts in the fingerprint: only live members do. */
  live = true;
  readonly #owner: MemberId;
  readonly #ends: Deadlines;
  #floor = 0;
  #entries = new Map<Slot, Item>();
  readonly #logs = new Logs();
  #highest = 0;
  #ascending = true;
  /** What was put last, ascending: everything above `#tailFrom`, so that the latest is served without a search. */
  #tail: Item[] = [];
  #tailFrom = 0;
  #tombstones = 0;
  #loose = 0;
  readonly #ahead = new Ranges();
  #bytes = 0;
  /** What may be gone, with the versions held, and when that is certain. */
  readonly #doubts = new Map<Slot, number>();
  #doubtUntil = 0;

  /** @param ends when which of the store's lives end */
  constructor(owner: MemberId, generation: number, ends: Deadlines) {
    this.#owner = owner;
    this.generation = generation;
    this.#ends = ends;
  }

  /** Nothing in it came early, or is in doubt. */
  get isWhole(): boolean {
    return this.#loose === 0 && this.#doubts.size === 0;
  }

  /** How far it is complete, and may be told. */
  get toldTo(): number {
    return Math.min(this.maxVersion, this.provenTo);
  }

  /** The highest version that is known of. */
  get last(): number {
    return Math.max(this.toldTo, this.#ahead.last);
  }

  /** A part with no more than its entries, and what was seen before them, show to be there. */
  shown(part: StatePart): StatePart {
    const highest = Math.max(this.#highest, part.entries.at(-1)?.version ?? 0);
    return part.to <= highest ? part : { ...part, to: Math.max(part.from, highest) };
  }

  /** What came early: the parts beyond `maxVersion`. */
  get ahead(): Ranges {
    return this.#ahead;
  }

  /** What is next for somebody who holds everything up to `at`, and `sent` beyond; nothing while there are doubts. */
  nextFor(at: number, sent: Ranges): Range | undefined {
    if (this.#doubts.size > 0) return undefined;
    for (const [from, to] of [[0, this.toldTo], ...this.#ahead] as const) {
      const next = sent.gap(Math.max(from, at), to);
      if (next !== undefined) return next;
    }
    return undefined;
  }

  /** Keys that have a value; each change of a log is one. */
  get count(): number {
    return this.#entries.size - this.#tombstones;
  }

  /** The latest of a key. */
  get(key: string): Item | undefined {
    return this.#entries.get(key) ?? this.#logs.newest(key);
  }

  /** The changes of a key that are kept, oldest first. */
  log(key: string): readonly Item[] {
    return this.#logs.shown(key);
  }

  /** All that is a value and no log. */
  values(): Item[] {
    return [...this.#entries.values()].filter(({ value, log }) => value !== undefined && !log);
  }

  keys(): string[] {
    return [...this.values().map(({ key }) => key), ...this.#logs.keys()];
  }

  /** The owner's own next write; undefined `value` deletes. Gives nothing where there is no room. */
  write(
    key: string,
    value: Uint8Array | undefined,
    manner: Manner,
    room: Room,
    clock: number,
  ): StatePart | undefined {
    const from = this.maxVersion;
    const version = from + 1;
    const { endsAt = Number.POSITIVE_INFINITY, log: max } = manner;
    const spare = this.#spare(key, value, room, max !== undefined);
    const log = max === undefined ? undefined : nextPlace(this.#logs.get(key), version, max, spare);
    const fits = max === undefined ? spare.bytes >= 0 && spare.entries >= 0 : log !== undefined;
    if (value !== undefined && !fits) return undefined;
    const item = { ...itemOf({ key, version, value, lifeMs: 0, log }, clock), endsAt };
    this.maxVersion = version;
    this.#put(item);
    this.#logs.show(version, () => {});
    this.#forgetTombstones();
    const entries = [entryOf(item, clock)];
    return { from, to: version, last: version, floor: this.#floor, kept: undefined, entries };
  }

  /** A write of ours is proven, after all before it. Whether it still holds. */
  vouch(written: StateEntry, vouched: Vouched, digest: Digest | undefined): boolean {
    const { version, key, log, value } = written;
    const item = this.#entries.get(log === undefined ? key : version);
    if (item?.version !== version) return false;
    // Others believe in no version that no entry shows: what was overtaken comes with what overtook it.
    this.provenTo = version;
    const isOver = item.value === undefined && value !== undefined;
    item.vouched = isOver ? { ...vouched, digest: digest?.(value) } : vouched;
    return !isOver;
  }

  /** Nothing of ours is proven any more: gives all of it in the order of its versions. */
  unprove(clock: number): StateEntry[] {
    this.provenTo = 0;
    return Array.from(this.#inOrder(), (item) => {
      item.vouched = undefined;
      return entryOf(item, clock);
    });
  }

  /** The life of a key is over. */
  end(key: string, digest: Digest | undefined): void {
    const item = this.#entries.get(key);
    if (item === undefined) return;
    if (item.vouched !== undefined && item.value !== undefined && digest !== undefined) {
      item.vouched = { ...item.vouched, digest: digest(item.value) };
    }
    this.#bytes -= weightOf(item);
    item.value = undefined;
    item.endsAt = Number.POSITIVE_INFINITY;
    this.#bytes += weightOf(item);
    this.#tombstones++;
    this.#forgetTombstones();
  }

  /** Nothing of it ends by itself any more. */
  forget(): void {
    for (const item of this.#entries.values()) this.#clearEnd(item);
  }

  /** Merges a sound part; whether it was news. */
  apply(part: StatePart, bytesMax: number, clock: number, shown: Shown): boolean {
    const held = this.maxVersion;
    if (part.to <= held) return false;
    const contiguous = part.from <= held;
    if (!contiguous && this.#ahead.covers(part.from, part.to)) return false;
    let fresh = contiguous;
    if (contiguous) {
      // What is held and would have been named is in doubt, before the part's own entries are put.
      if (part.floor > held) {
        this.#doubt(part);
        this.#floor = Math.max(this.#floor, part.floor);
      }
      this.#advance(this.#ahead.follow(part.to));
    } else if (part.floor <= held) fresh = this.#ahead.add(part.from, part.to);
    for (const entry of part.entries) {
      if (!this.#isNews(entry, held)) continue;
      const item = itemOf(entry, clock);
      if (this.#bytes - this.#weightOf(entry.key) + weightOf(item) > bytesMax) continue;
      const hadValue = this.#isVisible(entry.key);
      this.#put(item);
      fresh = true;
      if (item.log === undefined && (item.value !== undefined || hadValue)) {
        shown(item.key, item.value);
      }
    }
    if (this.#doubts.size > 0 && this.maxVersion >= this.#doubtUntil) this.#dropDoubtful(shown);
    this.#logs.show(this.maxVersion, ({ key, value }, change) => shown(key, value, change));
    this.#forgetTombstones();
    return fresh;
  }

  /**
   * What is here of a range that `nextFor` gave, or as much of it as one delta takes.
   * @param told the floor when it was last told what holds: no tombstone was forgotten since if it is the same
   */
  partOf([from, upTo]: Range, told: number, clock: number): StatePart {
    const isBehind = from > 0 && from < this.#floor && told !== this.#floor;
    const kept = isBehind ? this.#keptUpTo(from) : undefined;
    const entries: StateEntry[] = [];
    let bytes = 0;
    let to = upTo;
    for (const item of from >= this.#tailFrom ? this.#tail : this.#inOrder()) {
      if (item.version <= from || this.#entries.get(slotOf(item)) !== item) continue;
      if (item.version > upTo) break;
      bytes += weightOf(item);
      if (entries.length > 0 && (bytes > DELTA_BYTES || entries.length >= STATE_ENTRIES_MAX)) {
        to = entries[entries.length - 1]?.version as number;
        break;
      }
      entries.push(entryOf(item, clock));
    }
    return { from, to, last: this.last, floor: this.#floor, kept, entries };
  }

  /** Everything it says lies within what it names: anything else is nobody's honest delta. */
  static isSound({ from, to, last, floor, kept, entries }: StatePart): boolean {
    let version = from;
    for (const entry of entries) {
      if (entry.version <= version || entry.version > to) return false;
      version = entry.version;
      if (entry.log !== undefined && !isPlace(entry, entry.log)) return false;
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
      this.#doubts.set(slotOf(entry), entry.version);
    }
    if (this.#doubts.size > 0) this.#doubtUntil = Math.max(this.#doubtUntil, part.last);
  }

  #dropDoubtful(shown: Shown): void {
    for (const [slot, version] of this.#doubts) {
      const item = this.#entries.get(slot);
      if (item?.version !== version) continue;
      const hadValue = this.#isVisible(item.key);
      this.#remove(item);
      if (hadValue && !this.#isVisible(item.key)) shown(item.key, undefined);
    }
    this.#doubts.clear();
  }

  /** Whether an entry is newer than what is held of its key, and was not overtaken since. */
  #isNews(entry: StateEntry, held: number): boolean {
    const { key, version, log: place } = entry;
    const known = this.#entries.get(key);
    const log = this.#logs.get(key);
    if (place === undefined) {
      if ((known?.version ?? log?.begun ?? 0) >= version) return false;
      // Covered by what is held: the key was deleted since, and its tombstone forgotten.
      return version > held || known !== undefined || log !== undefined;
    }
    return version > held && (known?.version ?? 0) < place.begun && this.#logs.isNews(entry);
  }

  /** What a key weighs. */
  #weightOf(key: string): number {
    const known = this.#entries.get(key);
    return (known === undefined ? 0 : weightOf(known)) + (this.#logs.get(key)?.bytes ?? 0);
  }

  /** What would be left with one more write: of a log beside its changes, else in place of them. */
  #spare(key: string, value: Uint8Array | undefined, room: Room, isLog: boolean): Room {
    const known = this.#entries.get(key);
    const log = this.#logs.get(key);
    const weight = weightOf({ keyBytes: encodeUtf8(key).length, value });
    const replaced = this.#weightOf(key) - (isLog ? (log?.bytes ?? 0) : 0);
    const gone = (known?.value === undefined ? 0 : 1) + (isLog ? 0 : (log?.items.length ?? 0));
    return {
      bytes: room.bytes - this.#bytes + replaced - weight,
      entries: room.entries - this.count + gone - 1,
    };
  }

  #advance(maxVersion: number): void {
    if (this.#loose > 0) {
      this.#loose = 0;
      for (const { version } of this.#entries.values()) if (version > maxVersion) this.#loose++;
    }
    this.maxVersion = maxVersion;
  }

  /** Whether the application has a value of this key. */
  #isVisible(key: string): boolean {
    return this.#entries.get(key)?.value !== undefined || this.#logs.get(key)?.visible === true;
  }

  #put(entry: Item): void {
    const visible = this.#isVisible(entry.key);
    const known = this.#entries.get(entry.key);
    const same = this.#entries.get(slotOf(entry));
    for (const old of [known, same]) if (old !== undefined) this.#remove(old);
    for (const old of this.#logs.put(entry, visible)) this.#remove(old);
    if (entry.version > this.maxVersion) this.#loose++;
    if (entry.value === undefined) this.#tombstones++;
    else if (entry.endsAt < Number.POSITIVE_INFINITY) {
      this.#ends.set(this.#owner + entry.key, entry.endsAt);
    }
    this.#bytes += weightOf(entry);
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
      this.#tailFrom = (this.#tail[TAIL_MAX / 2 - 1] as Item).version;
      this.#tail = this.#tail.slice(TAIL_MAX / 2);
    }
    this.#entries.set(slotOf(entry), entry);
  }

  #clearEnd({ key, endsAt }: Item): void {
    if (endsAt < Number.POSITIVE_INFINITY) this.#ends.clear(this.#owner + key);
  }

  #remove(entry: Item): void {
    if (!this.#entries.delete(slotOf(entry))) return;
    this.#clearEnd(entry);
    if (entry.log !== undefined) this.#logs.remove(entry);
    this.#bytes -= weightOf(entry);
    if (entry.value === undefined) this.#tombstones--;
    if (entry.version > this.maxVersion) this.#loose--;
  }

  #inOrder(): Iterable<Item> {
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
      // One beyond a hole still has something older to keep out, and others are yet to hear of one that is not proven.
      if (entry.version > this.toldTo) return;
      if (entry.value !== undefined) continue;
      this.#remove(entry);
      this.#floor = Math.max(this.#floor, entry.version);
      if (this.#tombstones <= TOMBSTONES_MAX / 2) return;
    }
  }
}

/** Small enough to flood at once: one value and its key. Source: design. */
export function isSmall({ entries: [entry, more] }: Pick<StateDelta, "entries">): boolean {
  if (entry === undefined || more !== undefined) return false;
  return weightOf({ keyBytes: encodeUtf8(entry.key).length, value: entry.value }) <= SMALL_BYTES;
}

function isPlace(
  { version, value, lifeMs }: StateEntry,
  { begun, number, first }: NonNullable<StateEntry["log"]>,
): boolean {
  if (value === undefined || lifeMs > 0 || begun === 0 || begun > version) return false;
  return first > 0 && first <= number && number <= version - begun + 1;
}
