/**
 * Each owner's keys and values, replicated to all (scuttlebutt: van Renesse et al. 2008, section 3). Only the owner
 * writes, and numbers its writes: versions 1, 2, 3, … Changes travel as deltas (from, to]; what a replica may be
 * told stands in `replica.ts`, who tells it in `replication.ts`.
 */

import type { Config } from "../config.ts";
import { Deadlines } from "../lib/deadlines.ts";
import { partOf, SetHash } from "../lib/hash.ts";
import { ID_DIGITS, type MemberId } from "../lib/ids.ts";
import type { Digest } from "../proof/contents.ts";
import type { StateDigestEntry, StateEntry, Vouched } from "../wire/messages.ts";
import type { LogChange } from "./logs.ts";
import type { Range, Ranges } from "./ranges.ts";
import { type Manner, Replica, type StateDelta, type StatePart } from "./replica.ts";

const ALL: ReadonlySet<number> = new Set([0]);

export interface StateChange {
  readonly owner: MemberId;
  readonly key: string;
  /** Undefined: deleted. */
  readonly value: Uint8Array | undefined;
  /** It was not deleted: its life is over. */
  readonly expired?: true;
  /** Of a key whose changes are all kept. */
  readonly log?: LogChange;
}

/** How a key is written: for so long, or with so many changes kept. */
export interface WriteOptions {
  readonly lifeMs?: number;
  readonly log?: number;
}

export class StateStore {
  readonly #config: Config;
  /** Who never wrote anything has no replica: members are many, writers may be few. */
  readonly #replicas = new Map<MemberId, Replica>();
  readonly #hash = new SetHash();
  readonly #own: Replica;
  /** When which of all lives end: the owner's id, and the key. */
  readonly #ends = new Deadlines();
  /** For so long the clock stood still while lives went on, ms. */
  #stoodStillMs = 0;

  readonly #now: () => number;
  readonly #digest: Digest | undefined;

  constructor(config: Config, now: () => number, digest?: Digest) {
    this.#config = config;
    this.#now = now;
    this.#digest = digest;
    this.#own = new Replica(config.id, config.generation, this.#ends);
    if (config.proofs === "all") this.#own.provenTo = 0;
    this.#replicas.set(config.id, this.#own);
  }

  get hash(): SetHash {
    return this.#hash;
  }

  /** Our own write; undefined `value` deletes. Gives the delta to push, or why it cannot be. */
  write(
    key: string,
    value: Uint8Array | undefined,
    { lifeMs = 0, log }: WriteOptions = {},
  ): StateDelta | "unchanged" | "full" {
    if (value === undefined && this.#own.get(key)?.value === undefined) return "unchanged";
    const endsAt = lifeMs > 0 ? this.#clock + lifeMs : Number.POSITIVE_INFINITY;
    const manner = log === undefined ? { endsAt } : { log };
    return this.#write(key, value, manner) ?? "full";
  }

  /** Our own values anew, each for what is left of its life. Logs are no values. */
  repeat(): StateDelta[] {
    const values = this.#own.values();
    return values.flatMap(({ key, value, endsAt }) => this.#write(key, value, { endsAt }) ?? []);
  }

  /** When the next life ends, or Infinity. */
  get nextEnd(): number {
    return this.#ends.next - this.#stoodStillMs;
  }

  /** What has ended by now. */
  takeEnded(): readonly StateChange[] {
    const changes: StateChange[] = [];
    for (;;) {
      const name = this.#ends.take(this.#clock);
      if (name === undefined) return changes;
      const [owner, key] = [name.slice(0, ID_DIGITS), name.slice(ID_DIGITS)];
      this.#replicas.get(owner)?.end(key, this.#digest);
      changes.push({ owner, key, value: undefined, expired: true });
    }
  }

  /** The clock of the core stood still for so much of the time. */
  age(ms: number): void {
    this.#stoodStillMs += ms;
  }

  /** Our generation rose before anybody heard of us: the same state under the new one. */
  renumber(generation: number): void {
    this.#unhash(this.#config.id, this.#own);
    this.#own.generation = generation;
    this.#hashed(this.#config.id, this.#own, 0);
  }

  /** All of ours, of which nothing is proven under its new generation. */
  unprove(): StateDelta[] {
    return this.#own.unprove(this.#clock).map((entry) => {
      const { version } = entry;
      const from = version - 1;
      const part = {
        from,
        to: version,
        last: version,
        floor: 0,
        kept: undefined,
        entries: [entry],
      };
      return this.#delta(this.#config.id, this.#own, part);
    });
  }

  /** A write of ours is proven; whether it still holds. */
  vouch(entry: StateEntry, vouched: Vouched): boolean {
    return this.#own.vouch(entry, vouched, this.#digest);
  }

