/** Which layer gets which message. */

import type { Broadcast } from "./broadcast/broadcast.ts";
import type { Offence, Quarantine } from "./links/conduct.ts";
import type { Stalls } from "./links/stalls.ts";
import type { MemberId } from "./machine.ts";
import type { Membership } from "./membership/membership.ts";
import type { Linking } from "./overlay/linking.ts";
import type { Parts } from "./parts.ts";
import type { Delivery } from "./routing/delivery.ts";
import type { Common } from "./shared/common.ts";
import type { Replication } from "./state/replication.ts";
import { isOfStream } from "./streams/streams.ts";
import type { Inner, Message } from "./wire/messages.ts";

export interface Layers {
  readonly membership: Membership;
  readonly linking: Linking;
  readonly delivery: Delivery;
  readonly broadcast: Broadcast;
  readonly state: Replication;
  readonly common: Common;
  readonly stalls: Stalls;
  readonly quarantine: Quarantine;
  readonly parts: Parts;
  offended(id: MemberId, what: Offence): void;
  /** The time of the step that runs, ms. */
  readonly now: number;
  duplicates: number;
  forged: number;
}

export function receive(layers: Layers, from: MemberId, message: Message): void {
  const now = layers.now;
  layers.stalls.add(from, now - (layers.membership.detector.lifeAt(from) ?? now), now);
  // Probes and their answers say more than that the other end lives: the membership reads them.
  if (message.type !== "ping" && message.type !== "ack") {
    layers.membership.detector.onFrame(from, now);
  }
  switch (message.type) {
    case "ping":
      return layers.membership.onPing(from, message, now);
    case "ack":
      return layers.membership.onAck(from, message, now);
    case "members":
      return layers.membership.onUpdates(from, message.updates, now);
    case "memberDigest":
      return layers.membership.repair.onDigest(from, message, now);
    case "memberDelta":
      return layers.membership.onDelta(from, message, now);
    case "memberParts":
      return layers.membership.repair.onParts(from, message.hashes, now);
    case "stateDigest":
      return layers.state.onDigest(from, message, now);
    case "stateParts":
      return layers.state.onParts(from, message.hashes, now);
    case "stateWant":
      return layers.state.onWant(from, message);
    case "stateDelta":
      if (isFlood(layers, message.owner, layers.state.isNews(message))) return;
      countForged(layers, message, message.to, layers.state.store.versionOf(message.owner));
      return layers.state.onDelta(from, message, now);
    case "local":
      return receiveInner(layers, from, message.inner);
    case "routed":
      return layers.delivery.onRouted(from, message);
    case "noRoute":
      return layers.delivery.onNoRoute(message);
    case "routeSearch":
      return layers.delivery.onRouteSearch(from, message);
    case "forwardJoin":
      return layers.linking.onForwardJoin(from, message, now);
    case "release":
      return layers.linking.onRelease(from, message.hard, now);
    case "payload":
      if (isFlood(layers, message.id.origin, layers.broadcast.isNews(message.id))) return;
      if (!knows(layers, message.id.origin)) return layers.broadcast.onStranger(from, message.id);
      countForged(
        layers,
        { ...message.id, owner: message.id.origin },
        message.id.sequence,
        layers.broadcast.last.sequence,
      );
      return layers.broadcast.onPayload(from, message, now);
    case "iHave": {
      const known = message.ids.filter((id) => knows(layers, id.origin));
      for (const id of message.ids) {
        if (!knows(layers, id.origin)) layers.broadcast.onStranger(from, id);
      }
      return layers.broadcast.onIHave(from, known, now);
    }
    case "graft":
      return layers.broadcast.onGraft(from, message.ids, message.once);
    case "prune":
      layers.duplicates++;
      return layers.broadcast.onPrune(from, message.origin);
    case "baselines":
      return layers.broadcast.onBaselines(from, message.ids, now);
    case "shared": {
      const { registers } = layers.common.sharing;
      const entries = message.entries.filter(
        (entry) => !isFlood(layers, entry.writer, registers.isNews(entry)),
      );
      return layers.common.onMessage(from, { ...message, entries });
    }
    case "sharedParts":
    case "sharedDigest":
    case "sharedWant":
    case "sharedRefused":
      return layers.common.onMessage(from, message);
    case "hello":
    case "bye":
    case "fragment":
    case "credit":
      return;
  }
}

/** Whether somebody makes more than anybody can bear, whoever passes it on. */
function isFlood(layers: Layers, origin: MemberId, isNews: boolean): boolean {
  const { quarantine, now } = layers;
  if (quarantine.has(origin, now)) return true;
  if (!isNews || !quarantine.makesTooMuch(origin, now)) return false;
  layers.offended(origin, "flood");
  return true;
}

/** Something of this life of ours beyond what we have made. */
function countForged(
  layers: Layers,
  { owner, generation }: { readonly owner: MemberId; readonly generation: number },
  number: number,
  made: number,
): void {
  const { own } = layers.membership.table;
  if (owner === own.id && generation === own.generation && number > made) layers.forged++;
}

function knows(layers: Layers, id: MemberId): boolean {
  return layers.membership.table.get(id) !== undefined;
}

/** What has come to us from one member, over whatever way. */
export function receiveInner(layers: Layers, from: MemberId, inner: Inner): void {
  layers.membership.failures.settle(from);
  if (inner.type === "probe") {
    layers.delivery.carry(from, { type: "probeAck", sequence: inner.sequence });
  } else if (inner.type === "probeAck") layers.membership.failures.onProbeAck(from, layers.now);
  else if (inner.type === "direct") layers.delivery.onDirect(from, inner);
  else if (inner.type === "directAck") layers.delivery.onAck(from, inner);
  else if (inner.type === "part") layers.parts.onMessage(from, inner.name, inner.bytes);
  else if (isOfStream(inner)) layers.delivery.streams.onMessage(from, inner);
  else if (inner.type !== "linkRequest" || !layers.quarantine.has(from, layers.now)) {
    layers.linking.onInner(from, inner, undefined, layers.now);
  }
}
