/**
 * Saying something to everybody: Plumtree (Leitão, Pereira, Rodrigues 2007), with one tree for each origin.
 *
 * A payload goes at once along the tree of its origin (eagerPush) and is announced on the other links (lazyPush by
 * `iHave`). A duplicate prunes its link from that tree; an announced payload that does not come is asked for by
 * `graft`, which puts the link back. Departures from the paper: ids are (origin, generation, sequence), so one
 * number for each origin stands for all that was heard of it; delivery is in order for each origin with gaps shown;
 * and a link starts lazy when the origin's own list says that it reaches the other end itself, so that a fully
 * linked mesh has no duplicate even at the first message.
 */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { MemberId } from "../machine.ts";
import type { MessageOf, PayloadId } from "../wire/messages.ts";
import { type Payload, PayloadCache } from "./cache.ts";
import { type Gap, Inbox } from "./inbox.ts";

/** Announcements held for one neighbour until they are sent, and ids in one graft. */
const IDS_MAX = 1_024;

/** What one `baselines` message lists. */
const BASELINES_MAX = 4_096;

/** An origin that was never heard of and begins within this is taken to be new: nothing before it is lost. */
const FRESH_MAX = 64;

/** Nothing is waited for longer than this because something large is on its way, ms. */
const BULK_MAX_MS = 30_000;

export interface BroadcastOut {
  neighbours(): readonly MemberId[];
  /** Whether `origin` announces a link with `neighbour`. */
  reaches(origin: MemberId, neighbour: MemberId): boolean;
  /** Puts a payload on the way to some neighbours; those whose queue is full come back. */
  push(to: readonly MemberId[], payload: Payload, token: number | undefined): readonly MemberId[];
  tell(to: MemberId, message: MessageOf<"iHave"> | MessageOf<"graft"> | MessageOf<"prune">): void;
  deliver(payload: Payload): void;
  gap(origin: MemberId, gap: Gap): void;
  /** When a large message last made progress towards us, ms. */
  bulkProgressAt(): number;
  /** Whether a neighbour is in the middle of sending something large. */
  bringsBulk(from: MemberId): boolean;
}

interface Origin {
  inbox: Inbox;
  /** Neighbours on this tree by experience: true eager, false lazy. Others go by `reaches`. */
  readonly edges: Map<MemberId, boolean>;
  /** Who announced something that is missing here, in order. */
  readonly announcers: Set<MemberId>;
}

export class Broadcast {
  readonly #config: Config;
  readonly #deadlines: Deadlines;
  readonly #out: BroadcastOut;
  readonly #origins = new Map<MemberId, Origin>();
  readonly #cache: PayloadCache;
  /** iHave waiting to be sent together. */
  readonly #announcements = new Map<MemberId, PayloadId[]>();
  #sequence = 0;

  constructor(config: Config, deadlines: Deadlines, out: BroadcastOut) {
    this.#config = config;
    this.#deadlines = deadlines;
    this.#out = out;
    this.#cache = new PayloadCache(config);
  }

