/**
 * One origin's payloads as they come in: each at most once, in order, with gaps shown.
 *
 * What was seen is a watermark and a window above it. What follows a missing payload is held until it comes, for
 * `gapMs`, `gapMessagesMax` messages or `gapBytesMax`; then the gap is given up, named, and what comes later of it is
 * dropped. What lies beyond the window moves it on.
 */

import type { Config } from "../config.ts";
import type { MemberId } from "../machine.ts";
import type { Payload } from "./cache.ts";

export interface Gap {
  readonly from: number;
  readonly to: number;
}

interface Missed {
  /** Since when it is known to exist, and when it was asked for, ms. */
  readonly since: number;
  askedAt: number;
  /** Who says to have it; who was asked last stands at the end. */
  readonly holders: Set<MemberId>;
  readonly asked: Set<MemberId>;
}

/** Who has not brought what was asked for may lack it, or it is lost again: then so many are asked at once. */
const ASKED_AGAIN = 2;

/** How far ahead of what was delivered a sequence is followed. Source: design. */
export const WINDOW = 1_024;

/** Gaps that are remembered, for what comes of them another way. */
const GAPS_MAX = 32;

export class Inbox {
  readonly generation: number;
  /** Up to here nothing is ours to hear: it was said before we came. */
  readonly baseline: number;
  readonly #config: Config;
  /** Everything up to here was delivered, or given up. */
  #delivered: number;
  readonly #held = new Map<number, Payload>();
  #heldBytes = 0;
  /** In ascending order. */
  readonly #missed = new Map<number, Missed>();
  /** The highest sequence that is known to exist. */
  #known: number;
  /** Since when nothing could be delivered for what is missed, ms. */
  #stuckSince = 0;
  /** The highest sequence that came. */
  latest = 0;
  readonly #gaps: Gap[] = [];

  constructor(config: Config, generation: number, baseline: number) {
    this.#config = config;
    this.generation = generation;
    this.baseline = baseline;
    this.#delivered = baseline;
    this.#known = baseline;
  }

