/**
 * Saying something to everybody: Plumtree (Leitão, Pereira, Rodrigues 2007), with one tree for each origin.
 *
 * A payload goes at once along the tree of its origin (eagerPush) and is announced on the other links (lazyPush by
 * `iHave`). A duplicate prunes its link from that tree; an announced payload that does not come is asked for by
 * `graft`, which puts the link back. Departures from the paper:
 * - Ids are (origin, generation, sequence), so one number for each origin stands for all that was heard of it, and
 *   delivery is in order for each origin with gaps shown.
 * - A link starts lazy when the origin's own list says that it reaches the other end itself, so that a fully linked
 *   mesh has no duplicate even at the first message; and for something large, which is only announced there. A new
 *   link starts lazy on trees that stand (the paper's starts eager).
 * - Trees are found anew by a payload that goes on every link (`flood`), after a silence and now and then: who gets
 *   it sooner by another way changes over to that (the paper compares hops of announcements).
 * - How long an announced payload is waited for follows what was seen, so that a slow tree is not taken for a broken.
 *   One that is late all the same is asked for by itself (`graft` with `once`): a frame that is lost is no broken tree,
 *   and each change of the tree costs duplicates. Only a parent that brings nothing twice is left for another.
 * - The last payload before a silence is announced on the tree too, for nothing else would show that it was missed.
 */

import type { Config } from "../config.ts";
import { BoundedMap } from "../lib/bounded-map.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { MemberId } from "../machine.ts";
import type { MessageOf, PayloadId } from "../wire/messages.ts";
import { Announcements } from "./announcements.ts";
import { type Payload, PayloadCache } from "./cache.ts";
import { type Gap, WINDOW } from "./inbox.ts";
import { Late, type Words } from "./lasting.ts";
import {
  graftDelayMs,
  isCredible,
  isFloodDue,
  newOrigin,
  type Origin,
  STRAYS_MAX,
} from "./origin.ts";
import { Silence } from "./silence.ts";

/** What one `baselines` message lists. */
const BASELINES_MAX = 4_096;

/** An origin that was never heard of and begins within this is taken to be new: nothing before it is lost. */
const FRESH_MAX = 64;

/** Nothing is waited for longer than this because something large is on its way, ms. */
const BULK_MAX_MS = 30_000;

/** What is larger goes only where it is wanted. Bytes. */
const LARGE_BYTES = 16_384;

/** What comes by the tree may be so much later than by another way, ms. Guess, unmeasured. */
const DETOUR_MS = 30;

/** What comes within this time of a prune was on its way, ms. Source: the longest round trip. */
const PRUNE_MS = 500;

/** Payloads of members that are not known yet, to be asked for when they are. */
const STRANGERS_MAX = 256;

export interface BroadcastOut {
  neighbours(): readonly MemberId[];
  /** Whether `origin` announces a link with `neighbour`. */
  reaches(origin: MemberId, neighbour: MemberId): boolean;
  /** Puts a payload on the way to some neighbours; those whose queue is full come back. */
  push(to: readonly MemberId[], payload: Payload, token: number | undefined): readonly MemberId[];
  tell(to: MemberId, message: MessageOf<"iHave"> | MessageOf<"graft"> | MessageOf<"prune">): void;
  /** @param late it was said before we came, or while we were cut off, and is to be heard within so many ms */
  deliver(payload: Pick<Payload, "id" | "name" | "value">, late?: number): void;
  gap(origin: MemberId, gap: Gap): void;
  /** When a large message last made progress towards us, ms. */
  bulkProgressAt(): number;
  /** Whether a neighbour is in the middle of sending something large. */
  bringsBulk(from: MemberId): boolean;
}

export class Broadcast {
  readonly stats = {
    payloadsSent: 0,
    payloadsReceived: 0,
    duplicates: 0,
    iHaves: 0,
    grafts: 0,
    prunes: 0,
    gaps: 0,
    hopsMax: 0,
  };
  readonly #config: Config;
  readonly #deadlines: Deadlines;
  readonly #out: BroadcastOut;
  readonly #origins = new Map<MemberId, Origin>();
  readonly #cache: PayloadCache;
  readonly #announcements: Announcements;
  readonly #strangers = new BoundedMap<MemberId, { id: PayloadId; from: MemberId }>(STRANGERS_MAX);
  readonly #silence: Silence;
  /** What was heard late of origins whose payloads have not begun to come. */
  readonly #late = new Late();
  /** What was heard by another way before the tree brought it: no duplicate, and to be passed on. */
  readonly #early = new Late();
  /** A neighbour has told us where everybody's words stand. */
  #isPlaced = false;
  #sequence = 0;
  #generation = 0;
  #floodedAt = 0;

