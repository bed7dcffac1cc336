/**
 * The asking side of repair: what is missing here, who has it, and who is to bring it. Each owner's state is asked of
 * one neighbour at a time, so that nothing arrives twice; who brings nothing is left for the next. Who was asked goes
 * on bringing what the owner writes, and is waited for before another is asked; so is an owner that is a neighbour.
 */

import type { MemberId } from "../machine.ts";
import type { StateDigestEntry } from "../wire/messages.ts";
import type { StateStore } from "./store.ts";

/** Who should bring something unasked is waited for so long, ms. Guesses, unmeasured. */
const UNASKED_MS = 1_000;
/** Who was asked and brings nothing is left for the next after this, … */
const PATIENCE_MS = 2_000;
/** … and after this when it is in the middle of something large, which it may be. */
const PATIENCE_MAX_MS = 30_000;

/** So long after its last delta we count on a source to bring more. Shorter than it does so (`serving.ts`), ms. */
const SOURCE_MS = 8_000;

interface Lack {
  readonly generation: number;
  /** Who has how much. */
  readonly holders: Map<MemberId, number>;
  /** Who is to bring it. */
  from: MemberId;
  asked: boolean;
  /** When it was asked, or last brought something, ms. */
  since: number;
}

interface Source {
  readonly peer: MemberId;
  usedAt: number;
}

export interface FetchingOut {
  linked(peer: MemberId): boolean;
  /** The generation of a live member. */
  generationOf(owner: MemberId): number | undefined;
  ask(peer: MemberId, entries: readonly StateDigestEntry[]): void;
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
    const maxVersion = this.#store.versionOf(peer, generation);
    this.#out.ask(peer, [{ owner: peer, generation, maxVersion }]);
  }

  #settle(owner: MemberId): void {
    const lack = this.#lacks.get(owner);
    this.#lacks.delete(owner);
    if (lack !== undefined && this.#joining.has(owner)) this.#join(owner, lack.generation);
  }

  /** A neighbour holds these. */
  onHeld(from: MemberId, entries: readonly StateDigestEntry[], now: number): void {
    const wanted: StateDigestEntry[] = [];
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
      this.#lacks.set(owner, { generation, holders, from: source ?? from, asked, since: now });
      if (asked) {
        this.#sources.set(owner, { peer: from, usedAt: now });
        wanted.push({ owner, generation, maxVersion: held });
      }
    }
    if (wanted.length > 0) this.#out.ask(from, wanted);
  }

  /** The neighbours that said they hold `owner` up to `version`. */
  holders(owner: MemberId, version: number): MemberId[] {
    const holders = this.#lacks.get(owner)?.holders ?? [];
    return [...holders].flatMap(([peer, held]) => (held >= version ? [peer] : []));
  }

  /** `from` has brought something new of `owner`, and has more of it or not. */
  onProgress(owner: MemberId, from: MemberId, more: boolean, now: number): void {
    const source = this.#sources.get(owner);
    if (source?.peer === from) source.usedAt = now;
    const lack = this.#lacks.get(owner);
    if (lack === undefined) return;
    const held = this.#store.versionOf(owner, lack.generation);
    for (const [peer, version] of lack.holders) if (version <= held) lack.holders.delete(peer);
    if (lack.holders.size === 0) this.#settle(owner);
    else if (from === lack.from) {
      lack.since = now;
      if (!more && lack.asked && from !== owner) this.#askNext(owner, lack, now);
    }
  }

  /** `from` has brought a delta of `owner` that was no news. Gives whether another does so anyway. */
  isNeedless(owner: MemberId, from: MemberId): boolean {
    if (from === owner) return false;
    const isSource = this.#sources.get(owner)?.peer === from;
    if (isSource && this.#out.linked(owner)) this.#sources.delete(owner);
    return !isSource || this.#out.linked(owner);
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
      const shortMs = lack.asked ? PATIENCE_MS : UNASKED_MS;
      const patienceMs = this.#out.bringsBulk(lack.from) ? PATIENCE_MAX_MS : shortMs;
      if (now - lack.since >= patienceMs) this.#askNext(owner, lack, now);
    }
  }

  /** Who sends us what `owner` writes, without being asked again. */
  #sourceOf(owner: MemberId, now: number): MemberId | undefined {
    if (this.#out.linked(owner)) return owner;
    const source = this.#sources.get(owner);
    if (source === undefined || !this.#out.linked(source.peer)) return undefined;
    return now - source.usedAt < SOURCE_MS ? source.peer : undefined;
  }

  #askNext(owner: MemberId, lack: Lack, now: number): void {
    const holders = [...lack.holders.keys()].filter((peer) => this.#out.linked(peer));
    const next = holders[(holders.indexOf(lack.from) + 1) % holders.length];
    // Nobody left: the fingerprints still differ, and digests will say more.
    if (next === undefined || this.#out.generationOf(owner) !== lack.generation) {
      return this.#settle(owner);
    }
    lack.from = next;
    lack.asked = true;
    lack.since = now;
    this.#sources.set(owner, { peer: next, usedAt: now });
    const { generation } = lack;
    const maxVersion = this.#store.versionOf(owner, generation);
    this.#out.ask(next, [{ owner, generation, maxVersion }]);
  }
}
