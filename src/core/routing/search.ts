/**
 * Finding a way that no list shows: a question that is flooded in an expanding ring (as in AODV, RFC 3561, section
 * 6.4). It remembers the path that it took; the member that is looked for answers along it, and both know the way.
 *
 * Only members that are known are looked for, each question is passed on once, and by a relay only as often as its
 * token bucket for the neighbour that brought it allows.
 */

import { BoundedMap } from "../lib/bounded-map.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import { TokenBucket } from "../lib/token-bucket.ts";
import type { MemberId } from "../machine.ts";
import { HOPS_MAX, type MessageOf } from "../wire/messages.ts";

/** Rings of a search, in hops: neighbours of neighbours, a thousand members, all. */
const RINGS = [2, 4, HOPS_MAX - 2];

/** How long an answer may take for each hop there and back, ms. */
const HOP_MS = 300;

/** Searches of ours at once. */
const SEARCHES_MAX = 16;

/** Questions remembered, so that each is passed on once. */
const SEEN_MAX = 4_096;

/** Questions of our own, and those passed on for one neighbour: so many a second, and a burst. */
const OWN_PER_SECOND = 1;
const OWN_BURST = 8;
const RELAYED_PER_SECOND = 5;
const RELAYED_BURST = 30;

type Question = MessageOf<"routeSearch">;

export interface SearchOut {
  neighbours(): readonly MemberId[];
  linked(peer: MemberId): boolean;
  /** Only for ids in the table. */
  isLive(id: MemberId): boolean;
  send(peer: MemberId, question: Question): void;
  /** We are looked for: the asker is to be answered along this way. */
  asked(origin: MemberId, path: readonly MemberId[]): void;
}

export class RouteSearch {
  readonly #own: MemberId;
  readonly #deadlines: Deadlines;
  readonly #out: SearchOut;
  /** Searches of ours, with the ring that is under way. */
  readonly #open = new Map<MemberId, number>();
  readonly #seen = new BoundedMap<string, true>(SEEN_MAX);
  readonly #buckets = new BoundedMap<MemberId, TokenBucket>(64);
  readonly #ownBucket: TokenBucket;
  #lastNumber = 0;

  constructor(own: MemberId, deadlines: Deadlines, now: number, out: SearchOut) {
    this.#own = own;
    this.#deadlines = deadlines;
    this.#out = out;
    this.#ownBucket = new TokenBucket(OWN_PER_SECOND, OWN_BURST, now);
  }

  /** Looks for a way to `target`, unless it is looked for already. */
  find(target: MemberId, now: number): void {
    if (this.#open.has(target) || this.#open.size >= SEARCHES_MAX) return;
    if (this.#out.isLive(target)) this.#ask(target, 0, now);
  }

  /** A way is known, or the member is gone. */
  end(target: MemberId): void {
    if (this.#open.delete(target)) this.#deadlines.clear(`search:${target}`);
  }

  /** Nobody answered in time: a wider ring, or the end. */
  onDeadline(target: MemberId, now: number): void {
    const ring = this.#open.get(target);
    this.#open.delete(target);
    if (ring !== undefined && this.#out.isLive(target)) this.#ask(target, ring + 1, now);
  }

  onQuestion(neighbour: MemberId, question: Question, now: number): void {
    const { path, target, number, hops } = question;
    const [origin] = path;
    if (origin === undefined || path[path.length - 1] !== neighbour) return;
    if (path.includes(this.#own) || new Set(path).size !== path.length) return;
    const name = `${origin}:${number}:${target}`;
    if (this.#seen.has(name)) return;
    this.#seen.set(name, true);
    if (target === this.#own) return this.#out.asked(origin, [...path].reverse());
    if (hops <= 1 || path.length >= HOPS_MAX || !this.#out.isLive(target)) return;
    if (!this.#mayRelay(neighbour, now)) return;
    this.#spread({ ...question, path: [...path, this.#own], hops: hops - 1 });
  }

  #ask(target: MemberId, ring: number, now: number): void {
    const hops = RINGS[ring];
    if (hops === undefined || !this.#ownBucket.take(now)) return;
    this.#open.set(target, ring);
    this.#deadlines.set(`search:${target}`, now + hops * HOP_MS);
    const number = ++this.#lastNumber;
    this.#spread({ type: "routeSearch", path: [this.#own], target, number, hops });
  }

  /** To the target alone when it is a neighbour of ours. */
  #spread(question: Question): void {
    const { target, path } = question;
    const to = this.#out.linked(target) ? [target] : this.#out.neighbours();
    for (const peer of to) if (!path.includes(peer)) this.#out.send(peer, question);
  }

  #mayRelay(neighbour: MemberId, now: number): boolean {
    const bucket =
      this.#buckets.get(neighbour) ?? new TokenBucket(RELAYED_PER_SECOND, RELAYED_BURST, now);
    this.#buckets.set(neighbour, bucket);
    return bucket.take(now);
  }
}
