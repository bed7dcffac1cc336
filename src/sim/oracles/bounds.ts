/** Invariant 12, as far as a core shows it: what it keeps, and what it wants to do, has a bound. */

import type { SimMember } from "../member.ts";
import type { MakeOracle } from "./oracle.ts";

/** Deadlines of the core itself, and of each link, member and thing on its way. */
const DEADLINES_ALWAYS = 64;
const DEADLINES_EACH = 8;

export const bounds: MakeOracle = (world, report) => {
  const look = (member: SimMember): void => {
    const { config, core } = member;
    const { deadlines, links, membership } = core.layers;
    const known = membership.table.size;
    if (known > config.membersMax) report(member, `knows ${known} members`);
    const wanted = DEADLINES_ALWAYS + DEADLINES_EACH * (known + links.count) + config.directMax;
    if (deadlines.size > wanted) report(member, `has ${deadlines.size} deadlines`);
    for (const peer of links.peers()) {
      const queuedBytes = links.linkTo(peer)?.queue.bytes ?? 0;
      if (queuedBytes <= config.queueBytesMax) continue;
      report(member, `queues ${queuedBytes} bytes for ${peer}`);
    }
  };
  return {
    name: "bounds",
    check() {
      for (const member of world.live()) look(member);
    },
  };
};
