/**
 * The disks of members: a batch is durable a while after it was asked for, after those before it, as with a real
 * store. A crash loses what is not durable yet; of the next batch nobody knows: it may be, without a word.
 */

import type { Rng } from "../core/lib/rng.ts";
import type { Effect, Input } from "../core/machine.ts";
import type { PartName, StoreProblem } from "../core/part.ts";
import type { EventQueue } from "./event-queue.ts";

export type Write = Extract<Effect, { type: "store" }>;

/** Whose disk it is. */
interface Owner {
  readonly disk: SimDisk;
  readonly alive: boolean;
}

/** What was asked for, and why it cannot be. */
interface Pending {
  readonly write: Write;
  readonly problem: StoreProblem | undefined;
}

interface DisksOut<O> {
  input(member: O, input: Input): void;
  /** This is on its disk now; nobody has told the member yet, and if it is gone nobody will. */
  durable(member: O, write: Write): void;
}

/** How long a batch takes to become durable, ms. */
const FLUSH_MS_MIN = 1;
const FLUSH_MS_MAX = 20;

export class SimDisk {
  /** What is durable, by part and key. */
  readonly entries = new Map<PartName, Map<string, Uint8Array>>();
  /** What was asked for and is not, in order. */
  readonly pending: Pending[] = [];
  /** What makes it known again; undefined: none of its owners' parts has a name for it. */
  storeId: string | undefined;
  /** Nothing more can be written, and why. */
  problem: StoreProblem | undefined;

  of(part: PartName): Map<string, Uint8Array> {
    let entries = this.entries.get(part);
    if (entries === undefined) {
      entries = new Map();
      this.entries.set(part, entries);
    }
    return entries;
  }

  apply({ part, changes }: Write): void {
    const entries = this.of(part);
    for (const { key, value } of changes) {
      if (value === undefined) entries.delete(key);
      else entries.set(key, value);
    }
  }
}

export class Disks<O extends Owner> {
  readonly #queue: EventQueue;
  readonly #rng: Rng;
  readonly #out: DisksOut<O>;

  constructor(queue: EventQueue, rng: Rng, out: DisksOut<O>) {
    this.#queue = queue;
    this.#rng = rng;
    this.#out = out;
  }

  write(member: O, write: Write): void {
    const { disk } = member;
    const pending = { write, problem: disk.problem };
    disk.pending.push(pending);
    const ms = FLUSH_MS_MIN + this.#rng.float() * (FLUSH_MS_MAX - FLUSH_MS_MIN);
    this.#queue.later(ms, () => {
      while (member.alive && disk.pending.includes(pending)) this.#flush(member);
    });
  }

  /** Its process is gone, and with it what is not durable. */
  onGone(member: O): void {
    const { pending } = member.disk;
    const [next] = pending.splice(0);
    if (next !== undefined && this.#rng.float() < 0.5) this.#apply(member, next);
  }

  #flush(member: O): void {
    const next = member.disk.pending.shift() as Pending;
    this.#apply(member, next);
    const { problem, write } = next;
    const { ticket } = write;
    this.#out.input(member, { type: "stored", ticket, ...(problem && { problem }) });
  }

  #apply(member: O, { write, problem }: Pending): void {
    if (problem !== undefined) return;
    member.disk.apply(write);
    this.#out.durable(member, write);
  }
}
