/** What a Node process gives to a member. */

import process from "node:process";
import type { WebSocketConstructor } from "../signaling/websocket.ts";
import type { Host } from "./host.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export function hostOfNode(
  WebSocket: WebSocketConstructor,
  defaultTransport: Host["defaultTransport"],
): Host {
  return {
    node: true,
    WebSocket,
    defaultTransport,
    onEnding(ending) {
      const onSignal = (signal: NodeJS.Signals): void => {
        ending();
        // With nobody else listening the signal would have ended the process: let it, now that we are done.
        if (process.listenerCount(signal) === 0)
          setTimeout(() => process.kill(process.pid, signal), FLUSH_MS);
      };
      for (const signal of SIGNALS) process.on(signal, onSignal);
      process.on("beforeExit", ending);
      return () => {
        for (const signal of SIGNALS) process.off(signal, onSignal);
        process.off("beforeExit", ending);
      };
    },
    onHidden: () => () => {},
  };
}

/** What a closing transport takes to send its last frames, ms. */
const FLUSH_MS = 60;
