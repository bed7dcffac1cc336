/** Members, records and configurations for the tests of the core: what a test does not name has a plain value. */

import {
  type Config,
  type Identity,
  type Parameters,
  parseConfig,
} from "../../../src/core/config.ts";
import type { MemberId } from "../../../src/core/machine.ts";
import type { MemberRecord, Opinion } from "../../../src/core/wire/messages.ts";

export function memberId(n: number): MemberId {
  return n.toString(16).padStart(32, "0");
}

export function configOf(
  overrides: Partial<Parameters> = {},
  identity: Partial<Identity> = {},
): Config {
  return parseConfig(
    {
      id: memberId(1),
      generation: 1,
      clusterHash: 7,
      seed: 1,
      name: "",
      role: "",
      meta: new Uint8Array(0),
      addresses: [],
      slowOfferer: false,
      node: false,
      ...identity,
    },
    overrides,
  );
}

export function recordOf(id: MemberId, change: Partial<MemberRecord> = {}): MemberRecord {
  return {
    id,
    generation: 1,
    version: 1,
    incarnation: 0,
    state: "alive",
    flags: 0,
    name: "",
    role: "",
    meta: new Uint8Array(0),
    addresses: [],
    neighbours: [],
    ...change,
  };
}

export function opinionOf(
  kind: Opinion["kind"],
  observer: MemberId,
  target: MemberId,
  change: Partial<Opinion> = {},
): Opinion {
  return {
    observer,
    observerGeneration: 1,
    target,
    generation: 1,
    incarnation: 0,
    kind,
    sequence: 1,
    ...change,
  };
}
