/** One origin as a member hears it: what has come, and which links are on its tree. */

import type { Config } from "../config.ts";
import type { MemberId } from "../machine.ts";
import type { PayloadId } from "../wire/messages.ts";
import type { Payload } from "./cache.ts";
import { Inbox, WINDOW } from "./inbox.ts";
import { Jumps } from "./jumps.ts";

/** The longest that an announced payload is waited for, ms. */
const GRAFT_DELAY_MS_MAX = 400;

/** So many payloads that its parent did not bring, one after another, and the tree is taken for broken. Guess. */
export const STRAYS_MAX = 2;

/** What is larger is no flood. Bytes. */
const FLOOD_BYTES_MAX = 1_024;

export interface Origin {
  inbox: Inbox;
  readonly jumps: Jumps;
  /** Neighbours on this tree by experience: true eager, false lazy. Others go by `reaches`. */
  readonly edges: Map<MemberId, boolean>;
  /** When each was pruned by us, or asked for something, ms: what was on its way then needs no answer. */
  readonly prunedAt: Map<MemberId, number>;
  /** Who brings this origin's payloads along the tree. */
  parent: MemberId | undefined;
  /** How many others had to be asked for since the parent brought one. */
  strays: number;
  /** The flood that came last: what it was, by whom, and when, ms. */
  flood: { readonly sequence: number; readonly from: MemberId; readonly at: number } | undefined;
  /** How much later than its announcement a payload comes, of late, ms. */
  lagMs: number;
  /** When what is missing was last waited for without asking, since it may be on its way, ms. */
  awaitedAt: number;
  /** When the last payload came, or was said, ms. */
  activeAt: number;
}

export function newOrigin(config: Config, generation: number, baseline: number): Origin {
  return {
    inbox: new Inbox(config, generation, baseline),
    jumps: new Jumps(),
    edges: new Map(),
    prunedAt: new Map(),
    parent: undefined,
    strays: 0,
    flood: undefined,
    lagMs: 0,
    awaitedAt: Number.NEGATIVE_INFINITY,
    activeAt: 0,
  };
}

/** Whether the origin may be where `from` says it is. Who has one neighbour only has nobody else to ask. */
export function isCredible(
  { inbox, jumps }: Origin,
  from: MemberId,
  { origin, sequence }: PayloadId,
  neighbourCount: number,
  now: number,
): boolean {
  if (sequence <= inbox.delivered + WINDOW) {
    jumps.inReach(from);
    return true;
  }
  const isSure = from === origin || neighbourCount < 2;
  if (!isSure && !jumps.isCredible(from, sequence, now)) return false;
  inbox.beginAt(sequence - 1);
  return true;
}

/** How long an announced payload is waited for. */
export function graftDelayMs({ lagMs }: Origin, config: Config): number {
  return Math.min(GRAFT_DELAY_MS_MAX, Math.max(config.graftDelayMs, 1.5 * lagMs));
}

/** Whether a payload of ours is to find the tree anew: it is time, and it is small. */
export function isFloodDue(
  { id, value }: Pick<Payload, "id" | "value">,
  { activeAt }: Origin,
  floodedAt: number,
  { treeIdleMs, treeRefreshMs }: Config,
  now: number,
): boolean {
  if (value.length > FLOOD_BYTES_MAX || id.sequence === 1) return false;
  return now - activeAt >= treeIdleMs || now - floodedAt >= treeRefreshMs;
}
