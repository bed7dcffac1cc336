/**
 * Discovery: `GET /discover/CLUSTER` with a key (`Authorization: Bearer KEY`, a token signed for `discover`) answers
 * all that a peer needs to join that cluster, as the options that `join` takes; without a right key 401.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import { HearsayError } from "../src/errors.ts";
import { parseClusterPath } from "../src/signaling/protocol.ts";
import type { House } from "./house.ts";
import { sendJson, sendText } from "./http-text.ts";
import { signToken, tokenProblem } from "./tokens.ts";

const PREFIX = "/discover/";

/** How long the token holds that comes with the answer: time to join, and to come back after a short break. */
const TOKEN_LIFE_MS = 600_000;

export class Discovery {
  readonly #house: House;
  readonly #publicUrls: readonly string[] | undefined;

  constructor(house: House) {
    this.#house = house;
    this.#publicUrls = house.options.publicUrls?.map(checkedUrl);
  }

  answers(path: string): boolean {
    return path.startsWith(PREFIX) && (this.#house.options.tokenKeys ?? []).length > 0;
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const { origin, authorization = "" } = request.headers;
    if (origin !== undefined) {
      // The origin was looked at before. The key is in no cookie, so no page can borrow it.
      response.setHeader("Access-Control-Allow-Origin", origin);
      response.setHeader("Access-Control-Allow-Headers", "Authorization");
      response.setHeader("Vary", "Origin");
    }
    if (request.method === "OPTIONS") return void response.writeHead(204).end();
    if (request.method !== "GET") {
      response.setHeader("Allow", "GET");
      return sendText(response, 405, "only GET is answered here");
    }
    const path = (request.url ?? "").replace(/\?.*$/s, "");
    const cluster = parseClusterPath(path.slice(PREFIX.length - 1));
    const { tokenKeys = [] } = this.#house.options;
    const nowMs = this.#house.wallNow();
    const token = /^Bearer (\S+)$/i.exec(authorization)?.[1];
    const name = cluster.ok ? cluster.value : "";
    const problem = tokenProblem(token, tokenKeys, { cluster: name, use: "discover", nowMs });
    if (problem !== undefined || !cluster.ok) {
      this.#house.metrics.count("refused_total", 'reason="discovery"');
      response.setHeader("WWW-Authenticate", "Bearer");
      return sendText(response, 401, problem ?? "a cluster is needed");
    }
    sendJson(response, 200, this.#way(request, name, tokenKeys[0] ?? "", nowMs));
  }

  #way(request: IncomingMessage, cluster: string, key: string, nowMs: number): object {
    const { ice, lobby } = this.#house;
    return {
      cluster,
      seeds: this.#publicUrls ?? [this.#asReached(request)],
      token: signToken({ key, cluster, nowMs, lifeMs: TOKEN_LIFE_MS }),
      iceServers: ice.serversFor("discovery", nowMs),
      members: lobby.membersOf(cluster),
    };
  }

  /** Only whoever names a host is told of it. */
  #asReached({ headers, socket }: IncomingMessage): string {
    const { trustProxyHops = 0 } = this.#house.options;
    const proxied = trustProxyHops > 0 && headers["x-forwarded-proto"] === "https";
    const secure = proxied || (socket as TLSSocket).encrypted === true;
    const host = /^[\w.-]+(?::\d+)?$|^\[[\da-f:]+\](?::\d+)?$/i.exec(headers.host ?? "")?.[0];
    return `${secure ? "wss" : "ws"}://${host ?? "localhost"}`;
  }
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^wss?:$/.test(url.protocol) && url.pathname === "/" && !url.search && !url.hash) {
    return `${url.protocol}//${url.host}`;
  }
  const message = `${text} is no public URL: one is like wss://mesh.example, without a path`;
  throw new HearsayError("server:bad-public-url", message);
}
