/**
 * The pre-shared key of a cluster: from its secret, slowly, since who answers a handshake could try secrets on what it
 * hears. Without a secret from the cluster's name: then the handshake proves who somebody is, and keeps out nobody.
 */

import type { Primitives } from "./primitives.ts";

/** 96 MiB-passes: a quarter of a second in Node. Source: OWASP's recommendation for scrypt. */
const COST = { N: 2 ** 15, r: 8, p: 3 };

/** Derived once for each process, cluster and secret. */
const derived = new Map<string, Promise<Uint8Array>>();
const DERIVED_MAX = 16;

export function pskOf(
  primitives: Primitives,
  cluster: string,
  secret: string | undefined,
): Promise<Uint8Array> {
  const text = (words: string): Uint8Array => new TextEncoder().encode(words);
  if (secret === undefined) {
    return Promise.resolve(primitives.sha256(text(`hearsay open cluster ${cluster}`)));
  }
  const name = JSON.stringify([cluster, secret]);
  let psk = derived.get(name);
  if (psk === undefined) {
    psk = primitives.scrypt(text(secret), text(`hearsay cluster ${cluster}`), COST);
    derived.set(name, psk);
    for (const oldest of derived.keys()) if (derived.size > DERIVED_MAX) derived.delete(oldest);
  }
  return psk;
}
