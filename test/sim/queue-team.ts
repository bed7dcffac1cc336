/** Members of a world with work queues, and what their applications see. */

import type {
  QueueCommand,
  QueueEvent,
  QueueOptions,
  QueuePartOptions,
} from "../../src/core/queue/contract.ts";
import { QUEUE_OPTIONS } from "../../src/core/queue/contract.ts";
import { type Queue, queuePart } from "../../src/core/queue/queue.ts";
import type { SimMember, World } from "../../src/sim/index.ts";

export type EventOf<T extends QueueEvent["type"]> = Extract<QueueEvent, { type: T }>;

const DISKS = new WeakMap<object, string>();
let disks = 0;

/** The id of the store that is this disk. */
function storeOf(disk: object): string {
  let store = DISKS.get(disk);
  if (store === undefined) {
    store = (++disks).toString(16).padStart(4, "0").repeat(8);
    DISKS.set(disk, store);
  }
  return store;
}

export interface WorkerOptions {
  readonly hasStore?: boolean;
  readonly options?: Partial<QueueOptions>;
  readonly part?: Partial<QueuePartOptions>;
}

/** One application: by default it takes what comes and acknowledges it after `workMs`. */
export class Worker {
  readonly member: SimMember;
  readonly events: QueueEvent[] = [];
  readonly world: World;
  readonly given: WorkerOptions;
  queue!: Queue;
  /** What becomes of a job. */
  handle: (job: EventOf<"job">) => void = (job) => {
    if (this.member.alive) this.handled.push(numberOf(job));
    this.settle(job, { type: "ack" });
  };
  /** What it has worked through. */
  readonly handled: number[] = [];
  workMs = 10;
  /** What was published with which ticket. */
  readonly tickets = new Map<number, number>();
  #ticket = 0;

  constructor(world: World, member: SimMember, given: WorkerOptions = {}) {
    this.world = world;
    this.member = member;
    this.given = given;
    const { hasStore = true, options = {}, part = {} } = given;
    const storeId = hasStore ? storeOf(member.disk) : undefined;
    const entries = [...member.disk.of("queue")];
    world.observe({
      onEvent: (whose, event) => {
        if (whose === member && event.type === "part" && event.part === "queue") {
          this.#on(event.event as QueueEvent);
        }
      },
    });
    world.input(member, {
      type: "attach",
      part: "queue",
      make: (host) => {
        this.queue = queuePart({ storeId, entries, ...part })(host) as Queue;
        return this.queue;
      },
    });
    this.command({ type: "open", channel: "jobs", options: { ...QUEUE_OPTIONS, ...options } });
  }

  command(command: QueueCommand): void {
    this.world.command(this.member, { type: "part", part: "queue", command });
  }

  consume(credit: number): this {
    this.command({ type: "subscribe", channel: "jobs", credit });
    return this;
  }

  /** Publishes a number, and gives the ticket. */
  publish(value: number, more: Partial<Extract<QueueCommand, { type: "publish" }>> = {}): number {
    const ticket = ++this.#ticket;
    this.tickets.set(ticket, value);
    const bytes = Uint8Array.of(value >> 8, value & 255);
    this.command({ type: "publish", ticket, channel: "jobs", value: bytes, confirm: 2, ...more });
    return ticket;
  }

  settle(
    { job, epoch }: Pick<EventOf<"job">, "job" | "epoch">,
    how: Extract<QueueCommand, { type: "settle" }>["how"],
  ): void {
    if (!this.member.alive) return;
    this.command({ type: "settle", channel: "jobs", job, epoch, how });
  }

  ask(
    question:
      | { readonly type: "stats" | "purge" | "drain" }
      | { readonly type: "list"; readonly limit: number },
  ): number {
    const ticket = ++this.#ticket;
    this.command({ ...question, ticket, channel: "jobs" } as QueueCommand);
    return ticket;
  }

  of<T extends QueueEvent["type"]>(type: T): EventOf<T>[] {
    return this.events.filter((event): event is EventOf<T> => event.type === type);
  }

  #on(event: QueueEvent): void {
    this.events.push(event);
    if (event.type === "job") this.world.later(this.workMs, () => this.handle(event));
  }
}

export function numberOf({ value }: { readonly value: Uint8Array }): number {
  return ((value[0] ?? 0) << 8) | (value[1] ?? 0);
}
