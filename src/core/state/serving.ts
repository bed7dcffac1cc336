/**
 * The sending side of repair: what each neighbour has asked for, and where it stands. A delta is made only when its
 * link has room for it, so what is set ten times meanwhile travels once; owners come in depth order (scuttlebutt,
 * section 3.2: whose backlog is longest goes first). Our own state is what every neighbour asks for as its link
 * opens: it is served without an end.
 */

import type { MemberId } from "../machine.ts";
import type { StateDigestEntry } from "../wire/messages.ts";
import type { StateDelta } from "./replica.ts";
import type { StateStore } from "./store.ts";

interface Session {
  /** The neighbour holds everything up to here, or it is on its way. */
  at: number;
  /** It was told what holds of what it has. */
  told: boolean;
}

export class Serving {
  readonly #own: MemberId;
  readonly #store: StateStore;
  readonly #sessions = new Map<MemberId, Map<MemberId, Session>>();
  /** There is something for this neighbour. */
  readonly #wake: (peer: MemberId) => void;

  constructor(own: MemberId, store: StateStore, wake: (peer: MemberId) => void) {
    this.#own = own;
    this.#store = store;
    this.#wake = wake;
  }

  onWant(peer: MemberId, entries: readonly StateDigestEntry[]): void {
    const sessions = this.#sessions.get(peer) ?? new Map<MemberId, Session>();
    this.#sessions.set(peer, sessions);
    for (const { owner, generation, maxVersion } of entries) {
      if (owner !== this.#own && this.#store.entryOf(owner)?.generation !== generation) continue;
      const at = this.#store.isOf(owner, generation) ? maxVersion : 0;
      sessions.set(owner, { at, told: false });
    }
    this.#wake(peer);
  }

  /** The neighbour holds these: it need not be sent them. */
  onHeld(peer: MemberId, entries: readonly StateDigestEntry[]): void {
    for (const { owner, generation, maxVersion } of entries) {
      const session = this.#sessions.get(peer)?.get(owner);
      if (session === undefined || !this.#store.isOf(owner, generation)) continue;
      session.at = Math.max(session.at, maxVersion);
    }
  }

  /** There is more of `owner` than before. */
  advanced(owner: MemberId): void {
    for (const [peer, sessions] of this.#sessions) if (sessions.has(owner)) this.#wake(peer);
  }

  /** A delta has gone to `peer` by itself. */
  passed(peer: MemberId, { owner, from, to }: StateDelta): void {
    const session = this.#sessions.get(peer)?.get(owner);
    if (session !== undefined && session.at >= from) session.at = Math.max(session.at, to);
  }

  /** Our generation is another: everything is to be told again. */
  restart(): void {
    for (const sessions of this.#sessions.values()) {
      if (sessions.has(this.#own)) sessions.set(this.#own, { at: 0, told: false });
    }
    this.advanced(this.#own);
  }

  /** What is next for `peer`, whose link has room. */
  next(peer: MemberId): StateDelta | undefined {
    let deepest: MemberId | undefined;
    let depth = 0;
    const sessions = this.#sessions.get(peer);
    for (const [owner, { at }] of sessions ?? []) {
      if (!this.#store.serves(owner, at)) continue;
      const behind = (this.#store.entryOf(owner)?.maxVersion ?? 0) - at;
      if (behind > depth) {
        deepest = owner;
        depth = behind;
      }
    }
    const session = deepest === undefined ? undefined : sessions?.get(deepest);
    if (deepest === undefined || session === undefined) return undefined;
    const delta = this.#store.deltaFrom(deepest, session.at, session.told);
    session.at = delta.to;
    session.told = true;
    if (delta.to >= delta.last && deepest !== this.#own) sessions?.delete(deepest);
    return delta;
  }

  removeNeighbour(peer: MemberId): void {
    this.#sessions.delete(peer);
  }

  forget(owner: MemberId): void {
    for (const sessions of this.#sessions.values()) sessions.delete(owner);
  }
}
