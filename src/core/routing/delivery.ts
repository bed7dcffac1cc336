/** Everything that goes to one member: over the link with it, along a way, repeated until it has arrived. */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { MemberId } from "../machine.ts";
import type { MemberTable } from "../membership/table.ts";
import { Streams, type StreamsOut } from "../streams/streams.ts";
import type { Inner, Message, MessageOf } from "../wire/messages.ts";
import { Demand } from "./demand.ts";
import { DirectMessages, type SendFailure } from "./direct.ts";
import { Router } from "./router.ts";
import { Routes } from "./routes.ts";
import type { Seals } from "./seals.ts";
import { RouteSearch } from "./search.ts";

/** What a message that waits for a record holds beside the bytes of a part. */
const WAITING_BYTES = 1_024;

export interface DeliveryOut {
  readonly seals: Seals;
  neighbours(): readonly MemberId[];
  linked(peer: MemberId): boolean;
  /** Queues for a neighbour; false when there is no link or its queue is full. */
  send(peer: MemberId, message: Message): boolean;
  /** Ahead of what is queued. */
  tell(peer: MemberId, message: MessageOf<"routeSearch">): void;
  /** Tells whether what was queued last for a neighbour still waits there. */
  queued(peer: MemberId): () => boolean;
  /** What has arrived for us. */
  arrived(from: MemberId, inner: Inner): void;
  heard(from: MemberId, name: string, value: Uint8Array): void;
  /** It sends us more messages than can be borne. */
  flooded(by: MemberId): void;
  /** So much goes to `peer` that a link is worth while; true when it is asked for one. */
  wanted(peer: MemberId): boolean;
  /** What was carried to `peer` lately is lost. */
  broken(peer: MemberId): void;
  sent(id: number): void;
  sendFailed(id: number, reason: SendFailure): void;
  readonly streams: Pick<StreamsOut, "wake" | "event">;
}

