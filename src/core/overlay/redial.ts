/**
 * Dialling members that are gone for us, at the addresses that they had: a partition may be over, and nobody else may
 * ever tell. The more members look, the less each does, so that a dead address hears little.
 */

import type { Config } from "../config.ts";
import type { Rng } from "../lib/rng.ts";
import type { Effect, MemberId } from "../machine.ts";
import type { MemberTable } from "../membership/table.ts";

/** All members together dial about so often, and each at most so often, ms. Guess, unmeasured. */
const EACH_MS = 400;
const PERIOD_MS_MIN = 2_000;

export interface RedialOut {
  effect(effect: Effect): void;
  linked(peer: MemberId): boolean;
  /** Live members that we do not reach. */
  cut(): ReadonlySet<MemberId>;
}

export class Redial {
  readonly #config: Config;
  readonly #rng: Rng;
  readonly #table: MemberTable;
  readonly #out: RedialOut;
  #at = 0;

  constructor(config: Config, rng: Rng, table: MemberTable, out: RedialOut) {
    this.#config = config;
    this.#rng = rng;
    this.#table = table;
    this.#out = out;
  }

  /** Dials one of them, when it is time. @param isAlone there is no link at all */
  look(isAlone: boolean, now: number): void {
    if (!this.#config.dials || now < this.#at) return;
    const periodMs = Math.max(PERIOD_MS_MIN, EACH_MS * this.#table.liveCount);
    this.#at = now + this.#rng.jitter(isAlone ? PERIOD_MS_MIN : periodMs, 0.5);
    const cut = this.#out.cut();
    let chosen: { peer: MemberId; addresses: readonly string[] } | undefined;
    let count = 0;
    for (const { record, state } of this.#table.others()) {
      const { id, addresses } = record;
      if (addresses.length === 0 || state === "left" || this.#out.linked(id)) continue;
      if (!isAlone && state !== "down" && !cut.has(id)) continue;
      // Each of them is as likely to be the one.
      if (this.#rng.float() * ++count < 1) chosen = { peer: id, addresses };
    }
    if (chosen !== undefined) this.#out.effect({ type: "dial", ...chosen });
  }

  /** The network is back. */
  wake(): void {
    this.#at = 0;
  }
}
