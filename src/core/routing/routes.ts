/**
 * The ways to members without a link, as whole paths: they travel with each message, so none can loop.
 *
 * A way is learned from what came along it, backwards; else it is the shortest one over the neighbour lists that
 * members announce (breadth first from both ends, at most `HOPS_MAX` hops). A hop that said `noRoute`, or that left
 * a message unanswered, is avoided until the lists have caught up.
 */

import { BoundedMap } from "../lib/bounded-map.ts";
import type { MemberId } from "../machine.ts";
import type { MemberTable } from "../membership/table.ts";
import { HOPS_MAX } from "../wire/messages.ts";

/** Ways remembered at once: what is spoken with, not the whole mesh. */
const KNOWN_MAX = 1_024;

/** What came along a way vouches for it so long; later the lists know better, ms. */
const LEARNED_MS = 30_000;

/** Hops that are avoided at once, and for how long: lists are announced anew within it. */
const AVOIDED_MAX = 256;
const AVOIDED_MS = 5_000;

interface Known {
  readonly path: readonly MemberId[];
  /** Until when it needs no announced list to be believed, ms. */
  readonly learnedUntil: number;
}

export interface RoutesOut {
  links(): readonly MemberId[];
  linked(peer: MemberId): boolean;
}

export class Routes {
  readonly #table: MemberTable;
  readonly #out: RoutesOut;
  readonly #known = new BoundedMap<MemberId, Known>(KNOWN_MAX);
  /** Broken hops, "from>to", with the end of their avoidance, ms. */
  readonly #avoided = new BoundedMap<string, number>(AVOIDED_MAX);

  constructor(table: MemberTable, out: RoutesOut) {
    this.#table = table;
    this.#out = out;
  }

  /** The hops from us to `to`, itself last; undefined when no way is known. */
  path(to: MemberId, now: number): readonly MemberId[] | undefined {
    const known = this.#known.get(to);
    if (known !== undefined && this.#holds(known, now)) return known.path;
    this.#known.delete(to);
    const path = this.#shortest(to, now);
    if (path !== undefined) this.#known.set(to, { path, learnedUntil: now });
    return path;
  }

  /** Something of `to` came along this way: it is open. A shorter one that has proven itself too stays. */
  learn(to: MemberId, path: readonly MemberId[], now: number): void {
    const known = this.#known.get(to);
    const isBetter = known !== undefined && now < known.learnedUntil;
    if (isBetter && known.path.length < path.length && this.#holds(known, now)) return;
    this.#known.set(to, { path, learnedUntil: now + LEARNED_MS });
  }

  /**
   * `from` has no link with `to`, whatever its list says. Only believed of the way that we use to `target`; false
   * when it says nothing about that.
   */
  broken(target: MemberId, from: MemberId, to: MemberId, now: number): boolean {
    const path = this.#known.get(target)?.path;
    if (path === undefined || !hops(path).some(([a, b]) => a === from && b === to)) return false;
    this.#avoid(target, from, to, now);
    return true;
  }

  /** What went to `target` was not answered: another way is tried, if there is one. */
  unanswered(target: MemberId, now: number): void {
    const [first, second] = this.#known.get(target)?.path ?? [];
    if (first !== undefined && second !== undefined) this.#avoid(target, first, second, now);
  }

  #avoid(target: MemberId, from: MemberId, to: MemberId, now: number): void {
    this.#avoided.set(`${from}>${to}`, now + AVOIDED_MS);
    this.#known.delete(target);
  }

  #isAvoided(from: MemberId, to: MemberId, now: number): boolean {
    return now < (this.#avoided.get(`${from}>${to}`) ?? Number.NEGATIVE_INFINITY);
  }

  #holds({ path, learnedUntil }: Known, now: number): boolean {
    const [first] = path;
    if (first === undefined || !this.#out.linked(first)) return false;
    return hops(path).every(
      ([from, to]) =>
        !this.#isAvoided(from, to, now) &&
        !this.#isGone(from) &&
        (now < learnedUntil || (this.#table.isLive(to) && this.#isAnnounced(from, to))),
    );
  }

  #isGone(id: MemberId): boolean {
    return this.#table.get(id) !== undefined && !this.#table.isLive(id);
  }

  /** A newcomer's own list comes sooner than those of its neighbours: either end of a link is believed. */
  #isAnnounced(from: MemberId, to: MemberId): boolean {
    return this.#listOf(from).includes(to) || this.#listOf(to).includes(from);
  }

  #listOf(id: MemberId): readonly MemberId[] {
    return this.#table.get(id)?.record.neighbours ?? [];
  }

  #shortest(to: MemberId, now: number): readonly MemberId[] | undefined {
    const own = this.#table.own.id;
    if (to === own) return undefined;
    const ahead = new Map<MemberId, MemberId>([[own, own]]);
    const behind = new Map<MemberId, MemberId>([[to, to]]);
    let near: readonly MemberId[] = [own];
    let far: readonly MemberId[] = this.#isGone(to) ? [] : [to];
    for (let length = 1; length <= HOPS_MAX; length++) {
      const isForward = near.length <= far.length || far.length === 0;
      const reached = isForward
        ? this.#expand(near, ahead, (id, next) => !this.#isAvoided(id, next, now))
        : this.#expand(far, behind, (id, next) => next !== own && !this.#isAvoided(next, id, now));
      const meeting = reached.find((id) => (isForward ? behind : ahead).has(id));
      if (meeting !== undefined) {
        return [...walk(ahead, meeting).reverse().slice(1), ...walk(behind, meeting).slice(1)];
      }
      if (isForward) near = reached;
      else far = reached;
      if (reached.length === 0 && (isForward || near.length === 0)) return undefined;
    }
    return undefined;
  }

  /** One level further from `frontier`; `from` remembers where each was reached from. */
  #expand(
    frontier: readonly MemberId[],
    from: Map<MemberId, MemberId>,
    isOpen: (id: MemberId, next: MemberId) => boolean,
  ): MemberId[] {
    const reached: MemberId[] = [];
    for (const id of frontier) {
      const isOwn = id === this.#table.own.id;
      for (const next of isOwn ? this.#out.links() : this.#listOf(id)) {
        if (from.has(next) || !(isOwn || this.#table.isLive(next)) || !isOpen(id, next)) continue;
        from.set(next, id);
        reached.push(next);
      }
    }
    return reached;
  }
}

/** From `id` back to where the search began. */
function walk(from: ReadonlyMap<MemberId, MemberId>, id: MemberId): MemberId[] {
  const path = [id];
  for (let at = id; ; ) {
    const next = from.get(at) ?? at;
    if (next === at) return path;
    path.push(next);
    at = next;
  }
}

function hops(path: readonly MemberId[]): [from: MemberId, to: MemberId][] {
  return path.slice(1).map((to, i) => [path[i] as MemberId, to]);
}
