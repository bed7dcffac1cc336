/** What members of one cluster bring to their handshakes. */

import { hashOfCluster, keyPair } from "../../src/session/identity.ts";
import { primitives } from "../../src/session/primitives.node.ts";
import type { SecuredTransport } from "../../src/session/secured.ts";
import { makeSession, type Session, type SessionOptions } from "../../src/session/session.ts";
import type { Transport } from "../../src/transport/transport.ts";

export async function sessionOf(options: Partial<SessionOptions> = {}): Promise<Session> {
  const { cluster = "c" } = options;
  const [keys, clusterHash] = await Promise.all([keyPair(), hashOfCluster(cluster)]);
  return await makeSession({ keys, cluster, clusterHash, primitives, ...options });
}

/** Links by an invitation with this key. */
export function withPsk(inner: SecuredTransport, invitationPsk: Uint8Array): Transport {
  return {
    ...inner,
    connect: (options, handlers) => inner.connect({ ...options, invitationPsk }, handlers),
  };
}