export class Delivery {
  readonly demand: Demand;
  readonly #now: () => number;
  readonly #routes: Routes;
  readonly #router: Router;
  readonly #search: RouteSearch;
  readonly #direct: DirectMessages;
  readonly streams: Streams;
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
    this.demand = new Demand(config);
    const linked = (peer: MemberId): boolean => out.linked(peer);
    this.#routes = new Routes(table, { links: () => out.neighbours(), linked });
    this.#router = new Router(config.id, this.#routes, {
      now,
      linked,
      send: (peer, message) => out.send(peer, message),
      seal: (to, inner) => out.seals.seal(to, inner),
      open: (neighbour, message) =>
        out.seals.open(message.from, message.inner, () => this.onRouted(neighbour, message)),
      deliver: (from, inner) => this.#onInner(from, inner),
      broken: (target) => {
        this.#direct.retrySoon(target);
        this.streams.onBroken(target);
        out.broken(target);
      },
    });
    this.#search = new RouteSearch(config.id, deadlines, now(), {
      neighbours: () => out.neighbours(),
      linked,
      isLive: (id) => table.isLive(id),
      send: (peer, question) => out.tell(peer, question),
      asked: (origin, path) => {
        this.#routes.learn(origin, path, now());
        this.carry(origin, { type: "routeFound" });
      },
    });
    this.#direct = new DirectMessages(config, deadlines, {
      carry: (to, inner, again) => this.#carryDirect(to, inner, again),
      sent: (id) => out.sent(id),
      failed: (id, reason) => out.sendFailed(id, reason),
    });
    this.streams = new Streams(config, deadlines, {
      ...out.streams,
      now,
      generation: () => table.own.generation,
      tell: (to, inner) => this.carry(to, inner),
      hop: (to) => this.#router.hop(to),
      search: (to) => this.#search.find(to, now()),
      unanswered: (to) => this.#unanswered(to),
    });
  }

  /** Messages carried for others since the start. */
  get relayed(): number {
    return this.#router.relayed;
  }

  /** Sends once and does not look back. False when there is no way now. */
  carry(to: MemberId, inner: Inner, bytes = 0): boolean {
    if (this.#router.carry(to, inner) !== undefined) return true;
    if (this.#router.hop(to) === undefined) return false;
    const then = (): void => void this.#router.carry(to, inner);
    return this.#out.seals.waitFor(to, WAITING_BYTES + bytes, then);
  }

  /** As {@link carry}, of any size. Where no way is known one is looked for; much of it makes a link worth while. */
  reach(to: MemberId, inner: Extract<Inner, { type: "part" }>): boolean {
    const isOnItsWay = this.carry(to, inner, inner.bytes.length);
    if (!isOnItsWay) this.#search.find(to, this.#now());
    this.#noteDemand(to, inner.bytes.length);
    return isOnItsWay;
  }

  /** The next piece of a stream for the link with `neighbour`, which has room. */
  nextPiece(neighbour: MemberId): Message | undefined {
    const next = this.streams.next(neighbour);
    if (next === undefined) return undefined;
    this.#noteDemand(next.to, next.inner.bytes.length);
    return this.#router.enclose(next.to, next.inner);
  }

  /** Sends until it has arrived: ends in `sent` or `sendFailed`. */
  send(command: Parameters<DirectMessages["send"]>[0], generation: number): void {
    this.#direct.send(command, generation, this.#now());
  }

  /** `to` can be reached along `path`: something came that way. */
  learn(to: MemberId, path: readonly MemberId[]): void {
    this.#routes.learn(to, path, this.#now());
  }

  onRouted(neighbour: MemberId, message: MessageOf<"routed">): void {
    this.#router.onRouted(neighbour, message);
  }

  onNoRoute(message: MessageOf<"noRoute">): void {
    this.#router.onNoRoute(message);
  }

  onRouteSearch(neighbour: MemberId, question: MessageOf<"routeSearch">): void {
    this.#search.onQuestion(neighbour, question, this.#now());
  }

  onDirect(from: MemberId, inner: Extract<Inner, { type: "direct" }>): void {
    const { generation, sequence, name, value } = inner;
    if (!this.#direct.bears(from, this.#now())) return this.#out.flooded(from);
    this.#router.carry(from, { type: "directAck", generation, sequence });
    if (this.#direct.isNew(from, generation, sequence)) this.#out.heard(from, name, value);
  }

  onAck(from: MemberId, inner: Extract<Inner, { type: "directAck" }>): void {
    this.#direct.onAck(from, inner.sequence);
  }

  /** A member's record has come. */
  onRecord(id: MemberId): void {
    this.#out.seals.onRecord(id);
  }

  /** Our link with `peer` came or went. */
  linksChanged(peer: MemberId): void {
    this.#direct.wayChanged(peer, this.#now());
    this.streams.linksChanged(peer, this.#out.linked(peer));
  }

  /** The member left or is down. */
  gone(peer: MemberId): void {
    this.#search.end(peer);
    this.#direct.gone(peer);
    this.streams.gone(peer);
  }

  onDeadline(sequence: number): void {
    this.#direct.onDeadline(sequence, this.#now());
  }

  onSearchDeadline(target: MemberId): void {
    this.#search.onDeadline(target, this.#now());
  }

  #onInner(from: MemberId, inner: Inner): void {
    // Whatever it is: it came along a way, and that is known now.
    this.#search.end(from);
    if (inner.type === "routeFound") return this.#direct.wayChanged(from, this.#now());
    this.#out.arrived(from, inner);
  }

  #carryDirect(
    to: MemberId,
    inner: Extract<Inner, { type: "direct" }>,
    again: boolean,
  ): { via: MemberId; waits: () => boolean } | undefined {
    const now = this.#now();
    if (again) this.#unanswered(to);
    const via = this.#router.carry(to, inner);
    if (via === undefined) this.#search.find(to, now);
    this.#noteDemand(to, inner.value.length);
    return via === undefined ? undefined : { via, waits: this.#out.queued(via) };
  }

  /** What was sent to `to` was not answered: another way is tried, if there is one. */
  #unanswered(to: MemberId): void {
    if (!this.#out.linked(to)) this.#routes.unanswered(to, this.#now());
  }

  /** Much that goes to `to` over others asks it for a link. */
  #noteDemand(to: MemberId, bytes: number): void {
    const isMuch = this.demand.note(to, bytes, this.#now());
    if (isMuch && !this.#out.linked(to) && this.#out.wanted(to)) this.demand.want(to);
  }
}
