/**
 * Jobs of a former life, from the disk. What cannot be read is left out, and the rest stands: a head without a body that
 * should have one is none. Who was away for longer than a job's `forgetMs` does not run it: the others may have done and
 * forgotten it. It becomes a dead letter.
 */

import { Reader, Writer } from "../lib/bytes.ts";
import { type JobId, QUEUE_OPTIONS } from "./contract.ts";
import { bind, type Ground } from "./ground.ts";
import { Job, type JobBody, partsOf } from "./job.ts";
import { restoreBody, restoreHead, stateFromWire } from "./records.ts";

/** When we were there last, by the time of day. */
export const ALIVE_KEY = "alive";

export function saveAlive(wallMs: number): Uint8Array {
  const writer = new Writer();
  writer.varint(Math.max(0, Math.floor(wallMs)));
  return writer.take();
}

export function restoreJobs(
  ground: Ground,
  entries: Iterable<readonly [string, Uint8Array]>,
): Job[] {
  const { host, ledger } = ground;
  const [now, wallMs] = [host.now(), host.wallMs()];
  const bodies = new Map<JobId, JobBody>();
  const heads: (readonly [JobId, NonNullable<ReturnType<typeof restoreHead>>])[] = [];
  let awayMs = 0;
  for (const [key, value] of entries) {
    if (key === ALIVE_KEY) {
      const reader = new Reader(value);
      const at = reader.varint();
      if (!reader.failed) awayMs = Math.max(0, wallMs - at);
      continue;
    }
    const id = key.slice(1);
    if (partsOf(id) === undefined) continue;
    if (key.startsWith("j")) {
      const body = restoreBody(value, now, wallMs);
      if (body !== undefined) bodies.set(id, body);
    } else {
      const head = restoreHead(value, wallMs);
      if (head !== undefined) heads.push([id, head]);
    }
  }
  const jobs: Job[] = [];
  for (const [id, head] of heads) {
    const body = bodies.get(id);
    const state = stateFromWire(head.state, now);
    const isGone = state.phase === "done" || state.phase === "removed";
    if (body === undefined && !isGone) continue;
    const options = body?.options ?? QUEUE_OPTIONS;
    const { channel, home, previous, placement } = head;
    const kept = isGone ? undefined : body;
    const given = {
      id,
      channel,
      home,
      previous,
      placement,
      state,
      options,
      body: kept,
      heldAt: now,
    };
    const job = new Job(given);
    job.bodySafe = body !== undefined;
    // It may have been leased, or the lease extended, a moment before we went.
    if (state.phase === "leased") bind(ground, job);
    else if (placement.stores.length > 1 && state.epoch > 0) {
      // … or another one, with a lower epoch than what we have learnt since.
      const until = now + options.leaseMs;
      job.bindings.bind({ epoch: -1, holder: undefined, holderGeneration: 0, until }, now);
    }
    ledger.add(job);
    jobs.push(job);
    if (!job.isOver && awayMs > options.forgetMs) {
      ledger.setState(job, { ...state, phase: "dead", reason: "stale" });
      ledger.write(job);
    }
  }
  return jobs;
}
