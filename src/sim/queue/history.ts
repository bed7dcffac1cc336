/**
 * What really happened to each job: who published it, on which disks it was when that was confirmed, who had it when,
 * and how that ended. It is seen from outside, on true time; oracles compare it with what the members promise.
 */

import type { Input, MeshEvent } from "../../core/machine.ts";
import {
  QUEUE_OPTIONS,
  type QueueCommand,
  type QueueEvent,
  type QueueOptions,
} from "../../core/queue/contract.ts";
import type { SimDisk, Write } from "../disks.ts";
import type { SimMember } from "../member.ts";
import type { Fault, Observer, World } from "../world.ts";
import { DiskView } from "./disk-view.ts";

type Told<T extends QueueEvent["type"]> = Extract<QueueEvent, { type: T }>;
type Asked<T extends QueueCommand["type"]> = Extract<QueueCommand, { type: T }>;

/** One lease, as its consumer has it. */
export interface Delivery {
  readonly member: SimMember;
  readonly job: string;
  readonly epoch: number;
  readonly attempt: number;
  /** When it came, virtual ms. */
  readonly at: number;
  /** The consumer may work until its clock shows this. */
  untilClock: number;
  /** What ended it, for its consumer, and when. */
  end?: { readonly how: "ack" | "nack" | "revoked"; readonly at: number };
  /** Its consumer has worked to the end; it may have been too late to count. */
  ackedAt?: number;
  /** It was told that its ack counts. */
  settledOkAt?: number;
}

export interface JobHistory {
  /** Its number among all that were published: its value begins with it. */
  readonly number: number;
  readonly publisher: SimMember;
  readonly asked: Asked<"publish">;
  readonly publishedAt: number;
  id?: string;
  /** Promised to be handled, and on which disks it was then. */
  confirmedAt?: number;
  readonly disks: Set<SimDisk>;
  duplicateOf?: string;
  failed?: Told<"publishFailed">;
  readonly deliveries: Delivery[];
  dead?: boolean;
}

/** What oracles are told beside the history itself, after it was written. */
export interface HistoryReader {
  onConfirmed?(job: JobHistory): void;
  onDelivered?(job: JobHistory, delivery: Delivery): void;
  onSettled?(job: JobHistory, delivery: Delivery): void;
  /** It is kept by other stores from now on, instead of these. */
  onPlaced?(job: JobHistory, stores: readonly string[]): void;
}

const histories = new WeakMap<World, History>();

/** The one of this world. */
export function historyOf(world: World): History {
  const history = histories.get(world) ?? new History(world);
  histories.set(world, history);
  return history;
}

export class History implements Observer {
  readonly jobs = new Map<number, JobHistory>();
  readonly view = new DiskView();
  /** Jobs that were placed anew without a majority of their stores: what was promised by these holds no more. */
  readonly rehomed = new Set<string>();
  /** When anything was last done to anybody, ms. */
  faultAt = Number.NEGATIVE_INFINITY;
  readonly #byId = new Map<string, JobHistory>();
  readonly #options = new Map<SimMember, QueueOptions>();
  readonly #readers: HistoryReader[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    world.observe(this);
    this.view.onPlaced = (id, stores) => {
      const job = this.#byId.get(id);
      // Whose publisher has said nothing of it was gone before it could.
      if (job === undefined) this.rehomed.add(id);
      else for (const reader of this.#readers) reader.onPlaced?.(job, stores);
    };
  }

  read(reader: HistoryReader): void {
    this.#readers.push(reader);
  }

  byId(id: string): JobHistory | undefined {
    return this.#byId.get(id);
  }

