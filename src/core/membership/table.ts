/**
 * The member table and its merge rule (SWIM, section 4.2, with generations).
 *
 * A member is ordered by (generation, incarnation, state) with alive < suspect < asleep < down < left. Only its owner
 * raises its incarnation, to refute, and its generation, at a start. Departures from SWIM: a higher generation
 * beats everything of a lower one, down(i) is never overwritten by alive(≤ i) but by alive(i + 1), and what the
 * owner says of itself (name, neighbours, …) is one record with a version of its own, so that news of it and
 * news of its life never undo each other. A claim above the owner's own incarnation is refused.
 */

import type { Config } from "../config.ts";
import { PARTS_MAX, partOf, SetHash } from "../lib/hash.ts";
import { invariant } from "../lib/invariant.ts";
import { bitsOf } from "../lib/kinds.ts";
import { LayeredMap } from "../lib/layered-map.ts";
import type { MemberId } from "../machine.ts";
import {
  type Claim,
  FLAG_NODE,
  FLAG_SLOW_OFFERER,
  type MemberDigestEntry,
  type MemberRecord,
  type Update,
} from "../wire/messages.ts";

export type MemberState = "alive" | "suspect" | "asleep" | "down" | "left";

const RANK: Readonly<Record<MemberState, number>> = {
  alive: 0,
  suspect: 1,
  asleep: 2,
  down: 3,
  left: 4,
};

/** Some of the parts that a table is cut into by the ids. */
export interface Within {
  /** Parts in all: `isPartCount`. */
  readonly count: number;
  readonly parts: ReadonlySet<number>;
}

const EVERYWHERE: Within = { count: 1, parts: new Set([0]) };

export interface Member {
  readonly record: MemberRecord;
  readonly state: MemberState;
  /** When this state began here, ms. */
  readonly since: number;
  /** Its place among `PARTS_MAX` parts: it is looked at for each member whenever tables are compared. */
  readonly part: number;
}

/** A newcomer hears of its former life with the first digests; a restart within it counts on, ms. */
const SETTLE_MS = 5_000;

/** What an update did. `before` is undefined for a member seen for the first time. */
export interface Change {
  readonly before: Member | undefined;
  readonly after: Member;
}

/** Why an update about ourselves matters. */
export type SelfNews =
  /** Somebody holds us suspect or down: we have refuted it. */
  | "refuted"
  /** The mesh knew a former life of ours: our generation is above it now. */
  | "reborn"
  /** Another process uses our identity. */
  | "taken"
  | "none";

export class MemberTable {
  readonly #config: Config;
  readonly #members: LayeredMap<MemberId, Member>;
  readonly #hash = new SetHash();
  /** Raised whenever any record or state changes: caches compare it. */
  #revision = 0;
  #liveCount = 0;
  #asleepCount = 0;
  #lowestLive: MemberId;
  #own: MemberRecord;
  /** When others know this life of ours for certain, ms: what is foreign then is a clone. */
  #settledAt = Number.POSITIVE_INFINITY;

  /** @param known what another table holds, which must not change any more: this one begins with the same */
  constructor(config: Config, now: number, known?: MemberTable) {
    this.#config = config;
    this.#lowestLive = config.id;
    if (known === undefined) this.#members = new LayeredMap();
    else {
      this.#members = new LayeredMap(known.#members);
      this.#hash.become(known.#hash);
      this.#liveCount = known.#liveCount;
      this.#asleepCount = known.#asleepCount;
      this.#lowestLive = known.#lowestLive;
    }
    const before = this.#members.get(config.id);
    this.#own = before?.record ?? ownRecord(config);
    if (before === undefined) {
      this.#put(undefined, this.#own, "alive", now);
    }
  }

  get own(): MemberRecord {
    return this.#own;
  }

  get hash(): SetHash {
    return this.#hash;
  }

  get revision(): number {
    return this.#revision;
  }

  /** Members that are alive or suspect, ourselves included. */
  get liveCount(): number {
    return this.#liveCount;
  }

  /** Members in all states. */
  get size(): number {
    return this.#members.size;
  }

  get(id: MemberId): Member | undefined {
    return this.#members.get(id);
  }

  get anyAsleep(): boolean {
    return this.#asleepCount > 0;
  }

  isAsleep(id: MemberId): boolean {
    return this.#asleepCount > 0 && this.#members.get(id)?.state === "asleep";
  }

