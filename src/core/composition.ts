/**
 * The only composer: makes the layers, hands messages to them and their results to each other, explicitly. No layer
 * knows another; what one asks of another stands here. `PROTOCOL.md` is the map.
 */

import { Broadcast } from "./broadcast/broadcast.ts";
import type { Words } from "./broadcast/lasting.ts";
import type { Config } from "./config.ts";
import { Deadlines } from "./lib/deadlines.ts";
import type { Rng } from "./lib/rng.ts";
import { type Offence, Quarantine } from "./links/conduct.ts";
import { Handovers } from "./links/handover.ts";
import { laneOf } from "./links/lanes.ts";
import { type Bulk, type ByeReason, LinkTable, type Refusal } from "./links/link-table.ts";
import { Outlet } from "./links/outlet.ts";
import { Stalls } from "./links/stalls.ts";
import type { Effect, MemberId, MeshEvent } from "./machine.ts";
import { Membership, type MembershipOut } from "./membership/membership.ts";
import {
  type Change,
  isLive,
  isPresent,
  type Member,
  type MemberState,
  type MemberTable,
} from "./membership/table.ts";
import { kindsOf, viewOf } from "./membership/view.ts";
import { Linking } from "./overlay/linking.ts";
import { Parts } from "./parts.ts";
import type { Digest } from "./proof/contents.ts";
import { Proofs } from "./proof/proofs.ts";
import { receive, receiveInner } from "./reception.ts";
import { Delivery } from "./routing/delivery.ts";
import { type Sealing, Seals } from "./routing/seals.ts";
import { Common } from "./shared/common.ts";
import { EncodedDeltas } from "./state/encoded.ts";
import { Replication } from "./state/replication.ts";
import type { StateChange } from "./state/store.ts";
import { type FrameCodec, frameCodec } from "./wire/codec.ts";
import { FEATURE_PROVEN_WRITES, type Fingerprints, type MemberRecord } from "./wire/messages.ts";

/** What members that are simulated in one process share: without it thousands do not fit into memory. */
export interface Shared {
  /** Encodes and decodes the frames. */
  readonly codec?: FrameCodec;
  /** What is known from the start, of a mesh that has settled. It must not change any more. */
  readonly known?: MemberTable;
}

/** Pure functions that the host gives. */
export interface Given extends Shared {
  /** The first 16 bytes of a hash that nobody can invert or make collide. Needed for proofs. */
  readonly digest?: Digest | undefined;
  /** Seals what crosses relays, with the secret half of `Config.sealKey`. For one core alone: it begins to count anew. */
  readonly sealing?: Sealing | undefined;
}

export class Composition {
  readonly deadlines = new Deadlines();
  readonly links: LinkTable;
  readonly outlet: Outlet;
  readonly proofs: Proofs;
  readonly membership: Membership;
  readonly linking: Linking;
  readonly delivery: Delivery;
  readonly broadcast: Broadcast;
  readonly state: Replication;
  readonly common: Common;
  readonly parts: Parts;
  readonly #config: Config;
  readonly #codec: FrameCodec;
  readonly stalls = new Stalls();
  readonly quarantine: Quarantine;
  readonly #handovers = new Handovers((id) => this.emit({ type: "said", id }));
  readonly rejected = { version: 0, cluster: 0, malformed: 0, identity: 0 };
  heard = 0;
  duplicates = 0;
  /** What came in the name of somebody who has not made it. */
  forged = 0;
  /** Members that were cut off for what they did. */
  cutOff = 0;
  /** The time of the step that runs, ms. */
  now: number;
  stopped = false;
  #connected = false;
  readonly #encodedDeltas = new EncodedDeltas((delta) => this.links.encode(delta));
  #effects: Effect[] = [];

  constructor(config: Config, rng: Rng, now: number, { codec, known, digest, sealing }: Given) {
    this.#config = config;
    this.now = now;
    this.quarantine = new Quarantine(config.quarantineMs, now);
    this.#codec = codec ?? frameCodec(config.clusterHash);
    this.links = this.#makeLinks();
    this.outlet = new Outlet(this.links, this.#handovers);
    this.proofs = this.#makeProofs(digest);
    this.membership = this.#makeMembership(now, known);
    this.delivery = this.#makeDelivery(sealing);
    this.broadcast = this.#makeBroadcast();
    this.state = this.#makeReplication(rng.fork("state"), digest);
    this.linking = this.#makeLinking(rng);
    this.common = this.#makeCommon();
    this.parts = this.#makeParts(rng.fork("parts"));
    this.membership.own.begin();
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
    for (const peer of this.links.peers()) this.stalls.add(peer, gapMs, this.now);
    this.common.sharing.resume(missedMs);
    this.state.resume(missedMs);
  }

  stop(reason: ByeReason, event: MeshEvent): void {
    this.linking.stop();
    for (const peer of this.links.peers()) this.links.bye(peer, reason);
    this.stopped = true;
    this.emit(event);
  }

  onHeard(from: MemberId, { name, value }: Words, direct: boolean, late?: number): void {
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
      const isAwake = isLive(after);
      const wasAwake = before !== undefined && isLive(before);
      if (isAwake !== wasAwake || generation !== before?.record.generation)
        this.parts.onMember(id, generation, isAwake);
      if (before !== undefined && this.links.has(id)) this.#onNeighbour(before.state, after);
      if (after.state === "left") this.state.drop(id);
      if (before === undefined) this.broadcast.onKnown(id, this.now);
      if (present && !wasPresent) this.linking.onArrived(id, this.now);
      for (const kind of kindsOf(before, after)) {
        this.emit({ type: "member", kind, member: viewOf(after) });
      }
    } else this.emit({ type: "member", kind: "update", member: viewOf(after) });
    this.linking.membersChanged(this.now);
    this.delivery.onRecord(id);
  }

