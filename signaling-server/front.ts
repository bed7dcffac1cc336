/** The front desk: what becomes of an HTTP request, and which WebSockets are let in. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { HearsayError } from "../src/errors.ts";
import { CloseCode, parseClusterPath } from "../src/signaling/protocol.ts";
import type { Budget } from "./budgets.ts";
import { clientAddress } from "./client-address.ts";
import { Discovery } from "./discovery.ts";
import type { House } from "./house.ts";
import { refuseUpgrade, sendJson, sendMetrics, sendText } from "./http-text.ts";
import { staticFiles } from "./static-files.ts";
import { checkTokenKey, tokenProblem } from "./tokens.ts";

/** Why somebody is not let in. */
interface Denial {
  readonly status: number;
  /** One of a fixed few, for the metrics. */
  readonly reason: string;
  readonly text: string;
}

const TOO_MANY: Denial = {
  status: 429,
  reason: "rate",
  text: "too many requests from this address: come back later",
};

export class Front {
  readonly #house: House;
  readonly #origins: ReadonlySet<string> | undefined;
  readonly #hops: number;
  readonly #tokenKeys: readonly string[];
  readonly #discovery: Discovery;
  readonly #files: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;

  /** @throws HearsayError for options that can never be meant */
  constructor(house: House) {
    const { origins, tokenKeys = [], trustProxyHops = 0, staticDir } = house.options;
    this.#house = house;
    this.#origins = origins && new Set(origins.map(checkedOrigin));
    this.#hops = checkedHops(trustProxyHops);
    for (const key of tokenKeys) checkTokenKey(key);
    this.#tokenKeys = tokenKeys;
    this.#discovery = new Discovery(house);
    this.#files = staticDir === undefined ? undefined : staticFiles(staticDir);
  }

  onRequest(request: IncomingMessage, response: ServerResponse): void {
    try {
      const budget = this.#budgetOf(request);
      if (budget.requests.take(this.#house.now(), this.#house.limits.requestRate)) {
        this.#answer(request, response);
      } else {
        this.#denied(TOO_MANY, budget);
        sendText(response, TOO_MANY.status, TOO_MANY.text);
      }
    } catch (error) {
      this.#house.log({ level: "warn", event: "request failed", reason: String(error) });
      if (response.headersSent) response.destroy();
      else sendText(response, 500, "the server failed to answer this request");
    }
  }

  onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Until ws takes the socket over nobody listens to it, and an unheard error would end the process.
    socket.on("error", () => socket.destroy());
    const { now, limits, sockets, lobby, metrics } = this.#house;
    const budget = this.#budgetOf(request);
    const inTime = budget.requests.take(now(), limits.requestRate);
    const denial = inTime ? this.#denial(request, budget) : TOO_MANY;
    if (denial) {
      this.#denied(denial, budget);
      return refuseUpgrade(socket, denial.status, denial.text);
    }
    const { path, query } = parts(request);
    const cluster = parseClusterPath(path);
    if (!cluster.ok) {
      this.#denied({ status: 400, reason: "path", text: "" }, budget);
      return refuseUpgrade(socket, 400, cluster.refusal.reason);
    }
    const problem = this.#tokenProblem(query, cluster.value);
    sockets.handleUpgrade(request, socket, head, (member) => {
      if (problem === undefined) {
        metrics.count("connections_total");
        return lobby.admit(member, cluster.value, budget);
      }
      this.#denied({ status: 401, reason: "token", text: problem }, budget);
      // A page learns nothing of a refused upgrade; of a close it learns why.
      turnAway(member, budget, problem);
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { options, metrics } = this.#house;
    const { path } = parts(request);
    if (path === "/healthz") this.#onHealth(response);
    else if (path === "/metrics" && options.metrics) {
      sendMetrics(response, metrics.text(this.#house.gauges()));
    } else if (this.#discovery.answers(path)) {
      const denial = this.#originDenial(request);
      if (denial) return sendText(response, denial.status, denial.text);
      this.#discovery.answer(request, response);
    } else if (options.onRequest?.(request, response)) return;
    else if (this.#files) this.#files(request, response);
    else sendText(response, 404, "no page here: members connect by WebSocket to /CLUSTER");
  }

  #onHealth(response: ServerResponse): void {
    const status = this.#house.state();
    const code = status === "draining" ? 503 : 200;
    sendJson(response, code, { status, ...this.#house.health() });
  }

  #budgetOf(request: IncomingMessage): Budget {
    return this.#house.budgets.of(clientAddress(request, this.#hops));
  }

  #denial(request: IncomingMessage, budget: Budget): Denial | undefined {
    const { limits, sockets, state } = this.#house;
    if (state() === "draining") {
      const text = "the server is stopping: come back later";
      return { status: 503, reason: "draining", text };
    }
    if (sockets.clients.size >= limits.socketsMax) {
      const text = "the server is full: come back later, or use another one";
      return { status: 503, reason: "full", text };
    }
    if (budget.sockets >= limits.addressSocketsMax) {
      const text = "too many connections from this address: close some";
      return { status: 429, reason: "address", text };
    }
    return this.#originDenial(request);
  }

  #originDenial({ headers: { origin } }: IncomingMessage): Denial | undefined {
    if (origin === undefined || !this.#origins || this.#origins.has(origin)) return undefined;
    return { status: 403, reason: "origin", text: "pages of this origin may not connect here" };
  }

  #tokenProblem(query: string, cluster: string): string | undefined {
    if (this.#tokenKeys.length === 0) return undefined;
    const token = new URLSearchParams(query).get("token") ?? undefined;
    const wanted = { cluster, use: "join", nowMs: this.#house.wallNow() } as const;
    return tokenProblem(token, this.#tokenKeys, wanted);
  }

  #denied({ reason, status }: Denial, { address }: Budget): void {
    this.#house.metrics.count("refused_total", `reason="${reason}"`);
    // A flood is no flood of the log too.
    if (reason === "rate") return;
    this.#house.log({ level: "warn", event: "refused", reason, status, address });
  }
}

function turnAway(socket: WebSocket, budget: Budget, reason: string): void {
  budget.sockets++;
  socket.on("close", () => budget.sockets--);
  // An error is followed by close; unheard it would end the process.
  socket.on("error", () => {});
  socket.close(CloseCode.unauthorized, reason);
}

function parts({ url = "/" }: IncomingMessage): { readonly path: string; readonly query: string } {
  const at = url.indexOf("?");
  return at < 0 ? { path: url, query: "" } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

function checkedOrigin(origin: string): string {
  if (URL.canParse(origin) && new URL(origin).origin === origin) return origin;
  const message = `${origin} is no origin: one is like https://app.example or http://localhost:8080`;
  throw new HearsayError("server:bad-origin", message);
}

function checkedHops(hops: number): number {
  if (Number.isInteger(hops) && hops >= 0 && hops <= 10) return hops;
  const message = `trustProxyHops is ${hops}: it is the number of proxies before the server, from 0 to 10`;
  throw new HearsayError("server:bad-proxy", message);
}
