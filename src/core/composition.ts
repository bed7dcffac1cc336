/**
 * The only composer: makes the layers, hands messages to them and their results to each other, explicitly. No layer
 * knows another; what one asks of another stands here. `PROTOCOL.md` is the map.
 */

import { Broadcast } from "./broadcast/broadcast.ts";
import { Handovers } from "./broadcast/handover.ts";
import type { Words } from "./broadcast/lasting.ts";
import type { Config } from "./config.ts";
import { Deadlines } from "./lib/deadlines.ts";
import type { Rng } from "./lib/rng.ts";
import { isAhead, isPiece, laneOf } from "./links/lanes.ts";
import { type Bulk, type ByeReason, LinkTable, type Refusal } from "./links/link-table.ts";
import { Stalls } from "./links/stalls.ts";
import type { Effect, Lane, MemberId, MeshEvent } from "./machine.ts";
import { Membership, type MembershipOut } from "./membership/membership.ts";
import {
  type Change,
  isPresent,
  type Member,
  type MemberState,
  type MemberTable,
} from "./membership/table.ts";
import { kindsOf, viewOf } from "./membership/view.ts";
import { Linking } from "./overlay/linking.ts";
import { Delivery } from "./routing/delivery.ts";
import { Common } from "./shared/common.ts";
import { EncodedDeltas } from "./state/encoded.ts";
import { Replication } from "./state/replication.ts";
import type { StateChange } from "./state/store.ts";
import { isOfStream } from "./streams/streams.ts";
import { type FrameCodec, frameCodec } from "./wire/codec.ts";
import type { Fingerprints, Inner, MemberRecord, Message } from "./wire/messages.ts";

/** What members that are simulated in one process share: without it thousands do not fit into memory. */
export interface Shared {
  /** Encodes and decodes the frames. */
  readonly codec?: FrameCodec;
  /** What is known from the start, of a mesh that has settled. It must not change any more. */
  readonly known?: MemberTable;
}
export class Composition {
  readonly deadlines = new Deadlines();
  readonly links: LinkTable;
  readonly membership: Membership;
  readonly linking: Linking;
  readonly delivery: Delivery;
  readonly broadcast: Broadcast;
  readonly state: Replication;
  readonly common: Common;
  readonly #config: Config;
  readonly #codec: FrameCodec;
  readonly #stalls = new Stalls();
  readonly #handovers = new Handovers((id) => this.emit({ type: "said", id }));
  readonly rejected = { version: 0, cluster: 0, malformed: 0, identity: 0 };
  heard = 0;
  duplicates = 0;
  /** What came in our own name and is not ours. Of others' names only they can know. */
  forged = 0;
  /** The time of the step that runs, ms. */
  now: number;
  stopped = false;
  #connected = false;
  readonly #encodedDeltas = new EncodedDeltas((delta) => this.links.encode(delta));
  #effects: Effect[] = [];

  constructor(config: Config, rng: Rng, now: number, { codec, known }: Shared) {
    this.#config = config;
    this.now = now;
    this.#codec = codec ?? frameCodec(config.clusterHash);
    this.links = this.#makeLinks();
    this.membership = this.#makeMembership(now, known);
    this.delivery = this.#makeDelivery();
    this.broadcast = this.#makeBroadcast();
    this.state = this.#makeReplication(rng.fork("state"));
    this.linking = this.#makeLinking(rng);
    this.common = this.#makeCommon();
  }

