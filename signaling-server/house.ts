/** What answering requests needs of the server. */

import type { WebSocketServer } from "ws";
import type { Budgets } from "./budgets.ts";
import type { Ice } from "./ice.ts";
import type { Lobby } from "./lobby.ts";
import type { Gauges, Metrics } from "./metrics.ts";
import type { LogEntry, SignalingLimits, SignalingServerOptions } from "./options.ts";

export interface House {
  readonly options: SignalingServerOptions;
  readonly limits: SignalingLimits;
  readonly sockets: WebSocketServer;
  readonly lobby: Lobby;
  readonly ice: Ice;
  readonly budgets: Budgets;
  readonly metrics: Metrics;
  now(): number;
  wallNow(): number;
  state(): "ok" | "degraded" | "draining";
  health(): object;
  gauges(): Gauges;
  log(entry: LogEntry): void;
}
