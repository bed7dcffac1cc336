/** The WebSocket of Node processes: Node 20 has none of its own. */

import { WebSocket } from "ws";
import { SIGNALING_FRAME_BYTES_MAX } from "./protocol.ts";
import type { WebSocketConstructor } from "./websocket.ts";

const options = {
  perMessageDeflate: false,
  // A hostile server cannot make us hold more than this for one message.
  maxPayload: SIGNALING_FRAME_BYTES_MAX,
  handshakeTimeout: 10_000,
  // A server that does not answer our close must not keep the process from ending.
  closeTimeout: 50,
};

/** Connects by `ws`, with limits of our own. */
class NodeWebSocket extends WebSocket {
  constructor(url: string) {
    super(url, options);
  }
}

export const nodeWebSocket: WebSocketConstructor = NodeWebSocket;
