/** Somebody who got a link with a mesh, by an invitation, and now speaks whatever frames it likes. */

import { idFromBytes } from "../../src/core/lib/ids.ts";
import { frameCodec } from "../../src/core/wire/codec.ts";
import type { MemberRecord, Message } from "../../src/core/wire/messages.ts";
import { type MemoryNetwork, type Mesh, memoryTransport } from "../../src/index.node.ts";
import { hashOfCluster } from "../../src/session/identity.ts";
import { parseInvitation, writeReply } from "../../src/signaling/invitation.ts";
import { LinkEnd } from "../../src/testing/link-end.ts";

export class Intruder {
  readonly end: LinkEnd;
  readonly id = idFromBytes(crypto.getRandomValues(new Uint8Array(16)));
  readonly #clusterHash: number;

  private constructor(end: LinkEnd, clusterHash: number) {
    this.end = end;
    this.#clusterHash = clusterHash;
  }

  /** Links with `host`, and has said nothing yet. */
  static async at(host: Mesh, network: MemoryNetwork): Promise<Intruder> {
    const clusterHash = await hashOfCluster(host.cluster);
    const invitation = await host.invite();
    const parsed = parseInvitation(invitation.text, clusterHash, Date.now());
    if (!parsed.ok) throw new Error(parsed.flaw);
    const { nonce: invitationNonce, psk, offer } = parsed.value;
    const end = new LinkEnd(memoryTransport(network), { initiator: false, trickle: false });
    end.signal(offer);
    await end.until("an answer", () => end.signals.length > 0);
    const random = (count: number) => crypto.getRandomValues(new Uint8Array(count));
    const answer = end.signals[0] as Uint8Array;
    const fields = {
      clusterHash,
      invitationNonce,
      nonce: random(16),
      publicKey: random(32),
      answer,
    };
    // It is complete for the host when the newcomer is in, which this one may never be.
    invitation.complete(await writeReply(fields, psk)).catch(() => {});
    await end.opened();
    return new Intruder(end, clusterHash);
  }

  /** What a member of this cluster would put on the link, or one of another. */
  frame(message: Message, clusterHash = this.#clusterHash): Uint8Array {
    return frameCodec(clusterHash).encode(message);
  }

  /** A greeting as an honest member's. */
  hello(): Message {
    return { type: "hello", features: 0, record: this.record() };
  }

  record(): MemberRecord {
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