  /** What its consumer may still work on. */
  isValid({ member, untilClock, end }: Delivery): boolean {
    return end === undefined && member.alive && member.clock(this.#world.now) < untilClock;
  }

  /** Handled to the end by somebody, or dead; or what counts for it by its key is. */
  isOver(job: JobHistory): boolean {
    if (job.dead || job.deliveries.some(({ ackedAt }) => ackedAt !== undefined)) return true;
    const original = job.duplicateOf === undefined ? undefined : this.#byId.get(job.duplicateOf);
    if (original !== undefined && this.isOver(original)) return true;
    if (job.asked.key === undefined) return false;
    for (const other of this.jobs.values()) {
      const { asked, deliveries } = other;
      if (asked.key !== job.asked.key || asked.order !== job.asked.order) continue;
      if (Math.abs(other.publishedAt - job.publishedAt) > this.optionsOf(job).dedupeMs) continue;
      if (other.dead || deliveries.some(({ ackedAt }) => ackedAt !== undefined)) return true;
    }
    return false;
  }

  /** Whether it must be handled: one of those disks is there, or, of what is in memory only, nothing was ever amiss. */
  survives(job: JobHistory): boolean {
    if (!this.optionsOf(job).durable) return this.faultAt < job.publishedAt;
    return this.#world.live().some(({ disk }) => job.disks.has(disk));
  }

  /** It may have been placed anew without a majority of its stores: of what is only in memory nobody sees that. */
  wasRehomed(job: JobHistory, id: string): boolean {
    if (!this.optionsOf(job).durable) return this.faultAt >= job.publishedAt;
    return this.rehomed.has(id);
  }

  /** All that is there and must be handled is. */
  isAllOver(): boolean {
    for (const job of this.jobs.values()) {
      if (job.confirmedAt !== undefined && !this.isOver(job) && this.survives(job)) return false;
    }
    return this.#world.live().every(({ disk }) => !this.view.hasOpen(disk));
  }

  /** What held for its channel when it was published. */
  optionsOf({ publisher }: JobHistory): QueueOptions {
    return this.#options.get(publisher) ?? QUEUE_OPTIONS;
  }

  onInput(member: SimMember, input: Input): void {
    if (input.type !== "command" || input.command.type !== "part") return;
    if (input.command.part !== "queue") return;
    const asked = input.command.command as QueueCommand;
    if (asked.type === "open") this.#options.set(member, asked.options);
    if (asked.type === "publish") this.#onPublish(member, asked);
    if (asked.type === "settle") this.#onSettle(member, asked);
  }

  onEvent(member: SimMember, event: MeshEvent): void {
    if (event.type !== "part" || event.part !== "queue") return;
    const told = event.event as QueueEvent;
    switch (told.type) {
      case "published":
        return this.#onConfirmed(told);
      case "publishFailed":
        return this.#onFailed(told);
      case "job":
        return this.#onJob(member, told);
      case "revoked":
        return this.#end(this.#find(member, told), "revoked");
      case "extended": {
        const delivery = this.#find(member, told);
        if (delivery !== undefined) {
          delivery.untilClock = member.clock(this.#world.now) + told.leftMs;
        }
        return;
      }
      case "settled":
        return this.#onSettled(member, told);
      case "duplicate": {
        const job = this.#byId.get(told.job);
        if (job !== undefined) job.duplicateOf = told.duplicateOf;
        return;
      }
      case "dead": {
        const job = this.#byId.get(told.job);
        if (job !== undefined) job.dead = true;
      }
    }
  }

  onDurable(member: SimMember, write: Write): void {
    if (write.part === "queue") this.view.apply(member.disk, write.changes, this.#world.now);
  }

  onFault(_: Fault): void {
    this.faultAt = this.#world.now;
  }

  #onPublish(publisher: SimMember, asked: Asked<"publish">): void {
    const { ticket: number } = asked;
    const publishedAt = this.#world.now;
    const job = {
      number,
      publisher,
      asked,
      publishedAt,
      disks: new Set<SimDisk>(),
      deliveries: [],
    };
    this.jobs.set(number, job);
  }

  #onConfirmed({ ticket, job: id, duplicateOf }: Told<"published">): void {
    const job = this.jobs.get(ticket);
    if (job === undefined) return;
    job.confirmedAt = this.#world.now;
    if (duplicateOf === undefined) this.#name(job, id);
    else job.duplicateOf = duplicateOf;
    for (const disk of this.view.holdersOf(duplicateOf ?? id)) job.disks.add(disk);
    for (const reader of this.#readers) reader.onConfirmed?.(job);
  }

  #onFailed(told: Told<"publishFailed">): void {
    const job = this.jobs.get(told.ticket);
    if (job === undefined) return;
    job.failed = told;
    if (told.job !== undefined) this.#name(job, told.job);
  }

  #onJob(member: SimMember, { job: id, epoch, attempt, value, leftMs }: Told<"job">): void {
    const number = new DataView(value.buffer, value.byteOffset).getUint32(0);
    const job = this.jobs.get(number);
    if (job === undefined) return;
    this.#name(job, id);
    const { now: at } = this.#world;
    const untilClock = member.clock(at) + leftMs;
    const delivery = { member, job: id, epoch, attempt, at, untilClock };
    for (const reader of this.#readers) reader.onDelivered?.(job, delivery);
    job.deliveries.push(delivery);
  }

  #onSettled(member: SimMember, told: Told<"settled">): void {
    const delivery = this.#find(member, told);
    const job = this.#byId.get(told.job);
    if (delivery?.ackedAt === undefined || job === undefined || !told.ok) return;
    delivery.settledOkAt = this.#world.now;
    for (const reader of this.#readers) reader.onSettled?.(job, delivery);
  }

  #onSettle(member: SimMember, asked: Asked<"settle">): void {
    const { type } = asked.how;
    const delivery = this.#find(member, asked);
    if (delivery === undefined) return;
    if (type === "ack") delivery.ackedAt ??= this.#world.now;
    this.#end(delivery, type);
  }

  #end(delivery: Delivery | undefined, how: "ack" | "nack" | "revoked"): void {
    if (delivery !== undefined) delivery.end ??= { how, at: this.#world.now };
  }

  #find(
    member: SimMember,
    { job, epoch }: { readonly job: string; readonly epoch: number },
  ): Delivery | undefined {
    return this.#byId
      .get(job)
      ?.deliveries.find((one) => one.member === member && one.epoch === epoch);
  }

  #name(job: JobHistory, id: string): void {
    job.id = id;
    this.#byId.set(id, job);
  }
}
