/** One channel, as far as this member publishes in it or subscribes to it. */

import type { MemberId } from "../lib/ids.ts";
import type { PartHost } from "../part.ts";
import type { ChannelEvent, History } from "./contract.ts";
import { Feeding, type FeedingOut } from "./feeding.ts";
import { Following } from "./following.ts";
import {
  COMPARE_MS,
  COMPARE_MS_MAX,
  COMPARED_MAX,
  KEEP_BYTES,
  KEEP_MS,
  LOGS_MAX,
  STALLED_MS,
  WAITING_BYTES,
  WAITING_MAX,
} from "./limits.ts";
import { type Entry, keyOf, Log } from "./log.ts";
import { type Arrival, Past } from "./past.ts";
import { type ChannelMessage, contentOf, type MessageOf, type Subscription } from "./wire.ts";

export interface ChannelOut {
  readonly host: PartHost;
  readonly stats: Record<
    "published" | "delivered" | "sent" | "resent" | "missed" | "rejected",
    number
  >;
  send(to: MemberId, message: ChannelMessage): boolean;
  emit(event: ChannelEvent): void;
}

/** Who publishes waits for these to be sent. */
interface Waiting {
  readonly ticket: number;
  readonly bytes: number;
  readonly at: number;
  /** Once it is proven. */
  number: number | undefined;
}

/** A log that others publish, as it comes in and goes on. */
interface Other {
  readonly following: Following;
  readonly feeding: Feeding;
}

export class Channel {
  readonly #name: string;
  readonly #out: ChannelOut;
  readonly #subscribers: ReadonlyMap<MemberId, Subscription>;
  readonly #others = new Map<string, Other>();
  #own: Feeding | undefined;
  #lastNumber = 0;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #history: History | undefined;
  /** Since when we subscribe; undefined: we do not. */
  #since: number | undefined;
  #past: Past | undefined;
  #compareAt = Number.POSITIVE_INFINITY;
  #compareMs = COMPARE_MS;
  /** Counts our subscriptions. */
  session = 0;

  /** @param subscribers all others that have announced it, here or not */
  constructor(name: string, subscribers: ReadonlyMap<MemberId, Subscription>, out: ChannelOut) {
    this.#name = name;
    this.#subscribers = subscribers;
    this.#out = out;
  }

  get isSubscribed(): boolean {
    return this.#since !== undefined;
  }

  keep(history: History | undefined): History | undefined {
    if (history === undefined) return this.#history;
    const { count = 0, ms = 0 } = this.#history ?? {};
    this.#history = { count: Math.max(count, history.count), ms: Math.max(ms, history.ms) };
    return this.#history;
  }

