/**
 * A member's lasting connection to the signaling server: it is kept up for ever, with backoff, until it is closed,
 * paused, or superseded by a newer socket of the same id. Knows neither browsers nor Node: WebSocket and timers are given.
 */

import { isMemberId } from "../core/lib/ids.ts";
import { HearsayError } from "../errors.ts";
import { type Backoff, defaultBackoff, retryDelay } from "./backoff.ts";
import { Connection, type ConnectionHandlers } from "./connection.ts";
import {
  CloseCode,
  type IceServer,
  parseClusterPath,
  type Refusal,
  SIGNALING_PING_MS,
} from "./protocol.ts";
import { platformTimer, type SetTimer } from "./timer.ts";
import type { WebSocketConstructor } from "./websocket.ts";

export interface SignalingClientHandlers {
  /** The server is there, and names up to 8 members to begin with; none if we are the first. */
  up(peers: readonly string[]): void;
  /** The server asks us to meet members of an island that is not ours. */
  introduce(peers: readonly string[]): void;
  /** A packet from another member. The bytes are ours to keep. */
  packet(from: string, packet: Uint8Array): void;
  /** What was sent to this member did not reach it: it is not connected to the server. */
  gone(id: string): void;
  /** The server names STUN and TURN servers, in place of those it named before. */
  ice(servers: readonly IceServer[]): void;
  /**
   * The connection ended or an attempt failed. `retryInMs` is when the next attempt starts; without it there is none,
   * because the connection was paused.
   */
  down(refusal: Refusal, retryInMs: number | undefined): void;
}

export interface SignalingClientOptions {
  /** `ws(s)://host[:port]/CLUSTER`. */
  readonly url: string;
  /** Gives the server's access token, asked for before each attempt. */
  readonly token?: (() => string | Promise<string>) | undefined;
  readonly id: string;
  readonly WebSocket: WebSocketConstructor;
  readonly handlers: SignalingClientHandlers;
  readonly backoff?: Partial<Backoff>;
  /** An attempt that takes longer has failed. Milliseconds, default 10,000. */
  readonly connectMs?: number;
  /** A server not heard for this long is gone; it pings every 30 s. Milliseconds, default 45,000. */
  readonly silenceMs?: number;
  /** Evenly distributed in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
  /** Default `setTimeout`. */
  readonly setTimer?: SetTimer;
  /** Milliseconds on a monotonic clock. Default `performance.now`. */
  readonly now?: () => number;
}

export interface SignalingClient {
  readonly state: "connecting" | "up" | "waiting" | "paused" | "refused" | "closed";
  /** False if the packet was not handed over: not connected, over the size, or more than the network or the rate takes. */
  send(to: string, packet: Uint8Array): boolean;
  /** Says which island we are on: the lowest live id we know. Remembered, and told at most once a second. */
  island(id: string): void;
  /**
   * Tries now instead of at the end of the wait, with short waits again; also after a refusal for good. Nothing to do
   * in other states.
   */
  reconnect(): void;
  /** Drops the connection and stays away until {@link resume}. */
  pause(): void;
  resume(): void;
  /** Ends for good. No handler is called any more, and nothing is left that keeps a process alive. */
  close(): void;
}

/** The code of `down` after {@link SignalingClient.pause}: the standard's "normal closure". */
const PAUSED: Refusal = { code: 1000, reason: "paused" };

/** Islands change often while many join at once. Milliseconds. */
const ISLAND_EVERY_MS = 1_000;

/**
 * Starts connecting at once.
 *
 * @throws HearsayError `signaling:bad-url` or `signaling:bad-id` for options that can never work.
 */
export function signalingClient(options: SignalingClientOptions): SignalingClient {
  checkUrl(options.url);
  if (!isMemberId(options.id)) {
    throw new HearsayError("signaling:bad-id", "a member's id has 32 lower-case hex digits");
  }
  return new ReconnectingClient(options);
}

class ReconnectingClient implements SignalingClient {
  readonly #options: SignalingClientOptions;
  readonly #backoff: Backoff;
  readonly #setTimer: SetTimer;
  readonly #now: () => number;
  #state: SignalingClient["state"] = "connecting";
  #connection: Connection | undefined;
  #failures = 0;
  /** Counts those that ask for a token. */
  #attempt = 0;
  #upSince = 0;
  #cancelRetry = (): void => {};
  #island: string | undefined;
  #islandTold: string | undefined;
  #cancelIsland: (() => void) | undefined;

  constructor(options: SignalingClientOptions) {
    this.#options = options;
    this.#backoff = { ...defaultBackoff, ...options.backoff };
    this.#setTimer = options.setTimer ?? platformTimer;
    this.#now = options.now ?? (() => performance.now());
    this.#connect();
  }

