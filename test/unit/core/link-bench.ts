/** A table of links with everything it does written down, and other ends that say what a test wants. */

import { type ByeReason, LinkTable } from "../../../src/core/links/link-table.ts";
import type { Lane, LinkId, MemberId } from "../../../src/core/machine.ts";
import { frameCodec } from "../../../src/core/wire/codec.ts";
import type { MemberRecord, Message } from "../../../src/core/wire/messages.ts";
import { configOf, memberId, recordOf } from "./support.ts";

export const OWN = memberId(5);
export const LOW = memberId(1);
export const HIGH = memberId(9);
export const codec = frameCodec(7);
export const NOTE: Message = { type: "prune", origin: OWN };

export class Bench {
  readonly table: LinkTable;
  readonly log: string[] = [];
  readonly sent: { link: LinkId; lane: Lane; bytes: Uint8Array }[] = [];
  readonly handedOver: number[] = [];
  /** What can be made when a link has room. */
  readonly made: Uint8Array[] = [];
  refusal: ByeReason | undefined;
  /** Whether its neighbours are. */
  silent = false;
  now = 0;

  constructor(overrides = {}) {
    this.table = new LinkTable(configOf(overrides, { id: OWN }), codec, {
      effect: (effect) => {
        if (effect.type === "send") this.sent.push(effect);
        else if (effect.type === "disconnect")
          this.log.push(`disconnect ${effect.link}: ${effect.reason}`);
      },
      ownRecord: () => recordOf(OWN),
      features: 0,
      admits: () => this.refusal,
      up: (peer, _record, link) => this.log.push(`up ${nameOf(peer)} by ${link.id}`),
      down: (peer, reason, onPurpose) =>
        this.log.push(`down ${nameOf(peer)}: ${reason}${onPurpose ? ", on purpose" : ""}`),
      message: (from, message) => this.log.push(`${message.type} from ${nameOf(from)}`),
      offended: (peer, what) => this.log.push(`${what} by ${nameOf(peer)}`),
      isSilent: () => this.silent,
      rejected: (_link, reason) => this.log.push(`rejected: ${reason}`),
      now: () => this.now,
      bulk: [
        () => {
          const bytes = this.made.shift();
          return bytes && { bytes, lane: "unordered" };
        },
      ],
      handedOver: (token) => this.handedOver.push(token),
    });
  }

  /** Bytes have left the transport, and the other end has acknowledged them. */
  leave(link: LinkId, peer: MemberId, bytes: number): void {
    this.table.writable(link, bytes);
    const known = this.table.linkTo(peer);
    if (known?.id !== link) return;
    const total = Math.min(known.bulkSentBytes, known.bulkCreditedBytes + bytes);
    this.receive(link, { type: "credit", total, whole: 0 });
  }

  receive(link: LinkId, message: Message): void {
    this.table.packet(link, codec.encode(message), 0);
  }

  /** @param peer whom its other end has proven to be */
  open(link: LinkId, peer: MemberId = HIGH, now = 0): void {
    this.table.open({ type: "linkUp", link, attempt: undefined, transport: "memory", peer }, now);
  }

  greet(link: LinkId, peer: MemberId, change: Partial<MemberRecord> = {}): void {
    this.open(link, peer);
    this.receive(link, { type: "hello", record: recordOf(peer, change), features: 0 });
  }

  /** What was sent since the last call, as types. */
  types(link: LinkId): string[] {
    const taken = this.sent.filter((one) => one.link === link);
    return taken.map(({ bytes }) => {
      const decoded = codec.decode(bytes);
      return decoded.ok ? decoded.message.type : decoded.reason;
    });
  }

  forget(): void {
    this.log.length = 0;
    this.sent.length = 0;
  }
}

function nameOf(id: MemberId): string {
  return id === LOW ? "low" : id === HIGH ? "high" : id === OWN ? "own" : id;
}
