/**
 * When all is quiet nothing of the queue is left half done: no store has a job that is still to be done, all stores of
 * a job say the same of it, and what all of them know to be over is forgotten.
 */

import { isOpen } from "../queue/disk-view.ts";
import { historyOf } from "../queue/history.ts";
import type { MakeOracle } from "./oracle.ts";

export const queueRest: MakeOracle = (world, report) => {
  const { view } = historyOf(world);
  return {
    name: "queue-rest",
    quiet() {
      const live = world.live();
      const stores = new Set(live.map(({ disk }) => disk.storeId));
      const phases = new Map<string, string>();
      for (const member of live) {
        for (const head of view.held(member.disk)) {
          const { job, phase, stores: own, former, home } = head;
          if (isOpen(head)) report(member, `still has ${job} as ${phase}`);
          const other = phases.get(job) ?? phase;
          phases.set(job, phase);
          if (other !== phase) report(member, `has ${job} as ${phase}, another as ${other}`);
          const isKnownToAll = [...own, ...former, home].every((store) => stores.has(store));
          if (phase !== "dead" && !isOpen(head) && isKnownToAll) {
            report(member, `has not forgotten ${job}, which is ${phase}`);
          }
        }
      }
    },
  };
};
