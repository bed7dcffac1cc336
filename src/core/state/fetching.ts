/**
 * The asking side of repair: what is missing here, who has it, and who was asked. Each owner's state is asked of one
 * neighbour at a time, so that nothing arrives twice; who brings nothing is left for the next. An owner that is a
 * neighbour sends its state unasked, and is waited for first.
 */

import type { MemberId } from "../machine.ts";
import type { StateDigestEntry } from "../wire/messages.ts";
import type { StateStore } from "./store.ts";

/** Who was asked and brings nothing is left for the next after this, ms. Guess, unmeasured. */
const PATIENCE_MS = 2_000;
/** … and after this when it brings something else. */
const PATIENCE_MAX_MS = 30_000;

interface Lack {
  readonly generation: number;
  /** Who has how much. */
  readonly holders: Map<MemberId, number>;
  asked: MemberId;
  /** When it was asked, or last brought something, ms. */
  since: number;
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

  constructor(own: MemberId, store: StateStore, out: FetchingOut) {
    this.#own = own;
    this.#store = store;
    this.#out = out;
  }

  get isIdle(): boolean {
    return this.#lacks.size === 0;
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
      const asked = this.#out.linked(owner) ? owner : from;
      const holders = new Map([[from, maxVersion]]);
      this.#lacks.set(owner, { generation, holders, asked, since: now });
      if (asked === from && asked !== owner) wanted.push({ owner, generation, maxVersion: held });
    }
    if (wanted.length > 0) this.#out.ask(from, wanted);
  }

  /** The neighbours that said they hold `owner` up to `version`. */
  holders(owner: MemberId, version: number): MemberId[] {
    const holders = this.#lacks.get(owner)?.holders ?? [];
    return [...holders].flatMap(([peer, held]) => (held >= version ? [peer] : []));
  }

  /** `from` has brought something of `owner`, and has more of it or not. */
  onProgress(owner: MemberId, from: MemberId, more: boolean, now: number): void {
    const lack = this.#lacks.get(owner);
    if (lack === undefined) return;
    const held = this.#store.versionOf(owner, lack.generation);
    for (const [peer, version] of lack.holders) if (version <= held) lack.holders.delete(peer);
    if (lack.holders.size === 0) this.#lacks.delete(owner);
    else if (from === lack.asked) {
      lack.since = now;
      if (!more && from !== owner) this.#askNext(owner, lack, now);
    }
  }

  removeNeighbour(peer: MemberId, now: number): void {
    for (const [owner, lack] of this.#lacks) {
      lack.holders.delete(peer);
      if (lack.asked === peer) this.#askNext(owner, lack, now);
    }
  }

  forget(owner: MemberId): void {
    this.#lacks.delete(owner);
  }

  /** Who was asked and brings nothing is left for the next. */
  expire(now: number): void {
    for (const [owner, lack] of this.#lacks) {
      const patienceMs = this.#out.bringsBulk(lack.asked) ? PATIENCE_MAX_MS : PATIENCE_MS;
      if (now - lack.since >= patienceMs) this.#askNext(owner, lack, now);
    }
  }

  #askNext(owner: MemberId, lack: Lack, now: number): void {
    const holders = [...lack.holders.keys()].filter((peer) => this.#out.linked(peer));
    const next = holders[(holders.indexOf(lack.asked) + 1) % holders.length];
    // Nobody left: the fingerprints still differ, and digests will say more.
    if (next === undefined || this.#out.generationOf(owner) !== lack.generation) {
      this.#lacks.delete(owner);
      return;
    }
    lack.asked = next;
    lack.since = now;
    const { generation } = lack;
    const maxVersion = this.#store.versionOf(owner, generation);
    this.#out.ask(next, [{ owner, generation, maxVersion }]);
  }
}
