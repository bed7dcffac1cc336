/** What one entry of a disk says of a job: read as the queue itself reads it when it starts again. */

import type { Phase } from "../../core/queue/job.ts";
import { restoreHead } from "../../core/queue/records.ts";

export type Recorded =
  /** What was published is there. */
  | { readonly type: "body"; readonly job: string }
  | {
      readonly type: "head";
      readonly job: string;
      readonly phase: Phase;
      readonly epoch: number;
      /** The number of its placement, and the stores of it. */
      readonly placement: number;
      readonly stores: readonly string[];
      readonly former: readonly string[];
      /** The publisher's own store. */
      readonly home: string;
    }
  /** Nothing is known of it any more. */
  | { readonly type: "gone"; readonly job: string };

const BODY = "j";
const HEAD = "s";

/** Undefined: it is of something else, or cannot be read. */
export function recordedIn(key: string, value: Uint8Array | undefined): Recorded | undefined {
  const job = key.slice(1);
  if (key.startsWith(BODY)) return value && { type: "body", job };
  if (!key.startsWith(HEAD)) return undefined;
  if (value === undefined) return { type: "gone", job };
  const head = restoreHead(value, 0);
  if (head === undefined) return undefined;
  const { state, placement, home } = head;
  const { phase, epoch } = state;
  const { number, stores, former } = placement;
  return { type: "head", job, phase, epoch, placement: number, stores, former, home };
}
