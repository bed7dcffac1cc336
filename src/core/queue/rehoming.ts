/**
 * Jobs whose stores are gone. While a majority of them is there, everything goes on. Once there was none for `rehomeMs`,
 * the first holder that is there gives the job other stores, under a higher number: it may then run twice, where the
 * others are not gone but cut off.
 */

import { type Ground, ownPlace, replicasOf } from "./ground.ts";
import { type Job, majorityOf, mergePlacements, nextPlacement } from "./job.ts";

export interface RehomingOut {
  duties(job: Job): void;
}

export class Rehoming {
  readonly #ground: Ground;
  readonly #out: RehomingOut;

  constructor(ground: Ground, out: RehomingOut) {
    this.#ground = ground;
    this.#out = out;
  }

  sweep(now: number): void {
    for (const group of [...this.#ground.ledger.groups.values()]) {
      const { stores } = group;
      const there = replicasOf(this.#ground, stores).length;
      if (there >= majorityOf(group)) group.lostAt = undefined;
      else {
        group.lostAt ??= now;
        const lostMs = now - group.lostAt;
        for (const job of [...group.jobs]) if (lostMs >= job.options.rehomeMs) this.#rehome(job);
      }
    }
  }

  #rehome(job: Job): void {
    const { holders, host, ledger } = this.#ground;
    const all = job.holders();
    const first = all.find((store) => holders.memberOf(store) !== undefined);
    if (job.isOver || first === undefined || holders.memberOf(first) !== host.id) return;
    const place = ownPlace(this.#ground, all);
    const number = nextPlacement(job.placement, place);
    const { durable, replicas } = job.options;
    const subject = job.body?.order ?? job.body?.key ?? job.id;
    const stores = holders.place(job.channel, durable, subject, replicas);
    if (stores.length === 0 || number === undefined) return;
    ledger.place(job, mergePlacements(job.placement, { number, stores, former: [] }));
    ledger.write(job, (problem) => {
      if (problem === undefined) this.#out.duties(job);
    });
  }
}
