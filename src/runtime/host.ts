/** What the platform gives to a member: the entry of each platform composes one. */

import type { WebSocketConstructor } from "../signaling/websocket.ts";
import type { Transport } from "../transport/transport.ts";

export interface TransportOptions {
  readonly iceServers?: readonly IceServer[];
  readonly iceTransportPolicy?: "all" | "relay";
}

/** A STUN or TURN server, as `RTCPeerConnection` takes it. */
export interface IceServer {
  readonly urls: string | string[];
  readonly username?: string;
  readonly credential?: string;
}

export interface Host {
  /** A Node process: it keeps more links. */
  readonly node: boolean;
  readonly WebSocket: WebSocketConstructor;
  /** The transport that is used when the user gives none. */
  defaultTransport(options: TransportOptions): Promise<Transport>;
  /**
   * Calls `ending` when the page is left or the process is told to end, while frames can still be sent.
   * Gives the end of that.
   */
  onEnding(ending: () => void): () => void;
  /** Calls `changed` when the page is hidden or shown: a hidden one may be frozen. Gives the end of that. */
  onHidden(changed: (hidden: boolean) => void): () => void;
}
