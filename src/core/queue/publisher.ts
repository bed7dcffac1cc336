/**
 * Who publishes: gives the job its number, writes it to its own store, then puts it to the stores where it belongs, and
 * tells the application once as many have it as it asked for. What is not confirmed in time fails, with what is known:
 * the job is there all the same, and its stores see to it.
 */

import { BoundedMap } from "../lib/bounded-map.ts";
import type { JobId, PublishProblem, QueueCommand } from "./contract.ts";
import { adopt, type Ground, ownPlace, replicasOf, storeFor } from "./ground.ts";
import {
  Job,
  type JobBody,
  jobIdOf,
  majorityOf,
  newState,
  originOf,
  type Placement,
} from "./job.ts";
import { PRIORITY_DEFAULT, PRIORITY_MAX, TEXT_BYTES_MAX } from "./limits.ts";
import { shareOptions } from "./records.ts";
import type { Receipt } from "./wire.ts";

type Publish = Extract<QueueCommand, { type: "publish" }>;

/** What an attempt to publish came to. */
export type Outcome =
  | { readonly type: "published"; readonly job: JobId; readonly duplicateOf?: JobId }
  | {
      readonly type: "publishFailed";
      readonly reason: PublishProblem;
      readonly job?: JobId;
      readonly stores: number;
    };

interface Pending {
  readonly tell: (outcome: Outcome) => void;
  readonly job: Job;
  readonly confirm: "local" | number;
  readonly until: number;
  /** Our own disk has it. */
  isSafe: boolean;
  /** Stores that have no room. */
  readonly full: Set<string>;
}

/** Jobs of which some store says that they are there already. Guess, unmeasured. */
const DOUBTS_MAX = 4_096;

export interface PublisherOut {
  duties(job: Job): void;
  hasRoom(channel: string, bytes: number): boolean;
}

export class Publisher {
  readonly #ground: Ground;
  readonly #out: PublisherOut;
  readonly #pending = new Map<JobId, Pending>();
  /** Stores that have another job with the key of one of ours, and which. */
  readonly #doubts = new BoundedMap<JobId, Map<string, JobId>>(DOUBTS_MAX);
  /** By channel and order, what was published here, from the first one that is not over. */
  readonly #orders = new Map<string, JobId[]>();
  #sequence = 0;

  constructor(ground: Ground, out: PublisherOut) {
    this.#ground = ground;
    this.#out = out;
  }

