/**
 * The sending side of repair: what each neighbour has asked for, and where it stands. A delta is made only when its
 * link has room for it, so what is set ten times meanwhile travels once. Owners come in depth order (scuttlebutt,
 * section 3.2: whose backlog is longest goes first), but for those that have waited for long.
 *
 * Who asked goes on being served for a while, so what an owner writes next follows at once, along a tree of those
 * that asked each other. Our own state is what every neighbour asks for as its link opens: it is served without end.
 */

import type { MemberId } from "../machine.ts";
import type { MessageOf, StateDigestEntry } from "../wire/messages.ts";
import { ENOUGH } from "./fetching.ts";
import { type Range, Ranges } from "./ranges.ts";
import { isSmall, type StateDelta } from "./replica.ts";
import type { StateStore } from "./store.ts";

/** Nobody that waits for longer comes behind a longer backlog, ms. Guess, unmeasured. */
const WAIT_MS_MAX = 250;

/** The first so many that wait are looked at. */
const LOOKED_AT_MAX = 64;

/** So long after its last delta a session ends. Who asked counts on it for less (`fetching.ts`), ms. */
const IDLE_MS = 10_000;

interface Session {
  /** Of the want that began it: an older one, which that has overtaken, means nothing. */
  readonly number: number;
  /** The neighbour holds everything up to here, and these parts beyond, or it is on its way. */
  at: number;
  readonly sent: Ranges;
  /** The floor of what it was told last: below it, what it has may be gone. */
  told: number;
  /** Since when there is more for it, ms. */
  waitsSince: number;
  usedAt: number;
}

interface Neighbour {
  readonly sessions: Map<MemberId, Session>;
  /** Owners of which there is more for it; who waits longest comes first. */
  readonly waiting: Set<MemberId>;
}

export interface ServingOut {
  now(): number;
  /** There is something for this neighbour. */
  wake(peer: MemberId): void;
}

export class Serving {
  readonly #own: MemberId;
  readonly #store: StateStore;
  readonly #out: ServingOut;
  readonly #neighbours = new Map<MemberId, Neighbour>();

  constructor(own: MemberId, store: StateStore, out: ServingOut) {
    this.#own = own;
    this.#store = store;
    this.#out = out;
  }

