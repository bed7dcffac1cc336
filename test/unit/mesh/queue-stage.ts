/** A queue's face over a part that does what a test says. */
import { expect } from "vitest";
import type { MakePart } from "../../../src/core/part.ts";
import type {
  QueueCommand,
  QueueEvent,
  QueuePartOptions,
} from "../../../src/core/queue/contract.ts";
import type { HearsayError } from "../../../src/errors.ts";
import type { PartMesh, PartStore } from "../../../src/mesh/parts.ts";
import type { Peer } from "../../../src/mesh/peers.ts";
import type { QueueOptions } from "../../../src/mesh/queue.ts";
import type { QueueChannel } from "../../../src/mesh/queue-channel.ts";
import { Queues } from "../../../src/mesh/queues.ts";
import { encodeValue } from "../../../src/mesh/values.ts";

export const PUBLISHER = "0123456789abcdef0123456789abcdef";
export const encode = (value: unknown): Uint8Array => encodeValue(value, 1_000);

interface Stage {
  readonly queues: Queues;
  readonly commands: QueueCommand[];
  readonly reported: unknown[];
  readonly made: QueuePartOptions[];
  open(options?: Partial<QueueOptions>): QueueChannel;
  tell(event: QueueEvent): void;
  /** The last command of this type. */
  last<T extends QueueCommand["type"]>(type: T): Extract<QueueCommand, { type: T }>;
  lease(id: string, data: unknown, rest?: { epoch?: number }): void;
  settle(id: string, outcome?: { ok: false; reason: "stale" | "unconfirmed" }): void;
}

export function stage(store?: PartStore): Stage {
  const commands: QueueCommand[] = [];
  const reported: unknown[] = [];
  const made: QueuePartOptions[] = [];
  const mesh: PartMesh = {
    valueBytesMax: 1_000,
    store,
    self: { node: true } as Peer,
    peer: (id) => (id === PUBLISHER ? ({ id, name: "ann" } as Peer) : undefined),
    stranger: (id) => ({ id }) as Peer,
    unreadable: () => {},
    attach: () => {},
    command: (command) => {
      commands.push(command as QueueCommand);
      return [];
    },
    report: (error) => void reported.push(error),
  };
  const queues = new Queues(mesh, (options) => {
    made.push(options);
    return (() => {}) as unknown as MakePart;
  });
  const tell = (event: QueueEvent): void => queues.take(event);
  const last: Stage["last"] = (type) => {
    const found = commands.findLast((one) => one.type === type);
    if (found === undefined) throw new Error(`no ${type} among ${commands.map((one) => one.type)}`);
    return found as never;
  };
  return {
    queues,
    commands,
    reported,
    made,
    open: (options = {}) => queues.open("jobs", { kind: "queue", ...options }),
    tell,
    last,
    lease: (job, data, { epoch = 1 } = {}) => {
      const value = data instanceof Uint8Array ? data : encode(data);
      const about = { attempt: 1, priority: 4, publishedBy: PUBLISHER, leftMs: 24_000 };
      tell({ type: "job", channel: "jobs", job, epoch, value, ...about });
    },
    settle: (job, outcome) =>
      tell({ type: "settled", channel: "jobs", job, epoch: 1, ...(outcome ?? { ok: true }) }),
  };
}

/** Begins a life, and waits until the part is attached. */
export async function started(store?: PartStore): Promise<Stage> {
  const made = stage(store);
  made.queues.started();
  const stats = made.open().stats();
  await until(() => made.commands.some(({ type }) => type === "stats"));
  const { ticket } = made.last("stats");
  made.tell({ type: "stats", ticket, stats: {} as never });
  await stats;
  return made;
}

/** All that happens here happens within microtasks. */
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !holds(); i++) await undefined;
  expect(holds()).toBe(true);
}

export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
export const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "resolved",
    (error: HearsayError) => error.code,
  );
