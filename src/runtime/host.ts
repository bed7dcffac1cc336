/** What the platform gives to a member: the entry of each platform composes one. */

import type { KeptIdentity } from "../session/kept-identity.ts";
import type { Primitives } from "../session/primitives.ts";
import type { WebSocketConstructor } from "../signaling/websocket.ts";
import type { Transport } from "../transport/transport.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { ChannelConstructor } from "./tabs.ts";

export interface TransportOptions {
  /** Asked before each link. */
  readonly iceServers?: () => readonly IceServer[];
  readonly iceTransportPolicy?: "all" | "relay";
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
  /** The transport that is used when the user gives none. */
  defaultTransport(options: TransportOptions): Promise<Transport>;
  /** Follows the life of the page or the process. Gives the end of that, after which no listener is left. */
  watch(life: Lifecycle, options: WatchOptions): () => void;
  /** The identity that this tab keeps over reloads, held for this page; undefined where it cannot keep one. */
  keptIdentity?(cluster: string): Promise<KeptIdentity | undefined>;
}
