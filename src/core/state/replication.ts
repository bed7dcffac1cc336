/**
 * How state travels. What is small floods at once: from its owner to every neighbour, and on to those that the owner
 * does not reach itself. What is larger goes from the owner to its neighbours as their links have room, and is
 * announced beyond: who lacks it asks one of those that have it. Neighbours whose fingerprints differ exchange
 * digests, and each asks for what is newer there.
 *
 * Departures from scuttlebutt: the receiver asks (the paper's sender pushes into each gossip message), so the budget
 * of a delta is the window of the link it travels on, and nobody is sent what another is sending already.
 */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { Rng } from "../lib/rng.ts";
import type { MemberId } from "../machine.ts";
import type { MessageOf, StateDigestEntry } from "../wire/messages.ts";
import { Fetching } from "./fetching.ts";
import { type StateDelta, sizeOf } from "./replica.ts";
import { Serving } from "./serving.ts";
import { type StateChange, StateStore } from "./store.ts";

/** What is at most this large floods at once. Source: design. Bytes. */
const EAGER_BYTES = 256;

/** Announcements to one neighbour are this far apart, and those between go together, ms. */
const ANNOUNCE_MS = 50;

/** What is asked for is looked after this often, ms. */
const FETCH_PERIOD_MS = 500;

/** Neighbours that differ compare within this share of `repairPeriodMs`; periods between it while state is fetched. */
const COMPARE_SHARE = 0.3;
const BUSY_PERIODS = 5;

/** What one message lists. */
const ENTRIES_MAX = 4_096;

export interface ReplicationOut {
  neighbours(): readonly MemberId[];
  /** Whether `owner` announces a link with `neighbour`. */
  reaches(owner: MemberId, neighbour: MemberId): boolean;
  /** The generation of a live member, or undefined. */
  generationOf(owner: MemberId): number | undefined;
  /** Sends something small to some neighbours at once; gives those whose link is full. */
  flood(to: readonly MemberId[], delta: StateDelta): readonly MemberId[];
  /** There is something for this neighbour: `next` gives it when the link has room. */
  wake(to: MemberId): void;
  tell(to: MemberId, message: MessageOf<"stateDigest"> | MessageOf<"stateWant">): void;
  /** Whether a neighbour is in the middle of sending something large. */
  bringsBulk(from: MemberId): boolean;
  changed(changes: readonly StateChange[]): void;
  /** Our own write does not fit. */
  refused(key: string): void;
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
  /** Owners to be announced to a neighbour, once the pause since the last time is over. */
  readonly #news = new Map<MemberId, Set<MemberId>>();

