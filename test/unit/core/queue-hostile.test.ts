// What a work queue takes from whom: nothing from strangers, and whatever comes, it neither throws nor loses a job.
import { expect, test } from "vitest";
import { Rng } from "../../../src/core/lib/rng.ts";
import type { PartHost } from "../../../src/core/part.ts";
import { QUEUE_OPTIONS, type QueueEvent } from "../../../src/core/queue/contract.ts";
import { Queue } from "../../../src/core/queue/queue.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");

/** Members in one place: what one says the others hear at once, what is stored is durable at once. */
class Room {
  readonly queues: Queue[] = [];
  readonly said: { readonly from: string; readonly to: string; readonly bytes: Uint8Array }[] = [];
  readonly events: QueueEvent[] = [];
  readonly #todo: (() => void)[] = [];
  stores = 0;
  now = 0;

  constructor(count: number) {
    for (let i = 0; i < count; i++)
      this.queues.push(new Queue(this.#host(i), { storeId: id(100 + i) }));
    for (const queue of this.queues) {
      for (let i = 0; i < count; i++) queue.onMember(id(i), 1, true);
      queue.onCommand({ type: "open", channel: "jobs", options: QUEUE_OPTIONS });
    }
    this.run();
  }

  run(): void {
    while (this.#todo.length > 0) for (const what of this.#todo.splice(0)) what();
  }

  publish(count: number): void {
    for (let i = 0; i < count; i++) {
      const value = Uint8Array.of(i);
      this.queues[0]?.onCommand({ type: "publish", ticket: i, channel: "jobs", value, confirm: 2 });
    }
    this.run();
  }

  #host(i: number): PartHost {
    return {
      id: id(i),
      rng: Rng.fromSeed(i),
      now: () => this.now,
      wallMs: () => this.now,
      generation: () => 1,
      generationOf: () => 1,
      send: (to, bytes) => {
        this.said.push({ from: id(i), to, bytes });
        this.#todo.push(() => this.queues[Number.parseInt(to, 16)]?.onMessage(id(i), bytes));
        return true;
      },
      announce: (key, value) => {
        this.#todo.push(() => {
          for (const queue of this.queues) queue.onAnnounced(id(i), key, value);
        });
      },
      setDeadline: () => {},
      clearDeadline: () => {},
      store: () => {
        const ticket = ++this.stores;
        this.#todo.push(() => this.queues[i]?.onStored(ticket, undefined));
        return ticket;
      },
      emit: (event) => void this.events.push(event as QueueEvent),
      prove: () => {},
      check: () => {},
    } as PartHost;
  }
}

/** All kinds of messages, as honest members say them. */
function recorded(): Room {
  const room = new Room(3);
  room.publish(6);
  room.queues[1]?.onCommand({ type: "subscribe", channel: "jobs", credit: 4 });
  room.run();
  for (const event of room.events.filter(({ type }) => type === "job")) {
    const { job, epoch } = event as Extract<QueueEvent, { type: "job" }>;
    room.queues[1]?.onCommand({
      type: "settle",
      channel: "jobs",
      job,
      epoch,
      how: { type: "ack" },
    });
  }
  room.queues[2]?.onCommand({ type: "stats", ticket: 1, channel: "jobs" });
  room.run();
  return room;
}

test("the record holds every kind of message", () => {
  const kinds = new Set(recorded().said.map(({ bytes }) => bytes[1]));
  expect([...kinds].sort((a = 0, b = 0) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test("a stranger who repeats what members say changes nothing", () => {
  const { said } = recorded();
  const room = new Room(3);
  room.publish(6);
  const victim = room.queues[0] as Queue;
  const before = [...victim.ground.ledger.jobs.values()].map(({ id: job, state }) => ({
    job,
    state,
  }));
  const [stores, refused] = [room.stores, victim.ground.counters.refused];
  for (const { bytes } of said) victim.onMessage(id(77), bytes);
  room.run();
  const after = [...victim.ground.ledger.jobs.values()].map(({ id: job, state }) => ({
    job,
    state,
  }));
  expect(after).toEqual(before);
  expect(room.stores).toBe(stores);
  expect(victim.ground.counters.refused).toBeGreaterThan(refused);
});

test.each([
  ["a stranger", 77],
  ["a member", 1],
])("whatever %s says, nothing is thrown", (_, who) => {
  const { said } = recorded();
  const rng = Rng.fromSeed(5);
  const room = new Room(3);
  room.publish(6);
  const victim = room.queues[0] as Queue;
  const held = victim.ground.ledger.jobs.size;
  for (let i = 0; i < 5_000; i++) {
    const bytes = (rng.pick(said) as { bytes: Uint8Array }).bytes.slice();
    for (let flips = rng.below(4); flips > 0; flips--) {
      bytes[2 + rng.below(bytes.length - 2)] = rng.uint32() & 255;
    }
    victim.onMessage(id(who), bytes.subarray(0, rng.below(3) ? bytes.length : 5));
    room.now++;
  }
  room.run();
  // A stranger has changed nothing; a member may lie about what it is given, and bring what is its own.
  if (who === 77) expect(victim.ground.ledger.jobs.size).toBe(held);
  expect(victim.ground.ledger.jobs.size).toBeLessThan(1_000);
});
