/**
 * Repairing what the flood of news has missed. Every answer to a probe carries a fingerprint of all that its sender
 * knows of members. When it differs, the end with the lower id begins:
 *
 * ```
 * A                                              B
 * │ memberParts: a hash for each part of its table ▶│   left out when one part holds all
 * │ ◀──────── memberDigest: B's entries where they differ │
 * │ memberDelta: what is newer at A ──────────────▶ │
 * │ memberDigest: A's entries where B has newer ──▶ │
 * │ ◀──────────────────── memberDelta: what is newer at B │
 * ```
 *
 * While news is on its way fingerprints differ for a moment: neighbours compare at once when their link is new, and
 * later when it has been quiet, or seldom. A newcomer asks its first neighbour for everything, and compares with
 * others only when it has it. What a neighbour costs is bounded: beyond `ANSWER_BURST_MS` worth of answers it gets
 * no more than `ANSWER_BYTES_PER_MS`.
 */

import type { Config } from "../config.ts";
import { isPartCount, partCount, partOf } from "../lib/hash.ts";
import { Spell } from "../lib/spell.ts";
import type { MemberId } from "../machine.ts";
import { DIGEST_MAX, type Message, type MessageOf } from "../wire/messages.ts";
import type { MemberTable } from "./table.ts";

/** Updates in one message of an answer: several frames, which go as bulk and wait for each other's receipt. */
const ANSWER_MAX = 256;

/** Entries in one digest; the rest is compared the next time. */
const ENTRIES_MAX = 2_048;

/** News within this time means that a difference may be on its way, ms. Two hops of a flood; guess, unmeasured. */
const QUIET_MS = 500;

/** While it is not quiet, neighbours compare this many times less often. Guess, unmeasured. */
const NOISE_FACTOR = 4;

/** A difference that has lasted so long is looked into by the higher id too, ms. Guess, unmeasured. */
const LASTING_MS = 5_000;

/** What answers to one neighbour may cost in the long run, and ahead of that. Guess, unmeasured. */
const ANSWER_BYTES_PER_MS = 64;
const ANSWER_BURST_MS = 8_000;

/** Bytes of an entry and of an update, about. */
const ENTRY_BYTES = 21;
const UPDATE_BYTES = 200;

interface Neighbour {
  readonly difference: Spell;
  /** When we last began to compare, ms. */
  comparedAt: number;
  /** When the answers so far would be paid for, ms. */
  paidAt: number;
}

export class Repair {
  readonly #config: Config;
  readonly #table: MemberTable;
  readonly #send: (to: MemberId, message: Message) => void;
  readonly #neighbours = new Map<MemberId, Neighbour>();
  /** When a neighbour last told us anything new, ms. */
  #newsAt = Number.NEGATIVE_INFINITY;
  /** Who was asked for everything, and until when it is likely to come. */
  #source: { readonly peer: MemberId; until: number } | undefined;

  constructor(config: Config, table: MemberTable, send: (to: MemberId, message: Message) => void) {
    this.#config = config;
    this.#table = table;
    this.#send = send;
  }

