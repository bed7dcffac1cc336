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

/** Who hears nobody dials so many at once. Source: simulated, back among its own side before that holds it for down. */
const ALONE = 2;

export interface RedialOut {
  effect(effect: Effect): void;
  linked(peer: MemberId): boolean;
  /** Live members that we do not reach. */
  cut(): ReadonlySet<MemberId>;
}

type Dialled = Omit<Extract<Effect, { type: "dial" }>, "type">;

export class Redial {
  readonly #config: Config;
  readonly #rng: Rng;
  readonly #table: MemberTable;
  readonly #out: RedialOut;
  #dialledAt = Number.NEGATIVE_INFINITY;
  /** The pause until the next time, in periods. */
  #pause = 0;

  constructor(config: Config, rng: Rng, table: MemberTable, out: RedialOut) {
    this.#config = config;
    this.#rng = rng;
    this.#table = table;
    this.#out = out;
  }

  /**
   * Dials some of them, when it is time.
   * @param isAlone no link shows life: whoever has an address will do. If these are our neighbours only, our own
   * address may be another now
   */
  look(isAlone: boolean, now: number): void {
    const shared = isAlone ? 0 : EACH_MS * this.#table.liveCount;
    const periodMs = Math.max(PERIOD_MS_MIN, shared);
    if (!this.#config.dials || now - this.#dialledAt < this.#pause * periodMs) return;
    this.#dialledAt = now;
    this.#pause = this.#rng.jitter(1, 0.5);
    const cut = this.#out.cut();
    const gone: Dialled[] = [];
    const silent: Dialled[] = [];
    for (const { record, state } of this.#table.others()) {
      const { id, addresses } = record;
      if (addresses.length === 0 || state === "left") continue;
      const dialled = { peer: id, addresses };
      if (this.#out.linked(id)) silent.push(dialled);
      else if (isAlone || state === "down" || cut.has(id)) gone.push(dialled);
    }
    const chosen = isAlone && gone.length === 0 ? silent : gone;
    for (const one of this.#rng.sample(chosen, isAlone ? ALONE : 1)) {
      this.#out.effect({ type: "dial", ...one });
    }
  }

  /** The network is back. */
  wake(): void {
    this.#pause = 0;
  }
}
