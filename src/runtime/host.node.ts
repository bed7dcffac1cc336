/** What a Node process gives to a member. */

import process from "node:process";
import { primitives } from "../session/primitives.node.ts";
import type { WebSocketConstructor } from "../signaling/websocket.ts";
import { debugLog } from "./debug-log.node.ts";
import { DialSeed } from "./dial-seed.ts";
import type { Host } from "./host.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** What closing transports take to send their last frames, ms. */
const FLUSH_MS = 60;

/** What is to be done before this process ends, one entry for each mesh in it; at which signals too. */
const endings = new Set<() => unknown>();
const onSignals = new Set<() => unknown>();

export function hostOfNode(
  WebSocket: WebSocketConstructor,
  defaultTransports: Host["defaultTransports"],
): Host {
  return {
    node: true,
    WebSocket,
    ...(process.env["DEBUG"] && { logger: debugLog }),
    primitives: () => Promise.resolve(primitives),
    defaultTransports,
    DialSeed,
    watch(life, { leaveOnSignals = true }) {
      // A wrapper, so that one life given twice is two entries.
      const entry = (): unknown => life.ending();
      if (endings.size === 0) process.on("beforeExit", endAll);
      endings.add(entry);
      if (leaveOnSignals && onSignals.size === 0) listen();
      if (leaveOnSignals) onSignals.add(entry);
      return () => {
        if (endings.delete(entry) && endings.size === 0) process.off("beforeExit", endAll);
        if (onSignals.delete(entry) && onSignals.size === 0) unlisten();
      };
    },
  };
}

function endAll(): void {
  for (const ending of [...endings]) ending();
}

function onSignal(signal: NodeJS.Signals): void {
  const ended = [...onSignals].map((ending) => ending());
  // With nobody else listening the signal would have ended the process: let it, now that we are done.
  const others = process.listeners(signal).filter((listener) => listener !== onSignal);
  if (others.length > 0) return;
  const kill = (): boolean => process.kill(process.pid, signal);
  Promise.allSettled(ended).then(() => setTimeout(kill, FLUSH_MS));
}

/** One listener for all meshes: Node warns of a leak from the eleventh on. */
function listen(): void {
  for (const signal of SIGNALS) process.on(signal, onSignal);
}

function unlisten(): void {
  for (const signal of SIGNALS) process.off(signal, onSignal);
}
