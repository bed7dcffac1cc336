/**
 * What a subscriber is told, and in which order: while the past is asked for, all that comes waits, and then comes by the
 * time at which it was published; afterwards each message comes as it does.
 */

import type { MemberId } from "../lib/ids.ts";
import type { History } from "./contract.ts";
import { ASKED_MAX, ASKED_MS, RETRY_MS } from "./limits.ts";
import type { Entry } from "./log.ts";

export interface Arrival {
  readonly number: number;
  readonly from: MemberId;
  readonly generation: number;
  readonly entry: Entry;
  readonly missed: number;
  /** Published before we subscribed. */
  readonly late: boolean;
}

type Tell = (arrival: Arrival) => void;

/** What waits at once; beyond, it comes as it is. */
const HELD_MAX = 16_384;

export class Past {
  readonly #wish: History | undefined;
  readonly #tell: Tell;
  readonly #since: number;
  #asked = 0;
  /** Who was asked and has not answered, and when it is asked again. */
  readonly #open = new Map<MemberId, number>();
  /** Until then others are asked, and waited for. */
  #until = 0;
  /** The life of each publisher of which something is told. */
  readonly #begun = new Map<MemberId, number>();
  /** The latest life of each publisher that was told of. */
  readonly #latest = new Map<MemberId, number>();
  #held: Arrival[] = [];

  constructor(wish: History | undefined, since: number, tell: Tell) {
    this.#wish = wish;
    this.#since = since;
    this.#tell = tell;
  }

  get isHolding(): boolean {
    return this.#until > 0;
  }

  /** A member has come to be known as one that keeps the past. Whether it is to be asked. */
  ask(id: MemberId, now: number): boolean {
    const isTime = now - this.#since < 2 * ASKED_MS;
    if (this.#wish === undefined || !isTime || this.#asked >= ASKED_MAX) return false;
    this.#asked++;
    this.#open.set(id, now);
    this.#until = this.#since + 3 * ASKED_MS;
    return true;
  }

  /** Whom to ask now, and for what. */
  due(now: number): { readonly asked: readonly MemberId[]; readonly wish: History | undefined } {
    const asked = [...this.#open].flatMap(([id, at]) => (now >= at ? [id] : []));
    for (const id of asked) this.#open.set(id, now + RETRY_MS);
    return { asked, wish: this.#wish };
  }

  /** Whether it was asked. */
  answered(id: MemberId): boolean {
    return this.#open.delete(id);
  }

  /** All that was asked has come, or does not. */
  isOver(now: number, isBehind: boolean): boolean {
    return this.isHolding && (now >= this.#until || (this.#open.size === 0 && !isBehind));
  }

  take(arrival: Arrival): void {
    const { entry, late, from, generation } = arrival;
    const tooOld = this.#wish === undefined || this.#since - entry.at > this.#wish.ms;
    // Times differ by how long each was on its way: what follows something that is told is told.
    if (late && tooOld && this.#begun.get(from) !== generation) return;
    this.#begun.set(from, generation);
    const told = tooOld ? { ...arrival, late: false } : arrival;
    if (!this.isHolding) return this.#pass(told);
    this.#held.push(told);
    if (this.#held.length > HELD_MAX) this.release();
  }

  release(): void {
    this.#until = 0;
    this.#open.clear();
    const held = this.#held.splice(0);
    const timed = inOrder(held);
    const late = timed.filter((one) => one.late).length;
    let surplus = late - (this.#wish?.count ?? 0);
    for (const arrival of timed) {
      if (arrival.late && surplus-- > 0) continue;
      this.#pass(arrival);
    }
  }

  /** What an earlier life said does not follow what a later one has said. */
  #pass(arrival: Arrival): void {
    const { from, generation } = arrival;
    if (generation < (this.#latest.get(from) ?? 0)) return;
    this.#latest.set(from, generation);
    this.#tell(arrival);
  }
}

/** By time; of one publisher by life and number, whatever the times are. */
function inOrder(held: readonly Arrival[]): Arrival[] {
  const byPublisher = new Map<MemberId, Arrival[]>();
  for (const one of held) {
    const list = byPublisher.get(one.from) ?? [];
    byPublisher.set(one.from, list);
    list.push(one);
  }
  const timed: { readonly at: number; readonly arrival: Arrival }[] = [];
  for (const list of byPublisher.values()) {
    list.sort((a, b) => a.generation - b.generation || a.number - b.number);
    let at = Number.NEGATIVE_INFINITY;
    for (const arrival of list) {
      at = Math.max(at, arrival.entry.at);
      timed.push({ at, arrival });
    }
  }
  return timed.sort((a, b) => a.at - b.at).map(({ arrival }) => arrival);
}
