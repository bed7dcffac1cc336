/** What is said runs along the links: outward from who said it, each peer passing it on. */

import type { GraphLink, GraphNode } from "./graph-model.ts";

export interface Pulse {
  readonly from: GraphNode;
  readonly to: GraphNode;
  readonly colour: number;
  readonly size: number;
  readonly startAt: number;
  readonly endAt: number;
}

const HOP_MS = 520;
const PULSES_MAX = 400;

/** The way over the fewest links to everybody, as one pulse for each link of it. */
export function pulsesFrom(
  origin: GraphNode,
  links: readonly GraphLink[],
  now: number,
  size: number,
): Pulse[] {
  const pulses: Pulse[] = [];
  const reached = new Set([origin]);
  let edge = [origin];
  for (let hop = 0; edge.length > 0 && pulses.length < PULSES_MAX; hop++) {
    const next: GraphNode[] = [];
    for (const from of edge) {
      for (const { source, target } of links) {
        const to = source === from ? target : target === from ? source : undefined;
        if (to === undefined || reached.has(to)) continue;
        reached.add(to);
        next.push(to);
        const startAt = now + hop * HOP_MS;
        const { colour } = origin.person;
        pulses.push({ from, to, colour, size, startAt, endAt: startAt + HOP_MS });
      }
    }
    edge = next;
  }
  return pulses;
}
