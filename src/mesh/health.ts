/** What is connected and what is not, at any time, in words. */

import type { Seed } from "../runtime/seeds.ts";
import type { Refusal } from "../session/session.ts";

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

/** What the state comes from, for programs. */
export type HealthReason =
  /** Links are in the making, and none has failed yet. */
  | "linking"
  /** Attempts at links fail. */
  | "unreachable"
  /** Handshakes fail: another secret, most often. */
  | "refused"
  /** All links were lost: others are looked for. */
  | "cut-off"
  /** A seed is not there. */
  | "seed-away"
  /** There is no seed, and no link either. */
  | "no-seed"
  /** Nobody else is here. */
  | "nobody"
  /** This page cannot keep its identity: its reload joins as another member. */
  | "identity-ephemeral"
  /** The store cannot be written: what changes now is not kept. It is tried again. */
  | "store-failed"
  /** This Node process lacks WebRTC: browsers are reached over others. */
  | "no-webrtc";

export interface Health {
  readonly state: HealthState;
  readonly reasons: readonly HealthReason[];
  /** The state in a sentence, for people. */
  readonly why: string;
  /** Members that we have a link with. */
  readonly linkCount: number;
  /** Other members that are alive, suspect or asleep. */
  readonly peerCount: number;
  readonly seeds: readonly Seed[];
}

export interface HealthSigns extends Pick<Health, "linkCount" | "peerCount" | "seeds"> {
  readonly left: boolean;
  /** Members that a seed has introduced and that are not linked yet. */
  readonly introducedCount: number;
  /** Attempts at links that failed since the last one came about. */
  readonly failedLinks: number;
  /** Why the last handshake failed, unless a link has come about since. */
  readonly refusal: Refusal | undefined;
  /** There was a link before. */
  readonly wasLinked: boolean;
  /** The identity cannot be kept, though that was wanted. */
  readonly ephemeral: boolean;
  readonly storeFailed: boolean;
  /** What this platform lacks. */
  readonly missing?: Error | undefined;
}

export function healthOf(signs: HealthSigns): Health {
  const { linkCount, peerCount, seeds, ephemeral, storeFailed, missing } = signs;
  const { state, reasons, why } = judge(signs);
  return {
    state,
    reasons: [
      ...reasons,
      ...(ephemeral ? ["identity-ephemeral" as const] : []),
      ...(storeFailed ? ["store-failed" as const] : []),
      ...(missing ? ["no-webrtc" as const] : []),
    ],
    why: `${why}${ephemeral ? EPHEMERAL : ""}${storeFailed ? STORE_FAILED : ""}${missing ? `; ${missing.message}` : ""}`,
    linkCount,
    peerCount,
    seeds,
  };
}

const FIREWALL = "if it stays so, a firewall may be between, and a TURN server in iceServers helps";
const EPHEMERAL = "; its reload is another member: only pages over https keep an identity";
const STORE_FAILED = "; the store cannot be written, and what changes now is not kept";

type Verdict = Pick<Health, "state" | "reasons" | "why">;

function verdict(state: HealthState, why: string, ...reasons: HealthReason[]): Verdict {
  return { state, reasons, why };
}

function judge(signs: HealthSigns): Verdict {
  const { left, linkCount, peerCount, seeds } = signs;
  if (left) return verdict("left", "this member has left the mesh");
  const away = seeds.filter(({ state }) => state !== "up" && state !== "self");
  const missing = away
    .map(({ url, reason }) => (reason === undefined ? url : `${url} (${reason})`))
    .join(", ");
  if (linkCount > 0) {
    const linked = `linked with ${linkCount} of ${peerCount} peers`;
    if (away.length === 0) return verdict("ok", linked);
    return verdict(
      "degraded",
      `${linked}, not connected to ${missing}: the mesh lives on`,
      "seed-away",
    );
  }
  return unlinked(signs, seeds.length > away.length, missing);
}

/** There is no link at all. */
function unlinked(signs: HealthSigns, hasSeed: boolean, missing: string): Verdict {
  const { peerCount, introducedCount, failedLinks, refusal, wasLinked, seeds } = signs;
  const lost: HealthReason[] = wasLinked ? ["cut-off"] : [];
  const begin = wasLinked ? "all links were lost" : "no link yet";
  if (!hasSeed) {
    return seeds.length === 0
      ? verdict(
          "isolated",
          `${begin}, and no seed: invite somebody, or add a seed`,
          ...lost,
          "no-seed",
        )
      : verdict("isolated", `${begin}, and not connected to ${missing}`, ...lost, "seed-away");
  }
  const others = Math.max(peerCount, introducedCount);
  if (others === 0) {
    const by = seeds.some(({ state }) => state === "up") ? "connected to the server, and " : "";
    return verdict("alone", `${by}nobody else is here yet`, "nobody");
  }
  const here = `${begin}, of ${others} others here`;
  if (refusal !== undefined) {
    return verdict("isolated", `${here}: ${refusal.message}`, ...lost, "refused");
  }
  return failedLinks > 0
    ? verdict("isolated", `${here}: ${FIREWALL}`, ...lost, "unreachable")
    : verdict("isolated", `${here}: one is in the making`, ...lost, "linking");
}
