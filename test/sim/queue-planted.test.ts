/**
 * Each of these bugs is planted into the work queue, and an oracle must see it. What caught what stands in
 * `docs/simulator.md`.
 */

import { afterEach, expect, test, vi } from "vitest";
import { Bindings } from "../../src/core/queue/bindings.ts";
import type { Job } from "../../src/core/queue/job.ts";
import { Ledger, type Then } from "../../src/core/queue/ledger.ts";
import { Mail } from "../../src/core/queue/mail.ts";
import { Over } from "../../src/core/queue/over.ts";
import { Holders } from "../../src/core/queue/placement.ts";
import type { Leased, Message } from "../../src/core/queue/wire.ts";
import { seeds } from "./chaos-support.ts";
import { plant } from "./planting.ts";
import { runQueue } from "./queue-support.ts";

/** A bug in a function, which has no prototype. */
const planted = vi.hoisted(() => ({ majority: false }));

vi.mock("../../src/core/queue/job.ts", async (original) => {
  const real = await original<typeof import("../../src/core/queue/job.ts")>();
  const majorityOf: typeof real.majorityOf = (placement) =>
    planted.majority ? 1 : real.majorityOf(placement);
  return { ...real, majorityOf };
});

afterEach(() => {
  planted.majority = false;
  vi.restoreAllMocks();
});

interface Planted {
  readonly bug: string;
  readonly plant: () => void;
  readonly seeds: readonly number[];
  readonly seenBy: string;
}

const BUGS: readonly Planted[] = [
  {
    bug: "a receipt is given, and a job settled, before the disk has it",
    plant: () => {
      plant(
        Ledger.prototype,
        "write",
        (original) =>
          function (this: Ledger, ...[job, then]: [Job, Then | undefined]) {
            original.call(this, job);
            then?.(undefined);
          } as never,
      );
      plant(Ledger.prototype, "isSafe", () => () => true);
    },
    seeds: seeds(1, 5),
    seenBy: "queue-receipts",
  },
  {
    bug: "an epoch is used again",
    plant: () => {
      const first = new Map<string, number>();
      const again = (lease: Leased): Leased => {
        const epoch = first.get(lease.job) ?? lease.epoch;
        first.set(lease.job, epoch);
        return { ...lease, epoch };
      };
      plant(
        Mail.prototype,
        "tell",
        (original) =>
          function (this: Mail, ...[to, message]: [unknown, Message]) {
            if (message.type !== "lease") return original.call(this, to, message);
            return original.call(this, to, { ...message, items: message.items.map(again) });
          } as never,
      );
    },
    seeds: seeds(1, 5),
    seenBy: "queue-leases",
  },
  {
    bug: "what is done is forgotten before a store that is away knows it",
    plant: () => {
      plant(Holders.prototype, "awayMs", () => () => Number.POSITIVE_INFINITY);
      plant(Over.prototype, "has", () => () => false);
    },
    seeds: seeds(1, 20),
    seenBy: "queue-handling",
  },
  {
    bug: "a lease needs no majority",
    plant: () => {
      planted.majority = true;
    },
    seeds: seeds(1, 5),
    seenBy: "queue-leases",
  },
  {
    bug: "a vote binds nobody",
    plant: () => plant(Bindings.prototype, "until", () => () => 0),
    seeds: seeds(1, 5),
    seenBy: "queue-leases",
  },
];

test.each(BUGS)("$bug: seen by $seenBy", ({ plant: plantIt, seeds: some, seenBy }) => {
  for (const seed of some) expect(runQueue(seed).violations, "without the bug").toEqual([]);
  plantIt();
  const seen = new Set(some.flatMap((seed) => [...runQueue(seed).oracles]));
  expect([...seen], "with it").toContain(seenBy);
});
