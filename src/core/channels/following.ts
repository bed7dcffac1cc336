/** A log as it comes in: in order and without holes, from whoever brings it; what is missing is asked for. */

import type { MemberId } from "../lib/ids.ts";
import type { Rng } from "../lib/rng.ts";
import {
  ACK_BYTES,
  ACK_ENTRIES,
  QUESTIONS_MAX,
  RETRY_MS,
  RETRY_MS_MAX,
  WINDOW_ENTRIES,
} from "./limits.ts";
import type { Entry, Log } from "./log.ts";
import { contentOf, type MessageOf } from "./wire.ts";

/** What came ahead of its turn: two windows of one who sends, at most. */
const AHEAD_MAX = 2 * WINDOW_ENTRIES;

export interface FollowingOut {
  readonly rng: Rng;
  now(): number;
  isHere(id: MemberId): boolean;
  send(to: MemberId, message: MessageOf<"take">): void;
  check(
    by: MemberId,
    content: Uint8Array,
    proof: Uint8Array,
    then: (isGood: boolean) => void,
  ): void;
  /** Others who subscribe and are here. */
  others(): readonly MemberId[];
  /** It is in the log; so many before it were missed. */
  arrived(number: number, entry: Entry, missed: number): void;
  rejected(): void;
}

type Ahead = Entry & { readonly isProven: boolean };

export class Following {
  readonly log: Log;
  readonly #out: FollowingOut;
  /** By whom we are fed. */
  #parent: MemberId | undefined;
  /** Its end, as far as we have heard. */
  #known: number;
  readonly #ahead = new Map<number, Ahead>();
  #missed = 0;
  /** Who has brought something, and has no answer yet. */
  readonly #owed = new Set<MemberId>();
  #ackedTo: number;
  #unackedBytes = 0;
  #askAt = Number.POSITIVE_INFINITY;
  #askMs = RETRY_MS;
  #questions = 0;
  /** Our parent has not answered yet. */
  #isWaiting = false;
  #isOver = false;

  constructor(log: Log, out: FollowingOut) {
    this.log = log;
    this.#out = out;
    this.#known = log.end;
    this.#ackedTo = log.end;
  }

  /** Something of it is said to be, and is not here. */
  get isBehind(): boolean {
    return this.#known > this.log.end;
  }

