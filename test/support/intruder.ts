/** Somebody who got a link with a mesh, by an invitation, and now speaks whatever frames it likes. */

import { createHash } from "node:crypto";
import type { MemberId } from "../../src/core/machine.ts";
import { Contents } from "../../src/core/proof/contents.ts";
import { frameCodec } from "../../src/core/wire/codec.ts";
import {
  FEATURE_PROVEN_WRITES,
  type MemberRecord,
  type Message,
  type MessageOf,
} from "../../src/core/wire/messages.ts";
import { type MemoryNetwork, type Mesh, memoryTransport } from "../../src/index.node.ts";
import { signSync } from "../../src/session/ed25519.node.ts";
import { hashOfCluster, type KeyPair, keyPair } from "../../src/session/identity.ts";
import { secured } from "../../src/session/secured.ts";
import { parseInvitation, writeReply } from "../../src/signaling/invitation.ts";
import { LinkEnd } from "../../src/testing/link-end.ts";
import { sessionOf, withPsk } from "./sessions.ts";

export class Intruder {
  readonly end: LinkEnd;
  readonly id: MemberId;
  readonly #keys: KeyPair;
  readonly #clusterHash: number;
  readonly #contents = new Contents(digest);

  private constructor(end: LinkEnd, keys: KeyPair, clusterHash: number) {
    this.end = end;
    this.id = keys.id;
    this.#keys = keys;
    this.#clusterHash = clusterHash;
  }

  /** Links with `host`, and has said nothing yet. */
  static async at(host: Mesh, network: MemoryNetwork): Promise<Intruder> {
    const clusterHash = await hashOfCluster(host.cluster);
    const invitation = await host.invite();
    const parsed = parseInvitation(invitation.text, clusterHash, Date.now());
    if (!parsed.ok) throw new Error(parsed.flaw);
    const { nonce: invitationNonce, psk, offer } = parsed.value;
    const [keys, { cluster }] = [await keyPair(), host];
    const session = await sessionOf({ keys, cluster });
    const transport = withPsk(secured(memoryTransport(network), session), psk);
    const end = new LinkEnd(transport, { initiator: false, trickle: false });
    end.signal(offer);
    await end.until("an answer", () => end.signals.length > 0);
    const answer = end.signals[0] as Uint8Array;
    const fields = {
      clusterHash,
      invitationNonce,
      nonce: crypto.getRandomValues(new Uint8Array(16)),
      publicKey: keys.publicKey,
      answer,
    };
    // It is complete for the host when the newcomer is in, which this one may never be.
    invitation.complete(await writeReply(fields, psk)).catch(() => {});
    await end.opened();
    return new Intruder(end, keys, clusterHash);
  }

  /** What a member of this cluster would put on the link, or one of another. */
  frame(message: Message, clusterHash = this.#clusterHash): Uint8Array {
    return frameCodec(clusterHash).encode(message);
  }

  /** A greeting as an honest member's. */
  hello(): MessageOf<"hello"> {
    return { type: "hello", features: FEATURE_PROVEN_WRITES, record: this.record() };
  }

  /** What it says of itself, or of somebody else: proven by its own key. */
  record(change: Partial<MemberRecord> = {}): MemberRecord {
    const record = { ...this.#record(), ...change };
    return { ...record, proof: this.#proofOf(this.#contents.record(record)) };
  }

  /** What is said in whatever name, with a proof by its own key. */
  payload(payload: MessageOf<"payload">): Message {
    return { ...payload, proof: this.#proofOf(this.#contents.payload(payload)) };
  }

  /** As {@link payload}, a state with values that have no end. */
  state(delta: MessageOf<"stateDelta">): Message {
    const entries = delta.entries.map((entry) => {
      const content = this.#contents.state(delta.owner, delta.generation, entry, 0);
      return { ...entry, vouched: { proof: this.#proofOf(content), ttlMs: 0 } };
    });
    return { ...delta, entries };
  }

  #proofOf(content: Uint8Array): Uint8Array {
    const cluster = new Uint8Array(4);
    new DataView(cluster.buffer).setUint32(0, this.#clusterHash);
    const root = digest(Uint8Array.of(0, ...content));
    const signed = [...new TextEncoder().encode("hearsay proof"), ...cluster, ...root];
    const { publicKey, secretKey } = this.#keys;
    return Uint8Array.of(...publicKey, ...signSync(secretKey, Uint8Array.from(signed)));
  }

  #record(): MemberRecord {
    return {
      id: this.id,
      generation: 1,
      version: 1,
      incarnation: 0,
      state: "alive",
      flags: 0,
      name: "intruder",
      role: "",
      meta: new Uint8Array(),
      addresses: [],
      neighbours: [],
    };
  }
}

function digest(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest()).slice(0, 16);
}
