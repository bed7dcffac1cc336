/**
 * Links between members: how they come about, what they carry, and what goes wrong with it.
 *
 * A link is two ends, each owned by a member. Its latency is drawn once. The datagram lane loses, doubles and
 * reorders. The reliable lane keeps the order: a lost transmission is repeated after SCTP's retransmission time,
 * which doubles, and what follows waits behind it; on the unordered lane nothing does. A partition, a sleeping machine, a deaf or mute member lose
 * datagrams and hold up the reliable lane until they are over; nobody is told that a link is dead.
 */

import { Rng } from "../core/lib/rng.ts";
import type { AttemptId, Input, Lane, LinkId } from "../core/machine.ts";
import { DATAGRAM_BYTES_MAX } from "../core/wire/messages.ts";
import { type EventQueue, Happening } from "./event-queue.ts";
import type { LinkEnd, SimAttempt, SimMember } from "./member.ts";
import { drawLatency, type NetworkOptions } from "./network-options.ts";

/** Retransmission times double up to this, ms. */
const RETRANSMIT_MS_MAX = 4_000;

/** The kind of transport whose ends have addresses. */
const DIALLED = "udp";

export interface NetworkOut {
  input(member: SimMember, input: Input): void;
}

export class Network {
  options: NetworkOptions;
  readonly #queue: EventQueue;
  readonly #rng: Rng;
  readonly #out: NetworkOut;
  /** One-way cuts: `from.index · INDEX_MAX + to.index`. */
  readonly #blocked = new Set<number>();
  #lastLink = 0;
  /** Links that are open. */
  linkCount = 0;

  constructor(options: NetworkOptions, queue: EventQueue, rng: Rng, out: NetworkOut) {
    this.options = options;
    this.#queue = queue;
    this.#rng = rng;
    this.#out = out;
  }

  latencyMs(): number {
    return drawLatency(this.options, this.#rng);
  }

  /** Nothing goes from `from` to `to` any more; the other direction is as it was. */
  block(from: SimMember, to: SimMember): void {
    this.#blocked.add(pairKey(from, to));
  }

  unblock(): void {
    this.#blocked.clear();
  }

  /** Whether what leaves `from` now gets to `to`. */
  reaches(from: SimMember, to: SimMember): boolean {
    return from.alive && !from.mute && !from.asleep && this.#arrives(from, to);
  }

  /** Whether what has left `from` gets to `to`: its sender may be gone by now. */
  #arrives(from: SimMember, to: SimMember): boolean {
    if (from.group !== to.group || to.deaf || to.asleep || !to.alive) return false;
    return this.#blocked.size === 0 || !this.#blocked.has(pairKey(from, to));
  }

