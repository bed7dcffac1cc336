/** Everything that goes to one member: over the link with it, along a route, repeated until it has arrived. */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { MemberId } from "../machine.ts";
import type { MemberTable } from "../membership/table.ts";
import type { Inner, Message, MessageOf } from "../wire/messages.ts";
import { DirectMessages, type SendFailure } from "./direct.ts";
import { Router } from "./router.ts";
import { Routes } from "./routes.ts";

/** A hop that said `noRoute` is avoided so long: its list is announced anew within it, ms. */
const BROKEN_MS = 5_000;

export interface DeliveryOut {
  neighbours(): readonly MemberId[];
  linked(peer: MemberId): boolean;
  /** Queues for a neighbour; false when there is no link or its queue is full. */
  send(peer: MemberId, message: Message): boolean;
  /** What has arrived for us. */
  arrived(from: MemberId, inner: Inner): void;
  heard(from: MemberId, name: string, value: Uint8Array): void;
  sent(id: number): void;
  sendFailed(id: number, reason: SendFailure): void;
}

export class Delivery {
  readonly #now: () => number;
  readonly #routes: Routes;
  readonly #router: Router;
  readonly #direct: DirectMessages;
  readonly #out: DeliveryOut;

  constructor(
    config: Config,
    deadlines: Deadlines,
    table: MemberTable,
    now: () => number,
    out: DeliveryOut,
  ) {
    this.#now = now;
    this.#out = out;
    this.#routes = new Routes(table, () => out.neighbours());
    this.#router = new Router(config.id, this.#routes, {
      linked: (peer) => out.linked(peer),
      send: (peer, message) => out.send(peer, message),
      deliver: (from, inner) => out.arrived(from, inner),
      broken: (target) => this.#direct.retrySoon(target),
    });
    this.#direct = new DirectMessages(config, deadlines, {
      carry: (to, inner) => this.#router.carry(to, inner),
      sent: (id) => out.sent(id),
      failed: (id, reason) => out.sendFailed(id, reason),
    });
  }

  /** Messages carried for others since the start. */
  get relayed(): number {
    return this.#router.relayed;
  }

  /** Sends once and does not look back. False when there is no way now. */
  carry(to: MemberId, inner: Inner): boolean {
    return this.#router.carry(to, inner);
  }

  /** Sends until it has arrived: ends in `sent` or `sendFailed`. */
  send(command: Parameters<DirectMessages["send"]>[0], generation: number): void {
    this.#direct.send(command, generation, this.#now());
  }

  onRouted(neighbour: MemberId, message: MessageOf<"routed">): void {
    this.#router.onRouted(neighbour, message);
  }

  onNoRoute(message: MessageOf<"noRoute">): void {
    this.#router.onNoRoute(message, this.#now());
  }

  onDirect(from: MemberId, inner: Extract<Inner, { type: "direct" }>): void {
    const { generation, sequence, name, value } = inner;
    this.#router.carry(from, { type: "directAck", generation, sequence });
    if (this.#direct.isNew(from, generation, sequence)) this.#out.heard(from, name, value);
  }

  onAck(from: MemberId, inner: Extract<Inner, { type: "directAck" }>): void {
    this.#direct.onAck(from, inner.sequence);
  }

  /** Our link with `peer` came or went. */
  linksChanged(peer: MemberId): void {
    this.#routes.changed();
    this.#direct.retryNow(peer, this.#now());
  }

  /** The member left or is down. */
  gone(peer: MemberId): void {
    this.#direct.gone(peer);
  }

  /** Lists have been announced anew since hops broke. */
  forgetBroken(): void {
    this.#routes.forgetBroken(this.#now() - BROKEN_MS);
  }

  onDeadline(sequence: number): void {
    this.#direct.onDeadline(sequence, this.#now());
  }
}
