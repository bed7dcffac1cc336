/**
 * What servers that share their rooms tell each other, as MessagePack: `[VERSION, type, server, …]`, ids as hex digits.
 * The bus is trusted to carry them and no more: the parser is total, and what makes no sense is dropped.
 */

import { Decoder, Encoder } from "@msgpack/msgpack";
import { isMemberId } from "../src/core/lib/ids.ts";
import { CLUSTER_NAME_LENGTH_MAX, SIGNALING_PACKET_BYTES_MAX } from "../src/signaling/protocol.ts";
import type { Presence } from "./rooms.ts";

export type PoolMessage =
  /** It lives. To all, three times within the time after which it would be taken for gone. */
  | { readonly type: "alive"; readonly server: string }
  /** Forget what it has told: it stops, or begins anew. To all. */
  | { readonly type: "bye"; readonly server: string }
  /** Tell me of all your rooms. To one that was not known. */
  | { readonly type: "who"; readonly server: string }
  /** All members that it has in a cluster. To whoever has members in it; `ask` wants the same in return. */
  | {
      readonly type: "all";
      readonly server: string;
      readonly cluster: string;
      readonly ask: boolean;
      readonly presences: readonly Presence[];
    }
  /** A member is there, or on another island. */
  | {
      readonly type: "here";
      readonly server: string;
      readonly cluster: string;
      readonly presence: Presence;
    }
  | {
      readonly type: "left";
      readonly server: string;
      readonly cluster: string;
      readonly id: string;
    }
  /** A packet for a member of the server that gets this. */
  | {
      readonly type: "packet";
      readonly server: string;
      readonly cluster: string;
      readonly from: string;
      readonly to: string;
      readonly packet: Uint8Array;
    }
  /** Such a packet found nobody. */
  | {
      readonly type: "gone";
      readonly server: string;
      readonly cluster: string;
      readonly from: string;
      readonly to: string;
    };

const VERSION = 1;

/** Members of one cluster, twice: id and island. */
const ITEMS_MAX = 200_000;

const encoder = new Encoder();
const decoder = new Decoder({
  maxStrLength: 4 * CLUSTER_NAME_LENGTH_MAX,
  maxBinLength: SIGNALING_PACKET_BYTES_MAX,
  maxArrayLength: ITEMS_MAX,
  maxMapLength: 0,
  maxExtLength: 0,
});

export function encodePoolMessage(message: PoolMessage): Uint8Array {
  return encoder.encode([VERSION, message.type, message.server, ...partsOf(message)]);
}

function partsOf(message: PoolMessage): unknown[] {
  switch (message.type) {
    case "alive":
    case "bye":
    case "who":
      return [];
    case "all":
      return [message.cluster, message.ask, message.presences.flatMap(pairOf)];
    case "here":
      return [message.cluster, ...pairOf(message.presence)];
    case "left":
      return [message.cluster, message.id];
    case "packet":
      return [message.cluster, message.from, message.to, message.packet];
    case "gone":
      return [message.cluster, message.from, message.to];
  }
}

function pairOf({ id, island }: Presence): unknown[] {
  return [id, island ?? null];
}

/** Undefined for what makes no sense. */
export function parsePoolMessage(bytes: Uint8Array): PoolMessage | undefined {
  let items: unknown;
  try {
    items = decoder.decode(bytes);
  } catch {
    return undefined;
  }
  if (!Array.isArray(items) || items.length < 3) return undefined;
  const [version, type, server, cluster, ...rest] = items as unknown[];
  if (version !== VERSION || !isMemberId(server)) return undefined;
  if (type === "alive" || type === "bye" || type === "who") return { type, server };
  return typeof cluster === "string" ? inCluster(type, server, cluster, rest) : undefined;
}

function inCluster(
  type: unknown,
  server: string,
  cluster: string,
  [first, second, third]: readonly unknown[],
): PoolMessage | undefined {
  switch (type) {
    case "all": {
      const presences = presencesOf(second);
      return typeof first === "boolean" && presences
        ? { type, server, cluster, ask: first, presences }
        : undefined;
    }
    case "here": {
      const presence = presenceOf(first, second);
      return presence && { type, server, cluster, presence };
    }
    case "left":
      return isMemberId(first) ? { type, server, cluster, id: first } : undefined;
    case "packet":
    case "gone":
      if (!isMemberId(first) || !isMemberId(second)) return undefined;
      if (type === "gone") return { type, server, cluster, from: first, to: second };
      return third instanceof Uint8Array && third.length > 0
        ? { type, server, cluster, from: first, to: second, packet: third }
        : undefined;
    default:
      return undefined;
  }
}

function presenceOf(id: unknown, island: unknown): Presence | undefined {
  if (!isMemberId(id)) return undefined;
  if (island === null) return { id, island: undefined };
  return isMemberId(island) ? { id, island } : undefined;
}

function presencesOf(items: unknown): Presence[] | undefined {
  if (!Array.isArray(items) || items.length % 2 > 0) return undefined;
  const presences: Presence[] = [];
  for (let i = 0; i < items.length; i += 2) {
    const presence = presenceOf(items[i], items[i + 1]);
    if (!presence) return undefined;
    presences.push(presence);
  }
  return presences;
}
