/** Nobody is cut off for what an honest member does, however bad the hour. */

import type { MakeOracle } from "./oracle.ts";

export const conduct: MakeOracle = (world, report) => ({
  name: "conduct",
  onEvent(member, event) {
    if (event.type !== "misbehaved" || member.misbehaves) return;
    if (world.find(event.peer)?.misbehaves) return;
    report(member, `cuts ${event.peer} off for ${event.what}`);
  },
});
