/**
 * The signaling server: HTTP and WebSockets around the rooms. It introduces members of a cluster to each other and
 * carries their first packets; once they have a link they do without it.
 */

import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { WebSocketServer } from "ws";
import { HearsayError } from "../src/errors.ts";
import { CloseCode, SIGNALING_FRAME_BYTES_MAX } from "../src/signaling/protocol.ts";
import { urlsOf } from "./addresses.ts";
import { Budgets } from "./budgets.ts";
import { Front } from "./front.ts";
import { Ice } from "./ice.ts";
import { limitsFrom } from "./limits.ts";
import { bind, makeHttpServer, renewTls } from "./listening.ts";
import { Lobby } from "./lobby.ts";
import { type Gauges, Metrics } from "./metrics.ts";
import type { LogEntry, SignalingLimits, SignalingServerOptions } from "./options.ts";
import { checkRedisUrl, type RedisBus } from "./redis.ts";
import { MemberSocket } from "./session.ts";

export interface SignalingStats {
  /** Clusters with at least one member here. */
  readonly rooms: number;
  /** Members that have said hello. */
  readonly members: number;
  /** Open WebSockets, those on their way in or out included. */
  readonly sockets: number;
  /** Since it was created. Milliseconds. */
  readonly uptimeMs: number;
}

export interface CloseOptions {
  /**
   * Sends members away one after another over this time, so that they do not come back all at once; fewer than 100 a
   * second take no longer than they need. Default 0: all at once.
   */
  readonly drainMs?: number;
  /** Who has not gone after this, from then on, is torn down. Milliseconds, default 2,000. */
  readonly graceMs?: number;
}

