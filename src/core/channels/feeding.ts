/**
 * A log on its way to those who follow it here: to each as fast as it acknowledges, at most `FANOUT` of them at a time.
 * Who comes beyond is sent to one of those.
 */

import type { MemberId } from "../lib/ids.ts";
import type { Rng } from "../lib/rng.ts";
import {
  BATCH_BYTES,
  FANOUT,
  RETRY_MS,
  RETRY_MS_MAX,
  STALLED_MS,
  WINDOW_BYTES,
  WINDOW_ENTRIES,
} from "./limits.ts";
import type { Entry, Log } from "./log.ts";
import type { MessageOf } from "./wire.ts";

/** Repairs under way at once, beside those who follow. */
const REPAIRS_MAX = 2 * FANOUT;

export interface FeedingOut {
  readonly rng: Rng;
  now(): number;
  isHere(id: MemberId): boolean;
  send(to: MemberId, message: MessageOf<"feed">): boolean;
  /** So many entries were sent; again: they had been before. */
  sent(count: number, again: boolean): void;
}

interface Follower {
  /** What it is to get begins here. */
  first: number;
  /** It has all before. */
  next: number;
  /** All before was sent. */
  sentTo: number;
  /** It has answered: it knows of the log. */
  knows: boolean;
  /** Only until it has what there is. */
  once: boolean;
  retryAt: number;
  retryMs: number;
  /** When it went on last, or had all. */
  progressAt: number;
}

/** What all messages of a log have. */
type Head = Pick<
  MessageOf<"feed">,
  "type" | "channel" | "publisher" | "generation" | "first" | "end"
>;

interface Elsewhere {
  readonly first: number;
  via: MemberId;
  isConfirmed: boolean;
  retryAt: number;
}

export class Feeding {
  readonly log: Log;
  readonly #out: FeedingOut;
  readonly #followers = new Map<MemberId, Follower>();
  /** Who was sent to one of our followers. Of our own log: others find their way by themselves. */
  readonly #elsewhere = new Map<MemberId, Elsewhere>();

  constructor(log: Log, out: FeedingOut) {
    this.log = log;
    this.#out = out;
  }

  /** It is to get all from `first` on, and may not know of the log. */
  admit(id: MemberId, first: number): void {
    this.drop(id);
    if (this.#count() < FANOUT) {
      this.#add(id, { first, next: first, once: false, knows: false });
    } else this.#redirect(id, first);
  }

  drop(id: MemberId): void {
    this.#followers.delete(id);
    this.#elsewhere.delete(id);
  }