  /** What the step that ends here asks of the driver. */
  takeEffects(): readonly Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Members with a link that takes part: all but sleepers. */
  #awake(): readonly MemberId[] {
    const peers = this.links.peers();
    const { table } = this.membership;
    return table.anyAsleep ? peers.filter((peer) => !table.isAsleep(peer)) : peers;
  }

  /** What two members must agree on when all is quiet. */
  fingerprints(): Fingerprints {
    const members = this.membership.table.hash;
    const state = this.state.store.hash;
    return {
      membersHigh: members.high,
      membersLow: members.low,
      stateHigh: state.high,
      stateLow: state.low,
      shared: this.common.sharing.registers.hash.low,
    };
  }

  /** Compares with every neighbour what both know, and what both have heard. */
  sync(): void {
    for (const peer of this.#awake()) this.#compare(peer);
  }

  #compare(peer: MemberId): void {
    this.#sendBaselines(peer);
    this.membership.repair.compare(peer, this.now);
    this.state.compare(peer);
    this.common.sharing.compare(peer);
  }

  /** The host stood still for `gapMs`, and the clock for `missedMs` of that. */
  resume(gapMs: number, missedMs: number): void {
    for (const peer of this.links.peers()) this.#stalls.add(peer, gapMs, this.now);
    this.common.sharing.resume(missedMs);
    this.state.resume(missedMs);
  }

  stop(reason: ByeReason, event: MeshEvent): void {
    this.linking.stop();
    for (const peer of this.links.peers()) this.links.bye(peer, reason);
    this.stopped = true;
    this.emit(event);
  }

  #onMessage(from: MemberId, message: Message): void {
    const now = this.now;
    this.#stalls.add(from, now - (this.membership.detector.lifeAt(from) ?? now), now);
    // Probes and their answers say more than that the other end lives: the membership reads them.
    if (message.type !== "ping" && message.type !== "ack") {
      this.membership.detector.onFrame(from, now);
    }
    switch (message.type) {
      case "ping":
        return this.membership.onPing(from, message, now);
      case "ack":
        return this.membership.onAck(from, message, now);
      case "members":
        return this.membership.onUpdates(from, message.updates, now);
      case "memberDigest":
        return this.membership.repair.onDigest(from, message, now);
      case "memberDelta":
        return this.membership.onDelta(from, message, now);
      case "memberParts":
        return this.membership.repair.onParts(from, message.hashes, now);
      case "stateDigest":
        return this.state.onDigest(from, message, now);
      case "stateParts":
        return this.state.onParts(from, message.hashes, now);
      case "stateWant":
        return this.state.onWant(from, message);
      case "stateDelta":
        this.#countForged(message.owner, message.to, this.state.store.versionOf(message.owner));
        return this.state.onDelta(from, message, now);
      case "local":
        return this.#onInner(from, message.inner);
      case "routed":
        return this.delivery.onRouted(from, message);
      case "noRoute":
        return this.delivery.onNoRoute(message);
      case "routeSearch":
        return this.delivery.onRouteSearch(from, message);
      case "forwardJoin":
        return this.linking.onForwardJoin(from, message, now);
      case "release":
        return this.linking.onRelease(from, message.hard, now);
      case "payload":
        if (!this.#knows(message.id.origin)) return this.broadcast.onStranger(from, message.id);
        this.#countForged(message.id.origin, message.id.sequence, this.broadcast.last.sequence);
        return this.broadcast.onPayload(from, message, now);
      case "iHave": {
        const known = message.ids.filter((id) => this.#knows(id.origin));
        for (const id of message.ids) {
          if (!this.#knows(id.origin)) this.broadcast.onStranger(from, id);
        }
        return this.broadcast.onIHave(from, known, now);
      }
      case "graft":
        return this.broadcast.onGraft(from, message.ids, message.once);
      case "prune":
        this.duplicates++;
        return this.broadcast.onPrune(from, message.origin);
      case "baselines":
        return this.broadcast.onBaselines(from, message.ids, now);
      case "shared":
      case "sharedParts":
      case "sharedDigest":
      case "sharedWant":
      case "sharedRefused":
        return this.common.onMessage(from, message);
      case "hello":
      case "bye":
      case "fragment":
      case "credit":
        return;
    }
  }

  /** Something of ours beyond what we have made. */
  #countForged(owner: MemberId, number: number, made: number): void {
    if (owner === this.#config.id && number > made) this.forged++;
  }

  #knows(id: MemberId): boolean {
    return this.membership.table.get(id) !== undefined;
  }

  #onInner(from: MemberId, inner: Inner): void {
    this.membership.failures.settle(from);
    if (inner.type === "probe") {
      this.delivery.carry(from, { type: "probeAck", sequence: inner.sequence });
    } else if (inner.type === "probeAck") this.membership.failures.onProbeAck(from, this.now);
    else if (inner.type === "direct") this.delivery.onDirect(from, inner);
    else if (inner.type === "directAck") this.delivery.onAck(from, inner);
    else if (isOfStream(inner)) this.delivery.streams.onMessage(from, inner);
    else this.linking.onInner(from, inner, undefined, this.now);
  }

  #onHeard(from: MemberId, { name, value }: Words, direct: boolean, late?: number): void {
    this.heard++;
    const event = { type: "heard", from, name, value, direct } as const;
    this.emit(late === undefined ? event : { ...event, late });
  }

  #reaches(origin: MemberId, neighbour: MemberId): boolean {
    const neighbours = this.membership.table.get(origin)?.record.neighbours;
    return neighbours?.includes(neighbour) ?? false;
  }

  #onChanged({ before, after }: Change): void {
    const { id, generation } = after.record;
    if (id !== this.#config.id) {
      const present = isPresent(after);
      const wasPresent = before !== undefined && isPresent(before);
      if (present || wasPresent) this.state.setLive(id, generation, present);
      if (!present) this.delivery.gone(id);
      else if (generation !== before?.record.generation) this.delivery.streams.gone(id);
      if (before !== undefined && this.links.has(id)) this.#onNeighbour(before.state, after);
      if (after.state === "left") this.state.drop(id);
      if (before === undefined) this.broadcast.onKnown(id, this.now);
      if (present && !wasPresent) this.linking.onArrived(id, this.now);
      for (const kind of kindsOf(before, after)) {
        this.emit({ type: "member", kind, member: viewOf(after) });
      }
    } else this.emit({ type: "member", kind: "update", member: viewOf(after) });
    this.linking.membersChanged(this.now);
  }

  /** The link with a sleeper stays and carries nothing, until it wakes. */
  #onNeighbour(was: MemberState, { state, record: { id } }: Member): void {
    if (was === state) return;
    if (state === "asleep") this.broadcast.removeNeighbour(id);
    if (was === "asleep") this.#compare(id);
  }

  #tellState(changes: readonly StateChange[]): void {
    for (const change of changes) this.emit({ type: "state", ...change });
  }

  #onLinkUp(peer: MemberId, record: MemberRecord, transport: string): void {
    const now = this.now;
    const isStranger = record.neighbours.length > 0 && !this.membership.table.isLive(peer);
    this.#sendBaselines(peer);
    this.membership.onLinkUp(peer, record, now);
    this.broadcast.addNeighbour(peer);
    this.state.onLinkUp(peer, record.generation);
    this.common.sharing.onLinkUp(peer);
    this.linking.onUp(peer, isStranger, now);
    this.emit({ type: "linkUp", peer, transport });
    this.delivery.linksChanged(peer);
    if (this.#connected) return;
    this.#connected = true;
    this.emit({ type: "connected" });
  }

  #sendBaselines(to: MemberId): void {
    const { generation } = this.membership.table.own;
    this.links.send(to, { type: "baselines", ids: this.broadcast.baselines(generation) });
  }

  #onLinkDown(peer: MemberId, reason: string, onPurpose: boolean): void {
    const now = this.now;
    this.membership.onLinkDown(peer, onPurpose, now);
    this.broadcast.removeNeighbour(peer);
    this.#stalls.remove(peer);
    this.state.onLinkDown(peer, now);
    this.common.sharing.onLinkDown(peer);
    this.linking.onDown(peer, onPurpose, now);
    this.emit({ type: "linkDown", peer, reason });
    this.delivery.linksChanged(peer);
    if (this.links.count > 0 || this.stopped) return;
    this.#connected = false;
    this.emit({ type: "isolated" });
  }

  /** Whether a member may link with us; why not otherwise. */
  #admits(record: MemberRecord): ByeReason | undefined {
    if (record.id === this.#config.id) {
      if (record.generation > this.membership.table.own.generation) this.#onTaken();
      return "stranger";
    }
    return record.state === "left" ? "leaving" : undefined;
  }

  /** Counted always, told when somebody was kept out by it. */
  #onRejected(reason: Refusal, told: boolean): void {
    this.rejected[reason]++;
    if (told) this.emit({ type: "refused", reason });
  }

  #onTaken(): void {
    if (!this.stopped) this.stop("taken", { type: "identityTaken" });
  }

  #makeLinks(): LinkTable {
    return new LinkTable(this.#config, this.#codec, {
      effect: (effect) => void this.#effects.push(effect),
      ownRecord: () => this.membership.table.own,
      admits: (record) => this.#admits(record),
      up: (peer, record, link) => this.#onLinkUp(peer, record, link.transport),
      down: (peer, reason, onPurpose) => this.#onLinkDown(peer, reason, onPurpose),
      message: (from, message) => this.#onMessage(from, message),
      rejected: (link, reason) => this.#onRejected(reason, link.peer === undefined),
      now: () => this.now,
      bulk: [(peer) => this.#nextState(peer), (peer) => this.#nextPiece(peer)],
      handedOver: (token) => this.#handovers.one(token),
    });
  }

  #makeMembership(now: number, known: MemberTable | undefined): Membership {
    const out: MembershipOut = {
      neighbours: () => this.#awake(),
      send: (to, message, lane) => this.links.send(to, message, lane),
      changed: (change) => this.#onChanged(change),
      forgotten: (id) => {
        this.state.drop(id);
        this.broadcast.forget(id);
        this.emit({ type: "forgotten", id });
      },
      giveUp: (peer) => this.links.drop(peer, "silent"),
      carry: (to, inner) => this.delivery.carry(to, inner),
      bulkWaits: (peer) => this.links.carriesBulk(peer, this.now),
      fingerprints: () => this.fingerprints(),
      differs: (peer) => this.state.onDiffers(peer, this.now),
      sharedDiffers: (peer) => this.common.sharing.differs(peer),
      reborn: (generation) => this.state.renumber(generation),
      taken: () => this.#onTaken(),
    };
    return new Membership(this.#config, this.deadlines, now, out, known);
  }

  #makeLinking(rng: Rng): Linking {
    const { table } = this.membership;
    return new Linking(this.#config, this.#codec, this.deadlines, rng, table, {
      effect: (effect) => void this.#effects.push(effect),
      neighbours: () => this.#awake(),
      linked: (peer) => this.links.has(peer),
      carry: (to, inner) => this.delivery.carry(to, inner),
      silenceMs: (peer, at) => this.#silenceMs(peer, at),
      mayLink: () => true,
      demand: (peer, at) => this.delivery.demand.of(peer, at),
      send: (peer, message) => this.links.send(peer, message),
      learn: (to, path) => this.delivery.learn(to, path),
      part: (peer) => this.links.bye(peer, "full"),
      superseded: (peer) => this.links.drop(peer, "superseded"),
      failed: (peer, reason) => {
        this.emit({ type: "linkFailed", peer, reason });
        this.linking.onAttemptFailed(this.now);
      },
      notFound: (peer) => this.emit({ type: "notFound", peer }),
      rejected: (reason) => this.#onRejected(reason, reason !== "malformed"),
      island: () => this.membership.failures.reach.island(this.now),
      cut: () => this.membership.failures.reach.cut(this.now),
    });
  }

  /** A neighbour that has missed a probe and its repetition is silent since it was last heard. */
  #silenceMs(peer: MemberId, now: number): number | undefined {
    const health = this.membership.detector.health(peer);
    if (health === undefined || health.misses < 2) return undefined;
    return now - health.heardAt - (health.rttMs ?? this.#config.probePeriodMs);
  }

  #makeDelivery(): Delivery {
    const { table } = this.membership;
    return new Delivery(this.#config, this.deadlines, table, () => this.now, {
      neighbours: () => this.#awake(),
      linked: (peer) => this.links.has(peer),
      send: (peer, message) => this.#push([peer], message).length === 0,
      tell: (peer, message) => this.links.send(peer, message),
      queued: (peer) => this.links.queued(peer),
      wanted: (peer) => this.linking.demand(peer, table.own.generation, this.now),
      arrived: (from, inner) => this.#onInner(from, inner),
      heard: (from, name, value) => this.#onHeard(from, { name, value }, true),
      broken: (peer) => this.linking.onNoRoute(peer, this.now),
      sent: (id) => this.emit({ type: "sent", id }),
      sendFailed: (id, reason) => this.emit({ type: "sendFailed", id, reason }),
      streams: {
        wake: (neighbour) => this.links.wake(neighbour),
        event: (id, event) => this.emit({ type: "stream", id, ...event }),
      },
    });
  }

  #makeReplication(rng: Rng): Replication {
    const { table } = this.membership;
    return new Replication(this.#config, this.deadlines, rng, {
      neighbours: () => this.#awake(),
      reaches: (owner, neighbour) => this.#reaches(owner, neighbour),
      generationOf: (owner) => {
        const member = table.get(owner);
        return member !== undefined && isPresent(member) ? member.record.generation : undefined;
      },
      now: () => this.now,
      isStale: (from) => this.#stalls.isStale(from, this.now),
      isFullMesh: () => this.links.count >= table.liveCount - 1,
      flood: (to, delta, surely) => this.#flood(to, delta, surely ? "reliable" : "datagram"),
      wake: (to) => this.links.wake(to),
      tell: (to, message) => this.links.send(to, message),
      bringsBulk: (from) => this.links.bringsBulk(from),
      changed: (changes) => this.#tellState(changes),
      refused: (key) => this.emit({ type: "writeRefused", key }),
    });
  }

  #makeBroadcast(): Broadcast {
    return new Broadcast(this.#config, this.deadlines, {
      neighbours: () => this.#awake(),
      reaches: (origin, neighbour) => this.#reaches(origin, neighbour),
      push: (to, payload, token) => this.#push(to, payload, token),
      tell: (to, message) => this.links.send(to, message),
      deliver: ({ id, name, value }, late) =>
        this.#onHeard(id.origin, { name, value }, false, late),
      gap: (from, { from: first, to: last }) => this.emit({ type: "gap", from, first, last }),
      bulkProgressAt: () => this.links.bulkProgressAt(),
      bringsBulk: (from) => this.links.bringsBulk(from),
    });
  }

  #makeCommon(): Common {
    return new Common(this.#config, this.deadlines, {
      now: () => this.now,
      isStale: (from) => this.#stalls.isStale(from, this.now),
      neighbours: () => this.#awake(),
      tell: (to, message) => this.links.send(to, message),
      push: (to, message) => this.#push(to, message),
      effect: (effect) => void this.#effects.push(effect),
      lasting: (id, words, lifeMs) => {
        const speaker = this.membership.table.get(id.origin);
        const isHere = speaker !== undefined && isPresent(speaker);
        const sameLife = speaker?.record.generation === id.generation;
        this.broadcast.onLasting(id, words, isHere && sameLife, lifeMs, this.now);
      },
    });
  }

  /** Encodes once for all; gives the neighbours whose queue is full. */
  #push(to: readonly MemberId[], message: Message, token?: number): MemberId[] {
    if (to.length === 0) return [];
    const encoded = this.links.encode(message);
    const lane = laneOf(message);
    if (token !== undefined) this.#handovers.begin(token, to.length);
    const place = isAhead(message) ? "ahead" : isPiece(message) ? "passing" : "queue";
    const refused = to.filter(
      (peer) => !this.links.sendBulk(peer, encoded, lane, { token, place }),
    );
    if (token !== undefined) for (let i = 0; i <= refused.length; i++) this.#handovers.one(token);
    return refused;
  }

  /** Encodes once for all; gives the neighbours whose link is full. */
  #flood(to: readonly MemberId[], message: Message, lane: Lane): MemberId[] {
    const encoded = this.links.encode(message);
    return to.filter((peer) => !this.links.sendEager(peer, encoded, lane));
  }

  #nextState(peer: MemberId): Bulk | undefined {
    const delta = this.state.next(peer);
    if (delta === undefined) return undefined;
    const bytes = this.#encodedDeltas.of(delta);
    this.state.stats.repairBytes += bytes.length;
    return { bytes, lane: "unordered" };
  }

  #nextPiece(neighbour: MemberId): Bulk | undefined {
    const message = this.delivery.nextPiece(neighbour);
    return message && { bytes: this.links.encode(message), lane: laneOf(message) };
  }

  emit(event: MeshEvent): void {
    this.#effects.push({ type: "emit", event });
  }
}
