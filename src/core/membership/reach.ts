/**
 * Who is connected with us, by the lists that the members on the way announce: the lists of those that are reached
 * are fresh. Members that are not reached cannot say anything about others, and nobody here observes them.
 */

import type { MemberId } from "../machine.ts";
import { isLive, type Member } from "./table.ts";

/** What is found holds so long for each member: at 10,000 members finding takes 10 ms. */
const HOLDS_MS = 1;
const HOLDS_MIN_MS = 1_000;

/** How long a member must be out of reach: lists come one after the other. */
const CUT_MS = 1_000;

export interface Reachable {
  readonly revision: number;
  readonly liveCount: number;
  get(id: MemberId): Member | undefined;
  others(): Iterable<Member>;
}

export class Reach {
  readonly #table: Reachable;
  readonly #neighbours: () => readonly MemberId[];
  #revision = -1;
  #foundAt = Number.NEGATIVE_INFINITY;
  /** Live members out of reach, and since when, ms. */
  #cut = new Map<MemberId, number>();

  constructor(table: Reachable, neighbours: () => readonly MemberId[]) {
    this.#table = table;
    this.#neighbours = neighbours;
  }

  get anyCut(): boolean {
    return this.#cut.size > 0;
  }

  isCut(id: MemberId, now: number): boolean {
    const since = this.#cut.get(id);
    return since !== undefined && now - since >= CUT_MS;
  }

  /** Looks anew if there is anything new, and not too often. */
  find(now: number): void {
    const { revision, liveCount } = this.#table;
    const holdsMs = Math.max(HOLDS_MIN_MS, HOLDS_MS * liveCount);
    if (revision === this.#revision || now - this.#foundAt < holdsMs) return;
    this.#revision = revision;
    this.#foundAt = now;
    const cut = new Map<MemberId, number>();
    const reached = this.#reached();
    // Without any link we know of nobody that it is cut off: we are.
    if (reached.size > 0) {
      for (const member of this.#table.others()) {
        const { id } = member.record;
        if (isLive(member) && !reached.has(id)) cut.set(id, this.#cut.get(id) ?? now);
      }
    }
    this.#cut = cut;
  }

  #reached(): Set<MemberId> {
    const reached = new Set(this.#neighbours());
    for (const id of reached) {
      const member = this.#table.get(id);
      if (member === undefined || !isLive(member)) continue;
      for (const neighbour of member.record.neighbours) reached.add(neighbour);
    }
    return reached;
  }
}
