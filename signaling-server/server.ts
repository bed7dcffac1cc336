/**
 * The signaling server: HTTP and WebSockets around the rooms. It introduces members of a cluster to each other and
 * carries their first packets; once they have a link they do without it.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { HearsayError } from "../src/errors.ts";
import {
  CloseCode,
  parseClusterPath,
  SIGNALING_FRAME_BYTES_MAX,
} from "../src/signaling/protocol.ts";
import { urlsOf } from "./addresses.ts";
import { refuseUpgrade, sendJson, sendText } from "./http-text.ts";
import { Lobby } from "./lobby.ts";
import {
  defaultLimits,
  type LogEntry,
  type SignalingLimits,
  type SignalingServerOptions,
} from "./options.ts";
import { MemberSocket } from "./session.ts";
import { staticFiles } from "./static-files.ts";

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

export interface SignalingServer {
  /**
   * Starts listening; a second call gives the same promise.
   *
   * @throws HearsayError `server:port-in-use`, `server:port-forbidden`, `server:listen` when the address cannot be
   * had, `server:closed` after {@link close}.
   */
  listen(): Promise<SignalingServer>;
  /** The port it listens on. 0 before {@link listen} has resolved. */
  readonly port: number;
  /** What members connect to, less the cluster: `ws://localhost:8080`. Empty before {@link listen} has resolved. */
  readonly urls: readonly string[];
  stats(): SignalingStats;
  /**
   * Sends all members away (close code 1001), and tears down who has not gone after `graceMs` (default 2,000).
   * Resolves when the port is free. A second call gives the same promise.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

/** Makes a signaling server, which does nothing until it is told to {@link SignalingServer.listen}. */
export function createSignalingServer(options: SignalingServerOptions = {}): SignalingServer {
  return new NodeSignalingServer(options);
}

class NodeSignalingServer implements SignalingServer {
  readonly #options: SignalingServerOptions;
  readonly #limits: SignalingLimits;
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #lobby: Lobby;
  readonly #files: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  #ticking: NodeJS.Timeout | undefined;
  #listening: Promise<SignalingServer> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: SignalingServerOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#now = options.now ?? (() => performance.now());
    this.#startedAt = this.#now();
    this.#files = options.staticDir === undefined ? undefined : staticFiles(options.staticDir);
    this.#lobby = new Lobby(this.#limits, this.#now, (entry) => this.#log(entry));
    this.#sockets = new WebSocketServer({
      noServer: true,
      WebSocket: MemberSocket,
      ...this.#frameLimits(),
    });
    this.#http = createServer((request, response) => this.#onRequest(request, response));
    this.#http.on("upgrade", (request, socket, head) => this.#onUpgrade(request, socket, head));
    this.#http.on("error", (error) =>
      this.#log({ level: "warn", event: "error", reason: error.message }),
    );
    // Whoever opens connections and says nothing holds them for a moment only.
    this.#http.headersTimeout = 10_000;
    this.#http.requestTimeout = 20_000;
    this.#http.setTimeout(30_000);
    this.#http.maxConnections = this.#limits.socketsMax + PLAIN_CONNECTIONS_MAX;
  }

  get port(): number {
    return this.#address?.port ?? 0;
  }

  get urls(): readonly string[] {
    return this.#address ? urlsOf(this.#address) : [];
  }

  get #address(): AddressInfo | undefined {
    // A server on a port has an address of this kind; the others are of pipes.
    return (this.#http.address() as AddressInfo | null) ?? undefined;
  }

  stats(): SignalingStats {
    const uptimeMs = Math.round(this.#now() - this.#startedAt);
    return { ...this.#lobby.size, sockets: this.#sockets.clients.size, uptimeMs };
  }

  listen(): Promise<SignalingServer> {
    this.#listening ??= this.#listen();
    return this.#listening;
  }

  close({ graceMs = 2_000 }: { readonly graceMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #listen(): Promise<SignalingServer> {
    if (this.#closing)
      throw new HearsayError("server:closed", "this server was closed: create another one");
    const { port = 8080, host = ANY_HOST } = this.#options;
    try {
      await bind(this.#http, port, host);
    } catch (error) {
      if (host !== ANY_HOST || !NO_IPV6.has(codeOf(error))) throw explain(error, port, host);
      await bind(this.#http, port, "0.0.0.0").catch((error) => {
        throw explain(error, port, "0.0.0.0");
      });
    }
    const { helloMs, pingMs, islandGraceMs } = this.#limits;
    const tickMs = Math.min(1_000, helloMs / 4, pingMs / 4, islandGraceMs / 4);
    this.#ticking = setInterval(() => this.#lobby.tick(), Math.max(tickMs, 5)).unref();
    this.#log({ level: "info", event: "listening", port: this.port });
    return this;
  }

  async #close(graceMs: number): Promise<void> {
    await this.#listening?.catch(() => {});
    clearInterval(this.#ticking);
    if (!this.#http.listening) return;
    this.#lobby.cutAll({ code: CloseCode.goingAway, reason: "the server is going away" });
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

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    try {
      if (request.url?.replace(/\?.*$/s, "") === "/healthz") this.#onHealth(response);
      else if (this.#options.onRequest?.(request, response)) return;
      else if (this.#files) this.#files(request, response);
      else sendText(response, 404, "no page here: members connect by WebSocket to /CLUSTER");
    } catch (error) {
      this.#log({ level: "warn", event: "request failed", reason: String(error) });
      if (response.headersSent) response.destroy();
      else sendText(response, 500, "the server failed to answer this request");
    }
  }

  #onHealth(response: ServerResponse): void {
    const { rooms, members, uptimeMs } = this.stats();
    const status = this.#closing ? "stopping" : "ok";
    sendJson(response, this.#closing ? 503 : 200, { status, rooms, members, uptimeMs });
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Until ws takes the socket over nobody listens to it, and an unheard error would end the process.
    socket.on("error", () => socket.destroy());
    if (this.#closing) return refuseUpgrade(socket, 503, "the server is stopping: come back later");
    if (this.#sockets.clients.size >= this.#limits.socketsMax) {
      return refuseUpgrade(socket, 503, "the server is full: come back later, or use another one");
    }
    const cluster = parseClusterPath((request.url ?? "/").replace(/\?.*$/s, ""));
    if (!cluster.ok) return refuseUpgrade(socket, 400, cluster.refusal.reason);
    this.#sockets.handleUpgrade(request, socket, head, (member) => {
      this.#lobby.admit(member, cluster.value);
    });
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

const ANY_HOST = "::";

/** Connections besides the members': pages, health checks, upgrades on their way in. */
const PLAIN_CONNECTIONS_MAX = 1_000;

/** How a machine without IPv6 answers to `::`. */
const NO_IPV6 = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL"]);

function bind(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => reject(error);
    server.once("error", onError);
    server.listen({ port, host }, () => {
      server.off("error", onError);
      resolve();
    });
  });
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}

function explain(cause: unknown, port: number, host: string): HearsayError {
  switch (codeOf(cause)) {
    case "EADDRINUSE":
      return new HearsayError(
        "server:port-in-use",
        `port ${port} is in use: stop what listens there, or choose another port (0 takes a free one)`,
        { cause },
      );
    case "EACCES":
      return new HearsayError(
        "server:port-forbidden",
        `port ${port} needs more rights than this process has: choose a port from 1024 up`,
        { cause },
      );
    default:
      return new HearsayError(
        "server:listen",
        `cannot listen on ${host} port ${port}: ${(cause as Error).message}. Check the host and the port`,
        { cause },
      );
  }
}
