/**
 * Jobs whose stores are gone. While a majority of them is there, everything goes on. Once there was none for `rehomeMs`,
 * the first holder that is there gives the job other stores, under a higher number: it may then run twice, where the
 * others are not gone but cut off.
 *
 * A job that was published when nobody else was known has one store, its publisher's. That one is all of its majority, so
 * it gives the job more as soon as there are some, with no risk: no other has ever had a vote on it.
 */

import { type Ground, ownPlace, replicasOf } from "./ground.ts";
import { type Job, majorityOf, mergePlacements, nextPlacement } from "./job.ts";

/** Jobs that are given more stores in one step. Guess, unmeasured. */
const GROWN_AT_ONCE = 1_000;

/** So long it waits for as many stores as it should have. Guess, unmeasured. */
const GROW_MS = 2_000;

export interface RehomingOut {
  /** What was planned for it is void. */
  unplan(job: Job): void;
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

  /** Gives jobs that only we have more stores, where there are some by now. */
  grow(): void {
    let left = GROWN_AT_ONCE;
    for (const { stores, jobs } of [...this.#ground.ledger.groups.values()]) {
      if (stores.length > 1 || ownPlace(this.#ground, stores) < 0) continue;
      for (const job of [...jobs]) {
        if (left-- <= 0) return;
        // One that is asked for or leased has its turn later; those of an order stay together.
        const isFree = job.stage === "idle" || job.stage === "ready";
        if (isFree && !job.isOver && job.state.phase !== "leased") this.#growOne(job);
      }
    }
  }

  #growOne(job: Job): void {
    const { holders, host, ledger, post } = this.#ground;
    const { body, channel, options, id } = job;
    if (body === undefined || body.order !== undefined || options.replicas < 2) return;
    const stores = holders.place(channel, options.durable, body.key ?? id, options.replicas);
    const number = nextPlacement(job.placement, 0);
    if (stores.length < 2 || number === undefined) return;
    // Who has just come is not alone, perhaps.
    if (stores.length < options.replicas && host.now() - job.heldAt < GROW_MS) return;
    this.#out.unplan(job);
    ledger.place(job, mergePlacements(job.placement, { number, stores, former: [] }));
    ledger.write(job, (problem) => {
      if (problem !== undefined || ledger.get(id) !== job) return;
      const own = ownPlace(this.#ground, stores);
      if (own >= 0) job.known.add(stores[own] as string);
      for (const [, member] of replicasOf(this.#ground, job.placement.stores)) {
        if (member !== host.id) post.put(member, job, true);
      }
      this.#out.duties(job);
    });
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
