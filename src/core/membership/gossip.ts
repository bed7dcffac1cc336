/**
 * How news of members spreads, and how what it misses is repaired.
 *
 * News is flooded: every member passes on what it did not know, once, batched by step (SWIM's piggyback would be
 * slower here, where links are few and reliable). What the flood misses is repaired: every probe carries
 * fingerprints of all that both ends know, and neighbours that differ exchange digests, then what is newer.
 */

import type { MemberId } from "../machine.ts";
import type { MemberDigestEntry, Message, Update } from "../wire/messages.ts";
import type { MemberTable } from "./table.ts";

/** Updates in one message. */
const UPDATES_MAX = 256;

export interface GossipOut {
  neighbours(): readonly MemberId[];
  send(to: MemberId, message: Message): void;
}

export class Gossip {
  readonly #table: MemberTable;
  readonly #out: GossipOut;
  /** News of this step, with the neighbour that it came from. */
  #news: { update: Update; from: MemberId | undefined }[] = [];

  constructor(table: MemberTable, out: GossipOut) {
    this.#table = table;
    this.#out = out;
  }

  /** Something new, from a neighbour or of our own: everybody hears it. */
  tell(update: Update, from: MemberId | undefined): void {
    this.#news.push({ update, from });
  }

  /** Passes the step's news on. */
  flush(): void {
    if (this.#news.length === 0) return;
    const news = this.#news;
    this.#news = [];
    for (const peer of this.#out.neighbours()) {
      this.send(
        peer,
        news.filter(({ from }) => from !== peer).map(({ update }) => update),
      );
    }
  }

  /** To one neighbour only. */
  send(peer: MemberId, updates: readonly Update[]): void {
    for (let i = 0; i < updates.length; i += UPDATES_MAX) {
      this.#out.send(peer, { type: "members", updates: updates.slice(i, i + UPDATES_MAX) });
    }
  }

  /** Compares what we know with what `peer` knows. */
  repair(peer: MemberId): void {
    this.#out.send(peer, { type: "memberDigest", entries: this.#table.digest(), answer: true });
  }

  onDigest(from: MemberId, entries: readonly MemberDigestEntry[], answer: boolean): void {
    this.send(from, this.#table.newerThan(entries));
    if (answer && this.#isBehind(entries)) {
      this.#out.send(from, { type: "memberDigest", entries: this.#table.digest(), answer: false });
    }
  }

  /** Whether the digest shows anything that is newer there. */
  #isBehind(entries: readonly MemberDigestEntry[]): boolean {
    return entries.some((entry) => {
      const member = this.#table.get(entry.id);
      const ended = entry.state === "down" || entry.state === "left";
      if (member === undefined) return !ended;
      const { generation, version, incarnation } = member.record;
      if (entry.generation !== generation) return entry.generation > generation;
      return (
        entry.version > version ||
        (entry.incarnation === incarnation && entry.state !== member.state)
      );
    });
  }
}
