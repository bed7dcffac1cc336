/** An entry of a state as it is held: its life as an end, and what it weighs. */

import { encodeUtf8 } from "../lib/utf8.ts";
import type { StateEntry, Vouched } from "../wire/messages.ts";

export interface Item extends Omit<StateEntry, "value" | "lifeMs" | "vouched"> {
  value: Uint8Array | undefined;
  vouched: Vouched | undefined;
  /** When it ends by itself, on the store's clock, ms; Infinity: never. */
  endsAt: number;
  readonly keyBytes: number;
}

/** Where an item stands: changes of a log beside each other, all else by its key. */
export type Slot = string | number;

export function slotOf({ key, version, log }: Item): Slot {
  return log === undefined ? key : version;
}

export function itemOf(entry: StateEntry, clock: number): Item {
  const { key, version, value, lifeMs, log, vouched } = entry;
  const endsAt = lifeMs > 0 ? clock + lifeMs : Number.POSITIVE_INFINITY;
  return { key, version, value, log, vouched, endsAt, keyBytes: encodeUtf8(key).length };
}

/** What is left of a life is told in whole ms, and never as the 0 that means none. */
export function entryOf(item: Item, clock: number): StateEntry {
  const { key, version, value, log, vouched, endsAt } = item;
  const lasts = endsAt === Number.POSITIVE_INFINITY;
  const leftMs = Math.max(1, Math.ceil(endsAt - clock));
  // Sums of times are not exact: nobody believes in more than the owner gave.
  const lifeMs = lasts ? 0 : Math.min(leftMs, vouched?.ttlMs ?? leftMs);
  return { key, version, value, lifeMs, log, vouched };
}

/** The bytes that it counts for. */
export function weightOf({ keyBytes, value }: Pick<Item, "keyBytes" | "value">): number {
  return keyBytes + (value?.length ?? 0) + 16;
}
