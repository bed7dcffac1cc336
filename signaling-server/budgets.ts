/**
 * What each address has taken: sockets, requests, messages. Kept while it has a socket or a budget that is not full
 * again. Bounded: when too many addresses come at once, those that are new share one budget. Pure.
 */

import { type Rate, spend } from "../src/signaling/protocol.ts";

/** A token bucket: false when it does not allow it. */
class Bucket {
  fullAt = 0;

  take(now: number, rate: Rate): boolean {
    const next = spend(this.fullAt, now, rate);
    this.fullAt = next ?? this.fullAt;
    return next !== undefined;
  }
}

export class Budget {
  readonly address: string;
  sockets = 0;
  readonly requests = new Bucket();
  readonly messages = new Bucket();

  constructor(address: string) {
    this.address = address;
  }

  isIdle(now: number): boolean {
    return this.sockets === 0 && this.requests.fullAt <= now && this.messages.fullAt <= now;
  }
}

const ADDRESSES_MAX = 100_000;

export class Budgets {
  readonly #budgets = new Map<string, Budget>();
  readonly #shared = new Budget("many");
  readonly #max: number;

  constructor(max: number = ADDRESSES_MAX) {
    this.#max = max;
  }

  get size(): number {
    return this.#budgets.size;
  }

  of(address: string): Budget {
    const known = this.#budgets.get(address);
    if (known) return known;
    if (this.#budgets.size >= this.#max) return this.#shared;
    const budget = new Budget(address);
    this.#budgets.set(address, budget);
    return budget;
  }

  /** To be called about once a second: forgets who has nothing to be remembered for. */
  tick(now: number): void {
    for (const [address, budget] of this.#budgets) {
      if (budget.isIdle(now)) this.#budgets.delete(address);
    }
  }
}