  say(
    name: string,
    value: Uint8Array,
    generation: number,
    token: number | undefined,
    now: number,
  ): readonly MemberId[] {
    const id = { origin: this.#config.id, generation, sequence: ++this.#sequence };
    const payload: Payload = { type: "payload", id, hop: 0, name, value };
    this.#keep(payload, now);
    return this.#spread(payload, undefined, token, now);
  }

  onPayload(from: MemberId, payload: Payload, now: number): void {
    const { id } = payload;
    if (id.origin === this.#config.id) return;
    const origin = this.#origin(id);
    if (origin === undefined) return;
    if (origin.inbox.has(id.sequence)) return this.#prune(from, id.origin, origin);
    const ready = origin.inbox.add(payload, now);
    if (ready === undefined) return;
    origin.edges.set(from, true);
    const passedOn: Payload = { ...payload, hop: payload.hop + 1 };
    this.#keep(passedOn, now);
    this.#spread(passedOn, from, undefined, now);
    for (const one of ready) this.#out.deliver(one);
    if (origin.inbox.isFull) this.#deadlines.set(`missing:${id.origin}`, now);
    else this.#schedule(id.origin, origin, now);
  }

  onIHave(from: MemberId, ids: readonly PayloadId[], now: number): void {
    for (const id of ids) {
      const origin = id.origin === this.#config.id ? undefined : this.#origin(id);
      if (origin === undefined || origin.inbox.has(id.sequence)) continue;
      origin.inbox.announce(id.sequence, now);
      origin.announcers.add(from);
      this.#schedule(id.origin, origin, now);
    }
  }

  onGraft(from: MemberId, ids: readonly PayloadId[]): void {
    for (const id of ids) {
      const origin = this.#origins.get(id.origin);
      origin?.edges.set(from, true);
      const payload = this.#cache.get(id);
      if (payload !== undefined) this.#out.push([from], payload, undefined);
    }
  }

  onPrune(from: MemberId, origin: MemberId): void {
    if (origin === this.#config.id) this.#ownTree().edges.set(from, false);
    else this.#origins.get(origin)?.edges.set(from, false);
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
  onBaselines(from: MemberId, ids: readonly PayloadId[], newcomer: boolean, now: number): void {
    for (const id of ids) {
      if (id.origin === this.#config.id) continue;
      const known = this.#origins.get(id.origin);
      const current = known !== undefined && known.inbox.generation >= id.generation;
      if (!current && this.#origins.size >= this.#config.membersMax) return;
      if (!current && newcomer) this.#begin(id.origin, id.generation, id.sequence);
      else if (id.sequence > 0) this.onIHave(from, [id], now);
    }
  }

  /** A link ended: what it carried must come another way. */
  removeNeighbour(peer: MemberId): void {
    this.#announcements.delete(peer);
    for (const origin of this.#origins.values()) {
      origin.edges.delete(peer);
      origin.announcers.delete(peer);
    }
  }

  forget(origin: MemberId): void {
    this.#origins.delete(origin);
    this.#deadlines.clear(`missing:${origin}`);
  }

  onAnnounceDeadline(): void {
    for (const [peer, ids] of this.#announcements) this.#out.tell(peer, { type: "iHave", ids });
    this.#announcements.clear();
  }

  onKeepDeadline(now: number): void {
    const next = this.#cache.expire(now);
    if (next < Number.POSITIVE_INFINITY) this.#deadlines.set("keep", next);
  }

  /** Something of `id` is missing: give it up if it is time, else ask for it. */
  onMissingDeadline(id: MemberId, now: number): void {
    const origin = this.#origins.get(id);
    if (origin === undefined) return;
    for (;;) {
      const skipped = origin.inbox.skip(now, this.#out.bulkProgressAt());
      if (skipped === undefined) break;
      this.#out.gap(id, skipped.gap);
      for (const payload of skipped.ready) this.#out.deliver(payload);
    }
    if (!this.#isOnItsWay(id, origin, now)) this.#askFor(id, origin);
    this.#schedule(id, origin, now, this.#config.graftRetryMs);
  }

  /** Whether who sends us this origin's payloads is in the middle of something large: it may be what is missing. */
  #isOnItsWay(id: MemberId, origin: Origin, now: number): boolean {
    if (now - (origin.inbox.missingSince ?? now) > BULK_MAX_MS) return false;
    return this.#out
      .neighbours()
      .filter((peer) => origin.edges.get(peer) ?? peer === id)
      .some((peer) => this.#out.bringsBulk(peer));
  }

  /** Asks one announcer for what is missing; the next time, the next one. */
  #askFor(id: MemberId, origin: Origin): void {
    const missing = origin.inbox.missing(IDS_MAX);
    if (missing.length === 0) return;
    const known = origin.announcers.values().next();
    const peer = known.done
      ? this.#out.neighbours().find((one) => origin.edges.get(one))
      : known.value;
    if (peer === undefined) return;
    origin.announcers.delete(peer);
    origin.edges.set(peer, true);
    const { generation } = origin.inbox;
    const ids = missing.map((sequence) => ({ origin: id, generation, sequence }));
    this.#out.tell(peer, { type: "graft", ids });
  }

  #schedule(id: MemberId, origin: Origin, now: number, pauseMs = this.#config.graftDelayMs): void {
    if (origin.inbox.missingSince === undefined) {
      origin.announcers.clear();
      this.#deadlines.clear(`missing:${id}`);
    } else this.#deadlines.ensure(`missing:${id}`, now + pauseMs);
  }

  /** Pushes along the tree and announces elsewhere; gives the neighbours that a push is on its way to. */
  #spread(
    payload: Payload,
    from: MemberId | undefined,
    token: number | undefined,
    now: number,
  ): readonly MemberId[] {
    const { origin } = payload.id;
    const tree = origin === this.#config.id ? this.#ownTree() : this.#origins.get(origin);
    const eager: MemberId[] = [];
    const lazy: MemberId[] = [];
    for (const peer of this.#out.neighbours()) {
      if (peer === from || peer === origin) continue;
      const isEager =
        tree?.edges.get(peer) ?? (origin === this.#config.id || !this.#out.reaches(origin, peer));
      (isEager ? eager : lazy).push(peer);
    }
    const refused = this.#out.push(eager, payload, token);
    for (const peer of [...lazy, ...refused]) this.#announce(peer, payload.id, now);
    return refused.length === 0 ? eager : eager.filter((peer) => !refused.includes(peer));
  }

  #announce(peer: MemberId, id: PayloadId, now: number): void {
    const ids = this.#announcements.get(peer) ?? [];
    this.#announcements.set(peer, ids);
    ids.push(id);
    if (ids.length >= IDS_MAX) {
      this.#announcements.delete(peer);
      this.#out.tell(peer, { type: "iHave", ids });
    } else this.#deadlines.ensure("announce", now + this.#config.iHaveDelayMs);
  }

  #prune(from: MemberId, id: MemberId, origin: Origin): void {
    origin.edges.set(from, false);
    this.#out.tell(from, { type: "prune", origin: id });
  }

  #keep(payload: Payload, now: number): void {
    this.#cache.add(payload, now);
    this.#deadlines.ensure("keep", now + this.#config.payloadKeepMs + 1);
  }

  /** Our own payloads have a tree too; its inbox is never used. */
  #ownTree(): Origin {
    return this.#origins.get(this.#config.id) ?? this.#begin(this.#config.id, 0, 0);
  }

  /** The origin of a payload; undefined when it is of a former life. */
  #origin(id: PayloadId): Origin | undefined {
    const known = this.#origins.get(id.origin);
    if (known !== undefined && known.inbox.generation === id.generation) return known;
    if (known !== undefined && known.inbox.generation > id.generation) return undefined;
    return this.#begin(id.origin, id.generation, id.sequence <= FRESH_MAX ? 0 : id.sequence - 1);
  }

  #begin(origin: MemberId, generation: number, baseline: number): Origin {
    const begun: Origin = {
      inbox: new Inbox(this.#config, generation, baseline),
      edges: new Map(),
      announcers: new Set(),
    };
    this.#origins.set(origin, begun);
    return begun;
  }
}
