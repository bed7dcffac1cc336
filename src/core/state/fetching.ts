/**
 * The asking side of repair: what is missing here, who has it, and who is to bring it. Each owner's state is asked of
 * one neighbour at a time, so that nothing arrives twice; who brings nothing is left for the next. Who was asked goes
 * on bringing what the owner writes, and is waited for before another is asked; so is an owner that is a neighbour.
 * A hole in what it brings was lost on its link, where a frame that is lost again and again takes seconds: what has
 * been missing for a while is asked of another, once, and nothing else of it.
 */

import type { MemberId } from "../machine.ts";
import type { StateDigestEntry, StateWantEntry } from "../wire/messages.ts";
import type { StateStore } from "./store.ts";

/** Who is to bring something and has not is left for the next after this, and that one after twice as long: … */
const ANSWER_MS = 500;
/** … up to this, which is also for who has brought something, … */
const PATIENCE_MS = 2_000;
/** … and after this when it is in the middle of something large, which it may be. */
const PATIENCE_MAX_MS = 30_000;

/** A hole that has stood for so long is asked of another, ms. Source: simulated at 20 % loss. */
const HOLE_MS = 400;

/** In a `stateWant`: I want no more of this, or of what follows. */
export const ENOUGH = Number.MAX_SAFE_INTEGER;

/** So long after its last delta we count on a source to bring more. Shorter than it does so (`serving.ts`), ms. */
const SOURCE_MS = 8_000;

/** A source that has brought nothing new for so long, while another has, is none any more. Guess, unmeasured. ms. */
const OUTRUN_MS = 1_000;

interface Lack {
  readonly generation: number;
  /** Who has how much. */
  readonly holders: Map<MemberId, number>;
  /** Who is to bring it. */
  from: MemberId;
  asked: boolean;
  /** It is waited for so long, ms. */
  patienceMs: number;
  /** When it was asked, or last brought something, ms. */
  since: number;
  /** The highest version that was known of at that time, ms: a hole below it is as old. */
  mark: number;
  markedAt: number;
  /** Who was asked for holes last. */
  mender: MemberId;
}

interface Source {
  readonly peer: MemberId;
  usedAt: number;
}

export interface FetchingOut {
  linked(peer: MemberId): boolean;
  /** The generation of a live member. */
  generationOf(owner: MemberId): number | undefined;
  ask(peer: MemberId, entries: readonly StateWantEntry[]): void;
  /** Whether a neighbour is in the middle of sending something large. */
  bringsBulk(peer: MemberId): boolean;
}

export class Fetching {
  readonly #own: MemberId;
  readonly #store: StateStore;
  readonly #out: FetchingOut;
  readonly #lacks = new Map<MemberId, Lack>();
  readonly #sources = new Map<MemberId, Source>();
  /** Neighbours whose own state we want from them once another has brought what we lack of it. */
  readonly #joining = new Set<MemberId>();

  constructor(own: MemberId, store: StateStore, out: FetchingOut) {
    this.#own = own;
    this.#store = store;
    this.#out = out;
  }

  get isIdle(): boolean {
    return this.#lacks.size === 0;
  }

  /** A link with `peer`: its own state comes from itself from now on, behind what another is bringing just now. */
  onLinkUp(peer: MemberId, generation: number): void {
    if (this.#lacks.get(peer)?.generation === generation) this.#joining.add(peer);
    else this.#join(peer, generation);
  }

  #join(peer: MemberId, generation: number): void {
    this.#joining.delete(peer);
    this.#out.ask(peer, [this.#wantOf(peer, generation)]);
  }