  /** Gives whether something of ours had been sent, as far as we knew, and is asked for again. */
  onWant(peer: MemberId, { number, entries }: MessageOf<"stateWant">): boolean {
    const now = this.#out.now();
    const { sessions, waiting } = this.#neighbour(peer);
    let wasMissed = false;
    for (const { owner, generation, maxVersion, held } of entries) {
      const session = sessions.get(owner);
      if (session !== undefined && session.number > number) continue;
      const isOwn = owner === this.#own;
      const isOf = this.#store.isOf(owner, generation);
      if (!isOf && !isOwn) continue;
      const at = isOf ? maxVersion : 0;
      wasMissed ||= isOwn && (session?.at ?? 0) > at;
      sessions.delete(owner);
      waiting.delete(owner);
      if (!isOwn && at > this.#store.versionOf(owner, generation)) continue;
      const sent = isOf ? Ranges.of(held) : new Ranges();
      sessions.set(owner, { number, at, sent, told: 0, waitsSince: now, usedAt: now });
      waiting.add(owner);
    }
    this.#out.wake(peer);
    return wasMissed;
  }

  /** The neighbour holds these: it need not be sent them. */
  onHeld(peer: MemberId, entries: readonly StateDigestEntry[]): void {
    for (const { owner, generation, maxVersion } of entries) {
      const session = this.#neighbours.get(peer)?.sessions.get(owner);
      if (session === undefined || !this.#store.isOf(owner, generation)) continue;
      session.at = session.sent.follow(Math.max(session.at, maxVersion));
    }
  }

  /** There is more of `owner` than before. */
  advanced(owner: MemberId): void {
    const now = this.#out.now();
    for (const [peer, { sessions, waiting }] of this.#neighbours) {
      const session = sessions.get(owner);
      if (session === undefined || this.#nextFor(owner, session) === undefined) continue;
      if (!waiting.has(owner)) session.waitsSince = now;
      waiting.add(owner);
      this.#out.wake(peer);
    }
  }

  /** Whether `peer` is being sent what `owner` writes. */
  isServed(peer: MemberId, owner: MemberId): boolean {
    const session = this.#neighbours.get(peer)?.sessions.get(owner);
    if (session === undefined) return false;
    const isIdle = owner !== this.#own && this.#out.now() - session.usedAt > IDLE_MS;
    if (isIdle) this.#neighbours.get(peer)?.sessions.delete(owner);
    return !isIdle && !isOnce(session);
  }

  /** A delta has gone to `peer` by itself. */
  passed(peer: MemberId, { owner, from, to }: StateDelta): void {
    const session = this.#neighbours.get(peer)?.sessions.get(owner);
    if (session !== undefined) pass(session, from, to);
  }

  /** Our generation is another: everything is to be told again. */
  restart(): void {
    for (const { sessions } of this.#neighbours.values()) {
      const session = sessions.get(this.#own);
      if (session !== undefined) {
        session.sent.follow(Number.MAX_SAFE_INTEGER);
        session.at = 0;
      }
    }
    this.advanced(this.#own);
  }

  /** What is next for `peer`, whose link has room. */
  next(peer: MemberId): StateDelta | undefined {
    const now = this.#out.now();
    const { sessions, waiting } = this.#neighbour(peer);
    const chosen = this.#deepest(sessions, waiting, now);
    if (chosen === undefined) return undefined;
    const [owner, session, range] = chosen;
    const delta = this.#store.deltaOf(owner, range, session.told);
    pass(session, delta.from, delta.to);
    session.told = delta.floor;
    session.usedAt = now;
    session.waitsSince = now;
    waiting.delete(owner);
    const isWhole = session.at >= delta.last;
    if (this.#nextFor(owner, session) !== undefined) waiting.add(owner);
    else if (owner !== this.#own && isWhole && endsSession(delta)) sessions.delete(owner);
    else if (session.at === ENOUGH) sessions.delete(owner);
    return delta;
  }

  #deepest(
    sessions: Map<MemberId, Session>,
    waiting: Set<MemberId>,
    now: number,
  ): [MemberId, Session, Range] | undefined {
    let chosen: [MemberId, Session, Range] | undefined;
    let most = 0;
    let count = 0;
    for (const owner of waiting) {
      const session = sessions.get(owner);
      const range = session && this.#nextFor(owner, session);
      if (session === undefined || range === undefined) {
        waiting.delete(owner);
        continue;
      }
      const depth = range[1] - session.at;
      if (depth > most) {
        most = depth;
        chosen = [owner, session, range];
      }
      if (now - session.waitsSince > WAIT_MS_MAX) return [owner, session, range];
      if (++count >= LOOKED_AT_MAX) break;
    }
    return chosen;
  }

  #nextFor(owner: MemberId, { at, sent }: Session): Range | undefined {
    return this.#store.nextFor(owner, at, sent);
  }

  removeNeighbour(peer: MemberId): void {
    this.#neighbours.delete(peer);
  }

  forget(owner: MemberId): void {
    for (const { sessions } of this.#neighbours.values()) sessions.delete(owner);
  }

  #neighbour(peer: MemberId): Neighbour {
    const known = this.#neighbours.get(peer);
    if (known !== undefined) return known;
    const neighbour: Neighbour = { sessions: new Map(), waiting: new Set() };
    this.#neighbours.set(peer, neighbour);
    return neighbour;
  }
}

/** Only holes were asked for, and nothing of what follows. */
function isOnce({ sent }: Session): boolean {
  return sent.last === ENOUGH;
}

/** (from, to] is on its way. Where too many parts are apart it counts as everything: digests tell what is missing. */
function pass(session: Session, from: number, to: number): void {
  if (session.at < from && session.sent.add(from, to)) return;
  session.at = session.sent.follow(Math.max(session.at, to));
}

/** After the last delta that floods anyway, or that was all there is of an owner, both ends take no more for granted. */
export function endsSession(delta: StateDelta): boolean {
  return delta.to >= delta.last && (isSmall(delta) || delta.from === 0);
}
