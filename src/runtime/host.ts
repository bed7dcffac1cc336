/** What the platform gives to a member: the entry of each platform composes one. */

import type { HearsayError } from "../errors.ts";
import type { KeptIdentity } from "../session/kept-identity.ts";
import type { Primitives } from "../session/primitives.ts";
import type { WebSocketConstructor } from "../signaling/websocket.ts";
import type { Transport } from "../transport/transport.ts";
import type { DialSeed } from "./dial-seed.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { ChannelConstructor } from "./tabs.ts";

export interface TransportOptions {
  /** Asked before each link. */
  readonly iceServers?: () => readonly IceServer[];
  readonly iceTransportPolicy?: "all" | "relay";
  readonly udp?: boolean | UdpSettings;
}

/** Where a Node process takes links over UDP and TCP. */
export interface UdpSettings {
  /** The IP address to bind to. Default: all of this machine, IPv6 and IPv4. */
  readonly host?: string;
  /** For UDP and TCP both. Default 0: one that is free. */
  readonly port?: number;
  /**
   * Where others reach this member when that is not where it is bound: `host`, `host:port`, `[v6]:port`. Default: the
   * machine's own addresses.
   */
  readonly advertise?: string | readonly string[];
  /**
   * Finds members of the cluster on the local network by multicast DNS, and lets itself be found: everybody there can
   * see that it is here. Needs the optional package multicast-dns. Default false.
   */
  readonly mdns?: boolean;
}

export interface DefaultTransports {
  /** The best first. */
  readonly transports: readonly Transport[];
  /** What is missing here, and what to do. */
  readonly problem?: HearsayError | undefined;
}

/** A STUN or TURN server, as `RTCPeerConnection` takes it. */
export interface IceServer {
  readonly urls: string | string[];
  readonly username?: string;
  readonly credential?: string;
}

export interface WatchOptions {
  /** In Node: leave at SIGINT and SIGTERM, then let the process end as it would. Default true. */
  readonly leaveOnSignals?: boolean;
}

/** Told what happens inside. The shape of `console`. */
export interface Logger {
  debug(message: string, details?: object): void;
  warn(message: string, details?: object): void;
  error(message: string, details?: object): void;
}

export interface Host {
  /** A Node process: it keeps more links. */
  readonly node: boolean;
  readonly WebSocket: WebSocketConstructor;
  /** Where to log when the user gives no logger. */
  readonly logger?: Logger;
  /** Joins the tabs of one browser and origin; undefined where there are none. */
  readonly BroadcastChannel?: ChannelConstructor | undefined;
  /** What handshakes are made of. */
  primitives(): Promise<Primitives>;
  /** The transports that are used when the user gives none. */
  defaultTransports(options: TransportOptions): Promise<DefaultTransports>;
  /** Seeds by address; undefined where nothing dials. */
  readonly DialSeed?: typeof DialSeed;
  /** Follows the life of the page or the process. Gives the end of that, after which no listener is left. */
  watch(life: Lifecycle, options: WatchOptions): () => void;
  /** The identity that this tab keeps over reloads, held for this page; undefined where it cannot keep one. */
  keptIdentity?(cluster: string): Promise<KeptIdentity | undefined>;
}