  /** All that is missing of an owner's state. */
  #wantOf(owner: MemberId, generation: number): StateWantEntry {
    const maxVersion = this.#store.versionOf(owner, generation);
    const held = this.#store.aheadOf(owner, generation).map(([from, to]) => ({ from, to }));
    return { owner, generation, maxVersion, held };
  }

  #settle(owner: MemberId): void {
    const lack = this.#lacks.get(owner);
    this.#lacks.delete(owner);
    if (lack !== undefined && this.#joining.has(owner)) this.#join(owner, lack.generation);
  }

  /** A neighbour holds these. */
  onHeld(from: MemberId, entries: readonly StateDigestEntry[], now: number): void {
    const wanted: StateWantEntry[] = [];
    for (const { owner, generation, maxVersion } of entries) {
      if (owner === this.#own || this.#out.generationOf(owner) !== generation) continue;
      const held = this.#store.versionOf(owner, generation);
      if (maxVersion <= held) continue;
      const lack = this.#lacks.get(owner);
      if (lack?.generation === generation) {
        lack.holders.set(from, maxVersion);
        continue;
      }
      const source = this.#sourceOf(owner, now);
      const holders = new Map([[from, maxVersion]]);
      const asked = source === undefined;
      const asking = { from: source ?? from, asked, patienceMs: ANSWER_MS, since: now };
      const mending = { mark: held, markedAt: now, mender: from };
      this.#lacks.set(owner, { generation, holders, ...asking, ...mending });
      if (asked) {
        this.#sources.set(owner, { peer: from, usedAt: now });
        wanted.push(this.#wantOf(owner, generation));
      }
    }
    if (wanted.length > 0) this.#out.ask(from, wanted);
  }

  /** The neighbours that said they hold `owner` up to `version`. */
  holders(owner: MemberId, version: number): MemberId[] {
    const holders = this.#lacks.get(owner)?.holders ?? [];
    return [...holders].flatMap(([peer, held]) => (held >= version ? [peer] : []));
  }

  /** `from` has brought something new of `owner`, which is its latest or not, and has more of it or not. */
  onProgress(owner: MemberId, from: MemberId, latest: boolean, more: boolean, now: number): void {
    const source = this.#sources.get(owner);
    if (source?.peer === from) source.usedAt = now;
    else if (latest && (from === owner || (source && now - source.usedAt > OUTRUN_MS))) {
      this.#sources.set(owner, { peer: from, usedAt: now });
    }
    const lack = this.#lacks.get(owner);
    if (lack === undefined) return;
    const held = this.#store.versionOf(owner, lack.generation);
    for (const [peer, version] of lack.holders) if (version <= held) lack.holders.delete(peer);
    if (lack.holders.size === 0) this.#settle(owner);
    else if (from === lack.from) {
      lack.patienceMs = PATIENCE_MS;
      lack.since = now;
      if (!more && lack.asked && from !== owner) this.#askNext(owner, lack, now);
    }
  }

  /** `from` has brought a delta of `owner` that was no news. Gives whether another does so anyway. */
  isNeedless(owner: MemberId, from: MemberId): boolean {
    if (from === owner) return false;
    return this.#sources.get(owner)?.peer !== from;
  }

  /** `from` has brought all that it has of `owner`, and will bring no more unasked. */
  onEnd(owner: MemberId, from: MemberId): void {
    if (this.#sources.get(owner)?.peer === from) this.#sources.delete(owner);
  }

  removeNeighbour(peer: MemberId, now: number): void {
    this.#joining.delete(peer);
    for (const [owner, source] of this.#sources)
      if (source.peer === peer) this.#sources.delete(owner);
    for (const [owner, lack] of this.#lacks) {
      lack.holders.delete(peer);
      if (lack.from === peer) this.#askNext(owner, lack, now);
    }
  }

  forget(owner: MemberId): void {
    this.#lacks.delete(owner);
    this.#sources.delete(owner);
  }

  /** Who was to bring something and does not is left for the next. */
  expire(now: number): void {
    for (const [owner, lack] of this.#lacks) {
      const patienceMs = this.#out.bringsBulk(lack.from) ? PATIENCE_MAX_MS : lack.patienceMs;
      if (now - lack.since >= patienceMs) this.#askNext(owner, lack, now);
      else if (now - lack.markedAt >= HOLE_MS) this.#mend(owner, lack, now);
    }
  }

  /** Asks another for the holes that have stood for long. */
  #mend(owner: MemberId, lack: Lack, now: number): void {
    const { mark } = lack;
    const want = this.#wantOf(owner, lack.generation);
    lack.mark = want.held.at(-1)?.to ?? want.maxVersion;
    lack.markedAt = now;
    const old = want.held.filter(({ from }) => from < mark);
    const last = old.at(-1);
    if (last === undefined) return;
    const next = this.#nextHolder(lack, lack.mender, lack.from);
    if (next === undefined) return;
    lack.mender = next;
    const held = [...old.slice(0, -1), { from: last.from, to: ENOUGH }];
    this.#out.ask(next, [{ ...want, held }]);
  }

  /** Who has it, in turn behind `last`; anybody but one. */
  #nextHolder({ holders }: Lack, last: MemberId, but?: MemberId): MemberId | undefined {
    const peers = [...holders.keys()].filter((peer) => peer !== but && this.#out.linked(peer));
    return peers[(peers.indexOf(last) + 1) % peers.length];
  }

  /** Who sends us what `owner` writes, without being asked again. */
  #sourceOf(owner: MemberId, now: number): MemberId | undefined {
    const source = this.#sources.get(owner);
    const isUsed = source !== undefined && now - source.usedAt < SOURCE_MS;
    if (isUsed && this.#out.linked(source.peer)) return source.peer;
    return this.#out.linked(owner) ? owner : undefined;
  }

  #askNext(owner: MemberId, lack: Lack, now: number): void {
    const next = this.#nextHolder(lack, lack.from);
    // Nobody left: the fingerprints still differ, and digests will say more.
    if (next === undefined || this.#out.generationOf(owner) !== lack.generation) {
      return this.#settle(owner);
    }
    lack.from = next;
    lack.asked = true;
    lack.patienceMs = Math.min(PATIENCE_MS, 2 * lack.patienceMs);
    lack.since = now;
    this.#sources.set(owner, { peer: next, usedAt: now });
    this.#out.ask(next, [this.#wantOf(owner, lack.generation)]);
  }
}
