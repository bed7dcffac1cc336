/**
 * Leases of jobs: granted by a majority of the stores that keep the job, one at a time, with rising epochs (P3), and
 * none once a majority knows that the job is done (P2). What is said to be done, and published, is on the disks.
 */

import { type Delivery, type History, historyOf, type JobHistory } from "../queue/history.ts";
import type { World } from "../world.ts";
import type { MakeOracle, Oracle, Report } from "./oracle.ts";
import type { Weather } from "./weather.ts";

/** After all is healed it may take so long until all know each other again, ms. */
const REJOIN_MS = 30_000;

export const queueLeases: MakeOracle = (world, report, weather) =>
  new QueueLeases(world, report, weather);

class QueueLeases implements Oracle {
  readonly name = "queue-leases";
  readonly #history: History;
  readonly #report: Report;
  readonly #world: World;
  readonly #weather: Weather;

  constructor(world: World, report: Report, weather: Weather) {
    this.#history = historyOf(world);
    this.#report = report;
    this.#world = world;
    this.#weather = weather;
    const history = this.#history;
    history.read({
      onPlaced: (job, stores) => this.#onPlaced(job, stores),
      onDelivered: (job, delivery) => {
        this.#checkOne(job, delivery);
        if (history.optionsOf(job).durable) this.#checkMajority(delivery);
      },
    });
  }

  /** With a majority of the stores it goes over to others without a break; without, anything may have happened there. */
  #onPlaced(job: JobHistory, stores: readonly string[]): void {
    const { rehomeMs } = this.#history.optionsOf(job);
    const since = this.#world.now - rehomeMs - REJOIN_MS;
    const there = this.#world.live().filter((member) => {
      const { storeId } = member.disk;
      return stores.includes(storeId ?? "") && this.#weather.calmSince(member) <= since;
    });
    if (there.length <= stores.length / 2) this.#history.rehomed.add(job.id as string);
  }

  #checkOne(job: JobHistory, { member, job: id, epoch }: Delivery): void {
    for (const other of job.deliveries) {
      const who = `member ${other.member.index}`;
      // Where it was placed anew, both placements may give it out for a while.
      const isBehind = other.epoch >= epoch && !this.#history.wasRehomed(job, id);
      if (isBehind || other.epoch === epoch) {
        this.#report(
          member,
          `is given ${id} with epoch ${epoch}, after ${who} with ${other.epoch}`,
        );
      }
      if (other.job !== id || !this.#history.isValid(other)) continue;
      if (this.#history.wasRehomed(job, id)) continue;
      this.#report(member, `is given ${id}, which ${who} has with epoch ${other.epoch}`);
    }
  }

  #checkMajority({ member, job: id, epoch }: Delivery): void {
    const { view } = this.#history;
    const grantedAt = view.grantedAt(id, epoch);
    if (grantedAt === undefined) {
      const on = view.leasedOn(id, epoch);
      this.#report(member, `is given ${id} with epoch ${epoch}, which is on ${on} disks only`);
    } else if ((view.doneAt(id) ?? Infinity) < grantedAt && !this.#history.rehomed.has(id)) {
      this.#report(member, `is given ${id} with epoch ${epoch}, granted after it was done`);
    }
  }
}
