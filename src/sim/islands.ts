/** The parts that the live members' links leave: of members of different ones nobody hears of the other. */

import type { SimMember } from "./member.ts";
import type { World } from "./world.ts";

export function islandsOf(world: World): SimMember[][] {
  const islands: SimMember[][] = [];
  const seen = new Set<SimMember>();
  for (const start of world.live()) {
    if (seen.has(start)) continue;
    const island = [start];
    seen.add(start);
    for (const member of island) {
      for (const { to, other } of member.links.values()) {
        if (seen.has(to) || !to.links.has(other.id)) continue;
        if (!world.network.reaches(member, to)) continue;
        seen.add(to);
        island.push(to);
      }
    }
    islands.push(island);
  }
  return islands;
}
