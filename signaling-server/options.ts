/** What the signaling server may be told, and what it does when it is not. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { IceServer, Rate } from "../src/signaling/protocol.ts";
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

/** Their defaults and ranges stand in `limits.ts`. */
export interface SignalingLimits extends RoomsOptions {
  /** Sockets at a time over all clusters, those that have not said hello included. */
  readonly socketsMax: number;
  /** Sockets at a time of one address. */
  readonly addressSocketsMax: number;
  /** HTTP requests and new connections of one address. */
  readonly requestRate: Rate;
  /** What all sockets of one address together may send. */
  readonly addressMessageRate: Rate;
  /** What one socket may send. */
  readonly messageRate: Rate;
  /** Relayed bytes of one socket. */
  readonly byteRate: Rate;
  /** A client that lets more than this wait for it is cut off. Bytes. */
  readonly bufferedBytesMax: number;
  /** A connection has sent its whole request within this time. Milliseconds. */
  readonly requestMs: number;
  /** A socket says hello within this time. Milliseconds. */
  readonly helloMs: number;
  /** Time between two pings; one without an answer until the next ends the connection. Milliseconds. */
  readonly pingMs: number;
  /** How long a cut-off socket may take to read why, before it is torn down. Milliseconds. */
  readonly farewellMs: number;
  /** How long members of a server that fell silent are kept, where several share their rooms. Milliseconds. */
  readonly ghostMs: number;
}

/** A TURN server that takes short-lived credentials: coturn's `use-auth-secret`, and others alike. */
export interface TurnOptions {
  /** `turn:host:port`, `turns:host:port`, up to 4. */
  readonly urls: readonly string[];
  /** What the TURN server calls `static-auth-secret`. Members never see it. */
  readonly secret: string;
  /** How long credentials hold; new ones are handed out half-way. Milliseconds, default 3,600,000. */
  readonly lifeMs?: number;
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
  /** Pages of these origins alone may connect: `https://app.example`. Default: all. Who is no page names no origin. */
  readonly origins?: readonly string[];
  /**
   * Members need a token signed by one of these keys, see `signToken`. The first signs what discovery hands out; more
   * than one allows for a change of keys. At least 16 characters each. Default none: everybody is let in.
   */
  readonly tokenKeys?: readonly string[];
  /** PEM files. Default none: TLS is left to a proxy. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /**
   * How many proxies stand before the server, whose `X-Forwarded-For` tells who connects. Default 0: the header is not
   * believed.
   */
  readonly trustProxyHops?: number;
  /** Under which URLs members reach the server, for discovery. Default: as whoever asks has reached it. */
  readonly publicUrls?: readonly string[];
  /** STUN servers, and TURN servers of lasting credentials, that members are told of. Default none. */
  readonly iceServers?: readonly IceServer[];
  readonly turn?: TurnOptions;
  /** Answers `/metrics` in Prometheus' text form. Default false. */
  readonly metrics?: boolean;
  /**
   * `redis://[user:password@]host[:port][/db]`: shares its rooms with all servers of the same Redis. Needs the package
   * `ioredis`. Default none: rooms are this server's own.
   */
  readonly redis?: string;
  readonly limits?: Partial<SignalingLimits>;
  /** Called with each line of the log. Silent by default. */
  readonly logger?: (entry: LogEntry) => void;
  /** Milliseconds on a monotonic clock. Default `performance.now`. */
  readonly now?: () => number;
  /** Milliseconds since 1970, for what others check by their clocks. Default `Date.now`. */
  readonly wallNow?: () => number;
}
