/**
 * A map that everybody writes: for each key the latest write wins (a last-writer-wins register for each key, Shapiro
 * et al. 2011), whoever sees the writes in whatever order. What is deleted leaves a tombstone; what has a life ends by
 * itself at everyone, and is remembered for as long again, so that a late copy does not bring it back.
 *
 * Tombstones: the oldest of more than `TOMBSTONES_MAX` are forgotten, and the **floor** is the latest stamp among
 * them. A write up to the floor of a key that is not held is taken for one that was deleted since.
 */

import { hashOfText, PARTS_MAX, partOf, SetHash } from "../lib/hash.ts";
import type { MemberId } from "../lib/ids.ts";
import type { SharedEntry, SharedStamp, Vouched } from "../wire/messages.ts";
import { isLater, NEVER, type Stamp } from "./clock.ts";

/** Source: design; as many deletions as an owner's own state keeps. */
const TOMBSTONES_MAX = 1_000;

/** Ended entries that are remembered. */
const ENDED_MAX = 4_096;

/** What ended is remembered for so much longer than it lived, ms: the longest that a copy can be under way. */
const ENDED_MS_MIN = 60_000;

export interface Held extends Stamp {
  readonly key: string;
  /** Which of `PARTS_MAX` parts it is in; of fewer parts, the remainder. */
  readonly part: number;
  /** Undefined: deleted. */
  readonly value: Uint8Array | undefined;
  /** When it ends by itself, ms; Infinity: never. */
  readonly endsAt: number;
  /** How its writer vouches for it; others are told nothing that has none where it takes one. */
  readonly vouched: Vouched | undefined;
}

export interface Limits {
  readonly keysMax: number;
  readonly bytesMax: number;
}

export class Registers {
  readonly hash = new SetHash();
  readonly #entries = new Map<string, Held>();
  /** What ended by itself, and until when that is remembered, ms. */
  readonly #ended = new Map<string, Stamp & { readonly until: number }>();
  #tombstones = 0;
  #bytes = 0;
  #floor = NEVER;
  /** No entry ends sooner, ms. */
  #nextEnd = Number.POSITIVE_INFINITY;
  readonly #forgot: (keys: readonly string[]) => void;

  /** @param forgot told which deletions are remembered no more; the floor says what they said */
  constructor(forgot: (keys: readonly string[]) => void = () => {}) {
    this.#forgot = forgot;
  }

