/**
 * The links: who is at the other end, what waits to be sent, what comes in.
 *
 * A link begins with a `hello` from both ends. Before the other's hello nothing else is accepted, so a stranger's
 * cluster or another major version is refused and never half-joined. One link joins a pair. A newer one takes the place
 * of the older once it is greeted, if one of the ends has lost that, or hears nothing over it: it says so. When glare
 * made two, the member with the lower id says `bye` on the newer.
 *
 * Two classes of what must arrive: urgent frames go at once; bulk waits, and only enters the transport while less than a window of it is unacknowledged by the other end (`credit`), so that urgent frames never stand behind
 * much of it and a slow receiver slows its senders. Bulk is what was queued, in turn with what is only made when the
 * link has room for it: state, of which by then something newer may be known, and streams.
 */

import type { Config } from "../config.ts";
import { invariant } from "../lib/invariant.ts";
import type { Effect, Input, Lane, LinkId, MemberId } from "../machine.ts";
import type { FrameCodec, RejectReason } from "../wire/codec.ts";
import {
  DATAGRAM_BYTES_MAX,
  FEATURE_ONLY_LINK,
  FRAME_BYTES_MAX,
  type MemberRecord,
  type Message,
  type MessageOf,
} from "../wire/messages.ts";
import { type Offence, SMALL_BYTES } from "./conduct.ts";
import { Outgoing } from "./fragments.ts";
import { BULK, CARRIED, laneOf } from "./lanes.ts";
import { type Link, newLink } from "./link.ts";

/** More unacknowledged than this is bulk: answers to probes may stand behind it. Bytes. */
const BULK_BYTES = 65_536;

/** Bulk is acknowledged after this much of it, so that a window never waits for its last frame. Bytes. */
const CREDIT_BYTES = 32_768;

/** After a large message the next one may be on its way so long, ms. Guess, unmeasured. */
const BULK_PAUSE_MS = 1_000;

/** A link must greet by then, ms. One slow handshake and a busy page; guess, unmeasured. */
const GREETING_MS = 5_000;

/** What opens within so long of one another was begun by both ends at once, ms: neither knew. Guess, unmeasured. */
const GLARE_MS = 1_000;

/** Why a frame was refused: it cannot be read, or greets in another's name. */
export type Refusal = RejectReason | "identity";

export type ByeReason = MessageOf<"bye">["reason"];

interface BulkOptions {
  readonly token?: number | undefined;
  /** Which of those that take turns. Default `queue`. */
  readonly place?: "ahead" | "queue" | "passing";
}

/** Encoded, for a lane. */
export interface Bulk {
  readonly bytes: Uint8Array;
  readonly lane: Lane;
}

export interface LinksOut {
  effect(effect: Effect): void;
  /** What the hello says of us; undefined while it cannot be said yet: `greet` then. */
  ownRecord(): MemberRecord | undefined;
  /** What the hello says that we can and want. */
  readonly features: number;
  /** Whether the member may link with us; the reason if not. */
  admits(record: MemberRecord, features: number): ByeReason | undefined;
  /** The first link with `peer` is open. */
  up(peer: MemberId, record: MemberRecord, link: Link): void;
  /** The last link with `peer` is gone; `onPurpose` when a bye was said. */
  down(peer: MemberId, reason: string, onPurpose: boolean): void;
  message(from: MemberId, message: Message, link: Link): void;
  /** More was done on a link of this member than is borne. */
  offended(peer: MemberId, what: Offence): void;
  /** Whether nothing has come from this neighbour for longer than from one that is there. */
  isSilent(peer: MemberId): boolean;
  /** A frame was refused; the link stays unless it was greeting. */
  rejected(link: Link, reason: Refusal): void;
  /** The time of this step, ms. */
  now(): number;
  /** Sources of bulk for a peer that is made when its turn comes; undefined when there is none. */
  readonly bulk: readonly ((peer: MemberId) => Bulk | undefined)[];
  /** What was sent with this token has been handed over to one link, or that link is gone. */
  handedOver(token: number): void;
}

