/** One stream at one of its ends, and what the protocol has to know of it. */

import type { Config } from "../config.ts";
import type { MemberId } from "../lib/ids.ts";
import { Receiving } from "./receiving.ts";
import { Sending } from "./sending.ts";

/** What names a stream on the wire, as this end says it. */
export interface StreamId {
  readonly generation: number;
  readonly number: number;
  readonly ours: boolean;
}

export class Stream {
  /** Its name between the core and the application: below zero for those that others opened. */
  readonly id: number;
  readonly peer: MemberId;
  readonly wire: StreamId;
  readonly name: string;
  readonly sending: Sending;
  readonly receiving = new Receiving();
  /** Both ends have it. Before, its opener asks and the other end waits for somebody to take it. */
  open = false;
  readonly since: number;
  /** When the other end was heard of it, and when it was asked, last. ms. */
  heardAt: number;
  askedAt: number;
  asked = 0;
  /** What was acknowledged last. */
  ackedReceived = 0;
  ackedConsumed = 0;
  /** The neighbour that got the last piece. */
  via: MemberId | undefined;
  /** When everything was sent again because a way broke, ms. */
  againAt = Number.NEGATIVE_INFINITY;

  constructor(
    config: Config,
    peer: MemberId,
    wire: StreamId,
    { id, name, now }: { id: number; name: string; now: number },
  ) {
    this.id = id;
    this.peer = peer;
    this.wire = wire;
    this.name = name;
    this.sending = new Sending(config);
    this.since = now;
    this.heardAt = now;
    this.askedAt = now;
  }

  get done(): boolean {
    return this.sending.done && this.receiving.done;
  }
}

/** @param ours the receiver of messages about it has opened it */
export function keyOf(peer: MemberId, generation: number, number: number, ours: boolean): string {
  return `${peer} ${generation} ${number} ${ours}`;
}
