/**
 * Who is connected with us, by the lists that the members on the way announce, less whom they report: the lists of
 * those that are reached are fresh. Members that are not reached cannot say anything about others, and nobody here observes them.
 */

import type { MemberId } from "../machine.ts";
import type { MemberRecord } from "../wire/messages.ts";
import { isLive, type Member } from "./table.ts";

/** What is found holds so long for each member: at 10,000 members finding takes 10 ms. */
const HOLDS_MS = 1;
const HOLDS_MIN_MS = 900;

/** How long a member must be out of reach: lists come one after the other. */
const CUT_MS = 900;

export interface Reachable {
  readonly own: MemberRecord;
  readonly liveCount: number;
  get(id: MemberId): Member | undefined;
  /** The lowest live id of all. */
  island(): MemberId;
  others(): Iterable<Member>;
}

export class Reach {
  readonly #table: Reachable;
  readonly #neighbours: () => readonly MemberId[];
  readonly #isReported: (target: MemberId, observer: MemberId) => boolean;
  #foundAt = Number.NEGATIVE_INFINITY;
  /** Live members out of reach, and since when, ms. */
  #cut = new Map<MemberId, number>();

  constructor(
    table: Reachable,
    neighbours: () => readonly MemberId[],
    isReported: (target: MemberId, observer: MemberId) => boolean,
  ) {
    this.#table = table;
    this.#isReported = isReported;
    this.#neighbours = neighbours;
  }

  get anyCut(): boolean {
    return this.#cut.size > 0;
  }

  /** Live members that we are not connected with. */
  cut(now: number): ReadonlySet<MemberId> {
    const cut = new Set<MemberId>();
    for (const id of this.#cut.keys()) if (this.isCut(id, now)) cut.add(id);
    return cut;
  }

  /** The lowest live id among those that we are connected with: it names the island that we are on. */
  island(now: number): MemberId {
    const lowest = this.#table.island();
    if (!this.isCut(lowest, now)) return lowest;
    let island = this.#table.own.id;
    for (const member of this.#table.others()) {
      const { id } = member.record;
      if (id < island && isLive(member) && !this.isCut(id, now)) island = id;
    }
    return island;
  }

  isCut(id: MemberId, now: number): boolean {
    const since = this.#cut.get(id);
    return since !== undefined && now - since >= CUT_MS;
  }

  /** Looks anew, and not too often. */
  find(now: number): void {
    const holdsMs = Math.max(HOLDS_MIN_MS, HOLDS_MS * this.#table.liveCount);
    if (now - this.#foundAt < holdsMs) return;
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
    const own = this.#table.own.id;
    const reached = new Set(this.#neighbours().filter((id) => !this.#isReported(id, own)));
    for (const id of reached) {
      const member = this.#table.get(id);
      if (member === undefined || !isLive(member)) continue;
      for (const neighbour of member.record.neighbours) {
        if (!this.#isReported(neighbour, id)) reached.add(neighbour);
      }
    }
    return reached;
  }
}
