/** What the application asks of the part "channel", and what it is told. */

import type { MemberId } from "../lib/ids.ts";

/** How much of a channel is kept for those who come later, and wanted by who comes. */
export interface History {
  readonly count: number;
  readonly ms: number;
}

export type ChannelCommand =
  /** Also with another `history` than before. */
  | {
      readonly type: "subscribe";
      readonly channel: string;
      readonly history?: History | undefined;
    }
  | { readonly type: "unsubscribe"; readonly channel: string }
  /** Ends in `published` or `refused` with this ticket. */
  | {
      readonly type: "publish";
      readonly channel: string;
      readonly ticket: number;
      readonly value: Uint8Array;
      readonly history?: History | undefined;
    };

export type ChannelEvent =
  /** It is on its way to all subscribers but those who are slow. */
  | { readonly type: "published"; readonly ticket: number }
  /** Too much of ours waits. */
  | { readonly type: "refused"; readonly ticket: number }
  | {
      readonly type: "message";
      readonly channel: string;
      readonly from: MemberId;
      /** Counts what `from` has published here since its start. */
      readonly number: number;
      readonly value: Uint8Array;
      /** Published before we subscribed. */
      readonly late: boolean;
      /** So many of this publisher before it did not come and will not. */
      readonly missed: number;
    }
  | {
      readonly type: "subscriber";
      readonly channel: string;
      readonly id: MemberId;
      readonly isThere: boolean;
    };
