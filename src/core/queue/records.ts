/**
 * Jobs as bytes, the same on the wire and on the disk. No two clocks agree, so times are written as what is left of
 * them or has passed; on the disk with the time of day beside them, so that what passes between two lives counts.
 *
 * On the disk a job has two keys: `j` and its id for what the publisher said, written once, and `s` and its id for what
 * became of it.
 */

import { Reader, Writer } from "../lib/bytes.ts";
import {
  boolean,
  bytes,
  type Codec,
  type Infer,
  id,
  list,
  oneOf,
  optional,
  string,
  struct,
  uint8,
  varint,
} from "../wire/schema.ts";
import type { JobId, QueueOptions } from "./contract.ts";
import { type Job, type JobBody, type JobState, jobIdOf, PHASES, partsOf } from "./job.ts";
import {
  CHANNEL_BYTES_MAX,
  DETAIL_BYTES_MAX,
  FORMER_MAX,
  PRIORITY_MAX,
  REPLICAS_MAX,
  TEXT_BYTES_MAX,
} from "./limits.ts";

/** No value beyond this is read, whatever the bound of this member. */
const VALUE_BYTES_MAX = 4_194_304;
/** A year: longer than anything waits. */
const MS_MAX = 31_622_400_000;

/** `codec`, but only for what `holds`. */
function checked<T>(codec: Codec<T>, holds: (value: T) => boolean): Codec<T> {
  return {
    write: (w, value) => codec.write(w, value),
    read: (r) => {
      const value = codec.read(r);
      if (!r.failed && !holds(value)) r.fail();
      return value;
    },
  };
}

/** Whole ms up to a year; what is longer is written as that. */
const ms: Codec<number> = {
  write: (w, value) => w.varint(Math.min(MS_MAX, Math.max(0, Math.round(value)))),
  read: (r) => {
    const value = r.varint();
    if (value > MS_MAX) r.fail();
    return value;
  },
};

export const jobId: Codec<JobId> = {
  write: (w, value) => {
    const parts = partsOf(value);
    if (parts === undefined) return;
    w.id(parts.origin);
    w.varint(parts.generation);
    w.varint(parts.sequence);
  },
  read: (r) => {
    const [origin, generation, sequence] = [r.id(), r.varint(), r.varint()];
    if (sequence === 0) r.fail();
    return jobIdOf({ origin, generation, sequence });
  },
};

export const channelName = string(CHANNEL_BYTES_MAX);
export const detail = string(DETAIL_BYTES_MAX);
export const reason = oneOf(["", "deliveries", "stale"]);

const options = checked(
  struct({
    durable: boolean,
    replicas: uint8,
    leaseMs: ms,
    maxDeliveries: varint,
    minMs: ms,
    maxMs: ms,
    /** Thousandths. */
    factor: varint,
    dedupeMs: ms,
    rehomeMs: ms,
    forgetMs: ms,
  }),
  ({ replicas, leaseMs, maxDeliveries, factor }) =>
    replicas >= 1 &&
    replicas <= REPLICAS_MAX &&
    leaseMs >= 1 &&
    maxDeliveries >= 1 &&
    factor >= 1_000,
);

export const body = struct({
  value: bytes(VALUE_BYTES_MAX),
  key: optional(string(TEXT_BYTES_MAX)),
  order: optional(string(TEXT_BYTES_MAX)),
  priority: checked(uint8, (value) => value <= PRIORITY_MAX),
  options,
  replayOf: optional(jobId),
  ageMs: ms,
});

export const state = struct({
  phase: oneOf(PHASES),
  epoch: varint,
  attempts: varint,
  waitMs: ms,
  holder: optional(id),
  holderGeneration: varint,
  reason,
  detail,
});

export const placement = struct({
  number: varint,
  stores: checked(
    list(id, REPLICAS_MAX),
    (stores) => stores.length > 0 && new Set(stores).size === stores.length,
  ),
  former: list(id, FORMER_MAX),
});

/** All but the body: what stays once a job is over. */
export const head = struct({
  channel: channelName,
  home: id,
  previous: optional(jobId),
  placement,
  state,
});

export type WireState = Infer<typeof state>;
export type WireBody = Infer<typeof body>;
type Head = Infer<typeof head>;

const savedHead = struct({ wallMs: varint, head });
const savedBody = struct({ wallMs: varint, body });

/** Options are the same for most jobs: one object stands for all that are equal to the last. */
let lastOptions: { readonly text: string; readonly options: QueueOptions } | undefined;

export function shareOptions(given: QueueOptions): QueueOptions {
  const text = JSON.stringify(given);
  if (lastOptions?.text !== text) lastOptions = { text, options: given };
  return lastOptions.options;
}

export function bodyToWire(given: JobBody, now: number): WireBody {
  const { options: from, bornAt, ...rest } = given;
  const { backoff, ...most } = from;
  const { minMs, maxMs, factor } = backoff;
  const wireOptions = { ...most, minMs, maxMs, factor: Math.round(factor * 1_000) };
  return { ...rest, options: wireOptions, ageMs: now - bornAt };
}

export function bodyFromWire(wire: WireBody, now: number): JobBody {
  const { minMs, maxMs, factor, ...most } = wire.options;
  const backoff = { minMs, maxMs, factor: factor / 1_000 };
  return {
    value: wire.value,
    key: wire.key,
    order: wire.order,
    priority: wire.priority,
    options: shareOptions({ ...most, backoff }),
    replayOf: wire.replayOf,
    bornAt: now - wire.ageMs,
  };
}

function stateToWire(given: JobState, now: number): WireState {
  const { readyAt, ...rest } = given;
  return { ...rest, waitMs: readyAt - now };
}

export function stateFromWire(wire: WireState, now: number): JobState {
  const { waitMs, holder, ...rest } = wire;
  return { ...rest, holder, readyAt: waitMs > 0 ? now + waitMs : 0 };
}

export function headOf(job: Job, now: number): Head {
  const { channel, home, previous, placement: where, state: what } = job;
  return { channel, home, previous, placement: where, state: stateToWire(what, now) };
}

const writer = new Writer();

function saved<T>(codec: Codec<T>, value: T): Uint8Array {
  writer.clear();
  codec.write(writer, value);
  return writer.take();
}

export function saveHead(job: Job, now: number, wallMs: number): Uint8Array {
  return saved(savedHead, { wallMs, head: headOf(job, now) });
}

export function saveBody(given: JobBody, now: number, wallMs: number): Uint8Array {
  return saved(savedBody, { wallMs, body: bodyToWire(given, now) });
}

function restored<T>(codec: Codec<T>, value: Uint8Array): T | undefined {
  const reader = new Reader(value);
  const read = codec.read(reader);
  return reader.failed || reader.remaining > 0 ? undefined : read;
}

/** The head as it is now: what was left of its times has passed on. Undefined: it cannot be read. */
export function restoreHead(value: Uint8Array, wallMs: number): Head | undefined {
  const read = restored(savedHead, value);
  if (read === undefined) return undefined;
  const passed = Math.max(0, wallMs - read.wallMs);
  const { state: was } = read.head;
  return { ...read.head, state: { ...was, waitMs: Math.max(0, was.waitMs - passed) } };
}

export function restoreBody(value: Uint8Array, now: number, wallMs: number): JobBody | undefined {
  const read = restored(savedBody, value);
  if (read === undefined) return undefined;
  const passed = Math.max(0, wallMs - read.wallMs);
  return bodyFromWire({ ...read.body, ageMs: Math.min(MS_MAX, read.body.ageMs + passed) }, now);
}
