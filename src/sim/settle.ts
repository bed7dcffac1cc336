/**
 * A mesh that has settled, made without its joining: thousands of members take long to join, and most scenarios
 * begin after it. All know all, each record names the neighbours of its member, and the links are made in the same
 * instant. What they hold is what they would hold after a join; what differs is that nobody has a history: no former
 * attempts, no passive view that has been shuffled, no tree. The overlay is a random regular graph.
 */

import type { Config } from "../core/config.ts";
import type { Rng } from "../core/lib/rng.ts";
import type { MemberId } from "../core/machine.ts";
import { MemberTable } from "../core/membership/table.ts";

export type Edge = readonly [number, number];

/**
 * `count` members in rings through all of them, in random order: connected, and each has `links` neighbours. Where
 * two rings have an edge in common, another edge is parted, and each of its ends linked with one of the two.
 */
export function randomOverlay(count: number, links: number, rng: Rng): Edge[] {
  const edges = new Map<number, Edge>();
  const keyOf = (a: number, b: number): number => Math.min(a, b) * count + Math.max(a, b);
  const isFree = (a: number, b: number): boolean => a !== b && !edges.has(keyOf(a, b));
  const add = (a: number, b: number): void => {
    edges.set(keyOf(a, b), [a, b]);
  };
  const addBetween = (a: number, b: number): void => {
    for (const [c, d] of edges.values()) {
      if (!isFree(a, c) || !isFree(b, d)) continue;
      edges.delete(keyOf(c, d));
      add(a, c);
      return add(b, d);
    }
  };
  const members = Array.from({ length: count }, (_, index) => index);
  for (let ring = 0; ring < links / 2; ring++) {
    const order = rng.sample(members, count);
    for (const [i, a] of order.entries()) {
      const b = order[(i + 1) % count] as number;
      if (isFree(a, b)) add(a, b);
      else addBetween(a, b);
    }
  }
  return [...edges.values()];
}

/** What all members of a settled mesh know, in one table. */
export function settledTable(
  configs: readonly Config[],
  edges: readonly Edge[],
  now: number,
): MemberTable {
  const neighbours: MemberId[][] = configs.map(() => []);
  for (const [a, b] of edges) {
    neighbours[a]?.push((configs[b] as Config).id);
    neighbours[b]?.push((configs[a] as Config).id);
  }
  const records = configs.map((config, index) => {
    const table = new MemberTable(config, now);
    table.describe({ neighbours: (neighbours[index] as MemberId[]).sort() });
    return table.own;
  });
  const [first, ...rest] = records;
  const known = new MemberTable(configs[0] as Config, now);
  known.describe({ neighbours: first?.neighbours ?? [] });
  known.show(known.own, now);
  for (const record of rest) known.applyRecord(record, now);
  return known;
}
