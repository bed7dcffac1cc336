/**
 * Who is named next, so that everybody's load is the same: the insertion order of a map is a queue, and whoever
 * is taken goes to its end. Deterministic.
 */

import { SIGNALING_PING_MS } from "../src/signaling/protocol.ts";

export interface Turn {
  readonly id: string;
  /** When it was last heard of. */
  seenAt: number;
}

/** Somebody silent for longer has a ping unanswered: half as long again as the time between two pings. */
const FRESH_MS = 1.5 * SIGNALING_PING_MS;

/**
 * The next `count`, those heard of lately first: one that has fallen silent is named only where there are not
 * enough others, so whoever is told of several is told of a live one if there is any. Those that `may` not are passed
 * over.
 */
export function takeTurns<T extends Turn>(
  queue: Map<string, T>,
  count: number,
  now: number,
  may: (one: T) => boolean = () => true,
): T[] {
  const fresh: T[] = [];
  const silent: T[] = [];
  for (const one of queue.values()) {
    if (fresh.length === count) break;
    if (!may(one)) continue;
    if (now - one.seenAt <= FRESH_MS) fresh.push(one);
    else if (silent.length < count) silent.push(one);
  }
  const taken = [...fresh, ...silent].slice(0, count);
  for (const one of taken) {
    queue.delete(one.id);
    queue.set(one.id, one);
  }
  return taken;
}
