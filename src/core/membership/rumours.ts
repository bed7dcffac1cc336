/**
 * What others claim of a member without having said why: in answers to digests, to those who missed the reports.
 *
 * Who was cut off for a while may have decided wrongly, and does not know it yet. So a claim is passed on at once,
 * and taken over only when the member that it is about has not refuted it by then.
 */

import type { Deadlines } from "../lib/deadlines.ts";
import type { MemberId } from "../machine.ts";
import type { Claim } from "../wire/messages.ts";
import type { MemberTable } from "./table.ts";

/** Time for a claim to reach whom it is about, and for the refutation to come, ms. Guess: four hops, both ways. */
const REFUTE_MS = 2_000;

export class Rumours {
  readonly #table: MemberTable;
  readonly #deadlines: Deadlines;
  readonly #held = new Map<MemberId, Claim>();

  constructor(table: MemberTable, deadlines: Deadlines) {
    this.#table = table;
    this.#deadlines = deadlines;
  }

  /** Gives whether the claim is news. */
  hear(claim: Claim, now: number): boolean {
    if (!this.#table.isNews(claim)) return false;
    const held = this.#held.get(claim.id);
    if (held !== undefined && this.#table.isNews(held) && !isWorse(claim, held)) return false;
    this.#held.set(claim.id, claim);
    this.#deadlines.ensure(`rumour:${claim.id}`, now + REFUTE_MS);
    return true;
  }

  /** Time is up: gives what is to be taken over. */
  take(id: MemberId): Claim | undefined {
    const claim = this.#held.get(id);
    this.#held.delete(id);
    return claim;
  }
}

function isWorse(claim: Claim, held: Claim): boolean {
  return held.state !== "down" && held.state !== claim.state && claim.state !== "suspect";
}
