/** What the network is like, as data. All faults are off by default. */

import type { Rng } from "../core/lib/rng.ts";

/** How a latency, or any other time, is spread. Drawn without logarithms, so that every engine draws alike. */
export type Distribution =
  | { readonly kind: "uniform"; readonly msMin: number; readonly msMax: number }
  /** Bell-shaped, never below `msMin`. */
  | {
      readonly kind: "normal";
      readonly msMean: number;
      readonly msDeviation: number;
      readonly msMin: number;
    }
  /** Heavy-tailed with the density falling as x⁻³: half are below 1.41 · msMin, one in 100 above 10 · msMin. */
  | { readonly kind: "pareto"; readonly msMin: number; readonly msMax: number }
  /** Some are far away: `share` of all by the second, the rest by the first. */
  | {
      readonly kind: "mixed";
      readonly share: number;
      readonly first: Distribution;
      readonly second: Distribution;
    };

export interface NetworkOptions {
  /** One-way latency of a link, ms: uniform between the two. Default 20 to 150. */
  readonly latencyMsMin: number;
  readonly latencyMsMax: number;
  /** One-way latency of a link, spread otherwise; takes the place of the two above. */
  readonly latency: Distribution | undefined;
  /** Each frame takes up to so much longer, ms. */
  readonly jitterMs: number;
  /** Share of datagrams that are lost, 0 to 1. */
  readonly loss: number;
  /** Share of transmissions on the reliable lane that are lost and repeated. */
  readonly reliableLoss: number;
  /**
   * One that is lost within a stream is repeated after a round trip, since what follows shows the hole; a lonely
   * one after a round trip and `retransmitMs`, but not before `retransmitMsMin`, and then after twice that.
   */
  readonly retransmitMs: number;
  readonly retransmitMsMin: number;
  /** Share of datagrams that come twice. */
  readonly duplicate: number;
  /** Share of datagrams that are overtaken: they take up to `reorderMs` longer. */
  readonly reorder: number;
  readonly reorderMs: number;
  /** How long a transport takes to open a link once both ends have each other's signalling, ms. */
  readonly linkSetupMs: number;
  /** Share of attempts that never open; the transport says so after `linkFailureMs`. */
  readonly linkFailure: number;
  readonly linkFailureMs: number;
  /** Share of pairs of members that a kind of transport never connects, for a NAT or a firewall is between them. */
  readonly kindFailure: Readonly<Record<string, number>>;
  /** What each direction of a link carries; both lanes together. */
  readonly bytesPerSecond: number;
}

/** SCTP's numbers as WebRTC sets them: 400 ms, or 220 ms above the round trip. */
const DEFAULT_NETWORK: NetworkOptions = {
  latencyMsMin: 20,
  latencyMsMax: 150,
  latency: undefined,
  jitterMs: 0,
  loss: 0,
  reliableLoss: 0,
  retransmitMs: 220,
  retransmitMsMin: 400,
  duplicate: 0,
  reorder: 0,
  reorderMs: 300,
  linkSetupMs: 100,
  linkFailure: 0,
  linkFailureMs: 15_000,
  kindFailure: {},
  bytesPerSecond: Number.POSITIVE_INFINITY,
};

/** @throws RangeError naming the option */
export function networkOptions(given: Partial<NetworkOptions>): NetworkOptions {
  const options = { ...DEFAULT_NETWORK, ...given };
  for (const name of ["loss", "reliableLoss", "duplicate", "reorder", "linkFailure"] as const) {
    const share = options[name];
    if (!(share >= 0 && share <= 1)) throw new RangeError(`${name} is a share from 0 to 1`);
  }
  if (!(options.latencyMsMin >= 0 && options.latencyMsMax >= options.latencyMsMin)) {
    throw new RangeError("latencyMsMin is from 0 up, and latencyMsMax not below it");
  }
  if (!(options.bytesPerSecond > 0)) throw new RangeError("bytesPerSecond is above 0");
  return options;
}

function draw(distribution: Distribution, rng: Rng): number {
  switch (distribution.kind) {
    case "uniform":
      return distribution.msMin + rng.float() * (distribution.msMax - distribution.msMin);
    case "normal": {
      // Twelve uniform draws have variance 1.
      let sum = -6;
      for (let i = 0; i < 12; i++) sum += rng.float();
      return Math.max(distribution.msMin, distribution.msMean + sum * distribution.msDeviation);
    }
    case "pareto":
      return Math.min(distribution.msMax, distribution.msMin / Math.sqrt(1 - rng.float()));
    case "mixed":
      return rng.float() < distribution.share
        ? draw(distribution.second, rng)
        : draw(distribution.first, rng);
  }
}

/** The latency of a new link, ms. */
export function drawLatency(options: NetworkOptions, rng: Rng): number {
  const { latency, latencyMsMin, latencyMsMax } = options;
  if (latency !== undefined) return draw(latency, rng);
  return latencyMsMin + rng.float() * (latencyMsMax - latencyMsMin);
}
