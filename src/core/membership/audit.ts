/**
 * Asking a member over a route, when its neighbours cannot decide about it or are all gone.
 *
 * The three members with the highest rendezvous weight for it ask (Thaler and Ravishankar 1998): everybody knows
 * who they are without a word, and a member can choose neither whom it audits nor who audits it. This stands in for
 * SWIM's random probing, which would need links that do not exist.
 */

import type { Deadlines } from "../lib/deadlines.ts";
import { weightOf } from "../lib/hash.ts";
import type { MemberId } from "../machine.ts";
import type { Inner } from "../wire/messages.ts";
import type { Member } from "./table.ts";

/** Who asks. Source: design. */
const AUDITORS = 3;

/** Unreachable for so long means gone, ms. Source: design. */
const AUDIT_MS = 3_000;

/** Every way is tried again after so long, ms. */
const RETRY_MS = 500;

export interface AuditOut {
  /** Carries `inner` over a route. */
  carry(to: MemberId, inner: Inner): void;
  /** The audit of `target` is over. */
  audited(target: MemberId, reached: boolean, now: number): void;
}

export class Audits {
  readonly #own: MemberId;
  readonly #members: () => Iterable<Member>;
  readonly #deadlines: Deadlines;
  readonly #out: AuditOut;
  readonly #endsAt = new Map<MemberId, number>();
  #sequence = 0;

  constructor(own: MemberId, members: () => Iterable<Member>, deadlines: Deadlines, out: AuditOut) {
    this.#own = own;
    this.#members = members;
    this.#deadlines = deadlines;
    this.#out = out;
  }

  /** Asks `target` if it is ours to ask. */
  start(target: MemberId, now: number): void {
    if (this.#endsAt.has(target) || !this.#isAuditor(target)) return;
    this.#endsAt.set(target, now + AUDIT_MS);
    this.#ask(target, now);
  }

  onDeadline(target: MemberId, now: number): void {
    const endsAt = this.#endsAt.get(target);
    if (endsAt === undefined) return;
    if (now < endsAt) return this.#ask(target, now);
    this.#endsAt.delete(target);
    this.#out.audited(target, false, now);
  }

  /** `target` has answered. */
  onAnswer(target: MemberId, now: number): void {
    if (!this.stop(target)) return;
    this.#out.audited(target, true, now);
  }

  /** Gives whether there was anything to stop. */
  stop(target: MemberId): boolean {
    this.#deadlines.clear(`audit:${target}`);
    return this.#endsAt.delete(target);
  }

  #ask(target: MemberId, now: number): void {
    this.#out.carry(target, { type: "probe", sequence: ++this.#sequence });
    this.#deadlines.set(`audit:${target}`, now + RETRY_MS);
  }

  #isAuditor(target: MemberId): boolean {
    const weight = weightOf(this.#own, target);
    let ahead = 0;
    for (const { record, state } of this.#members()) {
      if (state !== "alive" || record.id === target) continue;
      if (weightOf(record.id, target) > weight && ++ahead === AUDITORS) return false;
    }
    return true;
  }
}
