/**
 * How news of members spreads: every member passes on what it did not know, once, to the neighbours that are not
 * known to have it (SWIM's piggyback would be slower here, where links are few and reliable). What the flood misses
 * is repaired (`repair.ts`).
 *
 * A little news goes at once. When there is much of it, as when thousands join, it goes together every
 * `floodDelayMs`; what is outdated by then, or has come from a neighbour meanwhile, is not sent any more. And of what
 * is not urgent, who has links with whom by now, only a few copies are sent on: they reach nearly all, and the others
 * see by their fingerprints that they lack something.
 */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { MemberId } from "../machine.ts";
import type { Message, MessageOf, Update } from "../wire/messages.ts";
import { aged } from "./suspicion.ts";

/** Updates in one message of news: about a frame. */
const NEWS_MAX = 64;

/** Opinions that fit a datagram in any case, whatever numbers are in them. */
const URGENT_MAX = 12;

/** Messages of news that need not wait, before they go together. Guess, unmeasured. */
const BURST = 4;
/** … when one of them vouches for a member: others are about to decide without it. Source: simulated, 3 s stalls of 300. */
const VOUCH_BURST = 16;

/** So much minor news at once is much. Source: as below. */
const MINOR_MANY = 4;
/** … and then so many neighbours get each of it. Source: simulated, 300 join at once: half of the bytes. */
const MINOR_COPIES = 3;

export interface GossipOut {
  neighbours(): readonly MemberId[];
  send(to: MemberId, message: Message, lane?: "datagram"): void;
}

interface News {
  update: Update;
  /** Since when it waits, ms. */
  at: number | undefined;
  /** Neighbours that sent it themselves. */
  readonly had: MemberId[];
  /** Nobody waits for it: what a known member says of itself beside its state. */
  readonly isMinor: boolean;
  copies: number;
}

export class Gossip {
  readonly #config: Config;
  readonly #deadlines: Deadlines;
  readonly #out: GossipOut;
  /** What is to be passed on, by what it is about: the latest word only. */
  #news = new Map<string, News>();
  /** When all would have gone if it went evenly, ms: the news goes together when this is far ahead. */
  #evenAt = Number.NEGATIVE_INFINITY;
  /** Somebody vouches for a member in what waits. */
  #vouches = false;
  /** With whom the next copies begin. */
  #turn = 0;

  constructor(config: Config, deadlines: Deadlines, out: GossipOut) {
    this.#config = config;
    this.#deadlines = deadlines;
    this.#out = out;
  }

  /** Something new, from a neighbour or of our own: everybody hears it. */
  tell(update: Update, from: MemberId | undefined, minor = false): void {
    const had = from === undefined ? [] : [from];
    const subject = subjectOf(update);
    const isMinor = minor && (this.#news.get(subject)?.isMinor ?? true);
    this.#news.set(subject, { update, at: undefined, had, isMinor, copies: 0 });
    if (update.type === "opinion" && update.kind === "vouch") this.#vouches = true;
  }

  /** A neighbour sent what was no news: it need not hear it again. */
  had(update: Update, from: MemberId): void {
    const news = this.#news.get(subjectOf(update));
    if (news !== undefined && isSame(news.update, update)) news.had.push(from);
  }

  /** Passes the news on, at once or soon. */
  flush(now: number): void {
    if (this.#news.size === 0) return;
    const { floodDelayMs } = this.#config;
    const mayGoAt = this.#evenAt - (this.#vouches ? VOUCH_BURST : BURST) * floodDelayMs;
    if (now < mayGoAt) {
      for (const news of this.#news.values()) news.at ??= now;
      return this.#deadlines.ensure("gossip", mayGoAt);
    }
    this.#evenAt = Math.max(now, this.#evenAt) + floodDelayMs;
    this.flushNow(now);
  }

  flushNow(now: number): void {
    const all = [...this.#news.values()];
    for (const news of all) {
      const { update, at = now } = news;
      if (update.type === "opinion" && at < now)
        news.update = { type: "opinion", ...aged(update, Math.round(now - at)) };
    }
    this.#news = new Map();
    this.#vouches = false;
    // One message for all who have none of it, so that it is encoded once.
    const whole = messagesOf(
      all.map(({ update }) => update),
      NEWS_MAX,
    );
    const many = all.filter(({ isMinor }) => isMinor).length >= MINOR_MANY;
    const goes = (news: News, peer: MemberId): boolean =>
      !news.had.includes(peer) && (!many || !news.isMinor || news.copies++ < MINOR_COPIES);
    for (const peer of this.#inTurn()) {
      const missing = all.filter((news) => goes(news, peer)).map(({ update }) => update);
      const messages = missing.length === all.length ? whole : messagesOf(missing, NEWS_MAX);
      for (const message of messages) {
        if (isUrgent(message)) this.#out.send(peer, message, "datagram");
        this.#out.send(peer, message);
      }
    }
  }

  /** The neighbours, beginning with others than the last time. */
  #inTurn(): readonly MemberId[] {
    const peers = this.#out.neighbours();
    this.#turn = (this.#turn + MINOR_COPIES) % Math.max(1, peers.length);
    return [...peers.slice(this.#turn), ...peers.slice(0, this.#turn)];
  }
}

/** A few opinions race on both lanes: a stream that has lost a frame holds up all behind it for half a second. */
function isUrgent({ updates }: MessageOf<"members">): boolean {
  return updates.length <= URGENT_MAX && updates.every(({ type }) => type === "opinion");
}

/** `updates` in messages of so many. */
export function messagesOf(updates: readonly Update[], countMax: number): MessageOf<"members">[] {
  const messages: MessageOf<"members">[] = [];
  for (let i = 0; i < updates.length; i += countMax) {
    messages.push({ type: "members", updates: updates.slice(i, i + countMax) });
  }
  return messages;
}

function subjectOf(update: Update): string {
  if (update.type === "record") return update.record.id;
  if (update.type === "claim") return `claim ${update.id}`;
  return update.target + update.observer;
}

function isSame(a: Update, b: Update): boolean {
  if (a.type === "record" && b.type === "record") {
    return a.record.generation === b.record.generation && a.record.version === b.record.version;
  }
  if (a.type === "opinion" && b.type === "opinion") {
    return a.observerGeneration === b.observerGeneration && a.sequence === b.sequence;
  }
  if (a.type !== "claim" || b.type !== "claim" || a.state !== b.state) return false;
  return a.generation === b.generation && a.incarnation === b.incarnation;
}
