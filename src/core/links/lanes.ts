/** Which lane carries what, by the type of the message. */

import type { Lane } from "../machine.ts";
import type { Message } from "../wire/messages.ts";

type Types = ReadonlySet<Message["type"]>;

/** Bulk: the window of a link counts it, and both ends count the same. */
export const BULK: Types = new Set<Message["type"]>([
  "fragment",
  "payload",
  "stateDelta",
  "local",
  "routed",
  "noRoute",
]);

/** What may overtake and be overtaken, and so waits for nothing that was lost before it. */
const UNORDERED: Types = new Set<Message["type"]>([
  "stateDelta",
  "payload",
  "iHave",
  "graft",
  "prune",
  "credit",
]);

export function laneOf({ type }: Message): Lane {
  return UNORDERED.has(type) ? "unordered" : "reliable";
}
