/**
 * The disks of members: a batch is durable a while after it was asked for, after those before it, as with a real
 * store. A crash loses what is not durable yet; of the next batch nobody knows: it may be, without a word.
 */

import type { Rng } from "../core/lib/rng.ts";
import type { Effect, Input } from "../core/machine.ts";
import type { PartName, StoreProblem } from "../core/part.ts";
import type { EventQueue } from "./event-queue.ts";

type Write = Extract<Effect, { type: "store" }>;

/** Whose disk it is. */
interface Owner {
  readonly disk: SimDisk;
  readonly alive: boolean;
}

/** How long a batch takes to become durable, ms. */
const FLUSH_MS_MIN = 1;
const FLUSH_MS_MAX = 20;

export class SimDisk {
  /** What is durable, by part and key. */
  readonly entries = new Map<PartName, Map<string, Uint8Array>>();
  /** What was asked for and is not, in order. */
  readonly pending: Write[] = [];
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

  /** Makes the next batch durable. */
  flush(): Write | undefined {
    const write = this.pending.shift();
    for (const { key, value } of write?.changes ?? []) {
      if (value === undefined) this.of((write as Write).part).delete(key);
      else this.of((write as Write).part).set(key, value);
    }
    return write;
  }
}

export class Disks<O extends Owner> {
  readonly #queue: EventQueue;
  readonly #rng: Rng;
  readonly #input: (member: O, input: Input) => void;

  constructor(queue: EventQueue, rng: Rng, out: { input: (member: O, input: Input) => void }) {
    this.#queue = queue;
    this.#rng = rng;
    this.#input = out.input;
  }

  write(member: O, write: Write): void {
    const { disk } = member;
    const { ticket } = write;
    const ms = FLUSH_MS_MIN + this.#rng.float() * (FLUSH_MS_MAX - FLUSH_MS_MIN);
    if (disk.problem !== undefined) {
      const { problem } = disk;
      return this.#queue.later(ms, () => this.#input(member, { type: "stored", ticket, problem }));
    }
    disk.pending.push(write);
    this.#queue.later(ms, () => {
      while (member.alive && disk.pending.includes(write)) {
        const done = disk.flush() as Write;
        this.#input(member, { type: "stored", ticket: done.ticket });
      }
    });
  }

  /** Its process is gone, and with it what is not durable. */
  onGone({ disk }: Owner): void {
    if (disk.pending.length > 0 && this.#rng.float() < 0.5) disk.flush();
    disk.pending.length = 0;
  }
}