  onFeed(from: MemberId, feed: MessageOf<"feed">): void {
    const { log } = this;
    const isOwner = from === log.publisher;
    this.#known = Math.max(isOwner ? 0 : this.#known, feed.end, log.end);
    if (isOwner && feed.first > log.end) this.#skipTo(feed.first);
    if (feed.via !== undefined) {
      if (isOwner || from === this.#parent) this.#moveTo(feed.via, from);
      return;
    }
    this.#parent ??= from;
    if (from === this.#parent) this.#isWaiting = false;
    for (const [i, { ageMs, value, proof }] of feed.entries.entries()) {
      this.#take(feed.from + i, { at: this.#out.now() - ageMs, value, proof });
    }
    this.#owed.add(from);
    this.#drain();
  }

  /** It has so much; we may ask it. */
  onOffer(from: MemberId, end: number): void {
    if (end <= this.log.end) return;
    this.#known = Math.max(this.#known, end);
    this.#say(from, "once");
    this.#askLater();
  }

  /** A member has gone: if it fed us, another has to. */
  onGone(id: MemberId): void {
    this.#owed.delete(id);
    if (id === this.#parent) this.#orphan();
  }

  /** The part is over: what is still being checked changes nothing. */
  stop(): void {
    this.#isOver = true;
  }

  /** Answers, and asks again. Whether anything is open. */
  tick(): boolean {
    for (const id of this.#owed) this.#say(id, id === this.#parent ? "follow" : "once");
    this.#owed.clear();
    this.#ackedTo = this.log.end;
    this.#unackedBytes = 0;
    if (!this.isBehind && !this.#isWaiting) {
      this.#askAt = Number.POSITIVE_INFINITY;
      this.#questions = 0;
      this.#askMs = RETRY_MS;
      return false;
    }
    if (this.#askAt === Number.POSITIVE_INFINITY) this.#askLater();
    if (this.#out.now() >= this.#askAt) this.#ask();
    return true;
  }

  #moveTo(via: MemberId, from: MemberId): void {
    const before = this.#parent;
    this.#say(from, "elsewhere");
    if (before !== undefined && before !== from && before !== via) this.#say(before, "elsewhere");
    this.#parent = via;
    this.#isWaiting = true;
    this.#say(via, "follow");
    this.#askLater();
  }

  #take(number: number, entry: Entry): void {
    const { log } = this;
    if (number < log.end || number >= log.end + AHEAD_MAX || this.#ahead.has(number)) return;
    this.#known = Math.max(this.#known, number + 1);
    this.#ahead.set(number, { ...entry, isProven: false });
    const content = contentOf(log.channel, log.generation, number, entry.value);
    this.#out.check(log.publisher, content, entry.proof, (isGood) => {
      if (this.#isOver) return;
      if (isGood && number >= log.end) this.#ahead.set(number, { ...entry, isProven: true });
      else this.#ahead.delete(number);
      if (isGood) this.#drain();
      else this.#out.rejected();
    });
  }

  #drain(): void {
    for (;;) {
      const number = this.log.end;
      const next = this.#ahead.get(number);
      if (next?.isProven !== true) break;
      this.#ahead.delete(number);
      const { at, value, proof } = next;
      const entry = { at, value, proof };
      this.log.push(entry, this.#out.now());
      this.#unackedBytes += value.length;
      this.#questions = 0;
      this.#askMs = RETRY_MS;
      const missed = this.#missed;
      this.#missed = 0;
      this.#out.arrived(number, entry, missed);
    }
    const isMuch = this.log.end - this.#ackedTo >= ACK_ENTRIES || this.#unackedBytes >= ACK_BYTES;
    if (isMuch) this.tick();
  }

  /** What lies between is not to be had. */
  #skipTo(number: number): void {
    this.#missed += number - this.log.end;
    this.log.skipTo(number);
    for (const ahead of this.#ahead.keys()) if (ahead < number) this.#ahead.delete(ahead);
    this.#drain();
  }

  #orphan(): void {
    this.#parent = undefined;
    this.#isWaiting = this.#out.isHere(this.log.publisher);
    this.#askAt = this.#out.now();
  }

  #askLater(): void {
    this.#askAt = this.#out.now() + this.#askMs;
  }

  /** By turns who feeds us, the publisher, and anybody else who may have it. */
  #ask(): void {
    const { publisher } = this.log;
    const isThere = this.#out.isHere(publisher);
    const turn = this.#questions++ % 3;
    this.#askMs = Math.min(2 * this.#askMs, RETRY_MS_MAX);
    this.#askLater();
    if (!isThere && this.#questions > QUESTIONS_MAX) return this.#giveUp();
    const parent = this.#parent;
    if (turn === 0 && parent !== undefined && parent !== publisher && this.#out.isHere(parent)) {
      this.#say(parent, "follow");
    } else if (turn < 2 && isThere) this.#say(publisher, "follow");
    else {
      const others = this.#out.others();
      const other = others[this.#out.rng.below(Math.max(1, others.length))];
      if (other !== undefined) this.#say(other, "once");
    }
  }

  /** Who published is gone, and nobody has what is missing. */
  #giveUp(): void {
    this.#isWaiting = false;
    const proven = [...this.#ahead].filter(([, { isProven }]) => isProven);
    const next = Math.min(...proven.map(([number]) => number));
    if (next < Number.POSITIVE_INFINITY) this.#skipTo(next);
    else this.#known = this.log.end;
  }

  #say(to: MemberId, mode: MessageOf<"take">["mode"]): void {
    const { channel, publisher, generation, end: next } = this.log;
    this.#out.send(to, { type: "take", channel, publisher, generation, next, mode });
  }
}
