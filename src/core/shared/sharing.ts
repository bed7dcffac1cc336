/**
 * What all members share and any may write: configuration, and what is said to those who come later too. A write
 * floods, or is announced where it is large; what the flood misses is repaired by comparing hashes of parts, as for
 * members and states. Unlike a member's own state it outlives its writer.
 *
 * ```
 * A                                           B
 * │ sharedParts: a hash for each part ──────▶ │   the fingerprint in an answer to a probe differs; a new link
 * │ ◀─────── sharedDigest: stamps, where they differ │
 * │ shared: what is newer at A ─────────────▶ │
 * │ sharedWant: what is newer at B ─────────▶ │
 * │ ◀───────────────────────────────── shared │
 * ```
 */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import { isPartCount, partCount } from "../lib/hash.ts";
import { Spell } from "../lib/spell.ts";
import { TokenBucket } from "../lib/token-bucket.ts";
import type { MemberId } from "../machine.ts";
import {
  DIGEST_MAX,
  type Message,
  type MessageOf,
  SHARED_ENTRIES_MAX,
  type SharedEntry,
  type SharedStamp,
  type Vouched,
} from "../wire/messages.ts";
import { HybridClock, isLater, NEVER, STAMP_MS_MAX } from "./clock.ts";
import { type Held, Registers } from "./register.ts";

/** A write further ahead of our clock is refused back to its writer, ms. Source: design. */
const AHEAD_MS_MAX = 60_000;

/** What is larger is announced and asked for instead of flooded, bytes. Guess, unmeasured. */
const EAGER_BYTES_MAX = 1_024;

/** Bytes of entries in one message, about; a larger single one still goes. */
const MESSAGE_BYTES = 65_536;

/** What was asked of one neighbour is not asked of another for so long, ms. Guess, unmeasured. */
const WANT_MS = 2_000;

/** A difference that has lasted so long is looked into by the higher id too, ms. As for members. */
const LASTING_MS = 5_000;

/** What a neighbour may ask of us: in the long run, and at once. Entries. */
const ANSWERS_PER_SECOND = 512;
const ANSWERS_BURST = 16_384;

interface Neighbour {
  readonly difference: Spell;
  comparedAt: number;
  readonly answers: TokenBucket;
  /** The write of ours that it refused last. */
  refused: Held | undefined;
}

export interface SharingOut {
  now(): number;
  neighbours(): readonly MemberId[];
  /** What comes from there may be older than it looks. */
  isStale(from: MemberId): boolean;
  tell(to: MemberId, message: Message): void;
  /** Behind other bulk; what finds no room is repaired later. */
  push(to: readonly MemberId[], message: Message): void;
  /** Something of a key is other than before: a write, a deletion, or the end of its life. */
  changed(held: Held): void;
  /** This is what holds of a key from now on, and may be told to others. */
  keep(held: Held): void;
  /** Of these keys nothing is held any more, not even that they were deleted: what is up to the floor was. */
  forgot(keys: readonly string[]): void;
  /** Proves a write of ours; `then` comes at once, with nothing, where none needs a proof. */
  prove(entry: SharedEntry, then: (vouched: Vouched | undefined) => void): void;
}

export class Sharing {
  readonly registers: Registers;
  readonly clock: HybridClock;
  readonly stats = { writes: 0, taken: 0, refused: 0, digests: 0 };
  readonly #config: Config;
  readonly #deadlines: Deadlines;
  readonly #out: SharingOut;
  readonly #neighbours = new Map<MemberId, Neighbour>();
  /** Asked of somebody, and until when that counts, ms. */
  readonly #wanted = new Map<string, number>();
  #settled = false;

  constructor(config: Config, deadlines: Deadlines, out: SharingOut) {
    this.#config = config;
    this.#deadlines = deadlines;
    this.#out = out;
    this.registers = new Registers((keys) => out.forgot(keys));
    this.clock = new HybridClock(config.id);
  }

