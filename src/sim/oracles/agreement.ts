/** Invariant 1: when all is quiet, all live members know the same of members, of state, and of what all share. */

import { islandsOf } from "../islands.ts";
import type { SimMember } from "../member.ts";
import type { World } from "../world.ts";
import type { MakeOracle } from "./oracle.ts";

export const agreement: MakeOracle = (world, report) => ({
  name: "agreement",
  quiet() {
    for (const live of whoCanAgree(world)) {
      const [first] = live;
      if (first === undefined) continue;
      const expected = new Set(live.map(({ config }) => config.id));
      for (const member of live) {
        // The fingerprint is of all that follows: most members need no closer look.
        if (member !== first && sameKnowledge(first, member)) continue;
        if (member !== first) report(member, "knows other things than the first member");
        const known = member.core.members().filter(({ state }) => state === "alive");
        for (const { id } of known) {
          if (!expected.has(id)) report(member, `holds ${id} alive, which is gone`);
        }
        if (known.length < expected.size) {
          report(member, `holds ${known.length} of ${expected.size} live members alive`);
        }
      }
    }
  },
});

/**
 * All, while anything can bring them together: a seed, or an address to dial. Without, those that links connect, each
 * part by itself; who has none knows only that it is cut off, and judges nobody.
 */
function whoCanAgree(world: World): readonly (readonly SimMember[])[] {
  const live = world.live();
  const canMeet = world.seedServer.up || live.some(({ config }) => config.addresses.length > 0);
  return canMeet ? [live] : islandsOf(world).filter(({ length }) => length > 1);
}

export function sameKnowledge(a: SimMember, b: SimMember): boolean {
  const one = a.core.fingerprints();
  const other = b.core.fingerprints();
  return (
    one.membersHigh === other.membersHigh &&
    one.membersLow === other.membersLow &&
    one.stateHigh === other.stateHigh &&
    one.stateLow === other.stateLow &&
    (one.shared === other.shared || lastingOf(a) === lastingOf(b))
  );
}

/** What all share, but for what ends by itself, which does not end at the same moment everywhere. */
function lastingOf({ core }: SimMember): string {
  const entries = [...core.layers.common.sharing.registers.all()]
    .filter(({ endsAt }) => endsAt === Number.POSITIVE_INFINITY)
    .map(({ key, ms, counter, writer }) => `${key} ${ms} ${counter} ${writer}`);
  return entries.sort().join();
}
