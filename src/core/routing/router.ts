/**
 * Carrying messages to members without a link, hop by hop along the path that their sender chose.
 * A relay only looks at the next hop. Where the path is broken, `noRoute` goes back to the sender, who avoids that
 * hop and tries another way. Who asks may be newer than its announcement: the neighbour that brought its message is
 * taken for the way back until a better one is known.
 */

import { BoundedMap } from "../lib/bounded-map.ts";
import type { MemberId } from "../machine.ts";
import { HOPS_MAX, type Inner, type MessageOf } from "../wire/messages.ts";
import type { Routes } from "./routes.ts";

/** Members whose last way is remembered. */
const BROUGHT_BY_MAX = 1_024;

export interface RouterOut {
  linked(peer: MemberId): boolean;
  /** Queues for a neighbour; false when there is no link or its queue is full. */
  send(
    peer: MemberId,
    message: MessageOf<"local"> | MessageOf<"routed"> | MessageOf<"noRoute">,
  ): boolean;
  deliver(from: MemberId, inner: Inner): void;
  /** The way to `target` broke; another one may be known. */
  broken(target: MemberId): void;
}

export class Router {
  readonly #own: MemberId;
  readonly #routes: Routes;
  readonly #out: RouterOut;
  /** Who brought the last message of a member. */
  readonly #broughtBy = new BoundedMap<MemberId, MemberId>(BROUGHT_BY_MAX);
  #relayed = 0;

  constructor(own: MemberId, routes: Routes, out: RouterOut) {
    this.#own = own;
    this.#routes = routes;
    this.#out = out;
  }

  /** Messages carried for others since the start. */
  get relayed(): number {
    return this.#relayed;
  }

  /** Sends `inner` over the link with `to`, or along a path. False when there is no way now. */
  carry(to: MemberId, inner: Inner): boolean {
    if (this.#out.linked(to)) return this.#out.send(to, { type: "local", inner });
    const path = this.#routes.path(to) ?? this.#wayBack(to);
    const next = path?.[0];
    if (path === undefined || next === undefined) return false;
    return this.#out.send(next, { type: "routed", from: this.#own, path, inner });
  }

  onRouted(neighbour: MemberId, message: MessageOf<"routed">): void {
    const [self, next] = message.path;
    const to = message.path[message.path.length - 1];
    if (self !== this.#own || to === undefined || message.from === this.#own) return;
    if (next === undefined) {
      this.#broughtBy.set(message.from, neighbour);
      return this.#out.deliver(message.from, message.inner);
    }
    // Never back where it came from, and never to somebody twice: an honest path has no loop.
    if (next === neighbour || new Set(message.path).size !== message.path.length) return;
    this.#relayed++;
    if (this.#out.send(next, { ...message, path: message.path.slice(1) })) return;
    const { from } = message;
    const broken = { from, target: to, to: next, brokenAt: this.#own, hops: HOPS_MAX };
    this.#back(from, { type: "noRoute", ...broken });
  }

  onNoRoute(message: MessageOf<"noRoute">, now: number): void {
    if (message.from !== this.#own) {
      if (message.hops > 0) this.#back(message.from, { ...message, hops: message.hops - 1 });
      return;
    }
    this.#routes.markBroken(message.brokenAt, message.to, now);
    this.#out.broken(message.target);
  }

  #wayBack(to: MemberId): readonly MemberId[] | undefined {
    const neighbour = this.#broughtBy.get(to);
    return neighbour !== undefined && this.#out.linked(neighbour) ? [neighbour, to] : undefined;
  }

  /** One hop towards `to`, as far as it goes. */
  #back(to: MemberId, message: MessageOf<"noRoute">): void {
    const next = this.#out.linked(to) ? to : this.#routes.path(to)?.[0];
    if (next !== undefined) this.#out.send(next, message);
  }
}
