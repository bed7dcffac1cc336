/** Somebody who got a link with a mesh, by an invitation, and now speaks whatever frames it likes. */

import type { MemberId } from "../../src/core/lib/ids.ts";
import { frameCodec } from "../../src/core/wire/codec.ts";
import type { MemberRecord, Message } from "../../src/core/wire/messages.ts";
import { type MemoryNetwork, type Mesh, memoryTransport } from "../../src/index.node.ts";
import { hashOfCluster, keyPair } from "../../src/session/identity.ts";
import { secured } from "../../src/session/secured.ts";
import { parseInvitation, writeReply } from "../../src/signaling/invitation.ts";
import { LinkEnd } from "../../src/testing/link-end.ts";
import { sessionOf, withPsk } from "./sessions.ts";

export class Intruder {
  readonly end: LinkEnd;
  readonly id: MemberId;
  readonly #clusterHash: number;

  private constructor(end: LinkEnd, id: MemberId, clusterHash: number) {
    this.end = end;
    this.id = id;
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
    return new Intruder(end, keys.id, clusterHash);
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