  get(key: string): Held | undefined {
    return this.#entries.get(key);
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get nextEnd(): number {
    return this.#nextEnd;
  }

  get floor(): Stamp {
    return this.#floor;
  }

  all(): IterableIterator<Held> {
    return this.#entries.values();
  }

  /**
   * A neighbour has forgotten its deletions up to `floor`. What we hold up to there and it does not list was deleted.
   * @param keys what it lists of the parts that `isIn` tells
   */
  raiseFloor(floor: Stamp, keys: ReadonlySet<string>, isIn: (held: Held) => boolean): Held[] {
    const gone: Held[] = [];
    if (floor.ms === 0) return gone;
    for (const held of this.#entries.values()) {
      if (isIn(held) && !isLater(held, floor) && !keys.has(held.key)) gone.push(held);
    }
    for (const { key } of gone) this.#remove(key);
    this.#forgot(gone.filter(({ value }) => value === undefined).map(({ key }) => key));
    return gone;
  }

  /** The floor of a former life. */
  restoreFloor(floor: Stamp): void {
    if (isLater(floor, this.#floor)) this.#floor = floor;
  }

  /** Whether `entry` would be news. */
  isNews(entry: SharedStamp): boolean {
    const known = this.#entries.get(entry.key);
    if (known !== undefined) return isLater(entry, known);
    const ended = this.#ended.get(entry.key);
    return isLater(entry, ended ?? NEVER) && isLater(entry, this.#floor);
  }

  /** Whether one more fits. What replaces something fits if it is no larger. */
  hasRoom(entry: SharedEntry, { keysMax, bytesMax }: Limits): boolean {
    const known = this.#entries.get(entry.key);
    const more = sizeOf(entry) - (known === undefined ? 0 : sizeOf(known));
    if (more <= 0) return true;
    if (known === undefined && this.#entries.size - this.#tombstones >= keysMax) return false;
    return this.#bytes + more <= bytesMax;
  }

  put(entry: SharedEntry, now: number): Held {
    const { key, ms, counter, writer, value, lifeMs, vouched } = entry;
    const endsAt = lifeMs > 0 ? now + lifeMs : Number.POSITIVE_INFINITY;
    const part = partOf(hashOfText(key), PARTS_MAX);
    const held = { key, part, ms, counter, writer, value, endsAt, vouched };
    this.#remove(key);
    this.#ended.delete(key);
    this.#entries.set(key, held);
    this.#toggle(held);
    this.#bytes += sizeOf(held);
    if (value === undefined) this.#tombstones++;
    this.#nextEnd = Math.min(this.#nextEnd, endsAt);
    this.#forgetTombstones();
    return held;
  }

  /** Undefined when it was overtaken. */
  vouch(held: Held, vouched: Vouched): Held | undefined {
    const known = this.#entries.get(held.key);
    if (known === undefined || isLater(known, held)) return undefined;
    const proven = { ...known, vouched };
    this.#entries.set(held.key, proven);
    return proven;
  }

  remove(key: string): void {
    this.#remove(key);
  }

  /** What has ended by now, without a trace in the hash: everybody ends it by itself. */
  takeEnded(now: number): Held[] {
    if (now < this.#nextEnd) return [];
    const ended: Held[] = [];
    this.#nextEnd = Number.POSITIVE_INFINITY;
    for (const held of this.#entries.values()) {
      if (held.endsAt <= now) ended.push(held);
      else this.#nextEnd = Math.min(this.#nextEnd, held.endsAt);
    }
    for (const held of ended) {
      this.#remove(held.key);
      this.#remember(held, now);
    }
    return ended;
  }

  /** The host's clock stood still for so much of what was a life: everything ends that much sooner. */
  age(ms: number): void {
    for (const [key, held] of this.#entries) {
      if (held.endsAt < Number.POSITIVE_INFINITY) {
        this.#entries.set(key, { ...held, endsAt: held.endsAt - ms });
      }
    }
    this.#nextEnd -= ms;
  }

  #remember({ key, ms, counter, writer }: Held, now: number): void {
    for (const [other, { until }] of this.#ended) {
      if (until > now && this.#ended.size < ENDED_MAX) break;
      this.#ended.delete(other);
    }
    this.#ended.set(key, { ms, counter, writer, until: now + ENDED_MS_MIN });
  }

  #remove(key: string): void {
    const held = this.#entries.get(key);
    if (held === undefined) return;
    this.#entries.delete(key);
    this.#toggle(held);
    this.#bytes -= sizeOf(held);
    if (held.value === undefined) this.#tombstones--;
  }

  #toggle({ key, ms, counter, writer }: Held): void {
    this.hash.toggle(hashOfText(key), ms, counter, hashNumber(writer), 0);
  }

  #forgetTombstones(): void {
    if (this.#tombstones <= TOMBSTONES_MAX) return;
    const tombstones = [...this.#entries.values()]
      .filter(({ value }) => value === undefined)
      .sort((a, b) => (isLater(a, b) ? 1 : -1));
    const oldest = tombstones.slice(0, TOMBSTONES_MAX / 2);
    for (const held of oldest) {
      this.#remove(held.key);
      this.restoreFloor(held);
    }
    this.#forgot(oldest.map(({ key }) => key));
  }
}

/** The first digits of an id as a number. */
function hashNumber(id: MemberId): number {
  return Number.parseInt(id.slice(0, 8), 16);
}

function sizeOf({ key, value }: { key: string; value?: Uint8Array | undefined }): number {
  return key.length + (value?.length ?? 0) + 32;
}
