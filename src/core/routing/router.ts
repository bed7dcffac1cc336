/**
 * Carrying messages to members without a link, hop by hop along the path that their sender chose.
 * A relay only looks at the next hop, and what it carries is sealed between the two ends (`seals.ts`). Where the path is broken, `noRoute` goes back along it to the sender, who
 * avoids that hop and tries another way. The whole path stays with the message: who receives it knows the way back.
 */

import type { MemberId } from "../machine.ts";
import type { Enclosed, Inner, MessageOf } from "../wire/messages.ts";
import type { Routes } from "./routes.ts";

export interface RouterOut {
  now(): number;
  linked(peer: MemberId): boolean;
  /** Queues for a neighbour; false when there is no link or its queue is full. */
  send(
    peer: MemberId,
    message: MessageOf<"local"> | MessageOf<"routed"> | MessageOf<"noRoute">,
  ): boolean;
  /** What may go to `to` over others; undefined while it cannot be sealed. */
  seal(to: MemberId, inner: Inner): Enclosed | undefined;
  /** Undefined for what is not from whom it names, or not to be read yet. */
  open(neighbour: MemberId, message: MessageOf<"routed">): Inner | undefined;
  deliver(from: MemberId, inner: Inner): void;
  /** The way to `target` broke; another one may be known. */
  broken(target: MemberId): void;
}

export class Router {
  readonly #own: MemberId;
  readonly #routes: Routes;
  readonly #out: RouterOut;
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

  /** Sends `inner` over the link with `to`, or along a path; gives the neighbour that has it, if there is a way. */
  carry(to: MemberId, inner: Inner): MemberId | undefined {
    const next = this.hop(to);
    const message = next === undefined ? undefined : this.enclose(to, inner);
    if (next === undefined || message === undefined) return undefined;
    return this.#out.send(next, message) ? next : undefined;
  }

  /** The neighbour that what goes to `to` is given to; undefined when no way is known. */
  hop(to: MemberId): MemberId | undefined {
    return this.#out.linked(to) ? to : this.#routes.path(to, this.#out.now())?.[0];
  }

  /** `inner` as the first hop to `to` gets it; undefined while it cannot be sealed. */
  enclose(to: MemberId, inner: Inner): MessageOf<"local"> | MessageOf<"routed"> | undefined {
    if (this.#out.linked(to)) return { type: "local", inner };
    const sealed = this.#out.seal(to, inner);
    const path = this.#routes.path(to, this.#out.now()) ?? [];
    return sealed && { type: "routed", from: this.#own, path, hop: 0, inner: sealed };
  }

  onRouted(neighbour: MemberId, message: MessageOf<"routed">): void {
    const { from, path, hop } = message;
    const back = [...path.slice(0, hop).reverse(), from];
    // The path is believed as far as its last hop is true, and an honest one never comes by twice.
    if (path[hop] !== this.#own || back[0] !== neighbour) return;
    if (new Set([from, ...path]).size !== path.length + 1) return;
    const next = path[hop + 1];
    if (next === undefined) {
      const inner = this.#out.open(neighbour, message);
      if (inner === undefined) return;
      this.#routes.learn(from, back, this.#out.now());
      return this.#out.deliver(from, inner);
    }
    this.#relayed++;
    if (this.#out.send(next, { ...message, hop: hop + 1 })) return;
    const target = path[path.length - 1] as MemberId;
    const broken = { target, to: next, brokenAt: this.#own };
    this.#out.send(neighbour, { type: "noRoute", path: back, hop: 0, ...broken });
  }

  onNoRoute(message: MessageOf<"noRoute">): void {
    const { path, hop, target, brokenAt, to } = message;
    if (path[hop] !== this.#own) return;
    const next = path[hop + 1];
    if (next !== undefined) this.#out.send(next, { ...message, hop: hop + 1 });
    else if (this.#routes.broken(target, brokenAt, to, this.#out.now())) this.#out.broken(target);
  }
}