  /** Merges the delta of a member that lives; gives what changed, or undefined when it is no news. */
  apply(delta: StateDelta): readonly StateChange[] | undefined {
    const { owner, generation } = delta;
    if (owner === this.#config.id || !Replica.isSound(delta)) return undefined;
    let replica = this.#replicas.get(owner);
    if (replica !== undefined && generation < replica.generation) return undefined;
    const changes: StateChange[] = [];
    if (replica === undefined || generation > replica.generation) {
      if (replica !== undefined) changes.push(...this.drop(owner));
      replica = new Replica(owner, generation, this.#ends);
      this.#replicas.set(owner, replica);
    }
    const part = this.#config.proofs === "all" ? replica.shown(delta) : delta;
    const before = replica.maxVersion;
    const bytesMax = 2 * this.#config.stateBytesMax;
    const news = replica.apply(part, bytesMax, this.#clock, (key, value, log) =>
      changes.push({ owner, key, value, ...(log && { log }) }),
    );
    this.#hashed(owner, replica, before);
    return news ? changes : undefined;
  }

  /**
   * A member lives, or not: who does not is left out of the fingerprint, and served to nobody.
   * A restarted member begins with none: gives the keys that are gone with its former life.
   */
  setLive(id: MemberId, generation: number, live: boolean): readonly StateChange[] {
    const replica = this.#replicas.get(id);
    if (replica === undefined) return [];
    if (generation > replica.generation) return this.drop(id);
    if (replica.live !== live) {
      this.#unhash(id, replica);
      replica.live = live;
      this.#hashed(id, replica, 0);
    }
    return [];
  }

  /** Forgets a member's state. Gives the keys that are gone. */
  drop(id: MemberId): readonly StateChange[] {
    const replica = this.#replicas.get(id);
    if (replica === undefined) return [];
    this.#unhash(id, replica);
    this.#replicas.delete(id);
    replica.forget();
    return replica.keys().map((key) => ({ owner: id, key, value: undefined }));
  }

  replicaOf(id: MemberId): Replica | undefined {
    return this.#replicas.get(id);
  }

  /** How far the state of `id`, of this life or any, is complete here. */
  versionOf(id: MemberId, generation?: number): number {
    const replica = this.#replicas.get(id);
    const isOf = generation === undefined || replica?.generation === generation;
    return isOf ? (replica?.maxVersion ?? 0) : 0;
  }

  /** The highest version of `id` that is known of, of this life. */
  lastOf(id: MemberId, generation: number): number {
    const replica = this.#replicas.get(id);
    return replica?.generation === generation ? replica.last : 0;
  }

  /** The parts of the state of `id` that came early; none of another life. */
  aheadOf(id: MemberId, generation: number): readonly Range[] {
    const replica = this.#replicas.get(id);
    return replica?.generation === generation ? [...replica.ahead] : [];
  }

  /** Whether what is held of `id`, if anything, is of this life. */
  isOf(id: MemberId, generation: number): boolean {
    return this.#replicas.get(id)?.generation === generation;
  }

  /** What can be said of an owner's state; undefined when there is nothing of it, or its owner does not live. */
  entryOf(owner: MemberId): StateDigestEntry | undefined {
    const replica = this.#replicas.get(owner);
    if (replica === undefined || !replica.live || replica.toldTo === 0) return undefined;
    return { owner, generation: replica.generation, maxVersion: replica.toldTo };
  }

  /** Owners that something is held of. */
  get count(): number {
    return this.#replicas.size;
  }

  /** What is held of the owners in some parts of `count`. */
  digest(count = 1, parts: ReadonlySet<number> = ALL): StateDigestEntry[] {
    const owners = [...this.#replicas.keys()].filter(
      (owner) => count === 1 || parts.has(partOf(owner, count)),
    );
    return owners.flatMap((owner) => this.entryOf(owner) ?? []);
  }

  /** What there is to serve of `owner` beyond `at`, but for what was `sent`. */
  nextFor(owner: MemberId, at: number, sent: Ranges): Range | undefined {
    const replica = this.#replicas.get(owner);
    return replica?.live === true ? replica.nextFor(at, sent) : undefined;
  }

  /** The delta for a range that `nextFor` gave. */
  deltaOf(owner: MemberId, range: Range, told: number): StateDelta {
    const replica = this.#replicas.get(owner) as Replica;
    return this.#delta(owner, replica, replica.partOf(range, told, this.#clock));
  }

  /** The clock that lives are counted by. */
  get #clock(): number {
    return this.#now() + this.#stoodStillMs;
  }

  #write(key: string, value: Uint8Array | undefined, manner: Manner): StateDelta | undefined {
    const { id, stateBytesMax: bytes, stateKeysMax: entries } = this.#config;
    const before = this.#own.maxVersion;
    const part = this.#own.write(key, value, manner, { bytes, entries }, this.#clock);
    this.#hashed(id, this.#own, before);
    return part && this.#delta(id, this.#own, part);
  }

  #delta(owner: MemberId, { generation }: Replica, part: StatePart): StateDelta {
    return { type: "stateDelta", owner, generation, ...part };
  }

  #unhash(id: MemberId, replica: Replica): void {
    this.#toggle(id, replica, replica.maxVersion);
  }

  /** Its version was `before`, as far as the fingerprint knows. */
  #hashed(id: MemberId, replica: Replica, before: number): void {
    if (replica.maxVersion === before) return;
    this.#toggle(id, replica, before);
    this.#toggle(id, replica, replica.maxVersion);
  }

  #toggle(id: MemberId, { live, generation }: Replica, version: number): void {
    if (live && version > 0) this.#hash.toggle(id, generation, version, 0, 0);
  }
}
