/** What is connected and what is not, at any time, in words. */

import type { Seed } from "../runtime/seeds.ts";

export type HealthState =
  /** Linked with others, and every seed is there. */
  | "ok"
  /** Linked with others; a seed is not there. The mesh lives on, newcomers need another way in. */
  | "degraded"
  /** A seed is there and nobody else is. */
  | "alone"
  /** Cut off: others are or may be there, and there is no link with any of them. */
  | "isolated"
  /** This mesh was left. */
  | "left";

export interface Health {
  readonly state: HealthState;
  /** The state in a sentence, for people. */
  readonly why: string;
  /** Members that we have a link with. */
  readonly linkCount: number;
  /** Other members that are alive. */
  readonly peerCount: number;
  readonly seeds: readonly Seed[];
}

export function healthOf(
  left: boolean,
  linkCount: number,
  peerCount: number,
  introducedCount: number,
  seeds: readonly Seed[],
): Health {
  const [state, why] = judge(left, linkCount, peerCount, introducedCount, seeds);
  return { state, why, linkCount, peerCount, seeds };
}

const FIREWALL = "if it stays so, a firewall may be between, and a TURN server in iceServers helps";

function judge(
  left: boolean,
  linkCount: number,
  peerCount: number,
  introducedCount: number,
  seeds: readonly Seed[],
): [HealthState, string] {
  if (left) return ["left", "this member has left the mesh"];
  const away = seeds.filter(({ state }) => state !== "up");
  const missing = away.map(({ url, reason }) =>
    reason === undefined ? url : `${url} (${reason})`,
  );
  if (linkCount > 0 && away.length === 0)
    return ["ok", `linked with ${linkCount} of ${peerCount} peers`];
  if (linkCount > 0) {
    const seedsAway = `not connected to ${missing.join(", ")}`;
    return [
      "degraded",
      `linked with ${linkCount} of ${peerCount} peers, ${seedsAway}: the mesh lives on`,
    ];
  }
  const hasSeed = seeds.length > away.length;
  const others = Math.max(peerCount, introducedCount);
  if (hasSeed && others === 0)
    return ["alone", "connected to the server, and nobody else is here yet"];
  if (hasSeed) return ["isolated", `no link with any of ${others} others yet: ${FIREWALL}`];
  if (seeds.length === 0)
    return ["isolated", "no link and no seed: invite somebody, or add a seed"];
  return ["isolated", `no link, and not connected to ${missing.join(", ")}`];
}
