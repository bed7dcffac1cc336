/** What the queues of two members say to each other. Everything comes in batches; PROTOCOL.md says who answers what. */

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
  type Tagged,
  uint8,
  uint32,
  union,
  varint,
} from "../wire/schema.ts";
import { LETTERS_MAX, MESSAGE_ITEMS_MAX, TEXT_BYTES_MAX } from "./limits.ts";
import { body, channelName, detail, head, jobId, placement, reason } from "./records.ts";

/** A record as the sender has it, on its disk. */
const record = struct({
  job: jobId,
  head,
  /** What comes before it in its order is not over, as far as the sender knows: it belongs before it. */
  follows: boolean,
  /** Left out where the receiver is believed to have it. */
  body: optional(body),
});

/**
 * What the sender has of a record that was put to it: `held`, as it says, on its disk; `missing`, and it wants the body
 * (or what comes before); `over`, and long forgotten; `full`; `duplicate` of another; `refused`: not its business.
 */
const receipt = struct({
  job: jobId,
  verdict: oneOf(["held", "missing", "over", "full", "duplicate", "refused"]),
  head: optional(head),
  other: optional(jobId),
});

const vote = struct({
  job: jobId,
  placement: varint,
  epoch: varint,
  attempts: varint,
  holder: id,
  holderGeneration: varint,
});

/** `bound`: to another lease, for so long. `missing`: this job, or that placement. `behind`: we know more, see `head`. */
const voted = struct({
  job: jobId,
  epoch: varint,
  verdict: oneOf(["granted", "bound", "missing", "over", "behind"]),
  boundMs: varint,
  head: optional(head),
});

const leased = struct({ job: jobId, epoch: varint, attempt: varint, placement, body });

const settle = struct({
  job: jobId,
  epoch: varint,
  how: oneOf(["ack", "nack", "decline", "extend"]),
  /** Undefined: the backoff. */
  delayMs: optional(varint),
  detail,
});

const settled = struct({
  job: jobId,
  epoch: varint,
  how: oneOf(["ack", "nack", "decline", "extend"]),
  verdict: oneOf(["ok", "stale", "unknown"]),
});

const letter = struct({
  job: jobId,
  value: bytes(4_194_304),
  reason,
  detail,
  attempts: varint,
  ageMs: varint,
  key: optional(string(TEXT_BYTES_MAX)),
  order: optional(string(TEXT_BYTES_MAX)),
});

const counts = struct({
  waiting: varint,
  delayed: varint,
  leased: varint,
  dead: varint,
  done: varint,
  redelivered: varint,
  expired: varint,
  bytes: varint,
  oldestMs: varint,
});

function batch<T>(codec: Codec<T>): Codec<{ readonly items: readonly T[] }> {
  return struct({ items: list(codec, MESSAGE_ITEMS_MAX) }) as Codec<{
    readonly items: readonly T[];
  }>;
}

const messages = {
  /** Records, and up to which number all jobs that the sender published in this life are over. */
  put: struct({ generation: varint, floor: varint, items: list(record, MESSAGE_ITEMS_MAX) }),
  have: batch(receipt),
  /** Over, and on the disks of all who must know it. */
  forget: batch(jobId),
  vote: batch(vote),
  voted: batch(voted),
  /** There is work in a channel. */
  poke: struct({ channel: channelName, waiting: varint }),
  /** So many more may come, to this life of the sender. */
  want: struct({
    channel: channelName,
    generation: varint,
    stamp: uint32,
    credit: varint,
    load: varint,
  }),
  /** The answer to a `want`, in one message or several; what waits then. */
  lease: struct({
    channel: channelName,
    stamp: uint32,
    isLast: boolean,
    waiting: varint,
    items: list(leased, MESSAGE_ITEMS_MAX),
  }),
  settle: batch(settle),
  settled: batch(settled),
  ask: struct({
    channel: channelName,
    ticket: uint32,
    what: oneOf(["stats", "list", "replay", "remove", "purge"]),
    job: optional(jobId),
    limit: varint,
  }),
  answer: struct({
    ticket: uint32,
    counts: optional(counts),
    letters: list(letter, LETTERS_MAX),
    job: optional(jobId),
    count: varint,
  }),
};

export type Message = Tagged<typeof messages>;
export type MessageOf<K extends Message["type"]> = Extract<Message, { type: K }>;
export type WireRecord = Infer<typeof record>;
export type Receipt = Infer<typeof receipt>;
export type Vote = Infer<typeof vote>;
export type Voted = Infer<typeof voted>;
export type Leased = Infer<typeof leased>;
export type Settle = Infer<typeof settle>;
export type Settled = Infer<typeof settled>;
export type Letter = Infer<typeof letter>;
export type Counts = Infer<typeof counts>;

const VERSION = 1;
const codec = union(messages);
const writer = new Writer();

export function encode(message: Message): Uint8Array {
  writer.clear();
  uint8.write(writer, VERSION);
  codec.write(writer, message);
  return writer.take();
}

/** Undefined: it is none, or of another version. */
export function decode(from: Uint8Array): Message | undefined {
  const reader = new Reader(from);
  if (uint8.read(reader) !== VERSION) return undefined;
  const message = codec.read(reader);
  return reader.failed || reader.remaining > 0 ? undefined : message;
}
