/** Whom not to ask again before when: pauses double with each failure, and end with a link. */

import type { Config } from "../config.ts";
import { BoundedMap } from "../lib/bounded-map.ts";
import type { Rng } from "../lib/rng.ts";
import type { MemberId } from "../machine.ts";

/** Members whose pause is remembered. */
const PAUSES_MAX = 4_096;

interface Pause {
  readonly until: number;
  readonly ms: number;
}

export class Pauses {
  readonly #config: Config;
  readonly #rng: Rng;
  #pauses = new BoundedMap<MemberId, Pause>(PAUSES_MAX);

  constructor(config: Config, rng: Rng) {
    this.#config = config;
    this.#rng = rng;
  }

  /** Until when `peer` is not to be asked again, ms; 0 when it may be. */
  until(peer: MemberId): number {
    return this.#pauses.get(peer)?.until ?? 0;
  }

  begin(peer: MemberId, now: number): void {
    const { retryMinMs, retryMaxMs } = this.#config;
    const before = this.#pauses.get(peer)?.ms ?? retryMinMs / 2;
    const ms = Math.min(2 * before, retryMaxMs);
    this.#pauses.set(peer, { until: now + this.#rng.jitter(ms, 0.5), ms });
  }

  end(peer: MemberId): void {
    this.#pauses.delete(peer);
  }

  endAll(): void {
    this.#pauses = new BoundedMap(PAUSES_MAX);
  }
}
