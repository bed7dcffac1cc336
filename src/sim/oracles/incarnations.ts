/**
 * Invariant 4: generations and incarnations never decrease; at equal ones a state only gets worse, so that
 * down(i) is never overwritten by alive(≤ i). Watched at every member after every step that tells of a change.
 */

import type { MemberId } from "../../core/machine.ts";
import type { SimMember } from "../member.ts";
import type { MakeOracle } from "./oracle.ts";

const RANK: Readonly<Record<string, number>> = {
  alive: 0,
  suspect: 1,
  asleep: 2,
  down: 3,
  left: 4,
};

interface Held {
  readonly generation: number;
  readonly incarnation: number;
  readonly state: string;
}

export const incarnations: MakeOracle = (_world, report) => {
  const heldBy = new Map<SimMember, Map<MemberId, Held>>();
  const changed = new Set<MemberId>();
  const look = (member: SimMember, id: MemberId): void => {
    const known = member.core.layers.membership.table.get(id);
    const all = heldBy.get(member) ?? new Map<MemberId, Held>();
    heldBy.set(member, all);
    const before = all.get(id);
    if (known === undefined) {
      all.delete(id);
      return;
    }
    const { generation, incarnation } = known.record;
    const { state } = known;
    all.set(id, { generation, incarnation, state });
    if (before === undefined) return;
    const says = `${before.state} ${before.generation}.${before.incarnation} of ${id} became ${state} ${generation}.${incarnation}`;
    if (generation < before.generation) report(member, `the generation fell: ${says}`);
    if (generation !== before.generation) return;
    if (incarnation < before.incarnation) report(member, `the incarnation fell: ${says}`);
    if (incarnation !== before.incarnation) return;
    if ((RANK[state] ?? 0) < (RANK[before.state] ?? 0)) report(member, `undone: ${says}`);
  };
  return {
    name: "incarnations",
    onEvent(_member, event) {
      if (event.type === "member") changed.add(event.member.id);
      if (event.type === "forgotten") changed.add(event.id);
    },
    onStep(member) {
      if (changed.size === 0) return;
      for (const id of changed) look(member, id);
      changed.clear();
    },
    onFault(what, member) {
      if (member !== undefined && (what === "crash" || what === "stop")) heldBy.delete(member);
    },
  };
};
