/** Joins a server's lobby to the pool of those that share its Redis. */

import { randomBytes } from "node:crypto";
import type { Lobby } from "./lobby.ts";
import type { Metrics } from "./metrics.ts";
import type { LogEntry } from "./options.ts";
import { Pool } from "./pool.ts";
import { type RedisBus, redisBus } from "./redis.ts";

export interface SharingOptions {
  readonly url: string;
  readonly lobby: Lobby;
  readonly metrics: Metrics;
  readonly ghostMs: number;
  readonly now: () => number;
  readonly log: (entry: LogEntry) => void;
}

/** How long a start waits for Redis; without it the server begins alone. */
const PATIENCE_MS = 2_000;

/** Resolves when Redis is there, or does not come for a while. */
export async function shareRooms(options: SharingOptions): Promise<RedisBus> {
  const { url, lobby, metrics, ghostMs, now, log } = options;
  let begin = (): void => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const bus = await redisBus(url, {
    connected: () => {
      lobby.pool?.connected(now());
      log({ level: "info", event: "pool joined" });
      begin();
    },
    lost: (reason) => {
      lobby.pool?.disconnected();
      log({ level: "warn", event: "pool lost", reason });
    },
    message: (bytes) => {
      metrics.count("pool_messages_total");
      if (!lobby.pool?.receive(bytes, now())) metrics.count("pool_malformed_total");
    },
  });
  const onServer = (event: string): void => log({ level: "info", event });
  const self = randomBytes(16).toString("hex");
  lobby.join((rooms, perform) => new Pool({ self, rooms, bus, ghostMs, perform, onServer }));
  const patience = setTimeout(() => {
    log({
      level: "warn",
      event: "pool missing",
      reason: "Redis does not answer: rooms are not shared",
    });
    begin();
  }, PATIENCE_MS);
  await begun;
  clearTimeout(patience);
  return bus;
}