  constructor(config: Config, deadlines: Deadlines, rng: Rng, out: ReplicationOut) {
    this.store = new StateStore(config);
    this.#config = config;
    this.#rng = rng;
    this.#deadlines = deadlines;
    this.#out = out;
    this.#serving = new Serving(config.id, this.store, (peer) => out.wake(peer));
    this.#fetching = new Fetching(config.id, this.store, {
      linked: (peer) => out.neighbours().includes(peer),
      generationOf: (owner) => out.generationOf(owner),
      ask: (peer, entries) => this.#ask(peer, entries),
      bringsBulk: (peer) => out.bringsBulk(peer),
    });
  }

  /** Our own write; undefined `value` deletes. */
  write(key: string, value: Uint8Array | undefined): void {
    const delta = this.store.write(key, value);
    if (delta === "full") return this.#out.refused(key);
    if (delta === "unchanged") return;
    if (isSmall(delta)) this.#flood(delta, this.#out.neighbours());
    this.#serving.advanced(this.#config.id);
  }

  /** What a neighbour is sent next, now that its link has room. */
  next(peer: MemberId): StateDelta | undefined {
    const delta = this.#serving.next(peer);
    if (delta !== undefined) this.stats.deltas++;
    return delta;
  }

  onLinkUp(peer: MemberId, generation: number): void {
    const maxVersion = this.store.versionOf(peer, generation);
    this.#ask(peer, [{ owner: peer, generation, maxVersion }]);
    this.sendDigest(peer, true);
  }

  onLinkDown(peer: MemberId, now: number): void {
    this.#serving.removeNeighbour(peer);
    this.#news.delete(peer);
    for (const scope of ["news", "compare"]) this.#deadlines.clear(`state-${scope}:${peer}`);
    this.#fetching.removeNeighbour(peer, now);
  }

  onDigest(from: MemberId, digest: MessageOf<"stateDigest">, now: number): void {
    if (digest.answer) {
      this.#deadlines.clear(`state-compare:${from}`);
      this.sendDigest(from, false);
    }
    this.#serving.onHeld(from, digest.entries);
    this.#fetching.onHeld(from, digest.entries, now);
    this.#watch(now);
  }

  onWant(from: MemberId, want: MessageOf<"stateWant">): void {
    this.#serving.onWant(from, want.entries);
  }

  onDelta(from: MemberId, delta: StateDelta, now: number): void {
    const { owner, generation } = delta;
    if (this.#out.generationOf(owner) !== generation) return;
    const held = this.store.versionOf(owner, generation);
    const changes = this.store.apply(delta);
    const version = this.store.versionOf(owner, generation);
    if (changes !== undefined) {
      this.#out.changed(changes);
      const beyond = this.#beyond(owner, from);
      const left = isSmall(delta) ? this.#flood(delta, beyond) : beyond;
      if (version > held) this.#announce(owner, version, left, now);
    }
    this.#fetching.onProgress(owner, from, delta.to < delta.last, now);
    this.#serving.advanced(owner);
  }

  /** @param answer whether the other end is to send its own digest back */
  sendDigest(to: MemberId, answer: boolean): void {
    const entries = this.store.digest().slice(0, ENTRIES_MAX);
    this.#tell(to, entries, answer);
  }

  /**
   * A neighbour's fingerprint is another than ours: digests are exchanged, once a period at the most, and not with
   * all neighbours at the same time. While what is missing here is on its way, a difference says little.
   */
  onDiffers(peer: MemberId, now: number): void {
    const key = `state-differs:${peer}`;
    if (this.#deadlines.has(key)) return;
    const periods = this.#fetching.isIdle ? 1 : BUSY_PERIODS;
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
    this.#serving.restart();
  }

  onNewsDeadline(peer: MemberId): void {
    const owners = this.#news.get(peer);
    this.#news.delete(peer);
    const entries = [...(owners ?? [])].flatMap((owner) => this.store.entryOf(owner) ?? []);
    if (entries.length > 0) this.#tell(peer, entries, false);
  }

  #tell(peer: MemberId, entries: readonly StateDigestEntry[], answer: boolean): void {
    this.stats.digests++;
    this.#out.tell(peer, { type: "stateDigest", entries, answer });
  }

  #ask(peer: MemberId, entries: readonly StateDigestEntry[]): void {
    this.stats.wants++;
    this.#out.tell(peer, { type: "stateWant", entries });
  }

  onFetchDeadline(now: number): void {
    this.#fetching.expire(now);
    this.#watch(now);
  }

  #watch(now: number): void {
    if (!this.#fetching.isIdle) this.#deadlines.ensure("state-fetch", now + FETCH_PERIOD_MS);
  }

  #stop(owner: MemberId): void {
    this.#serving.forget(owner);
    this.#fetching.forget(owner);
  }

  /** The neighbours that what we heard of `owner` is passed on to. */
  #beyond(owner: MemberId, from: MemberId): MemberId[] {
    return this.#out
      .neighbours()
      .filter((peer) => peer !== from && peer !== owner && !this.#out.reaches(owner, peer));
  }

  /** Gives those whose link is full. */
  #flood(delta: StateDelta, to: readonly MemberId[]): readonly MemberId[] {
    if (to.length === 0) return to;
    const refused = this.#out.flood(to, delta);
    this.stats.floods += to.length - refused.length;
    for (const peer of to) if (!refused.includes(peer)) this.#serving.passed(peer, delta);
    return refused;
  }

  /** Says soon that we hold `owner` up to `version`, to those that did not say so themselves. */
  #announce(owner: MemberId, version: number, to: readonly MemberId[], now: number): void {
    const holders = this.#fetching.holders(owner, version);
    for (const peer of to) {
      if (holders.includes(peer)) continue;
      const news = this.#news.get(peer) ?? new Set<MemberId>();
      this.#news.set(peer, news);
      if (news.size < ENTRIES_MAX) news.add(owner);
      this.#deadlines.ensure(`state-news:${peer}`, now + ANNOUNCE_MS);
    }
  }
}

function isSmall({ entries }: StateDelta): boolean {
  return entries.length === 1 && sizeOf(entries[0]) <= EAGER_BYTES + 16;
}
