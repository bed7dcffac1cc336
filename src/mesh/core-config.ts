/** The core's configuration from what the application and the platform say. */

import { type Config, parseConfig } from "../core/config.ts";
import type { MemberId } from "../core/machine.ts";
import { META_BYTES_MAX } from "../core/wire/messages.ts";
import { HearsayError } from "../errors.ts";
import type { JoinOptions } from "./options.ts";
import { encodeValue } from "./values.ts";

/** Node processes keep more links. Source: design. */
const NODE_LINKS_TARGET = 12;

/** What changes from start to start. */
export interface Life {
  readonly id: MemberId;
  readonly generation: number;
  readonly clusterHash: number;
  readonly name: string;
  readonly role: string;
  readonly meta: unknown;
  readonly slowOfferer: boolean;
  readonly node: boolean;
}

/** @throws HearsayError `options:parameters`, or `value:…` for `meta` that cannot be sent */
export function coreConfig(options: JoinOptions, life: Life): Config {
  const { parameters } = options;
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number;
  for (const [parameter, value] of Object.entries(parameters ?? {})) {
    if (typeof value === "number") continue;
    throw new HearsayError("options:parameters", `${parameter} must be a number, and is ${value}`);
  }
  const meta = encodeValue(life.meta, META_BYTES_MAX);
  try {
    return parseConfig(
      { ...life, seed, meta, addresses: [] },
      { ...(life.node && { linksTarget: NODE_LINKS_TARGET }), ...parameters },
    );
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new HearsayError("options:parameters", error.message, { cause: error });
  }
}
