/** What the part "channel" of one member says to that of another, and announces to all. */

import { Reader, Writer } from "../lib/bytes.ts";
import { PROOF_BYTES_MAX } from "../wire/messages.ts";
import {
  bytes,
  type Codec,
  type Infer,
  id,
  list,
  oneOf,
  optional,
  string,
  struct,
  union,
  varint,
} from "../wire/schema.ts";
import {
  COMPARED_MAX,
  HISTORY_MAX,
  HISTORY_MS_MAX,
  LOGS_MAX,
  NAME_BYTES_MAX,
  WINDOW_ENTRIES,
} from "./limits.ts";

const VALUE_BYTES_MAX = 8_388_608;

/** Names a log: what one life of a publisher has published in a channel. */
const log = { channel: string(NAME_BYTES_MAX), publisher: id, generation: varint } as const;

const message = union({
  /**
   * Messages `from` … of a log that begins, for the receiver, at `first` and ends before `end`; none: only so that it
   * is known. `via`: further ones are to be had from that subscriber. Answered by `take`.
   */
  feed: struct({
    ...log,
    first: varint,
    end: varint,
    from: varint,
    via: optional(id),
    entries: list(
      struct({ ageMs: varint, value: bytes(VALUE_BYTES_MAX), proof: bytes(PROOF_BYTES_MAX) }),
      WINDOW_ENTRIES,
    ),
  }),
  /**
   * All before `next` is here. `follow`: what comes after is wanted from you, from now on; `once`: as far as you have
   * it; `elsewhere`: it comes from another. Answered by `feed`.
   */
  take: struct({ ...log, next: varint, mode: oneOf(["follow", "once", "elsewhere"]) }),
  /** What was published before we came is wanted. Answered by `past`. */
  ask: struct({ channel: string(NAME_BYTES_MAX), count: varint, ms: varint }),
  /** It is in these logs, between these numbers. */
  past: struct({
    channel: string(NAME_BYTES_MAX),
    logs: list(struct({ publisher: id, generation: varint, first: varint, end: varint }), LOGS_MAX),
  }),
  /** So far are we, of these logs. Answered by `take` of what is missing there, and `feed` of what is missing here. */
  compare: struct({
    channel: string(NAME_BYTES_MAX),
    logs: list(struct({ publisher: id, generation: varint, end: varint }), COMPARED_MAX),
  }),
});
export type ChannelMessage = Infer<typeof message>;
export type MessageOf<T extends ChannelMessage["type"]> = Extract<ChannelMessage, { type: T }>;

/** Announced by who subscribes, by the name of the channel: how much of the past it keeps and wants. */
const subscription = struct({ generation: varint, session: varint, count: varint, ms: varint });
export type Subscription = Infer<typeof subscription>;

export const encodeMessage = (value: ChannelMessage): Uint8Array => encode(message, value);
export const decodeMessage = (value: Uint8Array): ChannelMessage | undefined =>
  decode(message, value);
export const encodeSubscription = (value: Subscription): Uint8Array => encode(subscription, value);

/** Total. What asks for more than anybody may have is cut down. */
export function decodeSubscription(value: Uint8Array): Subscription | undefined {
  const decoded = decode(subscription, value);
  if (decoded === undefined) return undefined;
  const { count, ms } = decoded;
  return { ...decoded, count: Math.min(count, HISTORY_MAX), ms: Math.min(ms, HISTORY_MS_MAX) };
}

/** What a proof of a message stands for. */
export function contentOf(
  channel: string,
  generation: number,
  number: number,
  value: Uint8Array,
): Uint8Array {
  const w = new Writer();
  w.string(channel);
  w.varint(generation);
  w.varint(number);
  w.raw(value);
  return w.take();
}

function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const w = new Writer();
  codec.write(w, value);
  return w.take();
}

function decode<T>(codec: Codec<T>, value: Uint8Array): T | undefined {
  const r = new Reader(value);
  const decoded = codec.read(r);
  return r.failed || r.remaining > 0 ? undefined : decoded;
}
