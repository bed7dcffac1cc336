/** What is said to be kept is kept: a confirmed job is on so many disks, and a settled one is done on most of its own. */

import { type Delivery, type History, historyOf, type JobHistory } from "../queue/history.ts";
import type { MakeOracle, Oracle, Report } from "./oracle.ts";

export const queueReceipts: MakeOracle = (world, report) =>
  new QueueReceipts(historyOf(world), report);

class QueueReceipts implements Oracle {
  readonly name = "queue-receipts";
  readonly #history: History;
  readonly #report: Report;

  constructor(history: History, report: Report) {
    this.#history = history;
    this.#report = report;
    history.read({
      onConfirmed: (job) => this.#onConfirmed(job),
      onSettled: (job, delivery) => this.#onSettled(job, delivery),
    });
  }

  #onConfirmed(job: JobHistory): void {
    const { publisher, asked, duplicateOf, disks } = job;
    if (!this.#history.optionsOf(job).durable || duplicateOf !== undefined) return;
    const { confirm } = asked;
    const isLocal = confirm === "local" && publisher.disk.storeId !== undefined;
    const needed = confirm === "local" ? 1 : confirm;
    const isKept = isLocal ? disks.has(publisher.disk) : disks.size >= needed;
    // What is over already needs no keeping.
    if (isKept || this.#history.isOver(job)) return;
    this.#report(publisher, `has ${job.id} confirmed (${confirm}), on ${disks.size} disks`);
  }

  #onSettled(job: JobHistory, { member, job: id }: Delivery): void {
    if (!this.#history.optionsOf(job).durable) return;
    if (this.#history.view.doneAt(id) !== undefined) return;
    this.#report(member, `has ${id} settled, which is not done on most of its disks`);
  }
}
