/**
 * The votes that a store has given for leases of one job. Each binds it until that lease is over by its own clock,
 * whatever higher state it learns meanwhile: a custodian without a majority, who proposes and gives up, is ahead of the
 * lease that a majority has granted without it, and must not end it.
 */

import type { MemberId } from "../lib/ids.ts";

interface Binding {
  readonly epoch: number;
  readonly holder: MemberId | undefined;
  readonly holderGeneration: number;
  until: number;
}

/** More than one at a time comes of what others tell. Beyond, they are one, which nothing but time ends. */
const BINDINGS_MAX = 8;

export class Bindings {
  #all: Binding[] | undefined;

  /** Until then, as long as the holder lives; begun anew when we hear of the lease again. */
  bind(given: Binding, now: number): void {
    const others = (this.#all ?? []).filter(
      ({ epoch, until }) => epoch !== given.epoch && until > now,
    );
    if (others.length < BINDINGS_MAX) this.#all = [...others, given];
    else {
      const until = Math.max(given.until, ...others.map((one) => one.until));
      this.#all = [{ epoch: given.epoch, holder: undefined, holderGeneration: 0, until }];
    }
  }

  /** That lease has been settled. */
  free(epoch: number): void {
    this.#all = this.#all?.filter((one) => one.epoch !== epoch);
  }

  clear(): void {
    this.#all = undefined;
  }

  find(epoch: number, holder: MemberId): Binding | undefined {
    return this.#all?.find((one) => one.epoch === epoch && one.holder === holder);
  }

  postpone(ms: number): void {
    for (const one of this.#all ?? []) one.until += ms;
  }

  /** When all of them are over; those of holders that have begun anew are. */
  until(hasRestarted: (holder: MemberId, generation: number) => boolean): number {
    let latest = 0;
    for (const { holder, holderGeneration, until } of this.#all ?? []) {
      if (until > latest && !(holder !== undefined && hasRestarted(holder, holderGeneration))) {
        latest = until;
      }
    }
    return latest;
  }
}