export class LinkTable {
  readonly #config: Config;
  readonly #codec: FrameCodec;
  readonly #out: LinksOut;
  readonly #links = new Map<LinkId, Link>();
  /** Links whose other end has said bye and is to close them, and since when, ms. */
  readonly #ending = new Map<LinkId, { readonly link: Link; readonly since: number }>();
  /** Greeted links by peer; the first is the one in use. */
  readonly #byPeer = new Map<MemberId, Link[]>();
  /** The peers, until one comes or goes: they are asked for often. */
  #peers: readonly MemberId[] | undefined;

  constructor(config: Config, codec: FrameCodec, out: LinksOut) {
    this.#config = config;
    this.#codec = codec;
    this.#out = out;
  }

  /** Members with a greeted link. */
  peers(): readonly MemberId[] {
    this.#peers ??= [...this.#byPeer.keys()];
    return this.#peers;
  }

  get count(): number {
    return this.#byPeer.size;
  }

  has(peer: MemberId): boolean {
    return this.#byPeer.has(peer);
  }

  linkTo(peer: MemberId): Link | undefined {
    return this.#byPeer.get(peer)?.[0];
  }

  /** Whether bulk is under way on the link with `peer`, or was lately: what is urgent may stall with it. */
  carriesBulk(peer: MemberId, now: number): boolean {
    const link = this.linkTo(peer);
    if (link === undefined) return false;
    const unacknowledged = link.bulkSentBytes - link.bulkCreditedBytes;
    return unacknowledged > BULK_BYTES || now - link.fragmentAt < this.#config.giveUpBulkMs;
  }

