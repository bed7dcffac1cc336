/** Joining: resolves when the member is in the mesh, or is the first one. */

import { HearsayError } from "../errors.ts";
import type { Host } from "../runtime/host.ts";
import { hashOfCluster, keyPair } from "../session/identity.ts";
import type { KeptIdentity } from "../session/kept-identity.ts";
import type { KeptStore } from "./kept-store.ts";
import type { Self } from "./life.ts";
import { Mesh } from "./mesh.ts";
import { leftMeanwhile, TAKEN } from "./mesh-errors.ts";
import { isServer, type JoinOptions, parseOptions, secretsOf } from "./options.ts";
import type { MeshTypes } from "./typed.ts";

const JOIN_TIMEOUT_MS = 15_000;

/** Timers do not hold longer waits, 24 days: those last for ever. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * @typeParam T what keys and names carry, such as
 * `join<{ state: { cursor: Point }; events: { "chat.message": string } }>(…)`
 */
export type Join = <T extends MeshTypes = MeshTypes>(
  options: string | JoinOptions,
) => Promise<Mesh<T>>;

/** The `join` of one platform. */
export function joinOn(host: Host): Join {
  return async <T extends MeshTypes>(given: string | JoinOptions) => {
    const options = parseOptions(given);
    const mesh = new Mesh<T>(host, options, await selfOf(host, options));
    try {
      await mesh.start();
      await settled(mesh, options);
    } catch (error) {
      await mesh.leave();
      throw error;
    }
    options.signal?.addEventListener("abort", () => mesh.leave(), { once: true });
    return mesh;
  };
}

async function selfOf(host: Host, options: JoinOptions): Promise<Self> {
  const { identity, cluster } = options;
  const kept = await keptIn(host, options);
  const [keys, clusterHash, primitives, { secured, makeSession }] = await Promise.all([
    keyPair(identity?.secretKey ?? kept?.secretKey),
    hashOfCluster(cluster),
    host.primitives(),
    import("../session/secured.ts"),
  ]);
  const secrets = secretsOf(options);
  const session = await makeSession({ keys, cluster, clusterHash, secrets, primitives });
  return { keys, clusterHash, kept, session, secured };
}

/** What keeps the identity over the end of this page or process: the store, else the tab. */
async function keptIn(
  host: Host,
  { identity, cluster, store, signal }: JoinOptions,
): Promise<KeptIdentity | KeptStore | undefined> {
  if (typeof store === "function") {
    const { KeptStore } = await import("./kept-store.ts");
    const kept = new KeptStore(store, cluster, identity);
    signal?.throwIfAborted();
    // Another may have the store, for however long.
    const giveUp = (): void => void kept.release();
    signal?.addEventListener("abort", giveUp, { once: true });
    await kept.hold();
    signal?.removeEventListener("abort", giveUp);
    return kept;
  }
  if (identity === undefined && store !== false) return await host.keptIdentity?.(cluster);
  return undefined;
}

/** A link stands, or a seed says that nobody else is here, or there is no seed to wait for. */
function settled(mesh: Mesh, options: JoinOptions): Promise<void> {
  const { signal, seeds = [], joinTimeoutMs = JOIN_TIMEOUT_MS } = options;
  return new Promise((resolve, reject) => {
    const ends = [
      mesh.on("health", () => check()),
      mesh.on("identity:taken", () => {
        finish(() => reject(new HearsayError("identity:taken", TAKEN)));
      }),
    ];
    const abort = (): void => finish(() => reject(signal?.reason));
    const timer =
      joinTimeoutMs > 0 && joinTimeoutMs <= TIMER_MS_MAX
        ? setTimeout(() => finish(() => reject(unreachable(mesh, joinTimeoutMs))), joinTimeoutMs)
        : undefined;
    const finish = (then: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      for (const end of ends) end();
      then();
    };
    const check = (): void => {
      const { state } = mesh.health;
      if (state === "left") return finish(() => reject(leftMeanwhile()));
      if (seeds.length === 0 || state === "ok" || state === "degraded" || state === "alone") {
        finish(resolve);
      }
    };
    if (signal?.aborted) return abort();
    signal?.addEventListener("abort", abort, { once: true });
    check();
  });
}

function unreachable(mesh: Mesh, ms: number): HearsayError {
  const { why, seeds } = mesh.health;
  const who = seeds.some(({ url }) => isServer(url))
    ? "the signaling server runs"
    : "a member listens";
  return new HearsayError(
    "join:unreachable",
    `not in the mesh after ${ms} ms: ${why}. Check that ${who} at that address, or raise joinTimeoutMs`,
  );
}
