/** One end of a link, as it stands. */

import type { Config } from "../config.ts";
import type { LinkId, MemberId } from "../machine.ts";
import { Conduct } from "./conduct.ts";
import { Assembly, type Outgoing, Underway } from "./fragments.ts";
import { SendWindow } from "./send-window.ts";
import { Waiting } from "./waiting.ts";

export interface Link {
  readonly id: LinkId;
  readonly transport: string;
  /** Whom its other end has proven to be. */
  readonly proven: MemberId;
  readonly openedAt: number;
  readonly conduct: Conduct;
  /** Undefined until its hello has come. */
  peer: MemberId | undefined;
  /** The generation that said hello. */
  generation: number;
  /** The other end has greeted us back: until then nothing may overtake our hello. */
  answered: boolean;
  /** Bytes that must arrive and that the transport has not reported as gone. */
  inFlightBytes: number;
  /** Bulk bytes sent, and acknowledged by the other end. */
  bulkSentBytes: number;
  bulkCreditedBytes: number;
  readonly window: SendWindow;
  /** Bulk bytes received, and what was acknowledged of them. */
  bulkReceivedBytes: number;
  bulkAcknowledgedBytes: number;
  /** What streams wait for, what was queued, and what is passed on of others' streams. */
  readonly ahead: Waiting;
  readonly queue: Waiting;
  readonly passing: Waiting;
  /** The message that is being sent. */
  current: Outgoing | undefined;
  /** Which source of bulk has its turn. */
  turn: number;
  /** The message that was queued last. */
  last: Outgoing | undefined;
  readonly underway: Underway;
  readonly assembly: Assembly;
  /** When a piece of a large message last came in, ms. */
  fragmentAt: number;
  sentBytes: number;
  receivedBytes: number;
}

/** A link that was opened just now. */
export function newLink(
  { id, transport, proven, openedAt }: Pick<Link, "id" | "transport" | "proven" | "openedAt">,
  config: Config,
): Link {
  return {
    id,
    transport,
    proven,
    openedAt,
    conduct: new Conduct(),
    peer: undefined,
    generation: 0,
    answered: false,
    inFlightBytes: 0,
    bulkSentBytes: 0,
    bulkCreditedBytes: 0,
    window: new SendWindow(config),
    bulkReceivedBytes: 0,
    bulkAcknowledgedBytes: 0,
    ahead: new Waiting(),
    queue: new Waiting(),
    passing: new Waiting(),
    current: undefined,
    turn: 0,
    last: undefined,
    underway: new Underway(),
    assembly: new Assembly(),
    fragmentAt: Number.NEGATIVE_INFINITY,
    sentBytes: 0,
    receivedBytes: 0,
  };
}