  publish(command: Publish): void {
    const { ticket, channel, value, key, order, confirm } = command;
    const { channels, limits, ledger, host } = this.#ground;
    const options = channels.get(channel);
    const tell = (outcome: Outcome): void => this.#ground.emit({ ticket, ...outcome });
    const fail = (reason: PublishProblem): void =>
      tell({ type: "publishFailed", reason, stores: 0 });
    if (options === undefined) return fail("closed");
    const texts = [key ?? "", order ?? ""];
    if (texts.some((text) => text.length > TEXT_BYTES_MAX / 4)) return fail("large");
    if (value.length > limits.valueBytesMax) return fail("large");
    if (!this.#out.hasRoom(channel, value.length)) return fail("full");
    const now = host.now();
    const original =
      key === undefined || options.dedupeMs === 0
        ? undefined
        : ledger.original(channel, order, key);
    if (original !== undefined && this.#counts(original, now)) {
      return this.#tellOf(original, tell);
    }
    const previous = this.#previous(channel, order);
    const body = {
      value,
      key,
      order,
      priority: Math.min(PRIORITY_MAX, Math.max(0, command.priority ?? PRIORITY_DEFAULT)),
      options: shareOptions(options),
      replayOf: undefined,
      bornAt: now,
    };
    const readyAt = command.delayMs === undefined ? 0 : now + command.delayMs;
    const id = this.add(channel, body, readyAt, { confirm, tell }, previous);
    if (order !== undefined && id !== undefined) this.#follow(channel, order, id);
  }

  /** Makes a job of ours of it. */
  add(
    channel: string,
    body: JobBody,
    readyAt: number,
    { confirm, tell }: Pick<Pending, "confirm" | "tell">,
    before?: Job,
  ): JobId | undefined {
    const { ledger, host, post } = this.#ground;
    const now = host.now();
    const generation = host.generation();
    const id = jobIdOf({ origin: host.id, generation, sequence: ++this.#sequence });
    const placement = before?.placement ?? this.#place(id, channel, body);
    const { options } = body;
    if (placement === undefined) {
      ledger.over.add(id);
      const reason = options.durable ? "store" : "unconfirmed";
      tell({ type: "publishFailed", reason, stores: 0 });
      return undefined;
    }
    const home = storeFor(this.#ground, options) ?? this.#ground.memory;
    const state = newState(readyAt);
    const job = new Job({
      id,
      channel,
      home,
      placement,
      previous: before?.id,
      state,
      heldAt: now,
      options,
      body,
    });
    ledger.add(job);
    const pending: Pending = {
      tell,
      job,
      confirm,
      until: host.now() + this.#ground.limits.publishMs,
      isSafe: false,
      full: new Set(),
    };
    this.#pending.set(job.id, pending);
    ledger.write(job, (problem) => {
      const isPending = this.#pending.get(job.id) === pending;
      if (ledger.get(job.id) !== job || job.isOver) return;
      if (problem !== undefined) {
        if (!isPending) return;
        this.#pending.delete(job.id);
        ledger.forget(job);
        const reason = problem === "full" ? "full" : "store";
        return tell({ type: "publishFailed", reason, stores: 0 });
      }
      pending.isSafe = true;
      const own = ownPlace(this.#ground, job.placement.stores);
      if (own >= 0) job.known.add(job.placement.stores[own] as string);
      for (const [, member] of replicasOf(this.#ground, job.placement.stores)) {
        if (member !== host.id) post.put(member, job, true);
      }
      if (isPending) this.#check(pending);
      this.#out.duties(job);
    });
    return id;
  }

  /** A store has said what it has of a job. */
  onReceipt(job: Job, stores: readonly string[], { verdict, other }: Receipt): void {
    const pending = this.#pending.get(job.id);
    if (
      verdict === "duplicate" &&
      other !== undefined &&
      originOf(job.id) === this.#ground.host.id
    ) {
      this.#doubt(job, stores, other);
    }
    if (pending === undefined) return;
    if (verdict === "full") for (const store of stores) pending.full.add(store);
    this.#check(pending);
  }

  /** How its publication ends is said by its end, at the latest. */
  changed(job: Job): void {
    const pending = this.#pending.get(job.id);
    if (pending !== undefined && job.isOver) this.#confirm(pending);
  }

  /** What was not confirmed in time. */
  sweep(now: number): void {
    for (const pending of this.#pending.values()) {
      if (pending.until > now) break;
      const { tell, job, full } = pending;
      this.#pending.delete(job.id);
      tell({
        type: "publishFailed",
        reason: full.size > 0 ? "full" : "unconfirmed",
        job: job.id,
        stores: job.known.size,
      });
    }
    for (const [order, line] of this.#orders) {
      const open = line.findIndex((id) => this.#ground.ledger.get(id)?.isOver === false);
      if (open < 0) this.#orders.delete(order);
      else if (open > 0) line.splice(0, open);
    }
  }

  get isBusy(): boolean {
    return this.#pending.size > 0;
  }

  #check(pending: Pending): void {
    const { job, confirm, isSafe } = pending;
    if (!isSafe) return;
    const { stores } = job.placement;
    const isLocal = this.#ground.ledger.isKept(job) || !job.options.durable;
    const needed = confirm === "local" ? (isLocal ? 0 : 1) : confirm;
    if (stores.filter((store) => job.known.has(store)).length >= needed) this.#confirm(pending);
  }

  /** A majority of its stores has another with its key: that one counts. */
  #doubt(job: Job, stores: readonly string[], other: JobId): void {
    const doubts = this.#doubts.get(job.id) ?? new Map<string, JobId>();
    this.#doubts.set(job.id, doubts);
    for (const store of stores) doubts.set(store, other);
    const having = [...doubts.values()].filter((one) => one === other).length;
    if (having < majorityOf(job.placement) || job.state.phase !== "new") return;
    this.#doubts.delete(job.id);
    const pending = this.#pending.get(job.id);
    this.#pending.delete(job.id);
    adopt(this.#ground, job, { ...job.state, phase: "removed" });
    this.#ground.ledger.write(job, (problem) => {
      if (problem === undefined) this.#out.duties(job);
    });
    if (pending !== undefined) {
      return pending.tell({ type: "published", job: job.id, duplicateOf: other });
    }
    const { channel, id } = job;
    this.#ground.emit({ type: "duplicate", channel, job: id, duplicateOf: other });
  }

  #confirm({ job, tell }: Pending): void {
    this.#pending.delete(job.id);
    tell({ type: "published", job: job.id });
  }

  /** Another job of this member counts for one that was to be published. */
  #tellOf(original: Job, tell: Pending["tell"]): void {
    const { id } = original;
    this.#ground.ledger.whenSafe(original, (problem) => {
      if (problem === undefined) tell({ type: "published", job: id, duplicateOf: id });
      else tell({ type: "publishFailed", reason: "store", stores: 0 });
    });
  }

  #counts({ state, heldAt, options, id }: Job, now: number): boolean {
    const isGood = state.phase !== "dead" && state.phase !== "removed";
    return isGood && now - heldAt < options.dedupeMs && !this.#pending.has(id);
  }

  #place(id: JobId, channel: string, { order, key, options }: JobBody): Placement | undefined {
    const { durable, replicas } = options;
    const subject = order ?? key ?? id;
    const stores = this.#ground.holders.place(channel, durable, subject, replicas);
    return stores.length === 0 ? undefined : { number: 0, stores, former: [] };
  }

  /** What must be over before the next of the order. It has the same stores, so they see both. */
  #previous(channel: string, order: string | undefined): Job | undefined {
    const line = order === undefined ? undefined : this.#orders.get(orderOf(channel, order));
    while (line !== undefined && line.length > 0) {
      const job = this.#ground.ledger.get(line[line.length - 1] as JobId);
      if (job?.isOver === false) return job;
      line.pop();
    }
    return undefined;
  }

  #follow(channel: string, order: string, id: JobId): void {
    const name = orderOf(channel, order);
    const line = this.#orders.get(name);
    if (line === undefined) this.#orders.set(name, [id]);
    else line.push(id);
  }

  /** Jobs of former lives of ours: what follows them is behind them. */
  restored(job: Job): void {
    const order = job.body?.order;
    if (order === undefined || job.isOver || job.id.slice(0, 32) !== this.#ground.host.id) return;
    this.#follow(job.channel, order, job.id);
  }
}

function orderOf(channel: string, order: string): string {
  return JSON.stringify([channel, order]);
}
