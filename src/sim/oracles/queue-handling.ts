/**
 * What becomes of jobs: whose publishing was confirmed is handled or a dead letter (P1), more than once only where
 * that is allowed (P4), in order where one was asked for and once by key (P5).
 */

import { FIRM_MS } from "../../core/queue/limits.ts";
import type { Delivery, History, JobHistory } from "../queue/history.ts";
import { historyOf } from "../queue/history.ts";
import type { World } from "../world.ts";
import type { MakeOracle, Oracle, Report } from "./oracle.ts";

/** What consumers may take less than their lease for, by clocks that drift and messages that travel. */
const LEASE_SHARE = 0.7;

/** Nothing was amiss for so long, ms. */
const CALM_MS = 5_000;

export const queueHandling: MakeOracle = (world, report) => new QueueHandling(world, report);

class QueueHandling implements Oracle {
  readonly name = "queue-handling";
  readonly #world: World;
  readonly #report: Report;
  readonly #history: History;
  /** Jobs of one origin and order. */
  readonly #orders = new Map<string, JobHistory[]>();

  constructor(world: World, report: Report) {
    this.#world = world;
    this.#report = report;
    this.#history = historyOf(world);
    this.#history.read({
      onDelivered: (job, delivery) => {
        this.#checkRepeated(job, delivery);
        this.#checkOrder(job, delivery);
        this.#checkKey(job, delivery);
      },
    });
  }

  quiet(): void {
    for (const job of this.#history.jobs.values()) {
      if (job.confirmedAt === undefined || this.#history.isOver(job)) continue;
      if (!this.#history.survives(job)) continue;
      this.#report(job.publisher, `job ${job.number} (${job.id}) was confirmed and is lost`);
    }
  }

  #checkRepeated(job: JobHistory, delivery: Delivery): void {
    const { now } = this.#world;
    const before = job.deliveries.at(-1);
    if (before === undefined || this.#history.wasRehomed(job, delivery.job)) return;
    const settled = job.deliveries.find(({ settledOkAt }) => settledOkAt !== undefined);
    if (settled !== undefined) {
      const agoMs = Math.round(now - (settled.settledOkAt as number));
      this.#report(delivery.member, `is given ${delivery.job}, done for ${agoMs} ms`);
    }
    if (before.end?.how === "nack" || !before.member.alive) return;
    const { leaseMs } = this.#history.optionsOf(job);
    const heldMs = now - before.at;
    if (heldMs >= LEASE_SHARE * leaseMs || this.#history.faultAt >= before.at) return;
    const who = `member ${before.member.index}`;
    this.#report(delivery.member, `is given ${delivery.job}, which ${who} has for ${heldMs} ms`);
  }

  #checkOrder(job: JobHistory, delivery: Delivery): void {
    const { order } = job.asked;
    if (order === undefined) return;
    const name = `${job.publisher.index} ${order}`;
    const others = this.#orders.get(name) ?? [];
    this.#orders.set(name, others);
    if (!others.includes(job)) others.push(job);
    if (this.#history.wasRehomed(job, delivery.job)) return;
    for (const other of others) {
      if (other.number <= job.number) continue;
      this.#report(delivery.member, `is given ${delivery.job} after ${other.id} of the same order`);
    }
    for (const earlier of this.#history.jobs.values()) {
      if (earlier.number >= job.number) break;
      if (earlier.publisher !== job.publisher || earlier.asked.order !== order) continue;
      if (earlier.duplicateOf !== undefined || earlier.confirmedAt === undefined) continue;
      if (this.#history.isOver(earlier)) continue;
      if (!this.#history.survives(earlier)) continue;
      this.#report(delivery.member, `is given ${delivery.job} before ${earlier.id} is over`);
    }
  }

  /** Only while nothing is amiss. */
  #checkKey(job: JobHistory, delivery: Delivery): void {
    const { key, order } = job.asked;
    const { dedupeMs } = this.#history.optionsOf(job);
    if (key === undefined || dedupeMs === 0) return;
    for (const other of this.#history.jobs.values()) {
      if (other === job || other.deliveries.length === 0) continue;
      if (other.asked.key !== key || other.asked.order !== order) continue;
      const [first, last] = other.number < job.number ? [other, job] : [job, other];
      // Of two that come soon after each other both may stand: their ids decide, and stores may have heard the other first.
      if (first.confirmedAt === undefined) continue;
      if (first.confirmedAt + FIRM_MS > last.publishedAt) continue;
      if (last.publishedAt - first.confirmedAt > dedupeMs / 2) continue;
      if (this.#history.faultAt > first.publishedAt - CALM_MS) continue;
      this.#report(delivery.member, `is given ${delivery.job}, the same as ${other.id} by its key`);
    }
  }
}
