/**
 * Keeping a mesh together whose members have different transports. Who has several is a bridge between those that have
 * only one of them: such a member keeps a few links with each side, whatever random walks bring, and its neighbours
 * there keep theirs because it does not part from them. Without two sides there is nothing to bridge.
 */

import type { Config } from "../config.ts";
import { bitsOf, canLink, kindsIn } from "../lib/kinds.ts";
import type { MemberId } from "../machine.ts";
import type { MemberTable } from "../membership/table.ts";

/** Links with each side. Of few bridges one may go at any time, and its neighbours with it. Source: simulated. */
const LINKS_PER_SIDE = 3;

/** All members are looked at once in this time, ms. */
const LOOK_MS = 1_000;

export interface Side {
  /** Live members there that we have no link with. */
  readonly others: readonly MemberId[];
  readonly linked: number;
}

export class Sides {
  readonly #table: MemberTable;
  readonly #bits: number;
  #liveCount = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** Live members by the one kind that they have in common with us. */
  #members = new Map<number, MemberId[]>();
  #reachable = 0;

  constructor({ kinds }: Config, table: MemberTable) {
    this.#table = table;
    this.#bits = bitsOf(kinds);
  }

  /** Looks at all members, unless it has just done so and nobody came or went since. */
  look(now: number): void {
    const { liveCount } = this.#table;
    if (this.#bits === 0) return;
    if (now - this.#lookedAt < LOOK_MS && liveCount === this.#liveCount) return;
    this.#lookedAt = now;
    this.#liveCount = liveCount;
    this.#reachable = 0;
    this.#members = new Map();
    for (const { record, state } of this.#table.others()) {
      if (state !== "alive" && state !== "suspect") continue;
      if (!canLink(this.#bits, record.flags)) continue;
      this.#reachable++;
      const common = kindsIn(record.flags) & this.#bits;
      // Who has two in common with us is on no side, and who does not say, neither.
      if (common === 0 || (common & (common - 1)) !== 0) continue;
      if (common === this.#bits) continue;
      const side = this.#members.get(common);
      if (side === undefined) this.#members.set(common, [record.id]);
      else side.push(record.id);
    }
  }

  /** Live members, ourselves not included, that a link is possible with. */
  get reachable(): number {
    return this.#bits === 0 ? this.#table.liveCount - 1 : this.#reachable;
  }

  /** The sides that lack links. */
  lacking(linked: (peer: MemberId) => boolean): Side[] {
    return this.#sides().flatMap((members) => {
      const others = members.filter((id) => !linked(id));
      const side = { others, linked: members.length - others.length };
      return others.length > 0 && side.linked < LINKS_PER_SIDE ? [side] : [];
    });
  }

  /** Whether we are to keep the link with `peer`: its side has no more than it needs. */
  needs(peer: MemberId, neighbours: readonly MemberId[]): boolean {
    const side = this.#sides().find((members) => members.includes(peer));
    if (side === undefined) return false;
    return neighbours.filter((id) => side.includes(id)).length <= LINKS_PER_SIDE;
  }

  /** None where there are not two of them. */
  #sides(): MemberId[][] {
    return this.#members.size > 1 ? [...this.#members.values()] : [];
  }
}
