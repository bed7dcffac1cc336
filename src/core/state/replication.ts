/**
 * How state travels. What is small floods at once, over every link and past all that waits: copies of it make up for
 * those that are lost. What is larger goes from its owner to the neighbours as their links have room, and is announced
 * beyond: who lacks it asks one of those that have it, and is then sent what follows. Neighbours whose fingerprints
 * differ exchange digests (of the parts that differ, where owners are many), and each asks for what is newer there.
 *
 * Departures from scuttlebutt: the receiver asks (the paper's sender pushes into each gossip message), so the budget
 * of a delta is the window of the link it travels on, and nobody is sent what another is sending already.
 */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import { isPartCount, partCount } from "../lib/hash.ts";
import type { Rng } from "../lib/rng.ts";
import type { MemberId } from "../machine.ts";
import type { Digest } from "../proof/contents.ts";
import {
  DIGEST_MAX,
  type MessageOf,
  type StateDigestEntry,
  type StateEntry,
  type StateWantEntry,
  type Vouched,
} from "../wire/messages.ts";
import { Echoes } from "./echoes.ts";
import { ENOUGH, Fetching } from "./fetching.ts";
import { Pace } from "./pace.ts";
import { isSmall, type StateDelta } from "./replica.ts";
import { endsSession, Serving } from "./serving.ts";
import { type StateChange, StateStore, type WriteOptions } from "./store.ts";

/** Announcements to one neighbour are this far apart, and those between go together, ms. */
const ANNOUNCE_MS = 50;

/** What is asked for is looked after this often, ms. */
const FETCH_PERIOD_MS = 250;

/** What we write faster than others bear is told together, so often, ms. */
const OWN_MS = 50;

/** Neighbours that differ compare within this share of `repairPeriodMs`, … */
const COMPARE_SHARE = 0.3;
/** … and wait for so many periods until the next time: while state is fetched, and while others write. */
const BUSY_PERIODS = 5;
/** Something was written within this time: a difference may be on its way, ms. */
const QUIET_MS = 1_000;

/** With more owners digests go in parts, and less often. Source: design. */
const PARTED_COUNT = 200;
const PARTED_PERIODS = 10;

/** A neighbour is answered so often at the most, ms: an answer is much larger than its question. */
const ANSWER_MS = 250;

type Told = MessageOf<"stateDigest"> | MessageOf<"stateParts"> | MessageOf<"stateWant">;

export interface ReplicationOut {
  now(): number;
  neighbours(): readonly MemberId[];
  /** What comes from there may be older than it looks. */
  isStale(from: MemberId): boolean;
  /** Everybody is linked with everybody. */
  isFullMesh(): boolean;
  /** Whether `owner` announces a link with `neighbour`. */
  reaches(owner: MemberId, neighbour: MemberId): boolean;
  /** The generation of a live member, or undefined. */
  generationOf(owner: MemberId): number | undefined;
  /** Sends something small to some neighbours at once, surely or on the lossy lane; gives those whose link is full. */
  flood(to: readonly MemberId[], delta: StateDelta, surely: boolean): readonly MemberId[];
  /** There is something for this neighbour: `next` gives it when the link has room. */
  wake(to: MemberId): void;
  tell(to: MemberId, message: Told): void;
  /** Whether a neighbour is in the middle of sending something large. */
  bringsBulk(from: MemberId): boolean;
  changed(changes: readonly StateChange[]): void;
  /** Proves a write of ours; `then` comes at once, with nothing, where none needs a proof. */
  prove(delta: StateDelta, entry: StateEntry, then: (vouched: Vouched | undefined) => void): void;
  /** Our own write does not fit, or is to be told to all and is more than they bear. */
  refused(key: string, why: "full" | "too-fast"): void;
  /** Whether others bear that one more thing of ours is told. */
  mayTell(): boolean;
}

export class Replication {
  readonly store: StateStore;
  readonly stats = { floods: 0, digests: 0, wants: 0, deltas: 0, repairBytes: 0 };
  readonly #config: Config;
  readonly #rng: Rng;
  readonly #deadlines: Deadlines;
  readonly #out: ReplicationOut;
  readonly #serving: Serving;
  readonly #fetching: Fetching;
  readonly #pace = new Pace();
  readonly #echoes = new Echoes();
  /** Owners to be announced to a neighbour, once the pause since the last time is over. */
  readonly #news = new Map<MemberId, Set<MemberId>>();
  #newsAt = Number.NEGATIVE_INFINITY;

