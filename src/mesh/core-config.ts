/** The core's configuration from what the application and the platform say. */

import { type Config, PARAMETERS, type Parameters, parseConfig } from "../core/config.ts";
import type { MemberId } from "../core/machine.ts";
import { META_BYTES_MAX } from "../core/wire/messages.ts";
import { HearsayError } from "../errors.ts";
import type { Transport } from "../transport/transport.ts";
import { encodeValue } from "./values.ts";

/** Node processes keep more links: with the slack up to 12. Source: design. */
const NODE_LINKS_TARGET = 10;

type Some<K extends keyof Parameters> = { readonly [P in K]?: number };

/** Parameters of the core as options of `join`, by what they are about. Defaults and ranges: `PARAMETERS`. */
export interface ParameterOptions {
  /** How soon members are missed, and how long they are remembered. */
  readonly detector?: Some<
    | "probePeriodMs"
    | "reprobeMs"
    | "giveUpMinMs"
    | "giveUpBulkMs"
    | "downMinMs"
    | "downShare"
    | "suspicionMaxMs"
    | "asleepMs"
    | "tombstoneMs"
  >;
  /** How many links are kept, and how they are sought. */
  readonly overlay?: Some<
    "fullMeshMax" | "linksTarget" | "linksSlack" | "attemptsMax" | "dialsPerMinuteMax"
  >;
  /** How much is taken and held. */
  readonly limits?: Some<
    | "membersMax"
    | "valueBytesMax"
    | "stateBytesMax"
    | "stateKeysMax"
    | "sharedBytesMax"
    | "sharedKeysMax"
    | "queueBytesMax"
    | "payloadKeepBytes"
    | "directMax"
    | "directPerSecond"
  >;
  /** All of them by name; what the three above say goes first. */
  readonly parameters?: Partial<Parameters>;
}

/**
 * What the options say about the core's parameters, in one.
 * @throws HearsayError `options:detector`, `options:overlay`, `options:limits`, `options:parameters`
 */
export function parametersOf(options: ParameterOptions): Partial<Parameters> {
  const all: Record<string, number> = {};
  for (const group of ["parameters", "detector", "overlay", "limits"] as const) {
    for (const [name, value] of Object.entries(options[group] ?? {})) {
      if (value === undefined) continue;
      const problem = problemOf(name, value);
      if (problem) throw new HearsayError(`options:${group}`, `${group}.${name} ${problem}`);
      all[name] = value;
    }
  }
  return all;
}

function problemOf(name: string, value: unknown): string | undefined {
  if (!Object.hasOwn(PARAMETERS, name)) return "is no parameter: PARAMETERS lists them";
  const { min, max } = PARAMETERS[name as keyof Parameters];
  if (typeof value === "number" && value >= min && value <= max) return undefined;
  return `must be a number from ${min} to ${max}, and is ${String(value)}`;
}

/** What changes from start to start. */
export interface Start {
  readonly id: MemberId;
  readonly generation: number;
  readonly clusterHash: number;
  readonly name: string;
  readonly role: string;
  readonly meta: unknown;
  readonly node: boolean;
  readonly proofs: Config["proofs"];
  readonly sealKey: Uint8Array;
  readonly transports: readonly Transport[];
}

/** Addresses that a member tells of itself. */
const ADDRESSES_MAX = 8;

/** Where others reach who has these. */
export function addressesOf(transports: readonly Transport[]): readonly string[] {
  return transports.flatMap(({ dialling }) => dialling?.addresses ?? []).slice(0, ADDRESSES_MAX);
}

/** @throws HearsayError `value:…` for `meta` that cannot be sent, and as {@link parametersOf} */
export function coreConfig(options: ParameterOptions, { transports, ...start }: Start): Config {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number;
  const meta = encodeValue(start.meta, META_BYTES_MAX);
  return parseConfig(
    {
      ...start,
      seed,
      meta,
      kinds: transports.map(({ kind }) => kind),
      slowOfferer: transports.some(({ slowOfferer }) => slowOfferer),
      dials: transports.some(({ dialling }) => dialling !== undefined),
      addresses: addressesOf(transports),
    },
    { ...(start.node && { linksTarget: NODE_LINKS_TARGET }), ...parametersOf(options) },
  );
}
