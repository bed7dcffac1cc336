/**
 * What crosses relays is sealed between its two ends: a relay can drop it, and cannot read, change, repeat or forge it.
 * The keys are in the members' records, which their owners prove; so there is no handshake and no round trip. Where
 * there are keys only what is sealed is taken, so that nothing can be downgraded.
 *
 * A record may come later than what its owner sends, and be needed before anything can be sealed for it: what lacks
 * one waits here for a moment. What fails is counted and dropped; it is not held against who brought it.
 */

import type { Config } from "../config.ts";
import { BoundedMap } from "../lib/bounded-map.ts";
import { Writer } from "../lib/bytes.ts";
import { SeenWindow } from "../lib/window.ts";
import { turnOf } from "../links/lanes.ts";
import type { MemberId } from "../machine.ts";
import type { MemberTable } from "../membership/table.ts";
import type { FrameCodec } from "../wire/codec.ts";
import { type Enclosed, type Inner, SEAL_KEY_BYTES, type Sealed, TURNS } from "../wire/messages.ts";
import { Awaiting } from "./awaiting.ts";

/**
 * Authenticated encryption between the holders of two keys, ours being in it: pure functions of what they are given.
 * Each direction has keys of its own. Undefined: not sealed so, or no key. A number is used once for sealing.
 */
export interface Sealing {
  seal(
    theirs: Uint8Array,
    number: number,
    associated: Uint8Array,
    plaintext: Uint8Array,
  ): Uint8Array | undefined;
  open(
    theirs: Uint8Array,
    number: number,
    associated: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array | undefined;
}

/** How far something may stand behind the newest of its sender, which counts for all together. Guess, unmeasured. */
const SEEN_REACH = 4_096;

export interface SealsOut {
  now(): number;
  forged(): void;
}

interface Seen {
  /** Of the sender, by its hint: with another one it begins anew. */
  readonly key: number;
  readonly window: SeenWindow;
}

export class Seals {
  readonly #config: Config;
  readonly #table: MemberTable;
  readonly #codec: FrameCodec;
  readonly #sealing: Sealing | undefined;
  readonly #out: SealsOut;
  readonly #writer = new Writer();
  readonly #awaiting = new Awaiting();
  /** As many as the table has members. */
  readonly #seen: BoundedMap<MemberId, Seen>;
  /** Counts for all, so that no number comes again under any key, whatever is forgotten here. */
  #number = 0;

  /** @param sealing undefined: members trust each other */
  constructor(
    config: Config,
    table: MemberTable,
    codec: FrameCodec,
    sealing: Sealing | undefined,
    out: SealsOut,
  ) {
    this.#config = config;
    this.#table = table;
    this.#codec = codec;
    this.#sealing = config.proofs === "none" ? undefined : sealing;
    this.#seen = new BoundedMap(config.membersMax);
    this.#out = out;
  }

  /** What may go to `to` over others; undefined while nothing can be sealed for it. */
  seal(to: MemberId, inner: Inner): Enclosed | undefined {
    const sealing = this.#sealing;
    if (sealing === undefined) return inner;
    const theirs = this.#keyOf(to);
    const keys = { from: hintOf(this.#config.sealKey), to: hintOf(theirs) };
    if (keys.from === undefined || theirs === undefined || keys.to === undefined) return undefined;
    const number = ++this.#number;
    const turn = turnOf(inner);
    const associated = this.#associated(this.#config.id, to, turn);
    const bytes = sealing.seal(theirs, number, associated, this.#codec.encodeInner(inner));
    return bytes && { type: "sealed", turn, from: keys.from, to: keys.to, number, bytes };
  }

  /** @param again is called when the sender's record has come, if it is that which lacks */
  open(from: MemberId, inner: Enclosed, again: () => void): Inner | undefined {
    const sealing = this.#sealing;
    if (inner.type !== "sealed") return sealing === undefined ? inner : this.#forged();
    // With another key it is for a former life of ours.
    if (sealing === undefined || hintOf(this.#config.sealKey) !== inner.to) return undefined;
    const theirs = this.#keyOf(from);
    if (theirs === undefined || hintOf(theirs) !== inner.from) {
      const waiting = { of: from, key: inner.from, bytes: inner.bytes.length, run: again };
      return void this.#awaiting.add(waiting, this.#out.now());
    }
    const seen = this.#seenOf(from, inner.from);
    if (seen.window.has(inner.number)) return this.#forged();
    const associated = this.#associated(from, this.#config.id, inner.turn);
    const plaintext = sealing.open(theirs, inner.number, associated, inner.bytes);
    const decoded = plaintext && this.#codec.decodeInner(plaintext);
    if (!decoded?.ok) return this.#forged();
    seen.window.add(inner.number);
    // Who is heard is remembered longest.
    this.#seen.set(from, seen);
    return decoded.message;
  }

  /** Calls `run` when the record of `to` has come, without which nothing can be sealed for it; false: it is here. */
  waitFor(to: MemberId, bytes: number, run: () => void): boolean {
    if (this.#sealing === undefined || this.#table.get(to) !== undefined) return false;
    this.#awaiting.add({ of: to, key: undefined, bytes, run }, this.#out.now());
    return true;
  }

  /** The record of a member has come, or another one of it. */
  onRecord(id: MemberId): void {
    this.#awaiting.onRecord(id, hintOf(this.#keyOf(id)), this.#out.now());
  }

  #keyOf(id: MemberId): Uint8Array | undefined {
    return this.#table.get(id)?.record.sealKey;
  }

  #seenOf(from: MemberId, key: number): Seen {
    const known = this.#seen.get(from);
    return known?.key === key ? known : { key, window: new SeenWindow(0, SEEN_REACH) };
  }

  /** What is bound to the seal beside its content. */
  #associated(from: MemberId, to: MemberId, turn: Sealed["turn"]): Uint8Array {
    const w = this.#writer;
    w.clear();
    w.id(from);
    w.id(to);
    w.uint8(TURNS.indexOf(turn));
    return w.take();
  }

  #forged(): undefined {
    this.#out.forged();
  }
}

/** Enough to tell one life's key from the next's. */
export function hintOf(key: Uint8Array | undefined): number | undefined {
  if (key?.length !== SEAL_KEY_BYTES) return undefined;
  return new DataView(key.buffer, key.byteOffset).getUint32(0);
}