  get state(): SignalingClient["state"] {
    return this.#state;
  }

  send(to: string, packet: Uint8Array): boolean {
    if (to === this.#options.id) return false;
    return this.#connection?.send(to, packet) ?? false;
  }

  island(id: string): void {
    this.#island = id;
    this.#tellIsland();
  }

  reconnect(): void {
    if (this.#state !== "waiting" && this.#state !== "refused") return;
    this.#failures = 0;
    this.#connect();
  }

  pause(): void {
    if (this.#state === "closed" || this.#state === "paused") return;
    this.#stop("paused");
    this.#options.handlers.down(PAUSED, undefined);
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#failures = 0;
    this.#connect();
  }

  close(): void {
    this.#stop("closed");
  }

  #stop(state: "paused" | "closed"): void {
    this.#state = state;
    this.#cancelRetry();
    this.#cancelIsland?.();
    this.#cancelIsland = undefined;
    this.#connection?.close();
    this.#connection = undefined;
  }

  #connect(): void {
    this.#cancelRetry();
    this.#state = "connecting";
    const { token, url } = this.#options;
    if (token === undefined) return this.#open(url);
    const attempt = ++this.#attempt;
    const isOver = (): boolean => attempt !== this.#attempt || this.#state !== "connecting";
    Promise.resolve()
      .then(token)
      .then((text) => isOver() || this.#open(`${url}?token=${encodeURIComponent(text)}`))
      .catch((error) => {
        if (isOver()) return;
        this.#onEnd({ code: CloseCode.unauthorized, reason: `no token: ${error}` });
      });
  }

  #open(url: string): void {
    const {
      id,
      WebSocket,
      connectMs = 10_000,
      silenceMs = 1.5 * SIGNALING_PING_MS,
    } = this.#options;
    const island = this.#island;
    const limits = { connectMs, silenceMs, setTimer: this.#setTimer, now: this.#now };
    this.#islandTold = island;
    try {
      this.#connection = new Connection(
        { url, id, island, WebSocket, ...limits },
        this.#handlers(),
      );
    } catch (cause) {
      const remedy = "a page that came over https connects by wss:// only";
      const message = `cannot connect to ${this.#options.url}: ${remedy}`;
      throw new HearsayError("signaling:bad-url", message, { cause });
    }
  }

  #handlers(): ConnectionHandlers {
    const { handlers } = this.#options;
    return {
      welcome: (peers) => {
        this.#state = "up";
        this.#upSince = this.#now();
        this.#tellIsland();
        handlers.up(peers);
      },
      introduce: (peers) => handlers.introduce(peers),
      packet: (from, packet) => handlers.packet(from, packet),
      gone: (id) => handlers.gone(id),
      ice: (servers) => handlers.ice(servers),
      end: (refusal) => this.#onEnd(refusal),
    };
  }

  #onEnd(refusal: Refusal): void {
    const stood = this.#state === "up" && this.#now() - this.#upSince >= this.#backoff.stableMs;
    this.#failures = stood ? 1 : this.#failures + 1;
    this.#connection = undefined;
    const random = (this.#options.random ?? Math.random)();
    const retryInMs = retryDelay(refusal.code, this.#failures, this.#backoff, random);
    this.#state = refusal.code === CloseCode.replaced ? "refused" : "waiting";
    this.#cancelRetry = this.#setTimer(() => this.#connect(), retryInMs);
    this.#options.handlers.down(refusal, retryInMs);
  }

  /** Tells the latest island, once a second at most; what was not accepted is tried again then. */
  #tellIsland(): void {
    const island = this.#island;
    if (island === undefined || island === this.#islandTold || this.#cancelIsland) return;
    if (!this.#connection?.up) return;
    if (this.#connection.island(island)) this.#islandTold = island;
    this.#cancelIsland = this.#setTimer(() => {
      this.#cancelIsland = undefined;
      this.#tellIsland();
    }, ISLAND_EVERY_MS);
  }
}

function checkUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const problem = url ? problemOf(url) : "this is no URL";
  if (problem !== undefined) {
    const example = "a signaling server is named like ws://localhost:8080/my-cluster";
    throw new HearsayError("signaling:bad-url", `${text}: ${problem}; ${example}`);
  }
}

function problemOf(url: URL): string | undefined {
  if (!/^wss?:$/.test(url.protocol)) return "the URL starts with ws:// or wss://";
  if (url.hash !== "") return "the URL has no part after #";
  const cluster = parseClusterPath(url.pathname);
  return cluster.ok ? undefined : cluster.refusal.reason;
}
