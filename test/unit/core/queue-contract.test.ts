import { expect, test } from "vitest";
import {
  QUEUE_OPTIONS,
  type QueueCommand,
  type QueueEvent,
  type QueuePartOptions,
} from "../../../src/core/queue/contract.ts";

test("the defaults of a queue leave time for one another", () => {
  const { leaseMs, backoff, rehomeMs, forgetMs, dedupeMs } = QUEUE_OPTIONS;
  expect(backoff.minMs).toBeLessThan(backoff.maxMs);
  // A restart is over before its jobs are given to other stores, and they are long before anybody is forgotten.
  expect(leaseMs).toBeLessThan(rehomeMs);
  expect(Math.max(dedupeMs, rehomeMs)).toBeLessThan(forgetMs);
});

test("what is asked of a queue and told by it is plain data", () => {
  const options: QueuePartOptions = { storeId: "0".repeat(32), entries: [], weight: 1 };
  const command: QueueCommand = { type: "open", channel: "jobs", options: QUEUE_OPTIONS };
  const event: QueueEvent = { type: "published", ticket: 1, job: `${"0".repeat(32)}.1.1` };
  for (const data of [options, command, event]) expect(structuredClone(data)).toEqual(data);
});