  /** Undefined `value` deletes; `lifeMs` 0: it does not end by itself. */
  write(key: string, value: Uint8Array | undefined, lifeMs: number): "written" | "full" {
    const now = this.#out.now();
    const entry: SharedEntry = { key, ...this.clock.next(now), value, lifeMs };
    // What ends by itself leaves half of the room to what does not.
    if (!this.#hasRoom(entry, lifeMs > 0 ? 0.5 : 1)) return "full";
    this.stats.writes++;
    this.#takeOwn(entry);
    return "written";
  }

  /** Whether there is room for a value that ends by itself. */
  mayKeep(value: Uint8Array): boolean {
    return this.#hasRoom({ ...NEVER, key: "", value, lifeMs: 1 }, 0.5);
  }

  /** The time of day by this host. What the mesh says goes before. */
  setClock(wallMs: number): void {
    if (!this.#settled) this.clock.set(wallMs, this.#out.now());
  }

  /** What was kept over a restart. Deletions last: as they are forgotten, older values would be taken for deleted. */
  restore(entries: readonly SharedEntry[]): void {
    const isDeletion = ({ value }: SharedEntry): number => (value === undefined ? 1 : 0);
    for (const entry of [...entries].sort((a, b) => isDeletion(a) - isDeletion(b))) {
      if (!this.registers.isNews(entry)) continue;
      const { writer, vouched } = entry;
      if (writer === this.#config.id && vouched === undefined) this.#takeOwn(entry);
      else this.#take(entry, undefined);
    }
  }

  onLinkUp(peer: MemberId): void {
    const now = this.#out.now();
    const answers = new TokenBucket(ANSWERS_PER_SECOND, ANSWERS_BURST, now);
    this.#neighbours.set(peer, {
      difference: new Spell(),
      comparedAt: now,
      answers,
      refused: undefined,
    });
    this.compare(peer);
  }

  onLinkDown(peer: MemberId): void {
    this.#neighbours.delete(peer);
  }

  /** A neighbour holds other things than we do: the end with the lower id begins. */
  differs(peer: MemberId): void {
    const neighbour = this.#neighbours.get(peer);
    const now = this.#out.now();
    if (neighbour === undefined) return;
    const lastsMs = neighbour.difference.lastsMs(now, 3 * this.#config.probePeriodMs);
    if (peer < this.#config.id && lastsMs < LASTING_MS) return;
    if (now - neighbour.comparedAt < this.#config.repairPeriodMs) return;
    neighbour.comparedAt = now;
    this.compare(peer);
  }

  compare(peer: MemberId): void {
    const hashes = this.registers.hash.parts(partCount(this.registers.size));
    const clockMs = this.clock.wallMs(this.#out.now());
    this.#out.tell(peer, { type: "sharedParts", clockMs, settled: this.#settled, hashes });
  }

  onParts(from: MemberId, { clockMs, settled, hashes }: MessageOf<"sharedParts">): void {
    this.#learnClock(from, clockMs, settled);
    const count = hashes.length;
    if (!isPartCount(count)) return;
    const own = this.registers.hash.parts(count);
    const parts = own.flatMap((hash, part) => (hash === hashes[part] ? [] : [part]));
    if (parts.length === 0 || !this.#mayAnswer(from)) return;
    this.stats.digests++;
    const among = new Set(parts);
    const stamps: SharedStamp[] = [];
    for (const held of this.registers.all()) {
      if (stamps.length < DIGEST_MAX && among.has(held.part % count)) stamps.push(held);
    }
    this.#out.tell(from, {
      type: "sharedDigest",
      count,
      // A digest that is cut short says of no part that it is all there is.
      parts: stamps.length < DIGEST_MAX ? parts : [],
      floor: this.registers.floor,
      stamps,
    });
  }

  onDigest(from: MemberId, digest: MessageOf<"sharedDigest">): void {
    const { count, floor, stamps } = digest;
    if (!isPartCount(count)) return;
    const parts = new Set(digest.parts);
    const listed = new Map(stamps.map((stamp) => [stamp.key, stamp]));
    const isIn = ({ part }: Held): boolean => parts.has(part % count);
    if (floor.ms <= this.clock.wallMs(this.#out.now())) {
      for (const held of this.registers.raiseFloor(floor, new Set(listed.keys()), isIn)) {
        if (held.value === undefined) continue;
        const deleted = { ...held, value: undefined, vouched: undefined };
        this.#out.changed(deleted);
        this.#out.keep(deleted);
      }
    }
    this.#want(from, stamps);
    const newer: Held[] = [];
    for (const held of this.registers.all()) {
      const theirs = listed.get(held.key);
      if (theirs === undefined ? isIn(held) : isLater(held, theirs)) newer.push(held);
    }
    this.#answer(
      from,
      newer.filter((held) => !isLarge(held)),
    );
    // What is large may be on its way to them already.
    this.#announce([from], newer.filter(isLarge));
  }

  onWant(from: MemberId, keys: readonly string[]): void {
    const entries = keys.flatMap((key) => this.registers.get(key) ?? []);
    this.#answer(from, entries);
  }

  onEntries(from: MemberId, entries: readonly SharedEntry[]): void {
    const now = this.#out.now();
    // Of each sender in the order in which it wrote.
    for (const entry of [...entries].sort((a, b) => (isLater(a, b) ? 1 : -1))) {
      this.#wanted.delete(entry.key);
      if (!this.registers.isNews(entry) || entry.ms > STAMP_MS_MAX) continue;
      if (entry.lifeMs > 0 && this.#out.isStale(from)) continue;

      const isAhead = entry.ms > this.clock.wallMs(now) + AHEAD_MS_MAX;
      // Of what ends by itself nothing depends on the order.
      if (isAhead && entry.writer === from && entry.lifeMs === 0 && this.#settled) {
        this.#refuse(from, entry, now);
        continue;
      }
      // Twice the room of a writer, so that what was taken elsewhere at the edge is taken here.
      if (!this.#hasRoom(entry, 2)) this.stats.refused++;
      else this.#take(entry, from);
    }
  }

  /** Half of our neighbours say that our clock is far ahead: it is set by theirs, and the write stamped anew. */
  onRefused(from: MemberId, refused: MessageOf<"sharedRefused">): void {
    const held = this.registers.get(refused.key);
    const now = this.#out.now();
    const neighbour = this.#neighbours.get(from);
    if (neighbour === undefined || held?.writer !== this.#config.id) return;
    if (held.ms !== refused.ms || held.counter !== refused.counter) return;
    if (held.ms <= refused.clockMs + AHEAD_MS_MAX) return;
    neighbour.refused = held;
    const refusals = [...this.#neighbours.values()].filter(({ refused: one }) => one === held);
    if (2 * refusals.length < this.#neighbours.size) return;
    this.clock.set(refused.clockMs, now);
    this.clock.reset();
    this.registers.remove(held.key);
    for (const other of this.registers.all()) {
      // What is as far ahead itself, and came by others, would have it refused for ever.
      const isAhead = other.ms > refused.clockMs + AHEAD_MS_MAX;
      if (other.writer !== this.#config.id && !isAhead) this.clock.saw(other);
    }
    const stamp = this.clock.next(now);
    this.#takeOwn({ key: held.key, ...stamp, value: held.value, lifeMs: lifeOf(held, now) });
  }

  onDeadline(now: number): void {
    for (const held of this.registers.takeEnded(now)) {
      if (held.value !== undefined) this.#out.changed({ ...held, value: undefined });
    }
    this.#schedule();
  }

  /** The host stood still, and the clock of the core for `missedMs` of that. */
  resume(missedMs: number): void {
    const now = this.#out.now();
    this.clock.advance(missedMs);
    this.registers.age(missedMs);
    this.onDeadline(now);
  }

  #hasRoom(entry: SharedEntry, share: number): boolean {
    const { sharedKeysMax, sharedBytesMax } = this.#config;
    const limits = { keysMax: share * sharedKeysMax, bytesMax: share * sharedBytesMax };
    return this.registers.hasRoom(entry, limits);
  }

  #take(entry: SharedEntry, from: MemberId | undefined): void {
    if (from !== undefined) this.stats.taken++;
    this.#tell(this.#hold(entry), from);
  }

  /** It holds here at once, and is told once it is proven, unless it was overtaken by then. */
  #takeOwn(entry: SharedEntry): void {
    const held = this.#hold(entry);
    this.#out.prove(entry, (vouched) => {
      const proven = vouched === undefined ? held : this.registers.vouch(held, vouched);
      if (proven !== undefined) this.#tell(proven, undefined);
    });
  }

  #hold(entry: SharedEntry): Held {
    this.clock.saw(entry);
    const held = this.registers.put(entry, this.#out.now());
    this.#schedule();
    this.#out.changed(held);
    return held;
  }

  #tell(held: Held, from: MemberId | undefined): void {
    this.#out.keep(held);
    const others = this.#out.neighbours().filter((peer) => peer !== from && peer !== held.writer);
    if (others.length === 0 || !this.#mayTell(held)) return;
    if (isLarge(held)) this.#announce(others, [held]);
    else this.#out.push(others, { type: "shared", entries: [entryOf(held, this.#out.now())] });
  }

  /** Others would refuse what has no proof. */
  #mayTell({ vouched }: Held): boolean {
    return vouched !== undefined || this.#config.proofs !== "all";
  }

  #announce(to: readonly MemberId[], stamps: readonly Held[]): void {
    if (stamps.length === 0) return;
    const digest: Message = {
      type: "sharedDigest",
      count: 1,
      parts: [],
      floor: NEVER,
      stamps: stamps.slice(0, DIGEST_MAX),
    };
    for (const peer of to) this.#out.tell(peer, digest);
  }

  /** Asks for what is newer there, of one neighbour at a time. */
  #want(from: MemberId, stamps: readonly SharedStamp[]): void {
    const now = this.#out.now();
    for (const [key, until] of this.#wanted) {
      if (until <= now) this.#wanted.delete(key);
    }
    const keys: string[] = [];
    for (const stamp of stamps) {
      if (this.#wanted.has(stamp.key) || !this.registers.isNews(stamp)) continue;
      if (this.#wanted.size >= DIGEST_MAX) break;
      this.#wanted.set(stamp.key, now + WANT_MS);
      keys.push(stamp.key);
    }
    if (keys.length > 0) this.#out.tell(from, { type: "sharedWant", keys });
  }

  #answer(to: MemberId, entries: readonly Held[]): void {
    const now = this.#out.now();
    let message: SharedEntry[] = [];
    let bytes = 0;
    const send = (): void => {
      if (message.length > 0) this.#out.push([to], { type: "shared", entries: message });
      message = [];
      bytes = 0;
    };
    for (const held of entries) {
      if (!this.#mayAnswer(to)) break;
      if (held.endsAt <= now || !this.#mayTell(held)) continue;
      message.push(entryOf(held, now));
      bytes += held.value?.length ?? 0;
      if (message.length >= SHARED_ENTRIES_MAX || bytes >= MESSAGE_BYTES) send();
    }
    send();
  }

  #refuse(to: MemberId, { key, ms, counter, writer }: SharedEntry, now: number): void {
    this.stats.refused++;
    const clockMs = this.clock.wallMs(now);
    this.#out.tell(to, { type: "sharedRefused", key, ms, counter, writer, clockMs });
  }

  /** The first that others tell a newcomer is what time it is. */
  #learnClock(from: MemberId, clockMs: number, settled: boolean): void {
    const isNewcomer = !this.#settled && (settled || from < this.#config.id);
    if (isNewcomer && clockMs <= STAMP_MS_MAX) this.clock.set(clockMs, this.#out.now());
    this.#settled = true;
  }

  #mayAnswer(peer: MemberId): boolean {
    return this.#neighbours.get(peer)?.answers.take(this.#out.now()) ?? false;
  }

  #schedule(): void {
    const { nextEnd } = this.registers;
    if (nextEnd < Number.POSITIVE_INFINITY) this.#deadlines.set("shared", nextEnd);
  }
}

function entryOf(held: Held, now: number): SharedEntry {
  const { key, ms, counter, writer, value, vouched } = held;
  const leftMs = lifeOf(held, now);
  // Sums of times are not exact: nobody believes in more than the writer gave.
  return {
    key,
    ms,
    counter,
    writer,
    value,
    lifeMs: Math.min(leftMs, vouched?.ttlMs ?? leftMs),
    vouched,
  };
}

/** What is left of a life, in whole ms, and never the 0 that means none. */
function lifeOf({ endsAt }: Pick<Held, "endsAt">, now: number): number {
  return endsAt === Number.POSITIVE_INFINITY ? 0 : Math.max(1, Math.ceil(endsAt - now));
}

function isLarge({ value }: Held): boolean {
  return (value?.length ?? 0) > EAGER_BYTES_MAX;
}