  onTake(id: MemberId, { next, mode }: MessageOf<"take">): void {
    const elsewhere = this.#elsewhere.get(id);
    if (mode === "elsewhere") {
      this.#followers.delete(id);
      if (elsewhere !== undefined) elsewhere.isConfirmed = true;
      return;
    }
    const known = this.#followers.get(id);
    if (known !== undefined) return this.#onProgress(id, known, next, mode === "once");
    const first = elsewhere?.first ?? Math.min(next, this.log.end);
    if (mode === "follow" && this.#count() >= FANOUT) return this.#redirect(id, first);
    if (mode === "once" && this.#followers.size >= FANOUT + REPAIRS_MAX) return;
    if (mode === "follow") this.#elsewhere.delete(id);
    const from = Math.min(next, this.log.end);
    this.#add(id, { first, next: from, once: mode === "once", knows: true });
  }

  /** There is more, or room for it. */
  pump(): void {
    for (const [id, follower] of this.#followers) this.#pump(id, follower, false);
  }

  /** What was not answered is said again. Whether anything is open. */
  tick(): boolean {
    const now = this.#out.now();
    let isOpen = false;
    for (const [id, follower] of this.#followers) {
      const isDone = follower.knows && follower.next >= this.log.end;
      if (isDone && follower.once) this.#followers.delete(id);
      if (isDone || !this.#out.isHere(id)) continue;
      isOpen = true;
      if (now < follower.retryAt) continue;
      follower.sentTo = follower.next;
      follower.retryMs = Math.min(2 * follower.retryMs, RETRY_MS_MAX);
      this.#pump(id, follower, true);
    }
    for (const [id, elsewhere] of this.#elsewhere) {
      if (!this.#out.isHere(elsewhere.via)) elsewhere.isConfirmed = false;
      if (elsewhere.isConfirmed || !this.#out.isHere(id)) continue;
      isOpen = true;
      if (now >= elsewhere.retryAt) this.#redirect(id, elsewhere.first);
    }
    return isOpen;
  }

  /** Somebody who follows, is here and goes on has not been sent this yet. */
  awaits(number: number): boolean {
    const now = this.#out.now();
    for (const [id, { sentTo, once, progressAt }] of this.#followers) {
      const isSlow = now - progressAt > STALLED_MS;
      if (sentTo <= number && !once && !isSlow && this.#out.isHere(id)) return true;
    }
    return false;
  }

  /** All that follow have what is before. */
  get needed(): number {
    let needed = this.log.end;
    for (const { next, once } of this.#followers.values()) {
      if (!once) needed = Math.min(needed, next);
    }
    return needed;
  }

  #count(): number {
    let count = 0;
    for (const { once } of this.#followers.values()) if (!once) count++;
    return count;
  }

  #add(id: MemberId, how: Pick<Follower, "first" | "next" | "once" | "knows">): void {
    const now = this.#out.now();
    const times = { retryAt: now + RETRY_MS, retryMs: RETRY_MS, progressAt: now };
    const follower = { ...how, sentTo: how.next, ...times };
    this.#followers.set(id, follower);
    this.#pump(id, follower, true);
  }

  #onProgress(id: MemberId, follower: Follower, next: number, once: boolean): void {
    const now = this.#out.now();
    const isNews = next > follower.next || !follower.knows;
    follower.knows = true;
    if (!once) follower.once = false;
    follower.next = Math.min(next, this.log.end);
    follower.sentTo = Math.max(follower.sentTo, follower.next);
    if (isNews || follower.next >= this.log.end) {
      follower.progressAt = now;
      follower.retryMs = RETRY_MS;
      follower.retryAt = now + RETRY_MS;
    }
    this.#pump(id, follower, false);
  }

  /** @param says also when there is nothing to send */
  #pump(id: MemberId, follower: Follower, says: boolean): void {
    const { log } = this;
    if (!this.#out.isHere(id)) return;
    // What is not kept any more is missed: `first` says so.
    follower.next = Math.max(follower.next, log.first);
    follower.sentTo = Math.max(follower.sentTo, follower.next);
    const now = this.#out.now();
    if (follower.sentTo === follower.next && follower.next < log.end) {
      follower.progressAt = Math.max(follower.progressAt, log.newsAt);
      follower.retryAt = now + follower.retryMs;
    } else if (says) follower.retryAt = now + follower.retryMs;
    let isSaid = !says;
    for (;;) {
      const entries = this.#batch(follower);
      if (entries.length === 0 && isSaid) return;
      isSaid = true;
      if (!this.#send(id, follower, entries)) return;
      this.#out.sent(entries.length, says);
      follower.sentTo += entries.length;
      if (entries.length === 0) return;
    }
  }

  /** What fits into one message, and into the window. */
  #batch({ next, sentTo }: Follower): Entry[] {
    const entries: Entry[] = [];
    let room = WINDOW_BYTES;
    for (let number = next; number < sentTo; number++) {
      room -= this.log.at(number)?.value.length ?? 0;
    }
    let bytes = 0;
    for (let number = sentTo; number - next < WINDOW_ENTRIES; number++) {
      const entry = this.log.at(number);
      if (entry === undefined) break;
      const isAlone = number === next;
      const { length } = entry.value;
      if (!isAlone && (length > room || (entries.length > 0 && bytes + length > BATCH_BYTES))) {
        break;
      }
      entries.push(entry);
      bytes += length;
      room -= length;
    }
    return entries;
  }

  #send(id: MemberId, { first, sentTo }: Follower, entries: readonly Entry[]): boolean {
    const now = this.#out.now();
    return this.#out.send(id, {
      ...this.#head(Math.max(first, this.log.first)),
      from: sentTo,
      entries: entries.map(({ at, value, proof }) => ({
        ageMs: Math.max(0, Math.round(now - at)),
        value,
        proof,
      })),
    });
  }

  /** Sends it to one of those who follow us. */
  #redirect(id: MemberId, first: number): void {
    const now = this.#out.now();
    const before = this.#elsewhere.get(id)?.via;
    const able = [...this.#followers].filter(
      ([other, { once, progressAt, next }]) =>
        !once &&
        other !== id &&
        other !== before &&
        this.#out.isHere(other) &&
        (next >= this.log.end || now - progressAt <= STALLED_MS),
    );
    const [via] = able.length === 0 ? [] : (able[this.#out.rng.below(able.length)] ?? []);
    if (via === undefined) return;
    this.#elsewhere.set(id, { first, via, isConfirmed: false, retryAt: now + RETRY_MS });
    this.#out.send(id, {
      ...this.#head(Math.max(first, this.log.first)),
      from: 0,
      via,
      entries: [],
    });
  }

  #head(first: number): Head {
    const { channel, publisher, generation, end } = this.log;
    return { type: "feed", channel, publisher, generation, first, end };
  }
}
