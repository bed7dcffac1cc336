/** What the core shows of itself, for diagnosis. */

import type { MemberId } from "./lib/ids.ts";
import type { Refusal } from "./links/link-table.ts";
import type { LinkHealth } from "./membership/detector.ts";
import type { PartName, PartStats } from "./part.ts";

/** What `Core.stats()` counts since the start. */
export interface CoreStats {
  readonly rejected: Readonly<Record<Refusal, number>>;
  /** Messages delivered to the application, said and sent. */
  readonly heard: number;
  /** Payloads of ours that another had brought already: who got them pruned us. */
  readonly duplicates: number;
  /** What came in our own name and is not ours; it changed nothing. */
  readonly forged: number;
  /** Members that were cut off for flooding, forging, or frames that mean nothing. */
  readonly cutOff: number;
  /** Messages passed on along a route. */
  readonly relayed: number;
  readonly broadcast: BroadcastStats;
  readonly state: StateStats;
  readonly shared: SharedStats;
  readonly streams: StreamStats;
  /** What each part counts that is used here. */
  readonly parts: Readonly<Partial<Record<PartName, PartStats>>>;
}

export interface StreamStats {
  /** Streams that are open now, and since the start those that we opened, and took. */
  readonly open: number;
  readonly opened: number;
  readonly taken: number;
  /** Messages of no stream, beyond what was granted, or of one stream too many. */
  readonly rejected: number;
  readonly sentBytes: number;
  /** Of those: sent again because a way broke. */
  readonly resentBytes: number;
  readonly receivedBytes: number;
}

/** In frames, but for `hopsMax`. */
export interface BroadcastStats {
  /** Payloads pushed to neighbours, and those that came in. */
  readonly payloadsSent: number;
  readonly payloadsReceived: number;
  /** Payloads that came in and were here already. */
  readonly duplicates: number;
  readonly iHaves: number;
  readonly grafts: number;
  readonly prunes: number;
  /** Sequence numbers that were given up. */
  readonly gaps: number;
  /** Links that the farthest payload has crossed on its way here. */
  readonly hopsMax: number;
}

/** In frames, but for `repairBytes`. */
export interface StateStats {
  readonly floods: number;
  readonly digests: number;
  readonly wants: number;
  /** Deltas that were made when a link had room, and their bytes. */
  readonly deltas: number;
  readonly repairBytes: number;
}

/** What all share: what was written here, taken from others, refused, and what is held. */
export interface SharedStats {
  readonly writes: number;
  readonly taken: number;
  readonly refused: number;
  readonly digests: number;
  readonly entries: number;
  readonly bytes: number;
}

export interface LinkView {
  readonly peer: MemberId;
  readonly transport: string;
  readonly health: LinkHealth | undefined;
  /** How unlikely its silence is: 1 for one chance in 10, 2 for one in 100. */
  readonly phi: number;
  readonly queuedBytes: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}