  onLinkUp(peer: MemberId, now: number): void {
    this.#neighbours.set(peer, {
      difference: new Spell(),
      comparedAt: Number.NEGATIVE_INFINITY,
      paidAt: now,
    });
    if (this.#table.size > 2) return;
    this.#source = { peer, until: now + this.#config.repairPeriodMs };
    this.#sendDigest(peer, 1, [0], true);
  }

  onLinkDown(peer: MemberId): void {
    this.#neighbours.delete(peer);
    if (this.#source?.peer === peer) this.#source = undefined;
  }

  /** A neighbour told us something new. */
  onNews(now: number): void {
    this.#newsAt = now;
  }

  /** An answer from `peer`: whether it fills our empty table, and so all others have it. */
  isFilledBy(peer: MemberId, more: boolean, now: number): boolean {
    if (this.#source?.peer !== peer) return false;
    if (more) this.#source.until = now + this.#config.repairPeriodMs;
    else this.#source = undefined;
    return true;
  }

  /** The other end of a link knows other things of members than we do. */
  differs(peer: MemberId, now: number): void {
    const neighbour = this.#neighbours.get(peer);
    if (neighbour === undefined || this.#isFilling(now)) return;
    // The other end may not be able to see it: who takes us for asleep asks us nothing.
    const lastsMs = neighbour.difference.lastsMs(now, 3 * this.#config.probePeriodMs);
    if (peer < this.#config.id && lastsMs < LASTING_MS) return;
    const quiet = now - this.#newsAt >= QUIET_MS;
    const pauseMs = this.#config.repairPeriodMs * (quiet ? 1 : NOISE_FACTOR);
    if (now - neighbour.comparedAt < pauseMs) return;
    this.compare(peer, now);
  }

  /** Compares what we know with what `peer` knows. */
  compare(peer: MemberId, now: number): void {
    const neighbour = this.#neighbours.get(peer);
    if (neighbour !== undefined) neighbour.comparedAt = now;
    const count = partCount(this.#table.size);
    if (count === 1) this.#sendDigest(peer, 1, [0], true);
    else this.#send(peer, { type: "memberParts", hashes: this.#table.hash.parts(count) });
  }

  onParts(from: MemberId, hashes: readonly number[], now: number): void {
    const count = hashes.length;
    if (!isPartCount(count) || this.#isFilling(now) || !this.#mayAnswer(from, now)) return;
    const own = this.#table.hash.parts(count);
    const parts = own.flatMap((hash, part) => (hash === hashes[part] ? [] : [part]));
    if (parts.length === 0) return;
    this.#pay(from, this.#sendDigest(from, count, parts, true) * ENTRY_BYTES, now);
  }

  onDigest(from: MemberId, digest: MessageOf<"memberDigest">, now: number): void {
    const { count, entries, answer } = digest;
    if (!isPartCount(count) || !this.#mayAnswer(from, now)) return;
    const parts = new Set(digest.parts);
    const updates = this.#table.newerThan(entries, { count, parts });
    for (let i = 0; i === 0 || i < updates.length; i += ANSWER_MAX) {
      const some = updates.slice(i, i + ANSWER_MAX);
      const more = i + ANSWER_MAX < updates.length;
      this.#send(from, { type: "memberDelta", updates: some, more });
    }
    this.#pay(from, updates.length * UPDATE_BYTES, now);
    if (!answer) return;
    const behind = entries.filter((entry) => this.#table.isBehind(entry));
    const asked = [...new Set(behind.map(({ id }) => partOf(id, count)))];
    if (asked.length > 0) this.#sendDigest(from, count, asked, false);
  }

  /** Gives how many entries were sent: whole parts, as many as fit. */
  #sendDigest(to: MemberId, count: number, among: readonly number[], answer: boolean): number {
    let parts = among;
    let entries = this.#table.digest({ count, parts: new Set(parts) });
    while (entries.length > ENTRIES_MAX && parts.length > 1) {
      parts = parts.slice(0, parts.length / 2);
      const left = new Set(parts);
      entries = entries.filter(({ id }) => left.has(partOf(id, count)));
    }
    // One part that is too large is nobody's honest table.
    entries.length = Math.min(entries.length, DIGEST_MAX);
    this.#send(to, { type: "memberDigest", count, parts, entries, answer });
    return entries.length;
  }

  #isFilling(now: number): boolean {
    return this.#source !== undefined && now <= this.#source.until;
  }

  #mayAnswer(peer: MemberId, now: number): boolean {
    const paidAt = this.#neighbours.get(peer)?.paidAt;
    return paidAt !== undefined && paidAt - now <= ANSWER_BURST_MS;
  }

  #pay(peer: MemberId, bytes: number, now: number): void {
    const neighbour = this.#neighbours.get(peer);
    if (neighbour === undefined) return;
    neighbour.paidAt = Math.max(neighbour.paidAt, now) + bytes / ANSWER_BYTES_PER_MS;
  }
}