  constructor(
    config: Config,
    deadlines: Deadlines,
    rng: Rng,
    out: ReplicationOut,
    digest?: Digest,
  ) {
    this.store = new StateStore(config, () => out.now(), digest);
    this.#config = config;
    this.#rng = rng;
    this.#deadlines = deadlines;
    this.#out = out;
    this.#serving = new Serving(config.id, this.store, out);
    this.#fetching = new Fetching(config.id, this.store, {
      linked: (peer) => out.neighbours().includes(peer),
      generationOf: (owner) => out.generationOf(owner),
      ask: (peer, entries) => this.#ask(peer, entries),
      bringsBulk: (peer) => out.bringsBulk(peer),
    });
  }

  /** Our own write; undefined `value` deletes. */
  write(key: string, value: Uint8Array | undefined, options: WriteOptions = {}): void {
    if (options.log !== undefined && !this.#out.mayTell())
      return this.#out.refused(key, "too-fast");
    const delta = this.store.write(key, value, options);
    if (delta === "full") this.#out.refused(key, "full");
    else if (delta !== "unchanged") this.#tellOwn([delta]);
  }

  /** Sets our own values anew, for those who want to hear that they still hold. */
  repeat(): void {
    this.#tellOwn(this.store.repeat());
  }

  /** What a neighbour is sent next, now that its link has room. */
  next(peer: MemberId): StateDelta | undefined {
    this.endLives();
    const delta = this.#serving.next(peer);
    if (delta !== undefined) this.stats.deltas++;
    return delta;
  }

  onLinkUp(peer: MemberId, generation: number): void {
    this.#fetching.onLinkUp(peer, generation);
    this.compare(peer);
  }

  onLinkDown(peer: MemberId, now: number): void {
    this.#serving.removeNeighbour(peer);
    this.#news.delete(peer);
    for (const scope of ["news", "compare"]) this.#deadlines.clear(`state-${scope}:${peer}`);
    this.#fetching.removeNeighbour(peer, now);
  }

  /** Tells a neighbour what is held here, to be told the same. */
  compare(peer: MemberId): void {
    const { count, hash } = this.store;
    if (count <= PARTED_COUNT) return this.#sendDigest(peer, 1, [0], true);
    this.#out.tell(peer, { type: "stateParts", hashes: hash.parts(partCount(count)) });
  }

  onParts(from: MemberId, hashes: readonly number[], now: number): void {
    if (!isPartCount(hashes.length) || !this.#mayAnswer(from, now)) return;
    const own = this.store.hash.parts(hashes.length);
    const parts = own.flatMap((hash, part) => (hash === hashes[part] ? [] : [part]));
    if (parts.length > 0) this.#sendDigest(from, hashes.length, parts, true);
  }

  onDigest(from: MemberId, digest: MessageOf<"stateDigest">, now: number): void {
    const { entries, count, parts, answer } = digest;
    if (answer && isPartCount(count) && this.#mayAnswer(from, now)) {
      this.#deadlines.clear(`state-compare:${from}`);
      this.#sendDigest(from, count, parts, false);
    }
    this.#serving.onHeld(from, entries);
    this.#fetching.onHeld(from, entries, now);
    this.#watch(now);
  }

  onWant(from: MemberId, want: MessageOf<"stateWant">): void {
    if (this.#serving.onWant(from, want)) this.#pace.ease(this.#out.now());
  }

  /** Whether a delta could change anything here. */
  isNews({ owner, generation, to }: StateDelta): boolean {
    return (
      this.#out.generationOf(owner) === generation && to > this.store.versionOf(owner, generation)
    );
  }

  onDelta(from: MemberId, delta: StateDelta, now: number): void {
    const { owner, generation } = delta;
    if (this.#out.generationOf(owner) !== generation) return;
    if (delta.entries.some(({ lifeMs }) => lifeMs > 0) && this.#out.isStale(from)) return;
    this.#echoes.heard(delta, from);
    const held = this.store.versionOf(owner, generation);
    const last = this.store.lastOf(owner, generation);
    const changes = this.store.apply(delta);
    const version = this.store.versionOf(owner, generation);
    // Before the next is asked, which may be the same one.
    if (endsSession(delta) && version >= delta.last) this.#fetching.onEnd(owner, from);
    if (changes !== undefined) {
      this.#newsAt = now;
      this.#out.changed(changes);
      this.#watchLives();
      const beyond = this.#out.neighbours().filter((peer) => peer !== from && peer !== owner);
      const left = isSmall(delta) ? this.#flood(delta, this.#beyond(owner, beyond)) : beyond;
      if (version > held) this.#announce(owner, version, left, now);
      const latest = delta.to > last && !isSmall(delta);
      this.#fetching.onProgress(owner, from, latest, version < delta.last, now);
      this.#serving.advanced(owner);
    } else if (!isSmall(delta) && this.#fetching.isNeedless(owner, from)) {
      this.#ask(from, [{ owner, generation, maxVersion: ENOUGH, held: [] }]);
    }
  }

  /**
   * A neighbour's fingerprint is another than ours: they compare, but not all at the same time, and seldom while
   * what is missing here is on its way, or may be, for then a difference says little.
   */
  onDiffers(peer: MemberId, now: number): void {
    const key = `state-differs:${peer}`;
    if (this.#deadlines.has(key)) return;
    const isQuiet = this.#fetching.isIdle && now - this.#newsAt >= QUIET_MS;
    const busyPeriods = this.store.count > PARTED_COUNT ? PARTED_PERIODS : BUSY_PERIODS;
    const periods = isQuiet ? 1 : busyPeriods;
    this.#deadlines.set(key, now + periods * this.#config.repairPeriodMs);
    const jitterMs = COMPARE_SHARE * this.#rng.float() * this.#config.repairPeriodMs;
    this.#deadlines.ensure(`state-compare:${peer}`, now + jitterMs);
  }

  /** A member lives, or not, or begins a new life. */
  setLive(id: MemberId, generation: number, live: boolean): void {
    this.#out.changed(this.store.setLive(id, generation, live));
    if (!live) this.#stop(id);
  }

  drop(id: MemberId): void {
    this.#out.changed(this.store.drop(id));
    this.#stop(id);
  }

  renumber(generation: number): void {
    this.store.renumber(generation);
    if (this.#config.proofs === "all") this.#tellOwn(this.store.unprove());
    this.#serving.restart();
  }

  /** Ends what has lived for its time. */
  endLives(): void {
    if (this.store.nextEnd > this.#out.now()) return;
    this.#out.changed(this.store.takeEnded());
    this.#watchLives();
  }

  /** The host stood still, and the clock of the core for `missedMs` of that. */
  resume(missedMs: number): void {
    this.store.age(missedMs);
    this.endLives();
    this.#watchLives();
  }

  onNewsDeadline(peer: MemberId): void {
    const owners = this.#news.get(peer);
    this.#news.delete(peer);
    const entries = [...(owners ?? [])].flatMap((owner) => this.store.entryOf(owner) ?? []);
    if (entries.length > 0) this.#tell(peer, entries, 1, [], false);
  }

  onFetchDeadline(now: number): void {
    this.#fetching.expire(now);
    this.#watch(now);
  }

  /** What flooded is told once more to those who were not heard telling it. */
  onEchoDeadline(now: number): void {
    const linked = new Set(this.#out.neighbours());
    for (let told = this.#echoes.takeDue(now); told; told = this.#echoes.takeDue(now)) {
      const { owner, generation, from, to, floor } = told.delta;
      if (this.#out.generationOf(owner) !== generation) continue;
      if (!this.store.isOf(owner, generation)) continue;
      const silent = [...told.silent].filter((peer) => linked.has(peer));
      const again = this.store.deltaOf(owner, [from, to], floor);
      if (silent.length > 0) this.#out.flood(silent, again, false);
    }
    this.#watchEchoes();
  }

  #watchEchoes(): void {
    const { next } = this.#echoes;
    if (next < Number.POSITIVE_INFINITY) this.#deadlines.ensure("state-echo", next);
  }

  #tellOwn(deltas: readonly StateDelta[]): void {
    this.#newsAt = this.#out.now();
    this.#watchLives();
    for (const delta of deltas) {
      const [entry] = delta.entries;
      if (entry === undefined) continue;
      this.#out.prove(delta, entry, (vouched) => this.#onProven(delta, entry, vouched));
    }
  }

  #onProven(delta: StateDelta, entry: StateEntry, vouched: Vouched | undefined): void {
    // Its generation may be another by now: then all is proven anew.
    if (!this.store.isOf(delta.owner, delta.generation)) return;
    const told = vouched === undefined ? delta : { ...delta, entries: [{ ...entry, vouched }] };
    const holds = vouched === undefined || this.store.vouch(entry, vouched);
    if (entry.log === undefined && !this.#out.mayTell()) {
      return this.#deadlines.ensure("state-own", this.#out.now() + OWN_MS);
    }
    if (holds && isSmall(told)) this.#flood(told, this.#out.neighbours());
    // Of a log everybody is told each change, also when more than it keeps have come meanwhile.
    if (!holds && entry.log !== undefined) this.#out.flood(this.#out.neighbours(), told, true);
    this.onOwnDeadline();
  }

  /** What we have written goes to the neighbours, as their links have room. */
  onOwnDeadline(): void {
    this.#serving.advanced(this.#config.id);
  }

  /** One deadline for all lives: that of the next to end. */
  #watchLives(): void {
    const { nextEnd } = this.store;
    if (nextEnd < Number.POSITIVE_INFINITY) this.#deadlines.set("state-end", nextEnd);
  }

  #watch(now: number): void {
    if (!this.#fetching.isIdle) this.#deadlines.ensure("state-fetch", now + FETCH_PERIOD_MS);
  }

  #stop(owner: MemberId): void {
    this.#serving.forget(owner);
    this.#fetching.forget(owner);
  }

  #mayAnswer(peer: MemberId, now: number): boolean {
    const key = `state-answered:${peer}`;
    if (this.#deadlines.has(key)) return false;
    this.#deadlines.set(key, now + ANSWER_MS);
    return true;
  }

  #sendDigest(to: MemberId, count: number, parts: readonly number[], answer: boolean): void {
    const entries = this.store.digest(count, new Set(parts)).slice(0, DIGEST_MAX);
    this.#tell(to, entries, count, parts, answer);
  }

  #tell(
    to: MemberId,
    entries: readonly StateDigestEntry[],
    count: number,
    parts: readonly number[],
    answer: boolean,
  ): void {
    this.stats.digests++;
    this.#out.tell(to, { type: "stateDigest", entries, count, parts, answer });
  }

  #ask(peer: MemberId, entries: readonly StateWantEntry[]): void {
    for (let i = 0; i < entries.length; i += DIGEST_MAX) {
      const some = entries.slice(i, i + DIGEST_MAX);
      this.#out.tell(peer, { type: "stateWant", number: ++this.stats.wants, entries: some });
    }
  }

  /** Where everybody is linked with everybody, its owner alone floods; else copies make up for what is lost. */
  #beyond(owner: MemberId, peers: readonly MemberId[]): readonly MemberId[] {
    if (!this.#out.isFullMesh()) return peers;
    return peers.filter((peer) => !this.#out.reaches(owner, peer));
  }

  /** Gives those that it does not go to. */
  #flood(delta: StateDelta, to: readonly MemberId[]): readonly MemberId[] {
    const now = this.#out.now();
    if (to.length === 0 || !this.#pace.take(now)) return to;
    const surely = this.#out.isFullMesh();
    const refused = this.#out.flood(to, delta, surely);
    if (refused.length > 0) this.#pace.ease(now);
    const told = to.filter((peer) => !refused.includes(peer));
    this.stats.floods += told.length;
    for (const peer of told) this.#serving.passed(peer, delta);
    if (!surely) this.#echoes.add(delta, told, now);
    this.#watchEchoes();
    return refused;
  }

  /** Says soon that we hold `owner` up to `version`, to those that neither said so nor are sent it. */
  #announce(owner: MemberId, version: number, to: readonly MemberId[], now: number): void {
    const holders = this.#fetching.holders(owner, version);
    for (const peer of to) {
      if (holders.includes(peer) || this.#out.reaches(owner, peer)) continue;
      if (this.#serving.isServed(peer, owner)) continue;
      const news = this.#news.get(peer) ?? new Set<MemberId>();
      this.#news.set(peer, news);
      if (news.size < DIGEST_MAX) news.add(owner);
      this.#deadlines.ensure(`state-news:${peer}`, now + ANNOUNCE_MS);
    }
  }
}