  /** Where nothing was heard of this origin yet, what it said before is not lost to us. */
  beginAt(baseline: number): void {
    if (this.#known > 0 || this.latest > 0) return;
    this.#known = baseline;
    this.#delivered = baseline;
  }

  get delivered(): number {
    return this.#delivered;
  }

  /** Since when nothing could be delivered for what is missed, ms; undefined when nothing is. */
  get stuckSince(): number | undefined {
    return this.#missed.size > 0 ? this.#stuckSince : undefined;
  }

  has(sequence: number): boolean {
    return sequence <= this.#delivered || this.#held.has(sequence);
  }

  /** Whether it was never delivered, and will not come by the tree: said before we came, or given up. */
  isPast(sequence: number): boolean {
    if (sequence <= this.baseline) return true;
    return this.#gaps.some(({ from, to }) => sequence >= from && sequence <= to);
  }

  /** How long it has been missed without being asked for, ms. */
  lateMs(sequence: number, now: number): number {
    const missed = this.#missed.get(sequence);
    return missed === undefined || missed.askedAt > missed.since ? 0 : now - missed.since;
  }

  /** Whether `peer` was asked for this one. */
  wasAsked(sequence: number, peer: MemberId): boolean {
    return this.#missed.get(sequence)?.asked.has(peer) ?? false;
  }

  /** Takes one that is not here: what can be delivered now comes with `takeReady`. */
  add(payload: Payload, now: number): Gap | undefined {
    const { sequence } = payload.id;
    const gap = this.announce(sequence, now);
    this.#missed.delete(sequence);
    this.#held.set(sequence, payload);
    this.latest = Math.max(this.latest, sequence);
    this.#heldBytes += payload.value.length;
    return gap;
  }

  /** Somebody has payloads up to `sequence`; `holder` has this one. Gives what is beyond reach by that. */
  announce(sequence: number, now: number, holder?: MemberId): Gap | undefined {
    const lowest = sequence - WINDOW;
    const gap = lowest > this.#delivered ? this.#giveUp(lowest) : undefined;
    if (this.#missed.size === 0) this.#stuckSince = now;
    for (let n = Math.max(this.#known, this.#delivered) + 1; n <= sequence; n++) {
      const askedAt = Number.NEGATIVE_INFINITY;
      this.#missed.set(n, { since: now, askedAt, holders: new Set(), asked: new Set() });
    }
    if (holder !== undefined) this.#missed.get(sequence)?.holders.add(holder);
    this.#known = Math.max(this.#known, sequence);
    return gap;
  }

  /** What can be delivered now, in order. */
  takeReady(now: number): Payload[] {
    const ready: Payload[] = [];
    for (;;) {
      const next = this.#held.get(this.#delivered + 1);
      if (next === undefined) return ready;
      this.#stuckSince = now;
      this.#held.delete(++this.#delivered);
      this.#heldBytes -= next.value.length;
      ready.push(next);
    }
  }

  /** A link ended. */
  removeHolder(peer: MemberId): void {
    for (const { holders } of this.#missed.values()) holders.delete(peer);
  }

  /**
   * What has been missed for `delayMs` and was not asked for within `retryMs`, by whom to ask for it now: those that
   * have it in turn, or where nobody is known to, who has one that follows, or `other`. Lowest first.
   */
  ask(
    now: number,
    delayMs: number,
    retryMs: number,
    other: MemberId | undefined,
  ): ReadonlyMap<MemberId, readonly number[]> {
    const due = new Map<MemberId, number[]>();
    const [follower = other] = [...this.#missed.values()].flatMap(({ holders }) => [...holders]);
    for (const [sequence, missed] of this.#missed) {
      if (now - missed.since < delayMs) break;
      if (now - missed.askedAt < retryMs) continue;
      const { holders, asked } = missed;
      const count = asked.size === 0 ? 1 : ASKED_AGAIN;
      const next = holders.size === 0 ? [follower] : [...holders].slice(0, count);
      for (const peer of next) {
        if (peer === undefined) continue;
        missed.askedAt = now;
        asked.add(peer);
        if (holders.delete(peer)) holders.add(peer);
        const sequences = due.get(peer) ?? [];
        due.set(peer, sequences);
        sequences.push(sequence);
      }
    }
    return due;
  }

  /**
   * Gives the first gap up when it has lasted too long.
   * @param progressAt when bulk last moved towards us: a large message that is on its way is no gap
   */
  skip(now: number, progressAt: number): Gap | undefined {
    const since = this.stuckSince;
    if (since === undefined) return undefined;
    const isOver = now - Math.max(since, progressAt) >= this.#config.gapMs;
    if (!isOver && !this.isFull) return undefined;
    let to = this.#delivered + 1;
    while (this.#missed.has(to + 1)) to++;
    this.#stuckSince = now;
    return this.#giveUp(to);
  }

  /** So much waits behind a gap that the gap is given up. */
  get isFull(): boolean {
    const { gapMessagesMax, gapBytesMax } = this.#config;
    return this.#held.size >= gapMessagesMax || this.#heldBytes > gapBytesMax;
  }

  /** Up to `to` nothing is waited for any more; what is held below it is dropped with the gap. */
  #giveUp(to: number): Gap {
    const from = this.#delivered + 1;
    for (const [sequence] of this.#missed) {
      if (sequence > to) break;
      this.#missed.delete(sequence);
    }
    for (const [sequence, { value }] of this.#held) {
      if (sequence > to) continue;
      this.#held.delete(sequence);
      this.#heldBytes -= value.length;
    }
    this.#delivered = to;
    const gap = { from, to };
    this.#gaps.push(gap);
    if (this.#gaps.length > GAPS_MAX) this.#gaps.shift();
    return gap;
  }
}
