/**
 * The islands of one room. Members that see each other agree on the lowest live id they know, and report it;
 * where reports differ for long, the room's mesh is in parts, and a member of one part is told to meet the other.
 *
 * While news of a lower id spreads, reports differ for a moment: an island counts once it has stood for
 * `islandGraceMs`. Each island then asks another one every `introduceEveryMs`, in turns, so the introductions of
 * one round join all islands in a ring, and a pair that cannot connect does not keep the others apart. Any pair
 * meets once in that time. Both which member asks and whom it is told of take turns too.
 */

import { type Turn, takeTurns } from "./turns.ts";

export interface IslandsOptions {
  /** How long two islands stand side by side before they are introduced. Milliseconds. */
  readonly islandGraceMs: number;
  /** How often the same island is introduced. Milliseconds. */
  readonly introduceEveryMs: number;
}

/** Members of the other island that are named at once: one of them may have died unnoticed. */
const NAMED = 3;

interface Island<Member> {
  readonly id: string;
  readonly since: number;
  readonly members: Map<string, Member>;
  /** When it may ask again, and whom it asked last. */
  asksAt: number;
  asked: string | undefined;
  rounds: number;
}

export interface Introduction<Member> {
  readonly member: Member;
  readonly peers: readonly Member[];
}

export interface Islander extends Turn {
  /** Undefined for a member of another server, which introduces its own. */
  readonly session: unknown;
}

export class Islands<Member extends Islander> {
  readonly #options: IslandsOptions;
  readonly #islands = new Map<string, Island<Member>>();
  readonly #islandOf = new Map<string, Island<Member>>();

  constructor(options: IslandsOptions) {
    this.#options = options;
  }

  report(member: Member, id: string, now: number): void {
    if (this.#islandOf.get(member.id)?.id === id) return;
    this.leave(member);
    let island = this.#islands.get(id);
    if (!island) {
      island = { id, since: now, members: new Map(), asksAt: now, asked: undefined, rounds: 0 };
      this.#islands.set(id, island);
    }
    island.members.set(member.id, member);
    this.#islandOf.set(member.id, island);
  }

  leave(member: Member): void {
    const island = this.#islandOf.get(member.id);
    if (!island) return;
    this.#islandOf.delete(member.id);
    island.members.delete(member.id);
    if (island.members.size === 0) this.#islands.delete(island.id);
  }

  /** On which island somebody is. */
  of(member: string): string | undefined {
    return this.#islandOf.get(member)?.id;
  }

  introductions(now: number): Introduction<Member>[] {
    if (this.#islands.size < 2) return [];
    const { islandGraceMs, introduceEveryMs } = this.#options;
    const standing = [...this.#islands.values()].filter((one) => now - one.since >= islandGraceMs);
    if (standing.length < 2) return [];
    const introductions: Introduction<Member>[] = [];
    standing.forEach((island, index) => {
      if (now < island.asksAt) return;
      const step = 1 + (island.rounds % (standing.length - 1));
      const other = standing[(index + step) % standing.length] as Island<Member>;
      const justMet = other.asked === island.id && now < other.asksAt;
      island.asksAt = now + introduceEveryMs;
      island.asked = justMet ? undefined : other.id;
      island.rounds += 1;
      if (!justMet) introductions.push(...introduce(island, other, now));
    });
    return introductions;
  }
}

/**
 * The smaller side asks, so that many newcomers on islands of their own do not all burden the big one's members. Of
 * equal sides that of the lower id asks, at whichever server its members are. None where they are all at others.
 */
function introduce<Member extends Islander>(
  one: Island<Member>,
  other: Island<Member>,
  now: number,
): Introduction<Member>[] {
  const difference = one.members.size - other.members.size;
  const oneAsks = difference === 0 ? one.id < other.id : difference < 0;
  const [small, big] = oneAsks ? [one, other] : [other, one];
  return takeTurns(small.members, 1, now, ({ session }) => session !== undefined).map((member) => ({
    member,
    peers: takeTurns(big.members, NAMED, now),
  }));
}
