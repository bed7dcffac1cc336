/** Which lane carries what, by the type of the message. */

import type { Lane } from "../machine.ts";
import type { Enclosed, Inner, Message, Sealed } from "../wire/messages.ts";

type Types = ReadonlySet<Message["type"]>;

/** Bulk: the window of a link counts it, and both ends count the same. */
export const BULK: Types = new Set<Message["type"]>([
  "fragment",
  "payload",
  "stateDelta",
  "shared",
  "local",
  "routed",
  "noRoute",
]);

/** What others have made, or what anybody sends as fast as it can. */
export const CARRIED: Types = new Set<Message["type"]>([
  "fragment",
  "payload",
  "stateDelta",
  "shared",
  "local",
  "routed",
  "credit",
]);

/** What may overtake and be overtaken, and so waits for nothing that was lost before it. */
const UNORDERED: Types = new Set<Message["type"]>([
  "stateDelta",
  "stateDigest",
  "stateParts",
  "stateWant",
  "payload",
  "iHave",
  "graft",
  "prune",
  "credit",
]);

export function laneOf(message: Message): Lane {
  return UNORDERED.has(message.type) || isPiece(message) ? "unordered" : "reliable";
}

/** A piece of a stream: where it is passed on, it takes turns with what else waits. */
export function isPiece(message: Message): boolean {
  return turnOfMessage(message) === "piece";
}

/** Small, and a stream waits for it: it does not wait behind what is queued, but takes turns with it. */
export function isAhead(message: Message): boolean {
  return turnOfMessage(message) === "ahead";
}

/** What of it relays are to know. */
export function turnOf({ type }: Inner): Sealed["turn"] {
  if (type === "streamData") return "piece";
  return type === "streamAck" || type === "streamOpen" || type === "streamAbort"
    ? "ahead"
    : "queue";
}

function turnOfMessage(message: Message): Sealed["turn"] | undefined {
  if (message.type !== "local" && message.type !== "routed") return undefined;
  const inner: Enclosed = message.inner;
  return inner.type === "sealed" ? inner.turn : turnOf(inner);
}