  /** Every member but ourselves. */
  *others(): IterableIterator<Member> {
    for (const member of this.#members.values()) {
      if (member.record.id !== this.#config.id) yield member;
    }
  }

  isLive(id: MemberId): boolean {
    const member = this.#members.get(id);
    return member !== undefined && isLive(member);
  }

  /** The lowest live id: it names the island that we are on. */
  island(): MemberId {
    return this.#lowestLive;
  }

  /** Changes what we say of ourselves. Others hear it once it is shown (`show`). */
  describe(change: Partial<MemberRecord>): void {
    this.#own = this.next(change);
  }

  /** What the own record would be after a change. */
  next(change: Partial<MemberRecord>): MemberRecord {
    return { ...this.#own, ...change, version: this.#own.version + 1, proof: undefined };
  }

  /** Says that we are here, whatever others took us for meanwhile. */
  wake(): void {
    this.describe({ state: "alive", incarnation: this.#own.incarnation + 1 });
  }

  /** The own record may be told to others from now on. */
  show(own: MemberRecord, now: number): MemberRecord {
    this.#own = own;
    this.#put(this.#members.get(own.id), own, own.state, now);
    return own;
  }

  /** The first link stands: what the mesh knows of a former life of ours arrives within `SETTLE_MS`. */
  announced(now: number): void {
    this.#settledAt = Math.min(this.#settledAt, now + SETTLE_MS);
  }

  /** Whether a record could change anything here. */
  isNewRecord({ id, generation, version }: MemberRecord): boolean {
    const held = this.#members.get(id)?.record;
    if (held === undefined || id === this.#config.id) return true;
    return generation === held.generation ? version > held.version : generation > held.generation;
  }

  /** Merges a record of another member. Undefined when it is no news. */
  applyRecord(record: MemberRecord, now: number): Change | undefined {
    invariant(record.id !== this.#config.id, "records of ourselves go to applyOwn");
    const before = this.#members.get(record.id);
    if (before === undefined) {
      if (this.#members.size >= this.#config.membersMax) return undefined;
      return this.#put(undefined, record, record.state, now);
    }
    const held = before.record;
    if (record.generation !== held.generation) {
      if (record.generation < held.generation) return undefined;
      return this.#put(before, record, record.state, now);
    }
    if (before.state === "left" || record.version <= held.version) return undefined;
    // Versions and incarnations rise together at their owner: the newer record never lowers the incarnation.
    const refutes = record.incarnation > held.incarnation;
    const worse = RANK[record.state] > RANK[before.state];
    const state = refutes || worse ? record.state : before.state;
    const since = state === before.state ? before.since : now;
    return this.#put(before, record, state, since);
  }

  /** Merges what others hold of a member. Undefined when it is no news or cannot be. */
  applyClaim(claim: Claim, now: number): Change | undefined {
    const before = this.#members.get(claim.id);
    if (before === undefined || !this.isNews(claim)) return undefined;
    return this.#put(before, before.record, claim.state, now);
  }

  /** Whether the claim would change what we hold of another member. */
  isNews({ id, generation, incarnation, state }: Claim): boolean {
    const member = this.#members.get(id);
    if (member === undefined || id === this.#config.id) return false;
    const { record } = member;
    if (generation !== record.generation || incarnation !== record.incarnation) return false;
    return RANK[state] > RANK[member.state];
  }

  /** Others' news about ourselves: refuted, outlived, or the sign of a clone. */
  applyOwn(news: MemberRecord | Claim, now: number): SelfNews {
    const own = this.#own;
    const isRecord = "version" in news;
    if (news.generation >= Number.MAX_SAFE_INTEGER) return "none";
    // Of a life that is not ours only its record tells: of that nobody but we can be the owner.
    if (isRecord && (news.generation > own.generation || this.#isForeign(news))) {
      if (now >= this.#settledAt) return "taken";
      this.describe({ generation: news.generation + 1, incarnation: 0 });
      return "reborn";
    }
    // Only we raise our incarnation: a claim above it is nobody's honest one.
    const current = news.generation === own.generation && news.incarnation === own.incarnation;
    if (isRecord || !current || RANK[news.state] <= RANK[own.state]) return "none";
    this.describe({ incarnation: own.incarnation + 1 });
    return "refuted";
  }

  /** Forgets members that ended before `now - tombstoneMs`; gives their ids. */
  reap(now: number): MemberId[] {
    const reaped: MemberId[] = [];
    if (this.#members.size === this.#liveCount) return reaped;
    for (const [id, member] of this.#members.entries()) {
      if (isPresent(member) || now - member.since < this.#config.tombstoneMs) continue;
      this.#members.delete(id);
      reaped.push(id);
    }
    if (reaped.length > 0) this.#revision++;
    return reaped;
  }

  digest(within = EVERYWHERE): MemberDigestEntry[] {
    const entries: MemberDigestEntry[] = [];
    for (const member of this.#members.values()) {
      if (!isWithin(member, within)) continue;
      const { id, generation, version, incarnation } = member.record;
      entries.push({ id, generation, version, incarnation, state: member.state });
    }
    return entries;
  }

  /** Whether the digest entry shows anything that is newer there. */
  isBehind(entry: MemberDigestEntry): boolean {
    const member = this.#members.get(entry.id);
    if (member === undefined) return entry.state !== "down" && entry.state !== "left";
    const { generation, version, incarnation } = member.record;
    if (entry.generation !== generation) return entry.generation > generation;
    return (
      entry.version > version ||
      (entry.incarnation === incarnation && RANK[entry.state] > RANK[member.state])
    );
  }

  /** What we know that the sender of the digest does not. */
  newerThan(entries: readonly MemberDigestEntry[], within = EVERYWHERE): Update[] {
    const updates: Update[] = [];
    let known = 0;
    for (const entry of entries) {
      const member = this.#members.get(entry.id);
      if (member === undefined || !isWithin(member, within)) continue;
      known++;
      addNewer(updates, member, entry);
    }
    // Mostly they have heard of all.
    if (known >= this.#countWithin(within)) return updates;
    const listed = new Set(entries.map(({ id }) => id));
    for (const member of this.#members.values()) {
      if (!isWithin(member, within) || listed.has(member.record.id)) continue;
      // A tombstone is news only to those who still hold the member for something better.
      if (member.state !== "down" && member.state !== "left") addNewer(updates, member, undefined);
    }
    return updates;
  }

  #countWithin(within: Within): number {
    let count = 0;
    for (const member of this.#members.values()) if (isWithin(member, within)) count++;
    return count;
  }

  /** Same generation, not ours: another process started this identity together with us, or we left before. */
  #isForeign(record: MemberRecord): boolean {
    const own = this.#own;
    if (record.generation !== own.generation) return false;
    return record.version > own.version || (record.state === "left" && own.state !== "left");
  }

  #put(
    before: Member | undefined,
    record: MemberRecord,
    state: MemberState,
    since: number,
  ): Change {
    const part = before?.part ?? partOf(record.id, PARTS_MAX);
    const after: Member = { record, state, since, part };
    if (before !== undefined) this.#count(before, -1);
    this.#count(after, 1);
    this.#members.set(after.record.id, after);
    this.#revision++;
    this.#lower(after);
    return { before, after };
  }

  #lower(after: Member): void {
    const { id } = after.record;
    if (isLive(after)) {
      if (id < this.#lowestLive) this.#lowestLive = id;
    } else if (id === this.#lowestLive) {
      this.#lowestLive = this.#config.id;
      for (const member of this.#members.values()) {
        if (isLive(member) && member.record.id < this.#lowestLive) {
          this.#lowestLive = member.record.id;
        }
      }
    }
  }

  #count(member: Member, by: 1 | -1): void {
    if (!isPresent(member)) return;
    if (isLive(member)) this.#liveCount += by;
    else this.#asleepCount += by;
    const { id, generation, version, incarnation } = member.record;
    this.#hash.toggle(id, generation, version, incarnation, RANK[member.state]);
  }
}

function ownRecord(config: Config): MemberRecord {
  return {
    id: config.id,
    generation: config.generation,
    version: 1,
    incarnation: 0,
    state: "alive",
    flags:
      (config.slowOfferer ? FLAG_SLOW_OFFERER : 0) |
      (config.node ? FLAG_NODE : 0) |
      bitsOf(config.kinds),
    name: config.name,
    role: config.role,
    meta: config.meta,
    addresses: config.addresses,
    neighbours: [],
    // Only what is proven to be its owner's key is worth anything.
    sealKey: config.proofs === "none" ? undefined : config.sealKey,
  };
}

/** Only what a known member says of itself has changed, not how it is. */
export function isDescription({ before, after }: Change): boolean {
  return (
    before?.state === after.state &&
    before.record.generation === after.record.generation &&
    before.record.incarnation === after.record.incarnation
  );
}

/** Takes part now. */
export function isLive(member: Member): boolean {
  return member.state === "alive" || member.state === "suspect";
}

/** Belongs to the mesh: takes part, or sleeps and may come back. */
export function isPresent(member: Member): boolean {
  return isLive(member) || member.state === "asleep";
}

function isWithin({ part }: Member, { count, parts }: Within): boolean {
  return parts.has(part % count);
}

/** Adds what we hold of a member and the entry does not show. */
function addNewer(
  updates: Update[],
  { record, state }: Member,
  entry: MemberDigestEntry | undefined,
): void {
  if (isOlder(entry, record)) updates.push({ type: "record", record });
  if (state === record.state || state === "alive" || state === "left") return;
  const stateIsNews =
    entry === undefined ||
    entry.generation < record.generation ||
    (entry.generation === record.generation &&
      (entry.incarnation < record.incarnation ||
        (entry.incarnation === record.incarnation && RANK[state] > RANK[entry.state])));
  const { id, generation, incarnation } = record;
  if (stateIsNews) updates.push({ type: "claim", id, generation, incarnation, state });
}

function isOlder(entry: MemberDigestEntry | undefined, record: MemberRecord): boolean {
  if (entry === undefined || entry.generation < record.generation) return true;
  return entry.generation === record.generation && entry.version < record.version;
}