  constructor(config: Config, deadlines: Deadlines, out: BroadcastOut) {
    this.#config = config;
    this.#deadlines = deadlines;
    this.#out = out;
    this.#cache = new PayloadCache(config);
    this.#silence = new Silence(deadlines);
    this.#announcements = new Announcements(config, deadlines, (peer, ids) => {
      this.stats.iHaves++;
      out.tell(peer, { type: "iHave", ids });
    });
  }

  /** What is said next: it goes with `say`, in this order. */
  next(name: string, value: Uint8Array, generation: number): Payload {
    this.#generation = generation;
    const id = { origin: this.#config.id, generation, sequence: ++this.#sequence };
    return { type: "payload", id, hop: 0, flood: false, name, value };
  }

  say(made: Payload, token: number | undefined, now: number): readonly MemberId[] {
    const { id } = made;
    const tree = this.#ownTree();
    const flood = isFloodDue(made, tree, this.#floodedAt, this.#config, now);
    if (flood || id.sequence === 1) this.#floodedAt = now;
    const payload: Payload = { ...made, flood };
    this.#keep(payload, now);
    this.#wake(id.origin, tree, now);
    return this.#spread(payload, tree, undefined, token, now);
  }

  /** Whether it would be taken, and passed on. */
  isNews(id: PayloadId): boolean {
    const inbox = this.#origins.get(id.origin)?.inbox;
    if (inbox === undefined || inbox.generation !== id.generation) return true;
    return this.#early.has(id) || !inbox.has(id.sequence);
  }

  /** What was said last. */
  get last(): PayloadId {
    return { origin: this.#config.id, generation: this.#generation, sequence: this.#sequence };
  }

  onPayload(from: MemberId, payload: Payload, now: number): void {
    const { id } = payload;
    if (id.origin === this.#config.id) return;
    const origin = this.#origin(id);
    if (origin === undefined || !this.#believes(from, id, origin, now)) return;
    this.stats.payloadsReceived++;
    this.#announcements.heardOf(from, [id]);
    const isEarly = this.#early.take(id);
    const isHere = origin.inbox.has(id.sequence);
    if (isHere && !isEarly) return this.#onDuplicate(from, payload, origin, now);
    this.stats.hopsMax = Math.max(this.stats.hopsMax, payload.hop + 1);
    const isAnswer = origin.inbox.wasAsked(id.sequence, from);
    if (isAnswer && (this.#parentOf(origin) ?? from) !== from) origin.strays++;
    else this.#onTree(from, payload, origin, now);
    if (!isHere) this.#showGap(id.origin, origin.inbox.add(payload, now));
    const passedOn: Payload = { ...payload, hop: payload.hop + 1 };
    this.#keep(passedOn, now);
    this.#wake(id.origin, origin, now);
    this.#spread(passedOn, origin, from, undefined, now);
    for (const one of origin.inbox.takeReady(now)) this.#deliver(one);
    if (origin.inbox.isFull) this.#deadlines.set(`missing:${id.origin}`, now);
    else this.#schedule(id.origin, origin, now);
  }

  /**
   * Something that was said to those who come later too, by the way of what all share. Who is on the tree has heard it
   * already, or takes it in its place.
   * @param isHere its speaker lives, and in this very life
   */
  onLasting(id: PayloadId, words: Words, isHere: boolean, lifeMs: number, now: number): void {
    if (id.origin === this.#config.id) return;
    const known = this.#origins.get(id.origin);
    const isCurrent = known?.inbox.generation === id.generation;
    // Whose first words these are, for a member that was here before them, begins with them.
    const begins = !isCurrent && isHere && this.#isPlaced;
    const origin = begins ? this.#origin(id) : isCurrent ? known : undefined;
    if (origin === undefined || origin.inbox.isPast(id.sequence)) {
      // What begins later must not bring it again.
      if (!isCurrent) this.#late.add(id);
      return this.#out.deliver({ id, ...words }, lifeMs);
    }
    if (origin.inbox.has(id.sequence)) return;
    const payload: Payload = { type: "payload", id, hop: 0, flood: false, ...words };
    this.#early.add(id);
    this.#showGap(id.origin, origin.inbox.add(payload, now));
    for (const one of origin.inbox.takeReady(now)) this.#deliver(one);
    this.#schedule(id.origin, origin, now);
  }

  onIHave(from: MemberId, ids: readonly PayloadId[], now: number): void {
    this.#announcements.heardOf(from, ids);
    for (const id of ids) {
      const origin = id.origin === this.#config.id ? undefined : this.#origin(id);
      if (origin === undefined || origin.inbox.has(id.sequence)) continue;
      if (!this.#believes(from, id, origin, now)) continue;
      this.#showGap(id.origin, origin.inbox.announce(id.sequence, now, from));
      this.#schedule(id.origin, origin, now);
    }
  }

  onGraft(from: MemberId, ids: readonly PayloadId[], once: boolean): void {
    for (const id of ids) {
      if (!once) this.#origins.get(id.origin)?.edges.set(from, true);
      const payload = this.#cache.get(id);
      if (payload !== undefined) this.#push([from], { ...payload, flood: false }, undefined);
    }
  }

  onPrune(from: MemberId, origin: MemberId): void {
    if (origin === this.#config.id) this.#ownTree().edges.set(from, false);
    else this.#origins.get(origin)?.edges.set(from, false);
  }

  /** Something of a member that is not known yet: it is asked for when the member is. */
  onStranger(from: MemberId, id: PayloadId): void {
    const before = this.#strangers.get(id.origin);
    if (before === undefined || before.id.sequence < id.sequence) {
      this.#strangers.set(id.origin, { id, from });
    }
  }

  onKnown(id: MemberId, now: number): void {
    const stranger = this.#strangers.get(id);
    this.#strangers.delete(id);
    if (stranger !== undefined) this.onIHave(stranger.from, [stranger.id], now);
  }

  /** Where each origin stands here: the first thing a new neighbour hears. */
  baselines(ownGeneration: number): PayloadId[] {
    const own = { origin: this.#config.id, generation: ownGeneration, sequence: this.#sequence };
    const ids = [own];
    for (const [origin, { inbox }] of this.#origins) {
      if (origin === this.#config.id) continue;
      ids.push({ origin, generation: inbox.generation, sequence: inbox.delivered });
    }
    return ids.slice(0, BASELINES_MAX);
  }

  /**
   * For a newcomer, where to begin with each origin. Later it is news of what may be missing: an origin that was
   * silent so far has begun meanwhile, and what it said is on its way here too.
   */
  onBaselines(from: MemberId, ids: readonly PayloadId[], now: number): void {
    const newcomer = !this.#isPlaced;
    this.#isPlaced = true;
    for (const id of ids) {
      if (id.origin === this.#config.id) continue;
      const known = this.#origins.get(id.origin);
      const current = known !== undefined && known.inbox.generation >= id.generation;
      if (!current && this.#origins.size >= this.#config.membersMax) return;
      if (!current && newcomer) this.#begin(id.origin, id.generation, id.sequence);
      else if (id.sequence > 0) this.onIHave(from, [id], now);
    }
  }

  /** A new link is on no tree that stands without it, until somebody grafts it or a flood finds it quicker. */
  addNeighbour(peer: MemberId): void {
    for (const [id, { parent, edges }] of this.#origins) {
      if (parent !== undefined && id !== peer) edges.set(peer, false);
    }
  }

  /** A link ended: what it carried must come another way. */
  removeNeighbour(peer: MemberId): void {
    this.#announcements.removeNeighbour(peer);
    for (const origin of this.#origins.values()) {
      origin.edges.delete(peer);
      origin.prunedAt.delete(peer);
      origin.inbox.removeHolder(peer);
      origin.jumps.removeNeighbour(peer);
    }
  }

  forget(origin: MemberId): void {
    this.#origins.delete(origin);
    this.#silence.forget(origin);
    this.#deadlines.clear(`missing:${origin}`);
  }

  onAnnounceDeadline(now: number): void {
    this.#announcements.onDeadline(now);
  }

  onKeepDeadline(now: number): void {
    const next = this.#cache.expire(now);
    if (next < Number.POSITIVE_INFINITY) this.#deadlines.set("keep", next);
  }

  /** Something of `id` is missing: give it up if it is time and it could be asked for, else ask for it. */
  onMissingDeadline(id: MemberId, now: number): void {
    const origin = this.#origins.get(id);
    if (origin === undefined) return;
    const isOnItsWay = this.#isOnItsWay(id, origin, now);
    if (isOnItsWay) origin.awaitedAt = now;
    const skip = () =>
      origin.inbox.skip(now, Math.max(this.#out.bulkProgressAt(), origin.awaitedAt));
    for (let gap = skip(); gap !== undefined; gap = skip()) {
      this.#showGap(id, gap);
      for (const payload of origin.inbox.takeReady(now)) this.#deliver(payload);
    }
    if (!isOnItsWay) this.#askFor(id, origin, now);
    this.#schedule(id, origin, now);
  }

  /** Origins that have fallen silent: their last payload is announced to those it was pushed to. */
  onSilenceDeadline(now: number): void {
    for (const id of this.#silence.take(now)) {
      const origin = this.#origins.get(id);
      if (origin === undefined) continue;
      const own = id === this.#config.id;
      const sequence = own ? this.#sequence : origin.inbox.latest;
      const generation = own ? this.#generation : origin.inbox.generation;
      for (const peer of this.#out.neighbours()) {
        if (peer === id || peer === origin.parent || !this.#isEager(origin, id, peer)) continue;
        this.#announcements.add(peer, { origin: id, generation, sequence }, now);
      }
    }
  }

  /** Whether who sends us this origin's payloads is in the middle of something large: it may be what is missing. */
  #isOnItsWay(id: MemberId, origin: Origin, now: number): boolean {
    if (now - (origin.inbox.stuckSince ?? now) > BULK_MAX_MS) return false;
    return this.#out
      .neighbours()
      .filter((peer) => origin.edges.get(peer) ?? peer === id)
      .some((peer) => this.#out.bringsBulk(peer));
  }

  /** Asks those that have it for what is missing, and leaves a parent that has brought nothing. */
  #askFor(id: MemberId, origin: Origin, now: number): void {
    const { inbox, edges } = origin;
    const parent = this.#parentOf(origin);
    const once = parent !== undefined && origin.strays < STRAYS_MAX;
    if (!once) origin.parent = undefined;
    const other = parent ?? this.#out.neighbours().find((peer) => edges.get(peer));
    const delayMs = graftDelayMs(origin, this.#config);
    for (const [peer, sequences] of inbox.ask(now, delayMs, this.#config.graftRetryMs, other)) {
      if (once) origin.prunedAt.set(peer, now);
      else edges.set(peer, true);
      const { generation } = inbox;
      const ids = sequences.map((sequence) => ({ origin: id, generation, sequence }));
      this.#graft(peer, ids, once);
    }
  }

  /** Who is to bring this origin's payloads, if its link is there and on the tree. */
  #parentOf({ parent, edges }: Origin): MemberId | undefined {
    const isOnTree = parent !== undefined && edges.get(parent);
    return isOnTree && this.#out.neighbours().includes(parent) ? parent : undefined;
  }

  #schedule(id: MemberId, origin: Origin, now: number): void {
    if (origin.inbox.stuckSince === undefined) this.#deadlines.clear(`missing:${id}`);
    else this.#deadlines.ensure(`missing:${id}`, now + graftDelayMs(origin, this.#config));
  }

  /** A payload that is news: who brought it is on the tree. */
  #onTree(from: MemberId, { id, flood }: Payload, origin: Origin, now: number): void {
    origin.lagMs = Math.max(origin.inbox.lateMs(id.sequence, now), origin.lagMs * 0.9);
    if (from === origin.parent) origin.strays = 0;
    // A flood comes on every link: it changes the tree only when the tree brings it later.
    if (flood) origin.flood = { sequence: id.sequence, from, at: now };
    if (flood && origin.parent !== undefined && origin.edges.get(origin.parent)) return;
    if (flood && origin.edges.get(from) === false)
      this.#graft(from, [{ ...id, sequence: 0 }], false);
    this.#adopt(from, origin);
  }

  #adopt(parent: MemberId, origin: Origin): void {
    origin.edges.set(parent, true);
    origin.parent = parent;
    origin.strays = 0;
  }

  #onDuplicate(from: MemberId, { id, flood }: Payload, origin: Origin, now: number): void {
    this.stats.duplicates++;
    if (from === origin.parent) origin.strays = 0;
    // It was late, and has been asked for elsewhere.
    if (!flood && from === origin.parent) return;
    // No way is shorter than the origin's own link: who brought it sooner may be full of other things next time.
    if (!flood && from === id.origin) {
      if (origin.parent !== undefined) this.#prune(origin.parent, from, origin, now);
      return this.#adopt(from, origin);
    }
    if (!flood) return this.#prune(from, id.origin, origin, now);
    if (from !== origin.parent) {
      if (origin.edges.get(from) !== false) this.#prune(from, id.origin, origin, now);
      return;
    }
    const first = origin.flood;
    if (first?.sequence !== id.sequence || first.from === from) return;
    if (now - first.at <= DETOUR_MS || !this.#out.neighbours().includes(first.from)) return;
    this.#adopt(first.from, origin);
    this.#graft(first.from, [{ ...id, sequence: 0 }], false);
    this.#prune(from, id.origin, origin, now);
  }

  #isEager(tree: Origin, origin: MemberId, peer: MemberId): boolean {
    return tree.edges.get(peer) ?? (origin === this.#config.id || !this.#out.reaches(origin, peer));
  }

  /** Pushes along the tree and announces elsewhere; gives the neighbours that a push is on its way to. */
  #spread(
    payload: Payload,
    tree: Origin,
    from: MemberId | undefined,
    token: number | undefined,
    now: number,
  ): readonly MemberId[] {
    const { id, flood, value } = payload;
    const { origin } = id;
    const isLarge = origin !== this.#config.id && value.length > LARGE_BYTES;
    const eager: MemberId[] = [];
    const lazy: MemberId[] = [];
    for (const peer of this.#out.neighbours()) {
      if (peer === from || peer === origin) continue;
      const isKnown = tree.edges.has(peer);
      const floods = flood && (origin === this.#config.id || !this.#out.reaches(origin, peer));
      // What was asked for elsewhere is on its way from the parent too, unless it has missed it.
      const isTree = peer !== tree.parent && this.#isEager(tree, origin, peer);
      const isEager = floods || ((isKnown || !isLarge) && isTree);
      (isEager ? eager : lazy).push(peer);
    }
    const refused = this.#push(eager, payload, token);
    for (const peer of [...lazy, ...refused]) this.#announcements.add(peer, id, now);
    return refused.length === 0 ? eager : eager.filter((peer) => !refused.includes(peer));
  }

  #push(to: readonly MemberId[], payload: Payload, token: number | undefined): readonly MemberId[] {
    const refused = this.#out.push(to, payload, token);
    this.stats.payloadsSent += to.length - refused.length;
    return refused;
  }

  #graft(peer: MemberId, ids: readonly PayloadId[], once: boolean): void {
    this.stats.grafts++;
    this.#out.tell(peer, { type: "graft", ids, once });
  }

  #prune(from: MemberId, id: MemberId, origin: Origin, now: number): void {
    if (now - (origin.prunedAt.get(from) ?? Number.NEGATIVE_INFINITY) < PRUNE_MS) return;
    origin.edges.set(from, false);
    origin.prunedAt.set(from, now);
    this.stats.prunes++;
    this.#out.tell(from, { type: "prune", origin: id });
  }

  #deliver(payload: Payload): void {
    if (!this.#late.take(payload.id)) this.#out.deliver(payload);
  }

  #showGap(origin: MemberId, gap: Gap | undefined): void {
    if (gap === undefined) return;
    this.stats.gaps += gap.to - gap.from + 1;
    this.#out.gap(origin, gap);
  }

  #keep(payload: Payload, now: number): void {
    this.#cache.add(payload, now);
    this.#deadlines.ensure("keep", now + this.#config.payloadKeepMs + 1);
  }

  #wake(id: MemberId, origin: Origin, now: number): void {
    origin.activeAt = now;
    this.#silence.spoken(id, now);
  }

  /** Our own payloads have a tree too; its inbox is never used. */
  #ownTree(): Origin {
    return this.#origins.get(this.#config.id) ?? this.#begin(this.#config.id, 0, 0);
  }

  #believes(from: MemberId, id: PayloadId, origin: Origin, now: number): boolean {
    return isCredible(origin, from, id, this.#out.neighbours().length, now);
  }

  /** The origin of a payload; undefined when it is of a former life. */
  #origin(id: PayloadId): Origin | undefined {
    const known = this.#origins.get(id.origin);
    if (known !== undefined && known.inbox.generation === id.generation) return known;
    if (known !== undefined && known.inbox.generation > id.generation) return undefined;
    return this.#begin(
      id.origin,
      id.generation,
      id.sequence <= FRESH_MAX || id.sequence > WINDOW ? 0 : id.sequence - 1,
    );
  }

  #begin(origin: MemberId, generation: number, baseline: number): Origin {
    const begun = newOrigin(this.#config, generation, baseline);
    this.#origins.set(origin, begun);
    return begun;
  }
}
