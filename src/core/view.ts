/** What the core shows of itself, for diagnosis. */

import type { MemberId } from "./lib/ids.ts";
import type { LinkHealth } from "./membership/detector.ts";
import type { RejectReason } from "./wire/codec.ts";

/** What `Core.stats()` counts since the start. */
export interface CoreStats {
  readonly rejected: Readonly<Record<RejectReason, number>>;
  readonly heard: number;
  readonly duplicates: number;
  readonly relayed: number;
}

export interface LinkView {
  readonly peer: MemberId;
  readonly transport: string;
  readonly health: LinkHealth | undefined;
  readonly queuedBytes: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}
