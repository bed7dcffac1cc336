/**
 * Requests for a link on a random walk: HyParView's forwardJoin (Leitão et al. 2007, section 4.2), made for a newcomer
 * and here for every link that is sought. A walk goes over links that have shown life lately, so where it ends there
 * is a live member, known to be reachable, and chosen about evenly among all; the path that it took carries the
 * answer. This stands in for the paper's passive view and shuffles, whose samples age.
 *
 * After its random steps a walk goes on until somebody has room; the last member of a full path refuses.
 */

import type { Config } from "../config.ts";
import { BoundedMap } from "../lib/bounded-map.ts";
import type { Rng } from "../lib/rng.ts";
import { TokenBucket } from "../lib/token-bucket.ts";
import type { MemberId } from "../machine.ts";
import { HOPS_MAX, type LinkRequest, type MessageOf } from "../wire/messages.ts";

/** Walks passed on for one neighbour: so many a second, and a burst. Guess: newcomers ask for all links at once. */
const RELAYED_PER_SECOND = 20;
const RELAYED_BURST = 100;

/** From here on a walk is taken by whoever has any room at all: three may be asked. */
const LAST_HOPS = HOPS_MAX - 2;

type ForwardJoin = MessageOf<"forwardJoin">;

export interface WalksOut {
  /** Neighbours that have shown life lately. */
  fresh(now: number): readonly MemberId[];
  send(peer: MemberId, message: ForwardJoin): void;
  /** `origin` can be reached along `path`. */
  learn(origin: MemberId, path: readonly MemberId[]): void;
  /** The walk may end here; false when there is no room. `last`: hardly anybody comes after us. */
  take(origin: MemberId, request: LinkRequest, last: boolean, now: number): boolean;
  refuse(origin: MemberId, attempt: number): void;
}

export class Walks {
  readonly #config: Config;
  readonly #rng: Rng;
  readonly #out: WalksOut;
  readonly #buckets = new BoundedMap<MemberId, TokenBucket>(64);

  constructor(config: Config, rng: Rng, out: WalksOut) {
    this.#config = config;
    this.#rng = rng;
    this.#out = out;
  }

  begin(request: LinkRequest, now: number): void {
    const hops = this.#config.walkHops - 1;
    this.#pass({ type: "forwardJoin", path: [this.#config.id], hops, request }, now);
  }

  onForwardJoin(neighbour: MemberId, message: ForwardJoin, now: number): void {
    const { path, request } = message;
    const [origin] = path;
    if (origin === undefined || path[path.length - 1] !== neighbour) return;
    if (path.includes(this.#config.id) || new Set(path).size !== path.length) return;
    if (!this.#mayRelay(neighbour, now)) return;
    const next = { ...message, path: [...path, this.#config.id], hops: message.hops - 1 };
    if (message.hops > 0 && this.#pass(next, now)) return;
    this.#out.learn(origin, [...path].reverse());
    if (this.#out.take(origin, request, path.length >= LAST_HOPS, now)) return;
    if (this.#pass({ ...next, hops: 0 }, now)) return;
    if (this.#out.take(origin, request, true, now)) return;
    this.#out.refuse(origin, request.attempt);
  }

  /** One step further; false when there is nobody to go to. */
  #pass(message: ForwardJoin, now: number): boolean {
    if (message.path.length > HOPS_MAX) return false;
    const next = this.#rng.pick(this.#out.fresh(now).filter((id) => !message.path.includes(id)));
    if (next !== undefined) this.#out.send(next, message);
    return next !== undefined;
  }

  #mayRelay(neighbour: MemberId, now: number): boolean {
    const bucket =
      this.#buckets.get(neighbour) ?? new TokenBucket(RELAYED_PER_SECOND, RELAYED_BURST, now);
    this.#buckets.set(neighbour, bucket);
    return bucket.take(now);
  }
}