  subscribe(history: History | undefined): void {
    const now = this.#now;
    this.#since = now;
    this.#past = new Past(history, now, (arrival) => this.#tell(arrival));
    if (history !== undefined) for (const id of this.#subscribers.keys()) this.#ask(id);
    this.#compareSoon();
  }

  unsubscribe(): void {
    this.#since = undefined;
    this.#past = undefined;
    for (const { following } of this.#others.values()) following.stop();
    this.#others.clear();
    this.#compareAt = Number.POSITIVE_INFINITY;
  }

  publish(ticket: number, value: Uint8Array): void {
    const { host } = this.#out;
    const isFull =
      this.#waiting.length >= WAITING_MAX ||
      (this.#waiting.length > 0 && this.#waitingBytes + value.length > WAITING_BYTES);
    if (isFull) return this.#out.emit({ type: "refused", ticket });
    const own = this.#ownLog();
    const number = ++this.#lastNumber;
    const waiting: Waiting = { ticket, bytes: value.length, at: this.#now, number: undefined };
    this.#waiting.push(waiting);
    this.#waitingBytes += value.length;
    const at = this.#now;
    host.prove(contentOf(this.#name, own.log.generation, number, value), (proof) => {
      own.log.push({ at, value, proof }, this.#now);
      this.#out.stats.published++;
      waiting.number = number;
      own.pump();
      this.#settle();
      this.#trim();
    });
  }

  /** Somebody subscribes, anew (`isNew`) or with other wishes, or does not any more. */
  onSubscriber(id: MemberId, wish: Subscription | undefined, isNew: boolean): void {
    if (wish === undefined || isNew) {
      for (const { feeding } of this.#others.values()) feeding.drop(id);
      this.#own?.drop(id);
      this.#settle();
    }
    if (wish === undefined || !isNew) return;
    this.#admit(id, wish);
    this.#ask(id);
  }

  onGone(id: MemberId): void {
    for (const { following } of this.#others.values()) {
      following.onGone(id);
      // What only some have of it, the others get from those.
      if (following.log.publisher === id) this.#compareSoon();
    }
    this.#settle();
  }

  /** Somebody who subscribes is within reach again. */
  onBack(): void {
    this.#own?.pump();
    this.#compareSoon();
  }

  /** Only from who subscribes, or publishes. */
  onMessage(from: MemberId, message: ChannelMessage): void {
    switch (message.type) {
      case "feed":
        return this.#onFeed(from, message);
      case "take":
        return this.#onTake(from, message);
      case "ask":
        return this.#onAsk(from, message);
      case "past":
        return this.#onPast(from, message);
      case "compare":
        return this.#onCompare(from, message);
    }
  }

  /** Does what is due. When it wants to be called again. */
  tick(): number {
    const now = this.#now;
    let isOpen = this.#own?.tick() ?? false;
    for (const { following, feeding } of this.#others.values()) {
      const isComing = following.tick();
      isOpen = feeding.tick() || isComing || isOpen;
    }
    this.#settle();
    this.#trim();
    if (this.#past?.isOver(now, this.#isBehind())) this.#past.release();
    this.#askAgain();
    if (now >= this.#compareAt) this.#compare();
    const soon = isOpen || this.#waiting.length > 0 || this.#past?.isHolding === true;
    if (soon) return now;
    const keeps = this.#logs().some(({ bytes }) => bytes > 0);
    return Math.min(this.#compareAt, keeps ? now + KEEP_MS : Number.POSITIVE_INFINITY);
  }

  get #now(): number {
    return this.#out.host.now();
  }

  #isHere(id: MemberId): boolean {
    return this.#out.host.generationOf(id) !== undefined;
  }

  #ownLog(): Feeding {
    if (this.#own === undefined) {
      const { host } = this.#out;
      this.#own = this.#feeding(new Log(this.#name, host.id, host.generation(), 1));
      for (const [id, wish] of this.#subscribers) this.#admit(id, wish);
    }
    return this.#own;
  }

  #admit(id: MemberId, { count, ms }: Subscription): void {
    const log = this.#own?.log;
    if (log !== undefined) this.#own?.admit(id, log.past({ count, ms }, this.#now));
  }

  #feeding(log: Log): Feeding {
    const { host, stats } = this.#out;
    const out: FeedingOut = {
      rng: host.rng,
      now: () => this.#now,
      isHere: (id) => this.#isHere(id),
      send: (to, message) => this.#out.send(to, message),
      sent: (count, again) => {
        stats.sent += count;
        if (again) stats.resent += count;
      },
    };
    return new Feeding(log, out);
  }

  /** @returns undefined where there is no room for one more */
  #other(publisher: MemberId, generation: number, first: number): Other | undefined {
    const key = keyOf(publisher, generation);
    const known = this.#others.get(key);
    if (known !== undefined) return known;
    if (!this.#tells(publisher, generation) && this.#others.size >= LOGS_MAX) return undefined;
    const { host, stats } = this.#out;
    const log = new Log(this.#name, publisher, generation, first);
    const following = new Following(log, {
      rng: host.rng,
      now: () => this.#now,
      isHere: (id) => this.#isHere(id),
      send: (to, message) => void this.#out.send(to, message),
      check: (by, content, proof, then) => host.check(by, content, proof, then),
      others: () => this.#here(),
      arrived: (number, entry, missed) => this.#onArrived(log, number, entry, missed),
      rejected: () => {
        stats.rejected++;
      },
    });
    const other = { following, feeding: this.#feeding(log) };
    this.#others.set(key, other);
    return other;
  }

  #onFeed(from: MemberId, feed: MessageOf<"feed">): void {
    const { publisher, generation, first } = feed;
    if (this.#since === undefined || publisher === this.#out.host.id) return;
    if (from !== publisher) {
      if (!this.#subscribers.has(from)) return;
      // Of a log that we do not know its publisher tells us, as long as it is here.
      if (!this.#others.has(keyOf(publisher, generation)) && this.#tells(publisher, generation)) {
        return;
      }
    }
    this.#other(publisher, generation, first)?.following.onFeed(from, feed);
  }

  #onTake(from: MemberId, take: MessageOf<"take">): void {
    const isOwn = take.publisher === this.#out.host.id;
    const feeding = isOwn
      ? this.#own
      : this.#others.get(keyOf(take.publisher, take.generation))?.feeding;
    if (feeding?.log.generation !== take.generation) return;
    // Who is not known to subscribe may have announced it just now: it is helped, and not kept.
    const isKnown = take.mode !== "follow" || this.#subscribers.has(from);
    feeding.onTake(from, isKnown ? take : { ...take, mode: "once" });
    if (isOwn) this.#settle();
  }

  #onAsk(from: MemberId, { count, ms }: MessageOf<"ask">): void {
    const past = this.#logs().flatMap((log) => {
      const first = log.past({ count, ms }, this.#now);
      const { publisher, generation, end } = log;
      return first < end ? [{ publisher, generation, first, end }] : [];
    });
    const logs = past.slice(-LOGS_MAX);
    this.#out.send(from, { type: "past", channel: this.#name, logs });
  }

  #onPast(from: MemberId, { logs }: MessageOf<"past">): void {
    if (this.#past?.answered(from) !== true) return;
    for (const { publisher, generation, first, end } of logs) {
      if (publisher === this.#out.host.id) continue;
      this.#other(publisher, generation, first)?.following.onOffer(from, end);
    }
  }

  #onCompare(from: MemberId, { logs }: MessageOf<"compare">): void {
    if (this.#since === undefined || !this.#subscribers.has(from)) return;
    const told = new Set<string>();
    for (const { publisher, generation, end } of logs) {
      const key = keyOf(publisher, generation);
      told.add(key);
      if (publisher === this.#out.host.id) continue;
      const other = this.#others.get(key);
      if (other !== undefined) other.following.onOffer(from, end);
      // Where it begins for us is said by who has it.
      else if (!this.#tells(publisher, generation)) this.#take(from, publisher, generation);
      if (other !== undefined && other.feeding.log.end > end) this.#offer(from, other.feeding.log);
    }
    for (const { feeding } of this.#recent()) {
      const { publisher, generation } = feeding.log;
      if (publisher !== from && !told.has(keyOf(publisher, generation))) {
        this.#offer(from, feeding.log);
      }
    }
  }

  /** It is here, in this life. */
  #tells(publisher: MemberId, generation: number): boolean {
    return this.#out.host.generationOf(publisher) === generation;
  }

  #take(from: MemberId, publisher: MemberId, generation: number): void {
    const head = { channel: this.#name, publisher, generation, next: 0 };
    this.#out.send(from, { type: "take", ...head, mode: "once" });
  }

  #offer(to: MemberId, { publisher, generation, first, end }: Log): void {
    const head = { channel: this.#name, publisher, generation, first, end };
    this.#out.send(to, { type: "feed", ...head, from: 0, entries: [] });
  }

  #onArrived(log: Log, number: number, entry: Entry, missed: number): void {
    const { publisher, generation } = log;
    this.#out.stats.missed += missed;
    this.#compareSoon();
    this.#others.get(keyOf(publisher, generation))?.feeding.pump();
    const late = entry.at < (this.#since ?? 0);
    this.#past?.take({ number, from: publisher, generation, entry, missed, late });
  }

  #tell({ from, number, entry: { value }, late, missed }: Arrival): void {
    this.#out.stats.delivered++;
    this.#out.emit({ type: "message", channel: this.#name, from, number, value, late, missed });
  }

  /** Asks for what was before us, of one who keeps it. */
  #ask(id: MemberId): void {
    const keeps = (this.#subscribers.get(id)?.count ?? 0) > 0;
    if (keeps && this.#isHere(id) && this.#past?.ask(id, this.#now) === true) this.#askAgain();
  }

  #askAgain(): void {
    const { asked, wish } = this.#past?.due(this.#now) ?? {};
    for (const id of asked ?? []) {
      this.#out.send(id, { type: "ask", channel: this.#name, ...(wish as History) });
    }
  }

  /** Publishes that are on their way, or wait too long for who is slow. */
  #settle(): void {
    const now = this.#now;
    while (this.#waiting[0] !== undefined) {
      const { ticket, bytes, at, number } = this.#waiting[0];
      if (number === undefined) return;
      if (now - at < STALLED_MS && this.#own?.awaits(number)) return;
      this.#waiting.shift();
      this.#waitingBytes -= bytes;
      this.#out.emit({ type: "published", ticket });
    }
  }

  #logs(): Log[] {
    const others = [...this.#others.values()].map(({ feeding }) => feeding.log);
    return this.#own === undefined ? others : [...others, this.#own.log];
  }

  #trim(): void {
    const now = this.#now;
    const feedings = [...this.#others.values()].map(({ feeding }) => feeding);
    if (this.#own !== undefined) feedings.push(this.#own);
    let bytes = 0;
    for (const { log, needed } of feedings) {
      log.trim(this.#history, needed, now);
      bytes += log.bytes;
    }
    while (bytes > KEEP_BYTES) {
      const [oldest] = feedings
        .map(({ log }) => log)
        .filter((log) => log.bytes > 0)
        .sort((a, b) => (a.at(a.first)?.at ?? 0) - (b.at(b.first)?.at ?? 0));
      if (oldest === undefined) return;
      bytes -= oldest.bytes;
      oldest.drop();
      bytes += oldest.bytes;
    }
  }

  #isBehind(): boolean {
    for (const { following } of this.#others.values()) if (following.isBehind) return true;
    return false;
  }

  /** Other subscribers that are here. */
  #here(): MemberId[] {
    return [...this.#subscribers.keys()].filter((id) => this.#isHere(id));
  }

  #recent(): Other[] {
    const since = this.#now - 2 * COMPARE_MS_MAX;
    return [...this.#others.values()]
      .filter(({ feeding }) => feeding.log.newsAt > since)
      .sort((a, b) => b.feeding.log.newsAt - a.feeding.log.newsAt)
      .slice(0, COMPARED_MAX);
  }

  #compareSoon(): void {
    if (this.#since === undefined) return;
    this.#compareMs = COMPARE_MS;
    const at = this.#now + this.#compareMs / 2 + this.#out.host.rng.below(this.#compareMs);
    this.#compareAt = Math.min(this.#compareAt, at);
  }

  #compare(): void {
    const here = this.#here();
    const other = here[this.#out.host.rng.below(Math.max(1, here.length))];
    const recent = this.#recent();
    this.#compareMs *= 2;
    const isQuiet = this.#compareMs > COMPARE_MS_MAX;
    this.#compareAt = isQuiet ? Number.POSITIVE_INFINITY : this.#now + this.#compareMs;
    if (other === undefined) return;
    const logs = recent.map(({ feeding: { log } }) => ({
      publisher: log.publisher,
      generation: log.generation,
      end: log.end,
    }));
    this.#out.send(other, { type: "compare", channel: this.#name, logs });
  }
}
