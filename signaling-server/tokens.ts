/**
 * Access tokens: who holds one may join one cluster until it ends. `PAYLOAD.MAC`, both base64url; the payload is JSON
 * (`c` the cluster, `e` the end in seconds since 1970, `u` what it is for), the MAC is HMAC-SHA-256 under the
 * server's key. Nothing is stored: a token is taken back by a change of keys, so it should be short-lived.
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import { HearsayError } from "../src/errors.ts";

export interface TokenOptions {
  /** One of the server's `tokenKeys`. */
  readonly key: string;
  readonly cluster: string;
  /** Milliseconds, default 3,600,000: an hour. */
  readonly lifeMs?: number;
  /** `discover`: a lasting key with which a peer asks for what it needs to join, short-lived tokens included. Default `join`. */
  readonly use?: TokenUse;
  /** Milliseconds since 1970. Default `Date.now()`. */
  readonly nowMs?: number;
}

export type TokenUse = "join" | "discover";

const TOKEN_KEY_LENGTH_MIN = 16;

/** Anything longer is none of ours, and not looked into. */
const TOKEN_LENGTH_MAX = 1_024;

/** A token for one cluster. */
export function signToken(options: TokenOptions): string {
  const { key, cluster, lifeMs = 3_600_000, use = "join", nowMs = Date.now() } = options;
  checkTokenKey(key);
  if (!(lifeMs >= 1_000 && lifeMs <= 3_650 * 86_400_000)) {
    const range = "from 1,000 (a second) to 315,360,000,000 (ten years)";
    throw new HearsayError("server:bad-token-life", `a token lives ${range} ms, not ${lifeMs}`);
  }
  const end = Math.ceil((nowMs + lifeMs) / 1_000);
  const payload = Buffer.from(JSON.stringify({ c: cluster, e: end, u: use })).toString("base64url");
  return `${payload}.${macOf(payload, key).toString("base64url")}`;
}

/** Why a token does not open the cluster; undefined when it does. */
export function tokenProblem(
  token: string | undefined,
  keys: readonly string[],
  wanted: { readonly cluster: string; readonly use: TokenUse; readonly nowMs: number },
): string | undefined {
  if (token === undefined || token === "") return "a token is needed";
  if (token.length > TOKEN_LENGTH_MAX) return "the token is not valid";
  const [payload = "", mac = "", ...rest] = token.split(".");
  const given = Buffer.from(mac, "base64url");
  // Every key is tried, so that the time it takes says nothing.
  const right = keys.filter((key) => equal(given, macOf(payload, key)));
  if (right.length === 0 || rest.length > 0) return "the token is not valid";
  // The MAC is right, so this is what was signed.
  const { c, e, u } = JSON.parse(Buffer.from(payload, "base64url").toString());
  if (u !== wanted.use) return `the token is not one to ${wanted.use}`;
  if (c !== wanted.cluster) return "the token is for another cluster";
  return wanted.nowMs >= e * 1_000 ? "the token has expired" : undefined;
}

/** @throws HearsayError `server:bad-token-key` */
export function checkTokenKey(key: string): void {
  if (key.length >= TOKEN_KEY_LENGTH_MIN) return;
  const remedy = "make one with: openssl rand -base64 32";
  throw new HearsayError(
    "server:bad-token-key",
    `a token key has at least ${TOKEN_KEY_LENGTH_MIN} characters; ${remedy}`,
  );
}

function macOf(payload: string, key: string): Buffer {
  return createHmac("sha256", key).update(`hearsay-token:${payload}`).digest();
}

function equal(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
