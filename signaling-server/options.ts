/** What the signaling server may be told, and what it does when it is not. */

import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type Rate,
  SIGNALING_BYTE_RATE,
  SIGNALING_MESSAGE_RATE,
  SIGNALING_PEERS_MAX,
  SIGNALING_PING_MS,
} from "../src/signaling/protocol.ts";
import type { RoomsOptions } from "./rooms.ts";

/** A line of the log: what happened and to which socket, never what was said in it. */
export interface LogEntry {
  readonly level: "info" | "warn";
  /** A stable name, such as `listening` or `cut`. */
  readonly event: string;
  /** The socket's number, counted from 1 since the start. */
  readonly socket?: number;
  readonly [field: string]: string | number | undefined;
}

export interface SignalingLimits extends RoomsOptions {
  /** Sockets at a time over all clusters, those that have not said hello included. Default 20,000. */
  readonly socketsMax: number;
  /** What one socket may send. Default 20 messages/s with a burst of 100. */
  readonly messageRate: Rate;
  /** Relayed bytes of one socket. Default 128 KiB/s with a burst of 512 KiB. */
  readonly byteRate: Rate;
  /** A client that lets more than this wait for it is cut off. Bytes, default 1 MiB. */
  readonly bufferedBytesMax: number;
  /** A socket says hello within this time. Milliseconds, default 5,000. */
  readonly helloMs: number;
  /** Time between two pings; one without an answer until the next ends the connection. Milliseconds, default 30,000. */
  readonly pingMs: number;
  /** How long a cut-off socket may take to read why, before it is torn down. Milliseconds, default 2,000. */
  readonly farewellMs: number;
}

export interface SignalingServerOptions {
  /** 0 takes a free one, to be read from `server.port` once it listens. Default 8080. */
  readonly port?: number;
  /** Default `::`, which is IPv6 and IPv4; IPv4 alone on a machine without IPv6. */
  readonly host?: string;
  /** A folder whose files are served at `/`. Default none. */
  readonly staticDir?: string;
  /** Sees every plain HTTP request before the files do; returns true when it answers it. */
  readonly onRequest?: (request: IncomingMessage, response: ServerResponse) => boolean;
  readonly limits?: Partial<SignalingLimits>;
  /** Called with each line of the log. Silent by default. */
  readonly logger?: (entry: LogEntry) => void;
  /** Milliseconds on a monotonic clock. Default `performance.now`. */
  readonly now?: () => number;
}

export const defaultLimits: SignalingLimits = {
  roomsMax: 10_000,
  membersMax: 10_000,
  introducersMax: SIGNALING_PEERS_MAX,
  islandGraceMs: 10_000,
  introduceEveryMs: 10_000,
  socketsMax: 20_000,
  messageRate: SIGNALING_MESSAGE_RATE,
  byteRate: SIGNALING_BYTE_RATE,
  bufferedBytesMax: 1_048_576,
  helloMs: 5_000,
  pingMs: SIGNALING_PING_MS,
  farewellMs: 2_000,
};