  /** The link with a sleeper stays and carries nothing, until it wakes. */
  #onNeighbour(was: MemberState, { state, record: { id } }: Member): void {
    if (was === state) return;
    if (state === "asleep") this.broadcast.removeNeighbour(id);
    if (was === "asleep") this.#compare(id);
  }

  #tellState(changes: readonly StateChange[]): void {
    for (const change of changes) {
      if (!this.parts.announced(change)) this.emit({ type: "state", ...change });
    }
  }

  /** What it says of itself is to be proven before anybody is told. */
  #onGreeting(peer: MemberId, record: MemberRecord, transport: string): void {
    this.proofs.gate.greeting(record, (isProven) => {
      if (isProven) this.#onLinkUp(peer, record, transport);
      else this.links.drop(peer, "forged");
    });
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
    this.stalls.remove(peer);
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
  #admits(record: MemberRecord, features: number): ByeReason | undefined {
    const provesWrites = (features & FEATURE_PROVEN_WRITES) > 0;
    if (provesWrites !== (this.#config.proofs === "all")) {
      this.emit({ type: "refused", reason: "signatures" });
      return "stranger";
    }
    if (record.id === this.#config.id) {
      if (record.generation > this.membership.table.own.generation) this.#onTaken();
      return "stranger";
    }
    if (this.quarantine.has(record.id, this.now)) return "stranger";
    return record.state === "left" ? "leaving" : undefined;
  }

  #onForged(from: MemberId, count: number): void {
    this.forged += count;
    const conduct = this.links.linkTo(from)?.conduct;
    for (let i = 0; i < count; i++) {
      if (conduct?.tooMuch("forged", this.now)) return this.offended(from, "forged");
    }
  }

  /** A member is not to be borne: no link with it for a while. */
  offended(id: MemberId, what: Offence): void {
    if (this.quarantine.has(id, this.now)) return;
    this.quarantine.add(id, this.now);
    this.cutOff++;
    this.emit({ type: "misbehaved", peer: id, what });
    this.links.drop(id, what);
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
      ownRecord: () => this.membership.own.shown,
      features: this.#config.proofs === "all" ? FEATURE_PROVEN_WRITES : 0,
      admits: (record, features) => this.#admits(record, features),
      up: (peer, record, { transport }) => this.#onGreeting(peer, record, transport),
      down: (peer, reason, onPurpose) =>
        this.proofs.gate.inTurn(peer, () => this.#onLinkDown(peer, reason, onPurpose)),
      message: (from, message) => this.proofs.gate.message(from, message),
      offended: (peer, what) => this.offended(peer, what),
      isSilent: (peer) => this.membership.detector.silentMs(peer, this.now) !== undefined,
      rejected: (link, reason) => this.#onRejected(reason, link.peer === undefined),
      now: () => this.now,
      bulk: [(peer) => this.#nextState(peer), (peer) => this.#nextPiece(peer)],
      handedOver: (token) => this.#handovers.one(token),
    });
  }

  #makeProofs(digest: Digest | undefined): Proofs {
    return new Proofs(this.#config, this.deadlines, digest, {
      effect: (effect) => void this.#effects.push(effect),
      message: (from, message) => receive(this, from, message),
      forged: (from, count) => this.#onForged(from, count),
      flooded: (by) => this.offended(by, "flood"),
      overloaded: (from) => this.links.drop(from, "overloaded"),
      isNewRecord: (record) => this.membership.table.isNewRecord(record),
      isNewState: (delta) => this.state.isNews(delta),
      isNewPayload: (id) => this.broadcast.isNews(id),
      isNewShared: (stamp) => this.common.sharing.registers.isNews(stamp),
    });
  }

  #makeMembership(now: number, known: MemberTable | undefined): Membership {
    const out: MembershipOut = {
      now: () => this.now,
      prove: (record, then) => this.proofs.record(record, then),
      ready: () => this.links.greet(),
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
      silenceMs: (peer, at) => this.membership.detector.unheardMs(peer, at),
      mayLink: ({ id }) => !this.quarantine.has(id, this.now),
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

  #makeDelivery(sealing: Sealing | undefined): Delivery {
    const { table } = this.membership;
    const seals = new Seals(this.#config, table, this.#codec, sealing, {
      now: () => this.now,
      forged: () => this.forged++,
    });
    return new Delivery(this.#config, this.deadlines, table, () => this.now, {
      seals,
      neighbours: () => this.#awake(),
      linked: (peer) => this.links.has(peer),
      send: (peer, message) => this.outlet.push([peer], message).length === 0,
      tell: (peer, message) => this.links.send(peer, message),
      queued: (peer) => this.links.queued(peer),
      wanted: (peer) => this.linking.demand(peer, table.own.generation, this.now),
      arrived: (from, inner) => receiveInner(this, from, inner),
      heard: (from, name, value) => this.onHeard(from, { name, value }, true),
      flooded: (by) => this.offended(by, "flood"),
      broken: (peer) => this.linking.onNoRoute(peer, this.now),
      sent: (id) => this.emit({ type: "sent", id }),
      sendFailed: (id, reason) => this.emit({ type: "sendFailed", id, reason }),
      streams: {
        wake: (neighbour) => this.links.wake(neighbour),
        event: (id, event) => this.emit({ type: "stream", id, ...event }),
      },
    });
  }

  #makeReplication(rng: Rng, digest: Digest | undefined): Replication {
    const { table } = this.membership;
    return new Replication(
      this.#config,
      this.deadlines,
      rng,
      {
        neighbours: () => this.#awake(),
        reaches: (owner, neighbour) => this.#reaches(owner, neighbour),
        generationOf: (owner) => {
          const member = table.get(owner);
          return member !== undefined && isPresent(member) ? member.record.generation : undefined;
        },
        now: () => this.now,
        isStale: (from) => this.stalls.isStale(from, this.now),
        isFullMesh: () => this.links.count >= table.liveCount - 1,
        flood: (to, delta, surely) =>
          this.outlet.flood(to, delta, surely ? "reliable" : "datagram"),
        wake: (to) => this.links.wake(to),
        tell: (to, message) => this.links.send(to, message),
        bringsBulk: (from) => this.links.bringsBulk(from),
        changed: (changes) => this.#tellState(changes),
        prove: ({ owner, generation }, entry, then) =>
          this.proofs.state(owner, generation, entry, then),
        refused: (key, why) => this.emit({ type: "writeRefused", key, why }),
        mayTell: () => this.quarantine.mayMake(this.now),
      },
      digest,
    );
  }

  #makeBroadcast(): Broadcast {
    return new Broadcast(this.#config, this.deadlines, {
      neighbours: () => this.#awake(),
      reaches: (origin, neighbour) => this.#reaches(origin, neighbour),
      push: (to, payload, token) => this.outlet.push(to, payload, token),
      tell: (to, message) => this.links.send(to, message),
      deliver: ({ id, name, value }, late) => this.onHeard(id.origin, { name, value }, false, late),
      gap: (from, { from: first, to: last }) => this.emit({ type: "gap", from, first, last }),
      bulkProgressAt: () => this.links.bulkProgressAt(),
      bringsBulk: (from) => this.links.bringsBulk(from),
    });
  }

  #makeCommon(): Common {
    return new Common(this.#config, this.deadlines, {
      now: () => this.now,
      isStale: (from) => this.stalls.isStale(from, this.now),
      neighbours: () => this.#awake(),
      tell: (to, message) => this.links.send(to, message),
      push: (to, message) => this.outlet.push(to, message),
      prove: (entry, then) => this.proofs.shared(entry, then),
      effect: (effect) => void this.#effects.push(effect),
      lasting: (id, words, lifeMs) => {
        const speaker = this.membership.table.get(id.origin);
        const isHere = speaker !== undefined && isPresent(speaker);
        const sameLife = speaker?.record.generation === id.generation;
        this.broadcast.onLasting(id, words, isHere && sameLife, lifeMs, this.now);
      },
    });
  }

  #makeParts(rng: Rng): Parts {
    const { table } = this.membership;
    return new Parts(this.deadlines, rng, {
      id: this.#config.id,
      now: () => this.now,
      generation: () => table.own.generation,
      member: (id) => table.get(id),
      members: () => table.others(),
      values: (owner) => this.state.store.replicaOf(owner)?.values() ?? [],
      send: (to, name, bytes) => this.delivery.reach(to, { type: "part", name, bytes }),
      write: (key, value) => this.state.write(key, value),
      proofs: this.proofs,
      effect: (effect) => void this.#effects.push(effect),
    });
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