  /** When a bulk message last made progress towards us on any link, ms. */
  bulkProgressAt(): number {
    let latest = Number.NEGATIVE_INFINITY;
    for (const link of this.#links.values()) latest = Math.max(latest, link.assembly.progressAt);
    return latest;
  }

  open({ link: id, transport, peer }: Extract<Input, { type: "linkUp" }>, now: number): void {
    invariant(!this.#links.has(id), "the driver never reuses a link id");
    const link = newLink({ id, transport, proven: peer, openedAt: now }, this.#config);
    this.#links.set(id, link);
    this.#greet(link);
  }

  /** What the hello says of us can be said from now on. */
  greet(): void {
    for (const link of this.#links.values()) this.#greet(link);
  }

  #greet(link: Link): void {
    const record = this.#out.ownRecord();
    if (record === undefined) return;
    const isOnly = !this.has(link.proven) || this.#out.isSilent(link.proven);
    const features = this.#out.features | (isOnly ? FEATURE_ONLY_LINK : 0);
    this.#sendNow(link, { type: "hello", record, features });
  }

  /** The transport lost the link. */
  closed(id: LinkId, reason: string): void {
    this.#ending.delete(id);
    const link = this.#links.get(id);
    if (link !== undefined) this.#remove(link, reason, false);
  }

  /** Ends every link of `peer`, saying why. */
  bye(peer: MemberId, reason: ByeReason): void {
    for (const link of [...(this.#byPeer.get(peer) ?? [])]) this.#byeLink(link, reason);
  }

  /** Ends every link without a bye: the other end has been silent. */
  drop(peer: MemberId, reason: string): void {
    for (const link of [...(this.#byPeer.get(peer) ?? [])]) {
      this.#out.effect({ type: "disconnect", link: link.id, reason });
      this.#remove(link, reason, false);
    }
  }

  /** Links whose other end has not greeted in time, or has said bye and not closed them. */
  expireGreetings(now: number): void {
    for (const [id, { since }] of this.#ending) {
      if (now - since < GREETING_MS) continue;
      this.#ending.delete(id);
      this.#out.effect({ type: "disconnect", link: id, reason: "bye, and not closed" });
    }
    for (const link of [...this.#links.values()]) {
      if (link.peer !== undefined || now - link.openedAt < GREETING_MS) continue;
      this.#out.effect({ type: "disconnect", link: link.id, reason: "no greeting" });
      this.#remove(link, "no greeting", true);
    }
  }

  /** Urgent, or small and lossy: leaves at once. False when there is no link. */
  send(peer: MemberId, message: Message, lane: Lane = laneOf(message)): boolean {
    const link = this.linkTo(peer);
    if (link !== undefined) this.#sendNow(link, message, lane);
    return link !== undefined;
  }

  /**
   * Bulk: behind what already waits. Encoded once by the caller, for many links.
   * False, and nothing is queued, when there is no link or its queue is full.
   */
  sendBulk(
    peer: MemberId,
    encoded: Uint8Array,
    lane: Lane,
    { token, place = "queue" }: BulkOptions = {},
  ): boolean {
    const link = this.linkTo(peer);
    if (link === undefined) return false;
    const { queueBytesMax, streamWindowBytesMax } = this.#config;
    const bytesMax = place === "queue" ? queueBytesMax : streamWindowBytesMax;
    const waiting = link[place];
    if (waiting.bytes + encoded.length > bytesMax) return false;
    const message = new Outgoing(encoded, lane, token);
    if (place === "queue") link.last = message;
    waiting.add(message);
    this.#pump(link);
    return true;
  }

  /**
   * Something small of the bulk class, past all that waits. False when there is no link, when it is full of bulk, or
   * when this is not small (what a stranger made has no size to be trusted): then nothing was sent.
   */
  sendEager(peer: MemberId, encoded: Uint8Array, lane: Lane): boolean {
    const link = this.linkTo(peer);
    if (link === undefined || encoded.length > DATAGRAM_BYTES_MAX || !this.#hasRoom(link)) {
      return false;
    }
    if (lane !== "datagram") link.bulkSentBytes += encoded.length;
    this.#transmit(link, lane, encoded);
    return true;
  }

  /** One of the sources of bulk has something. */
  wake(peer: MemberId): void {
    const link = this.linkTo(peer);
    if (link !== undefined) this.#pump(link);
  }

  /** Whether `peer` is in the middle of sending something large, or was a moment ago: a stall is no end of it. */
  bringsBulk(peer: MemberId): boolean {
    const link = this.linkTo(peer);
    if (link === undefined) return false;
    const patienceMs = link.assembly.isEmpty ? BULK_PAUSE_MS : this.#config.giveUpBulkMs;
    return this.#out.now() - link.fragmentAt < patienceMs;
  }

  /** Tells whether what was queued last for `peer` still waits, here and on this link. */
  queued(peer: MemberId): () => boolean {
    const link = this.linkTo(peer);
    const last = link?.last;
    return () => link !== undefined && this.#links.has(link.id) && last?.done === false;
  }

  encode(message: Message): Uint8Array {
    return this.#codec.encode(message);
  }

  writable(id: LinkId, bytes: number): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    link.inFlightBytes = Math.max(0, link.inFlightBytes - bytes);
    this.#pump(link);
  }

  packet(id: LinkId, bytes: Uint8Array, now: number, lane: Lane = "reliable"): void {
    const link = this.#links.get(id) ?? this.#overtaken(id, lane);
    if (link === undefined) return;
    link.receivedBytes += bytes.length;
    const decoded = this.#codec.decode(bytes);
    if (!decoded.ok) return this.#refuse(link, decoded.reason);
    if (bytes.length < SMALL_BYTES) {
      const kind = CARRIED.has(decoded.message.type) ? "carried" : "flood";
      if (link.conduct.tooMuch(kind, now)) return this.#offend(link, "flood");
    }
    if (lane !== "datagram" && BULK.has(decoded.message.type)) {
      link.bulkReceivedBytes += bytes.length;
      const open = link.bulkReceivedBytes - link.bulkAcknowledgedBytes;
      if (open >= CREDIT_BYTES) this.#acknowledge(link, 0);
    }
    this.#received(link, decoded.message, now);
  }

  /** The link that has ended by a bye: what that has overtaken is still on its way. */
  #overtaken(id: LinkId, lane: Lane): Link | undefined {
    return lane === "unordered" ? this.#ending.get(id)?.link : undefined;
  }

  #acknowledge(link: Link, whole: number): void {
    link.bulkAcknowledgedBytes = link.bulkReceivedBytes;
    this.#sendNow(link, { type: "credit", total: link.bulkReceivedBytes, whole });
  }

  /** The other end has received so much; more than was sent, or less than before, means nothing. */
  #onCredit(link: Link, { total, whole }: MessageOf<"credit">): void {
    link.underway.whole(whole);
    if (total > link.bulkCreditedBytes && total <= link.bulkSentBytes) {
      link.bulkCreditedBytes = total;
      link.window.onAcknowledged(total, this.#out.now());
      // An honest end has something new to say each time, and of what was sent.
    } else if (link.conduct.tooMuch("flood", this.#out.now())) return this.#offend(link, "flood");
    this.#pump(link);
  }

  #received(link: Link, message: Message, now: number): void {
    if (message.type === "fragment") {
      link.fragmentAt = now;
      const whole = link.peer === undefined ? "broken" : link.assembly.add(message, now);
      if (whole === "more") return;
      if (whole === "broken") return this.#refuse(link, "malformed", true);
      this.#acknowledge(link, message.message);
      const decoded = this.#codec.decode(whole);
      if (!decoded.ok) return this.#refuse(link, decoded.reason);
      if (decoded.message.type === "fragment") return this.#refuse(link, "malformed", true);
      return this.#received(link, decoded.message, now);
    }
    if (message.type === "hello") return this.#onHello(link, message);
    // The datagram lane may overtake the hello on the reliable one: early probes are no offence.
    if (link.peer === undefined) return;
    if (message.type === "bye") {
      // It closes the link itself. Closing ours too would be a send into a channel that is being torn down.
      this.#ending.set(link.id, { link, since: now });
      return this.#remove(link, `bye: ${message.reason}`, true);
    }
    link.answered = true;
    if (message.type === "credit") return this.#onCredit(link, message);
    this.#out.message(link.peer, message, link);
  }

  #refuse(link: Link, reason: Refusal, broken = false): void {
    this.#out.rejected(link, reason);
    if (link.conduct.tooMuch("malformed", this.#out.now())) return this.#offend(link, "malformed");
    if (link.peer !== undefined && !broken) return;
    this.#out.effect({ type: "disconnect", link: link.id, reason: `rejected: ${reason}` });
    this.#remove(link, `rejected: ${reason}`, link.peer === undefined);
  }

  #offend(link: Link, what: Offence): void {
    if (link.peer !== undefined) return this.#out.offended(link.peer, what);
    this.#out.effect({ type: "disconnect", link: link.id, reason: what });
    this.#remove(link, what, true);
  }

  #onHello(link: Link, { record, features }: MessageOf<"hello">): void {
    if (link.peer !== undefined) return;
    if (record.id !== link.proven) return this.#refuse(link, "identity");
    const refusal = this.#out.admits(record, features);
    if (refusal !== undefined) return this.#byeLink(link, refusal);
    link.peer = record.id;
    link.generation = record.generation;
    const former = this.linkTo(record.id);
    const isOnly = (features & FEATURE_ONLY_LINK) > 0;
    if (former && this.#supersedes(link, former, isOnly)) this.drop(record.id, "superseded");
    const links = this.#byPeer.get(record.id);
    if (links === undefined) {
      this.#byPeer.set(record.id, [link]);
      this.#peers = undefined;
      this.#out.up(record.id, record, link);
      return;
    }
    links.push(link);
    const old = links[0] as Link;
    if (old.generation < record.generation) {
      // A restarted member's old links are dead even if nobody noticed.
      this.#out.effect({ type: "disconnect", link: old.id, reason: "restarted" });
      this.#remove(old, "restarted", false);
      this.#out.up(record.id, record, link);
    } else if (this.#config.id < record.id) {
      this.#byeLink(link, "duplicate");
    }
  }

  /** @param isOnly the other end says that it has no other link with us */
  #supersedes(link: Link, former: Link, isOnly: boolean): boolean {
    if (former.generation < link.generation) return false;
    const isGlare = link.openedAt - former.openedAt < GLARE_MS;
    return this.#out.isSilent(former.proven) || (isOnly && !isGlare);
  }

  #byeLink(link: Link, reason: ByeReason): void {
    this.#sendNow(link, { type: "bye", reason });
    this.#out.effect({ type: "disconnect", link: link.id, reason: `bye: ${reason}` });
    this.#remove(link, `bye: ${reason}`, true);
  }

  #remove(link: Link, reason: string, onPurpose: boolean): void {
    if (!this.#links.delete(link.id)) return;
    for (const waiting of [link.current, ...link.queue.takeAll()]) {
      if (waiting?.token !== undefined) this.#out.handedOver(waiting.token);
    }
    link.current = undefined;
    if (link.peer === undefined) return;
    const links = (this.#byPeer.get(link.peer) ?? []).filter((other) => other !== link);
    if (links.length > 0) {
      this.#byPeer.set(link.peer, links);
      return;
    }
    this.#byPeer.delete(link.peer);
    this.#peers = undefined;
    this.#out.down(link.peer, reason, onPurpose);
  }

  #sendNow(link: Link, message: Message, lane: Lane = laneOf(message)): void {
    if (!this.#links.has(link.id)) return;
    const bytes = this.#codec.encode(message);
    if (bytes.length <= FRAME_BYTES_MAX) return this.#transmit(link, lane, bytes);
    invariant(lane !== "datagram", "what rides the datagram lane fits a datagram");
    link.queue.add(new Outgoing(bytes, lane));
    this.#pump(link);
  }

  #transmit(link: Link, wanted: Lane, bytes: Uint8Array): void {
    const lane = wanted === "unordered" && !link.answered ? "reliable" : wanted;
    if (lane !== "datagram") link.inFlightBytes += bytes.length;
    link.sentBytes += bytes.length;
    this.#out.effect({ type: "send", link: link.id, lane, bytes });
  }

  #pump(link: Link): void {
    while (this.#hasRoom(link)) {
      link.current ??= this.#nextOf(link);
      const message = link.current;
      if (message === undefined) return;
      const frame = message.next(this.#codec, link.underway);
      if (frame === undefined) return;
      link.bulkSentBytes += frame.length;
      this.#transmit(link, message.lane, frame);
      if (!message.done) continue;
      link.current = undefined;
      if (message.token !== undefined) this.#out.handedOver(message.token);
    }
    // The other end acknowledges every `CREDIT_BYTES`, so the last of them may stay open.
    if (link.bulkSentBytes - link.bulkCreditedBytes >= link.window.bytes) {
      link.window.onFull(link.bulkSentBytes - CREDIT_BYTES, this.#out.now());
    }
  }

  /** What is queued, what is passed on and what is made take turns. */
  #nextOf(link: Link): Outgoing | undefined {
    const { bulk } = this.#out;
    const waiting = [link.ahead, link.queue, link.passing];
    const sources = waiting.length + bulk.length;
    for (let i = 0; i < sources; i++) {
      const turn = (link.turn + i) % sources;
      const make = bulk[turn - waiting.length];
      const next = make === undefined ? waiting[turn]?.take() : this.#make(link, make);
      if (next === undefined) continue;
      link.turn = turn + 1;
      return next;
    }
    return undefined;
  }

  #make(link: Link, make: LinksOut["bulk"][number]): Outgoing | undefined {
    const made = link.peer === undefined ? undefined : make(link.peer);
    return made && new Outgoing(made.bytes, made.lane);
  }

  #hasRoom(link: Link): boolean {
    const { bytes } = link.window;
    const unacknowledged = link.bulkSentBytes - link.bulkCreditedBytes;
    return unacknowledged < bytes && link.inFlightBytes < bytes;
  }
}