export interface SignalingServer {
  /**
   * Starts listening; a second call gives the same promise.
   *
   * @throws HearsayError `server:port-in-use`, `server:port-forbidden`, `server:listen` when the address cannot be
   * had, `server:no-ioredis` where Redis is asked for without it, `server:closed` after {@link close}.
   */
  listen(): Promise<SignalingServer>;
  /** The port it listens on. 0 before {@link listen} has resolved. */
  readonly port: number;
  /** What members connect to, less the cluster: `ws://localhost:8080`. Empty before {@link listen} has resolved. */
  readonly urls: readonly string[];
  stats(): SignalingStats;
  /** Reads the TLS files anew, for the connections to come. @throws HearsayError `server:bad-tls`; then the old ones hold. */
  reload(): void;
  /**
   * Lets nobody in any more, sends all members away (close code 1001) and resolves when the port is free. A second
   * call gives the same promise.
   */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Makes a signaling server, which does nothing until it is told to {@link SignalingServer.listen}.
 *
 * @throws HearsayError `server:bad-…` for options that can never be meant.
 */
export function createSignalingServer(options: SignalingServerOptions = {}): SignalingServer {
  return new NodeSignalingServer(options);
}

/** Connections besides the members': pages, health checks, upgrades on their way in. */
const PLAIN_CONNECTIONS_MAX = 1_000;

const GOING_AWAY = { code: CloseCode.goingAway, reason: "the server is going away" };

/** Members that are sent away each second, at least. */
const DRAIN_PER_SECOND_MIN = 100;
const DRAIN_EVERY_MS = 50;

class NodeSignalingServer implements SignalingServer {
  readonly #options: SignalingServerOptions;
  readonly #limits: SignalingLimits;
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #budgets = new Budgets();
  readonly #metrics = new Metrics();
  readonly #lobby: Lobby;
  #bus: RedisBus | undefined;
  #ticking: NodeJS.Timeout | undefined;
  #listening: Promise<SignalingServer> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: SignalingServerOptions) {
    this.#options = options;
    this.#limits = limitsFrom(options.limits);
    this.#now = options.now ?? (() => performance.now());
    this.#startedAt = this.#now();
    if (options.redis !== undefined) checkRedisUrl(options.redis);
    const common = {
      limits: this.#limits,
      ice: new Ice(options.iceServers, options.turn),
      metrics: this.#metrics,
      now: this.#now,
      wallNow: options.wallNow ?? (() => Date.now()),
      log: (entry: LogEntry) => options.logger?.(entry),
    };
    this.#lobby = new Lobby(common);
    this.#sockets = new WebSocketServer({
      noServer: true,
      WebSocket: MemberSocket,
      ...this.#frameLimits(),
    });
    const front = new Front({
      ...common,
      options,
      sockets: this.#sockets,
      lobby: this.#lobby,
      budgets: this.#budgets,
      state: () => this.#state(),
      health: () => this.#health(),
      gauges: () => this.#gauges(),
    });
    this.#http = makeHttpServer(options.tls, this.#limits.requestMs, (request, response) =>
      front.onRequest(request, response),
    );
    this.#http.on("upgrade", (request, socket, head) => front.onUpgrade(request, socket, head));
    this.#http.on("error", (error) =>
      this.#log({ level: "warn", event: "error", reason: error.message }),
    );
    this.#http.maxConnections = this.#limits.socketsMax + PLAIN_CONNECTIONS_MAX;
  }

  get port(): number {
    return this.#address?.port ?? 0;
  }

  get urls(): readonly string[] {
    return this.#address ? urlsOf(this.#address, this.#options.tls ? "wss" : "ws") : [];
  }

  get #address(): AddressInfo | undefined {
    // A server on a port has an address of this kind; the others are of pipes.
    return (this.#http.address() as AddressInfo | null) ?? undefined;
  }

  stats(): SignalingStats {
    const uptimeMs = Math.round(this.#now() - this.#startedAt);
    return { ...this.#lobby.size, sockets: this.#sockets.clients.size, uptimeMs };
  }

  reload(): void {
    if (this.#options.tls) renewTls(this.#http, this.#options.tls);
    this.#log({ level: "info", event: "reloaded" });
  }

  listen(): Promise<SignalingServer> {
    this.#listening ??= this.#listen();
    return this.#listening;
  }

  close({ drainMs = 0, graceMs = 2_000 }: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(drainMs, graceMs);
    return this.#closing;
  }

  async #listen(): Promise<SignalingServer> {
    if (this.#closing)
      throw new HearsayError("server:closed", "this server was closed: create another one");
    const { port = 8080, host, redis } = this.#options;
    if (redis !== undefined) await this.#share(redis);
    try {
      await bind(this.#http, port, host);
    } catch (error) {
      await this.#bus?.close();
      throw error;
    }
    const { helloMs, pingMs, islandGraceMs, ghostMs } = this.#limits;
    const tickMs = Math.min(1_000, helloMs / 4, pingMs / 4, islandGraceMs / 4, ghostMs / 8);
    this.#ticking = setInterval(() => this.#tick(), Math.max(tickMs, 5)).unref();
    this.#log({ level: "info", event: "listening", port: this.port });
    return this;
  }

  async #share(url: string): Promise<void> {
    // Loaded with the first pool only.
    const { shareRooms } = await import("./sharing.ts");
    this.#bus = await shareRooms({
      url,
      lobby: this.#lobby,
      metrics: this.#metrics,
      ghostMs: this.#limits.ghostMs,
      now: this.#now,
      log: (entry) => this.#log(entry),
    });
  }

  #tick(): void {
    this.#lobby.tick();
    this.#budgets.tick(this.#now());
  }

  async #close(drainMs: number, graceMs: number): Promise<void> {
    await this.#listening?.catch(() => {});
    if (this.#http.listening) await this.#drain(drainMs);
    clearInterval(this.#ticking);
    if (!this.#http.listening) return;
    this.#lobby.cut(Number.POSITIVE_INFINITY, GOING_AWAY);
    this.#lobby.pool?.close();
    await this.#bus?.close();
    const deadline = setTimeout(() => {
      for (const socket of this.#sockets.clients) socket.terminate();
      this.#http.closeAllConnections();
    }, graceMs);
    await Promise.all([
      new Promise((closed) => this.#http.close(closed)),
      new Promise((closed) => this.#sockets.close(closed)),
    ]);
    clearTimeout(deadline);
    this.#log({ level: "info", event: "stopped" });
  }

  /** Sends members away one after another. Meanwhile the others are served, and nobody new is let in. */
  async #drain(drainMs: number): Promise<void> {
    const count = this.#lobby.sessions;
    const neededMs = (count * 1_000) / DRAIN_PER_SECOND_MIN;
    const steps = Math.floor(Math.min(drainMs, neededMs) / DRAIN_EVERY_MS);
    if (steps < 1) return;
    this.#log({ level: "info", event: "draining", sockets: count });
    await new Promise<void>((drained) => {
      const draining = setInterval(() => {
        this.#lobby.cut(Math.ceil(count / steps), GOING_AWAY);
        if (this.#lobby.sessions > 0) return;
        clearInterval(draining);
        drained();
      }, DRAIN_EVERY_MS);
    });
  }

  #state(): "ok" | "degraded" | "draining" {
    if (this.#closing) return "draining";
    return this.#lobby.pool?.up === false ? "degraded" : "ok";
  }

  #health(): object {
    const { rooms, members, uptimeMs } = this.stats();
    return { rooms, members, uptimeMs };
  }

  #gauges(): Gauges {
    const { rooms, members, sockets, uptimeMs } = this.stats();
    return {
      rooms,
      members,
      sockets,
      addresses: this.#budgets.size,
      ...(this.#lobby.pool && {
        remote_members: this.#lobby.remote,
        pool_up: this.#lobby.pool.up ? 1 : 0,
      }),
      draining: this.#closing ? 1 : 0,
      uptime_seconds: uptimeMs / 1_000,
      resident_memory_bytes: process.memoryUsage.rss(),
    };
  }

  #frameLimits(): object {
    return {
      perMessageDeflate: false,
      maxPayload: SIGNALING_FRAME_BYTES_MAX,
      // A message in crumbs costs more than its size.
      maxFragments: 64,
      maxBufferedChunks: 1_024,
      closeTimeout: this.#limits.farewellMs,
      // A flood of pings ends as any other flood, with a reason.
      maxPendingAutoPongs: 0,
    };
  }

  #log(entry: LogEntry): void {
    this.#options.logger?.(entry);
  }
}
