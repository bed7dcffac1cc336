/** Every limit of the server: its default, its range and what it is, for the library and for the command line. */

import { HearsayError } from "../src/errors.ts";
import {
  type Rate,
  SIGNALING_BYTE_RATE,
  SIGNALING_MESSAGE_RATE,
  SIGNALING_PEERS_MAX,
  SIGNALING_PING_MS,
} from "../src/signaling/protocol.ts";
import type { SignalingLimits } from "./options.ts";

interface Limit<Value> {
  readonly value: Value;
  readonly min: number;
  readonly max: number;
  readonly about: string;
}

type Limits = { readonly [name in keyof SignalingLimits]: Limit<SignalingLimits[name]> };

const limit = <Value>(value: Value, min: number, max: number, about: string): Limit<Value> => ({
  value,
  min,
  max,
  about,
});
const count = (value: number, max: number, about: string) => limit(value, 1, max, about);
const ms = (value: number, about: string, max = 3_600_000) => limit(value, 1, max, about);
const rate = (perSecond: number, burst: number, about: string): Limit<Rate> =>
  limit({ perSecond, burst }, 1, 1e12, about);

export const LIMITS: Limits = {
  socketsMax: count(20_000, 1_000_000, "sockets at a time"),
  addressSocketsMax: count(1_000, 1_000_000, "sockets at a time of one address"),
  roomsMax: count(10_000, 1_000_000, "clusters at a time"),
  membersMax: count(10_000, 100_000, "members of one cluster"),
  introducersMax: count(
    SIGNALING_PEERS_MAX,
    SIGNALING_PEERS_MAX,
    "members that a newcomer is told of",
  ),
  requestRate: rate(50, 1_000, "requests and new connections of one address"),
  addressMessageRate: rate(1_000, 10_000, "messages of all sockets of one address"),
  messageRate: rate(
    SIGNALING_MESSAGE_RATE.perSecond,
    SIGNALING_MESSAGE_RATE.burst,
    "messages of one socket",
  ),
  byteRate: rate(
    SIGNALING_BYTE_RATE.perSecond,
    SIGNALING_BYTE_RATE.burst,
    "relayed bytes of one socket",
  ),
  bufferedBytesMax: count(1_048_576, 1_073_741_824, "bytes that may wait for a slow client"),
  requestMs: ms(10_000, "time to send a whole request"),
  helloMs: ms(5_000, "time to say hello"),
  pingMs: ms(SIGNALING_PING_MS, "time between pings", SIGNALING_PING_MS),
  farewellMs: ms(2_000, "time for a cut-off client to read why"),
  islandGraceMs: ms(10_000, "time that two parts of a mesh stand before they are introduced"),
  introduceEveryMs: ms(10_000, "time between introductions of the same part"),
  ghostMs: ms(15_000, "time that members of a silent server are kept (Redis)"),
};

/** @throws HearsayError `server:bad-limit` */
export function limitsFrom(given: Partial<SignalingLimits> = {}): SignalingLimits {
  const limits: Record<string, unknown> = {};
  for (const [name, { value }] of Object.entries(LIMITS)) limits[name] = value;
  for (const [name, value] of Object.entries(given)) {
    if (!(name in LIMITS)) throw bad(`there is no limit ${name}; see docs/signaling.md`);
    if (value !== undefined) limits[name] = checked(name as keyof SignalingLimits, value);
  }
  return limits as unknown as SignalingLimits;
}

function checked(name: keyof SignalingLimits, given: unknown): unknown {
  const { value, min, max } = LIMITS[name];
  if (typeof value === "number") {
    const isFine = typeof given === "number" && given >= min && given <= max;
    if (isFine && (Number.isInteger(given) || name.endsWith("Ms"))) return given;
    const what = `a number from ${min} to ${max}`;
    throw bad(`limits.${name} is ${given}: it must be ${what}; the default is ${value}`);
  }
  const { perSecond, burst } = Object(given) as Partial<Rate>;
  for (const part of [perSecond, burst]) {
    if (typeof part === "number" && part >= min && part <= max) continue;
    const what = `{ perSecond, burst }, each from ${min} to ${max}`;
    throw bad(`limits.${name} must be ${what}; the default is ${value.perSecond}, ${value.burst}`);
  }
  return given;
}

function bad(message: string): HearsayError {
  return new HearsayError("server:bad-limit", message);
}