  /** An attempt begins: the initiator makes its offer. */
  connect(member: SimMember, attempt: AttemptId, to: SimAttempt): void {
    const { initiator } = to;
    member.attempts.set(attempt, to);
    this.#queue.later(this.options.linkFailureMs, () => {
      if (!member.attempts.delete(attempt)) return;
      this.#out.input(member, { type: "connectFailed", attempt, reason: "no link in time" });
    });
    if (initiator && this.#rng.float() >= this.options.linkFailure) this.#signal(member, attempt);
  }

  /** A member dials another's address. Who dials hears nothing of a failure. */
  dial(member: SimMember, peer: SimMember): void {
    if (this.#rng.float() < this.options.linkFailure) return;
    this.#queue.later(this.options.linkSetupMs, () => {
      if (peer.config.addresses.length === 0 || !this.#connects(member, peer, DIALLED)) return;
      for (const end of this.open(member, peer)) this.#tellUp(end, undefined, DIALLED);
    });
  }

  /** Signalling from the other end of an attempt: an offer is answered, an answer opens the link. */
  onSignal(member: SimMember, attempt: AttemptId, payload: Uint8Array): void {
    const own = member.attempts.get(attempt);
    const theirs = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
    if (own === undefined) return;
    if (!own.initiator) return this.#signal(member, attempt);
    this.#queue.later(this.options.linkSetupMs, () => this.#meet(member, attempt, theirs));
  }

  /** Opens a link between two members. */
  open(a: SimMember, b: SimMember, latencyMs = this.latencyMs()): readonly [LinkEnd, LinkEnd] {
    const there = this.#end(b, a, latencyMs);
    const here = this.#end(a, b, latencyMs);
    here.other = there;
    there.other = here;
    a.links.set(here.id, here);
    b.links.set(there.id, there);
    this.linkCount++;
    return [here, there];
  }

  send(member: SimMember, link: LinkId, lane: Lane, bytes: Uint8Array): void {
    const end = member.links.get(link);
    if (end === undefined) return;
    const { now } = this.#queue;
    const busyMs = (bytes.length / this.options.bytesPerSecond) * 1_000;
    end.busyUntil = Math.max(now, end.busyUntil) + busyMs;
    if (lane === "datagram") return this.#sendDatagram(end, bytes);
    this.#reportLeaving(end, bytes.length);
    let leavesAt = end.busyUntil;
    if (this.options.reliableLoss > 0) leavesAt += this.#retransmissionsMs(end, bytes.length);
    end.sentAt = now;
    let at = leavesAt + end.latencyMs + this.#jitterMs();
    if (lane === "reliable") at = end.arrivesAt = Math.max(end.arrivesAt, at);
    end.lastAt = Math.max(end.lastAt, at);
    if (member.mute) leavesAt = Number.POSITIVE_INFINITY;
    this.#queue.add(at, new Arrival(this, end.other, lane, bytes, leavesAt));
  }

  /** One end closes the link; the other notices once the news has come, behind what was sent before. */
  disconnect(member: SimMember, link: LinkId): void {
    const end = member.links.get(link);
    if (end === undefined) return;
    this.#remove(end);
    const { other } = end;
    const at = Math.max(this.#queue.now + end.latencyMs, end.lastAt);
    this.#queue.later(at - this.#queue.now, () => {
      if (this.#arrives(member, other.owner)) this.close(other, "closed by the other end");
    });
  }

  /** The owner's end is gone, and it is told so. */
  close(end: LinkEnd, reason: string): void {
    if (!this.#remove(end)) return;
    this.#out.input(end.owner, { type: "linkDown", link: end.id, reason });
  }

  /** A frame has come to an end of a link, if its sender was still there when it left. */
  arrive(end: LinkEnd, lane: Lane, bytes: Uint8Array, leftAt: number): void {
    if (end.owner.links.get(end.id) !== end) return;
    const left = leftAt <= this.#queue.now && leftAt <= end.to.goneAt;
    const waits = lane !== "datagram" && end.stalled.length > 0;
    if (left && !waits && this.#arrives(end.to, end.owner)) {
      this.#out.input(end.owner, { type: "packet", link: end.id, lane, bytes });
    } else if (lane !== "datagram") {
      end.stalled.push({ lane, bytes });
      if (end.stalled.length === 1) this.#retry(end, this.#retransmitMs(end));
    }
  }

  #remove(end: LinkEnd): boolean {
    if (!end.owner.links.delete(end.id)) return false;
    if (end.other.owner.links.has(end.other.id)) this.linkCount--;
    return true;
  }

  #retry(end: LinkEnd, ms: number): void {
    this.#queue.later(ms, () => {
      if (end.owner.links.get(end.id) !== end || !end.to.alive) return;
      // Who has closed its end repeats nothing.
      if (!end.to.links.has(end.other.id)) return;
      if (!this.reaches(end.to, end.owner)) {
        return this.#retry(end, Math.min(2 * ms, RETRANSMIT_MS_MAX));
      }
      for (const frame of end.stalled.splice(0)) {
        this.#out.input(end.owner, { type: "packet", link: end.id, ...frame });
      }
    });
  }

  #sendDatagram(end: LinkEnd, bytes: Uint8Array): void {
    if (bytes.length > DATAGRAM_BYTES_MAX) {
      throw new RangeError(`a datagram of ${bytes.length} bytes: at most ${DATAGRAM_BYTES_MAX}`);
    }
    const { loss, duplicate, reorder, reorderMs } = this.options;
    if (end.owner.mute || (loss > 0 && this.#rng.float() < loss)) return;
    const copies = duplicate > 0 && this.#rng.float() < duplicate ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      let at = end.busyUntil + end.latencyMs + this.#jitterMs();
      if (reorder > 0 && this.#rng.float() < reorder) at += this.#rng.float() * reorderMs;
      this.#queue.add(at, new Arrival(this, end.other, "datagram", bytes, end.busyUntil));
    }
  }

  /** The transport's buffer empties: reported together. */
  #reportLeaving(end: LinkEnd, bytes: number): void {
    end.leavingBytes += bytes;
    if (end.leavingBytes > bytes) return;
    this.#queue.later(Math.max(1, end.busyUntil - this.#queue.now), () => this.#left(end));
  }

  #left(end: LinkEnd): void {
    const { now } = this.#queue;
    if (end.owner.links.get(end.id) !== end) return;
    const waitingMs = Math.max(0, end.busyUntil - now);
    const still = Math.min(end.leavingBytes, (waitingMs * this.options.bytesPerSecond) / 1_000);
    const left = waitingMs === 0 ? end.leavingBytes : end.leavingBytes - Math.floor(still);
    end.leavingBytes -= left;
    if (end.leavingBytes > 0) this.#queue.later(Math.max(1, waitingMs), () => this.#left(end));
    if (left > 0) {
      this.#out.input(end.owner, { type: "writable", link: end.id, bytes: left });
    }
  }

  #jitterMs(): number {
    const { jitterMs } = this.options;
    return jitterMs === 0 ? 0 : this.#rng.float() * jitterMs;
  }

  #retransmitMs(end: LinkEnd): number {
    const { retransmitMs, retransmitMsMin } = this.options;
    return Math.max(retransmitMsMin, 2 * end.latencyMs + retransmitMs);
  }

  #retransmissionsMs(end: LinkEnd, bytes: number): number {
    const { reliableLoss } = this.options;
    if (this.#rng.float() >= reliableLoss) return 0;
    const isStream =
      bytes > 3 * DATAGRAM_BYTES_MAX || this.#queue.now - end.sentAt < 2 * end.latencyMs;
    let total = isStream ? 2 * end.latencyMs : 0;
    let ms = this.#retransmitMs(end);
    // A loss of 1 must end too.
    for (let i = isStream ? 1 : 0; i < 16; i++) {
      if (i > 0 && this.#rng.float() >= reliableLoss) break;
      total += ms;
      ms = Math.min(2 * ms, RETRANSMIT_MS_MAX);
    }
    return total;
  }

  #signal(member: SimMember, attempt: AttemptId): void {
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, attempt);
    this.#queue.later(0, () => {
      if (member.attempts.has(attempt))
        this.#out.input(member, { type: "signal", attempt, payload });
    });
  }

  /** Both ends have each other's signalling, and the path is there or not. */
  #meet(a: SimMember, attempt: AttemptId, theirs: AttemptId): void {
    const { peer: b, kind } = a.attempts.get(attempt) ?? {};
    const other = b?.attempts.get(theirs);
    if (b === undefined || other?.peer !== a || other.kind !== kind) return;
    if (!this.#connects(a, b, kind)) return;
    a.attempts.delete(attempt);
    b.attempts.delete(theirs);
    const [here, there] = this.open(a, b);
    const transport = kind ?? "sim";
    this.#tellUp(here, attempt, transport);
    this.#tellUp(there, theirs, transport);
  }

  #tellUp({ id, owner, to }: LinkEnd, attempt: AttemptId | undefined, transport: string): void {
    const peer = to.config.id;
    this.#out.input(owner, { type: "linkUp", link: id, attempt, transport, peer });
  }

  /** Whether a transport finds a way between two members. */
  #connects(a: SimMember, b: SimMember, kind: string | undefined): boolean {
    return this.reaches(a, b) && this.reaches(b, a) && this.#suits(a, b, kind);
  }

  /** Whether any transport could find a way between two members that are there. */
  couldConnect(a: SimMember, b: SimMember): boolean {
    if (a.config.kinds.length === 0) return true;
    return a.config.kinds.some((kind) => this.#suits(a, b, kind));
  }

  #suits(a: SimMember, b: SimMember, kind: string | undefined): boolean {
    if (kind === undefined) return true;
    if (!a.config.kinds.includes(kind) || !b.config.kinds.includes(kind)) return false;
    const share = this.options.kindFailure[kind] ?? 0;
    return share === 0 || Rng.fromSeed(pairKey(...ordered(a, b))).float() >= share;
  }

  #end(owner: SimMember, to: SimMember, latencyMs: number): LinkEnd {
    const end = {
      id: ++this.#lastLink,
      owner,
      to,
      latencyMs,
      other: undefined as unknown as LinkEnd,
      sentAt: Number.NEGATIVE_INFINITY,
      arrivesAt: 0,
      lastAt: 0,
      busyUntil: 0,
      leavingBytes: 0,
      stalled: [],
    };
    end.other = end;
    return end;
  }
}

class Arrival extends Happening {
  readonly #network: Network;
  readonly #end: LinkEnd;
  readonly #lane: Lane;
  readonly #bytes: Uint8Array;
  /** When it has left its sender at last. */
  readonly #leftAt: number;

  constructor(network: Network, end: LinkEnd, lane: Lane, bytes: Uint8Array, leftAt: number) {
    super();
    this.#network = network;
    this.#end = end;
    this.#lane = lane;
    this.#bytes = bytes;
    this.#leftAt = leftAt;
  }

  happen(): void {
    this.#network.arrive(this.#end, this.#lane, this.#bytes, this.#leftAt);
  }
}

/** The lower index first: a firewall is the same from both sides. */
function ordered(a: SimMember, b: SimMember): [SimMember, SimMember] {
  return a.index < b.index ? [a, b] : [b, a];
}

const INDEX_MAX = 2 ** 24;

function pairKey(from: SimMember, to: SimMember): number {
  return from.index * INDEX_MAX + to.index;
}
