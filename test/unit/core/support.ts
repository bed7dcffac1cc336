/** Members, records and configurations for the tests of the core: what a test does not name has a plain value. */

import {
  type Config,
  type Identity,
  type Parameters,
  parseConfig,
} from "../../../src/core/config.ts";
import type { MemberId } from "../../../src/core/machine.ts";
import { Ranges } from "../../../src/core/state/ranges.ts";
import type { StateDelta } from "../../../src/core/state/replica.ts";
import type { StateStore } from "../../../src/core/state/store.ts";
import type { MemberRecord, Opinion } from "../../../src/core/wire/messages.ts";

/** An entry of a state without a life, and of no log. */
export const PLAIN = { lifeMs: 0, log: undefined } as const;

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
    agoMs: 60_000,
    heardAgoMs: 60_000,
    sequence: 1,
    ...change,
  };
}

/** All deltas that bring `to` up to what is held at `from`, as one neighbour would serve the other. */
export function deltasFor(from: StateStore, to: StateStore): StateDelta[] {
  const deltas: StateDelta[] = [];
  for (const { owner, generation, maxVersion } of from.digest()) {
    if (to.entryOf(owner) !== undefined && !to.isOf(owner, generation)) {
      const newer = to.entryOf(owner)?.generation ?? 0;
      if (newer > generation) continue;
    }
    let at = to.versionOf(owner, generation);
    let told = 0;
    for (;;) {
      const range = at < maxVersion ? from.nextFor(owner, at, new Ranges()) : undefined;
      if (range === undefined) break;
      const delta = from.deltaOf(owner, range, told);
      deltas.push(delta);
      at = delta.to;
      told = delta.floor;
    }
  }
  return deltas;
}
