/**
 * Seeking the links that are wanted and not there, and parting from those that are too many. What is wanted is said
 * in `active-view.ts`.
 *
 * - In a full mesh each member that has no link is asked; of a pair the lower id asks first.
 * - Beyond, as many walks are sent out as links are missing.
 * - Without any link members are asked through seeds, and so they are when half of the links fell silent or went at
 *   once (a mass crash, or we stood still ourselves): then the mesh may be in pieces, and what is alive is found
 *   everywhere, before anybody is given up. More are asked than are needed, and the first that answer are dialled.
 * - Who has several transports keeps links with those who have only one of them: `sides.ts`.
 * - A seed's introductions that nobody here knows are bridges to another island, asked one at a time, and so are live
 *   members that no way leads to: those who stood still together kept the links among themselves and lost all others.
 */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { Rng } from "../lib/rng.ts";
import type { MemberId } from "../machine.ts";
import { isLive, type MemberTable } from "../membership/table.ts";
import type { LinkRequest, MemberRecord } from "../wire/messages.ts";
import { ActiveView } from "./active-view.ts";
import type { Attempts } from "./attempts.ts";
import { Introductions } from "./introductions.ts";
import { Merger } from "./merger.ts";
import { type Side, Sides } from "./sides.ts";

/** Introduced members that a newcomer asks at once. */
const FIRST_DIALS = 3;

/** Walks that find nobody double the pause before the next one so often: a walk is a few small messages. */
const MISSED_MAX = 2;

/** So long after a mass crash members that lack links look beyond the piece that they are in, ms. */
const AFTER_CRISIS_MS = 60_000;

/** In a full mesh both ends want the link: the higher id gives the lower so much time to ask, ms. */
const COURTESY_MS = 1_000;

/** A look at the links that comes so late says nothing about their silence, ms. Source: design (self-doubt). */
const LATE_MS = 250;

/**
 * Who is asked to part and does not within this time, does not want to, ms. Shorter than the pause between two
 * askings, so that of two who both ask all the time each can answer. Two ways of 150 ms, and some.
 */
const ANSWER_MS = 400;

export interface OverlayOut {
  linked(peer: MemberId): boolean;
  neighbours(): readonly MemberId[];
  /** Live members that we do not reach. */
  cut(): ReadonlySet<MemberId>;
  /** Neighbours that have shown life lately. */
  fresh(now: number): readonly MemberId[];
  /** Whom the schema allows a link with. */
  mayLink(record: MemberRecord): boolean;
  walk(request: LinkRequest, now: number): void;
  /** Asks the other end to end our link if it can do without it. */
  release(peer: MemberId, hard: boolean): void;
  /** Ends the link with `peer`, for both ends have enough. */
  drop(peer: MemberId): void;
  /** Traffic with `peer` needs the link, or needed it and is over. */
  demand(peer: MemberId, now: number): "busy" | "idle" | undefined;
}

export class Overlay {
  readonly introductions = new Introductions();
  readonly merger: Merger;
  readonly #config: Config;
  readonly #deadlines: Deadlines;
  readonly #rng: Rng;
  readonly #table: MemberTable;
  readonly #attempts: Attempts;
  readonly #out: OverlayOut;
  readonly #view: ActiveView;
  readonly #sides: Sides;
  /** Since when the lower id has been left to ask. */
  readonly #courtesy = new Map<MemberId, number>();
  /** Links that can be counted on: in a mass crash only those that show life. */
  #sound = 0;
  #isCrisis = false;
  /** When links went without a bye, lately. */
  #lostAt: number[] = [];
  #crisisAt = Number.NEGATIVE_INFINITY;
  /** Walks that found nobody, in a row, and when the next may go. */
  #missed = 0;
  #walkAt = 0;
  /** When we last asked a neighbour to part, unless it has answered, and when to ask the next. */
  #parting: { readonly peer: MemberId; readonly at: number } | undefined;
  #partAt = Number.POSITIVE_INFINITY;
  /** Since when there are links above the cap. */
  #overCapAt = Number.POSITIVE_INFINITY;
  /** Traffic wants a link, and there is no room for it. */
  #makeRoom = false;
  /** Whom traffic wants a link with, or who is out of reach: the last one. */
  #demanded: MemberId | undefined;

  constructor(
    config: Config,
    deadlines: Deadlines,
    rng: Rng,
    table: MemberTable,
    attempts: Attempts,
    out: OverlayOut,
  ) {
    this.#config = config;
    this.#deadlines = deadlines;
    this.#rng = rng;
    this.#table = table;
    this.#attempts = attempts;
    this.#out = out;
    this.#view = new ActiveView(config);
    this.#sides = new Sides(config, table);
    this.merger = new Merger(rng.fork("merger"));
  }

  /** Something changed: compare what is with what is wanted, soon. */
  wake(now: number): void {
    this.#deadlines.ensure("overlay-soon", now);
  }

  /** Members came, went or changed. */
  membersChanged(now: number): void {
    this.#view.resize(this.#table.liveCount);
    if (this.#view.isFull || this.#out.neighbours().length < this.#view.target) this.wake(now);
  }

  onLinkUp(peer: MemberId): void {
    this.#courtesy.delete(peer);
    this.introductions.onLinked(peer);
    this.#missed = 0;
  }

  /** @param onPurpose a bye was said */
  onLinkDown(peer: MemberId, onPurpose: boolean, now: number): void {
    if (this.#parting?.peer === peer) this.#parting = undefined;
    this.merger.onLinkDown(peer);
    if (!onPurpose) this.#lostAt.push(now);
    this.#walkAt = 0;
    this.wake(now);
  }

  /** A walk found nobody: the next one takes its time, unless links are badly missing. */
  onMissed(now: number): void {
    this.#missed = Math.min(this.#missed + 1, MISSED_MAX);
    this.#walkAt = now + this.#rng.jitter(this.#config.retryMinMs * 2 ** this.#missed, 0.5);
  }

  /** Whether a request is granted. `isLast`: nobody else is asked when we refuse. */
  grants(peer: MemberId, request: LinkRequest, isLast: boolean): boolean {
    const record = this.#table.get(peer)?.record;
    if (record !== undefined && !this.#out.mayLink(record)) return false;
    return this.#view.grants(request, this.#used, isLast);
  }

  /** Whether a link is still wanted from one that was asked for it. */
  wants(peer: MemberId): boolean {
    if (this.#out.linked(peer)) return false;
    if (this.#view.isFull || !this.#table.isLive(peer) || this.#isSought(peer)) return true;
    const lacking = this.#sides.lacking((id) => this.#out.linked(id));
    return lacking.some(({ others }) => others.includes(peer));
  }

  /** Traffic with `peer` would be better off with a link. True when it is asked for one. */
  demand(peer: MemberId, generation: number, now: number): boolean {
    const used = this.#used;
    const room = used < this.#view.target + this.#config.linksSlack;
    const record = this.#table.get(peer)?.record;
    if (record === undefined || !this.#mayAsk(record, now)) return false;
    // Room is made where there are too many links already, even if their other ends would keep them.
    this.#makeRoom = !room;
    if (!room) return false;
    this.#demanded = peer;
    this.#attempts.ask(peer, undefined, generation, Math.max(1, this.#sound), now);
    return true;
  }

  /** The other end asks to part. */
  onRelease(peer: MemberId, hard: boolean, now: number): void {
    const isAsking = this.#parting !== undefined && now - this.#parting.at < ANSWER_MS;
    const links = this.#out.neighbours().length - (isAsking ? 1 : 0);
    if (this.#isCrisis || !this.#out.linked(peer) || !this.#view.spares(links, hard)) return;
    if (this.#isNeeded(peer, now)) return;
    if (hard || this.#out.demand(peer, now) !== "busy") this.#out.drop(peer);
  }

  /** Asks for the links that are wanted and not there, and parts from one that is not. */
  seek(generation: number, now: number, lateMs: number): void {
    this.#deadlines.set("overlay", now + this.#rng.jitter(this.#config.overlayPeriodMs, 0.2));
    this.#view.resize(this.#table.liveCount);
    this.#assess(now, lateMs);
    if (this.introductions.isUp) this.#askBySeeds(generation, now);
    if (this.#sound === 0) return;
    const returned = this.merger.take(this.#table.liveCount, now);
    if (this.#view.isFull) this.#askAll(generation, now);
    else this.#walk(generation, now);
    this.#sides.look(now);
    for (const side of this.#sides.lacking((peer) => this.#out.linked(peer))) {
      this.#bridge(side, generation, now);
    }
    if (returned !== undefined && !this.#view.isFull) this.demand(returned, generation, now);
    this.#part(now);
  }

  #assess(now: number, lateMs: number): void {
    const links = this.#out.neighbours();
    const fresh = lateMs > LATE_MS ? links : this.#out.fresh(now);
    this.#lostAt = this.#lostAt.filter((at) => now - at < this.#config.giveUpMinMs);
    const lost = this.#lostAt.length + links.length - fresh.length;
    const isAlone = links.length > 0 && fresh.length === 0;
    if (lost >= Math.max(2, fresh.length) || isAlone) this.#crisisAt = now;
    // It lasts until the silent ones have been given up: beside new links they are no half any more.
    this.#isCrisis = now - this.#crisisAt < this.#config.giveUpMinMs;
    this.#sound = this.#isCrisis ? fresh.length : links.length;
  }

  /** The mesh may be in pieces: links are badly missing, and were lost together or are not found by walks. */
  #isBad(now: number): boolean {
    if (this.#isCrisis) return true;
    const enough = Math.min(this.#view.target, this.#sides.reachable);
    const wasCrisis = now - this.#crisisAt < AFTER_CRISIS_MS;
    return 2 * this.#sound < enough && (wasCrisis || this.#missed > 0);
  }

  get #used(): number {
    const links = this.#isCrisis ? this.#sound : this.#out.neighbours().length;
    return links + this.#attempts.peerCount;
  }

  /** Through seeds: the first link, whoever is left after a mass crash, and bridges to members nobody here knows. */
  #askBySeeds(generation: number, now: number): void {
    const isDesperate = this.#sound === 0 || this.#isBad(now);
    const isNew = this.#table.liveCount <= 1;
    const missing = Math.max(1, this.#view.target - this.#sound);
    const atOnce = isNew ? FIRST_DIALS : 2 * Math.min(missing, this.#config.attemptsMax);
    let asks = (isDesperate ? atOnce : 1) - this.#attempts.count;
    const cut = this.#out.cut();
    for (const [seed, introduced] of this.introductions.seeds()) {
      for (const peer of introduced) {
        const record = this.#table.get(peer)?.record;
        const isForeign = record !== undefined && !this.#out.mayLink(record);
        const isKnown = !isDesperate && this.#table.isLive(peer) && !cut.has(peer);
        if (isForeign || isKnown || this.#out.linked(peer)) introduced.delete(peer);
      }
      const among = isDesperate ? undefined : cut;
      const recalls = asks > 0 && among?.size !== 0 && this.introductions.knowsAll(seed);
      const known = recalls ? this.#recall(asks, among, now) : [];
      for (const peer of [...introduced, ...known]) {
        if (asks <= 0) return;
        if (this.#attempts.has(peer) || this.#attempts.pauses.until(peer) > now) continue;
        if (!this.introductions.mayAsk(now)) return;
        asks--;
        if (cut.has(peer)) this.#demanded = peer;
        this.#attempts.ask(peer, seed, generation, this.#sound, now);
      }
    }
  }

  /** Members known from before, who may be at the seed too. Without any link, who is down for us may not be. */
  #recall(count: number, among: ReadonlySet<MemberId> | undefined, now: number): MemberId[] {
    const known: MemberId[] = [];
    for (const member of this.#table.others()) {
      const { record, state } = member;
      const isCandidate = this.#sound === 0 ? state !== "left" : isLive(member);
      if (!isCandidate || among?.has(record.id) === false) continue;
      if (this.#mayAsk(record, now)) known.push(record.id);
    }
    return this.#rng.sample(known, count);
  }

  #askAll(generation: number, now: number): void {
    const candidates: MemberId[] = [];
    for (const { record, state } of this.#table.others()) {
      if (state !== "alive" || !this.#mayAsk(record, now)) continue;
      if (this.#isOurTurn(record.id, now)) candidates.push(record.id);
    }
    const free = this.#config.attemptsMax - this.#attempts.count;
    for (const peer of this.#rng.sample(candidates, Math.max(0, free))) {
      this.#attempts.ask(peer, undefined, generation, this.#sound, now);
    }
  }

  /**
   * One more than is missing, in a crisis twice as many: a walk may end in the dark. When walks find nobody, most
   * members have all the links they want: those who announce fewer are asked themselves, unless a crash has just
   * made the table a list of the dead.
   */
  #walk(generation: number, now: number): void {
    const wanted = Math.min(this.#view.target, this.#sides.reachable);
    const missing = wanted - this.#sound - this.#attempts.count;
    const isBad = 2 * this.#sound < this.#view.target;
    if (missing <= 0 || (now < this.#walkAt && !isBad)) return;
    const factor = this.#isCrisis ? 2 : 1;
    const walks = Math.min(
      factor * missing + 1,
      factor * this.#config.attemptsMax - this.#attempts.count,
      this.#attempts.free(now),
    );
    if (walks <= 0) return;
    const known = this.#missed > 0 && !this.#isCrisis ? this.#withRoom(walks, now) : [];
    for (const peer of known) this.#attempts.ask(peer, undefined, generation, this.#sound, now);
    for (let i = known.length; i < walks; i++) {
      this.#out.walk(this.#attempts.walk(generation, this.#sound, now), now);
    }
  }

  /** Asks one of a side that is short of links with us; who has none there is let in wherever there is a place. */
  #bridge({ others, linked }: Side, generation: number, now: number): void {
    if (this.#attempts.count >= this.#config.attemptsMax) return;
    const peer = this.#rng.pick(
      others.filter((id) => {
        const record = this.#table.get(id)?.record;
        return record !== undefined && this.#mayAsk(record, now);
      }),
    );
    if (peer === undefined) return;
    this.#attempts.ask(peer, undefined, generation, linked, now);
  }

  #withRoom(count: number, now: number): MemberId[] {
    const known: MemberId[] = [];
    for (const { record, state } of this.#table.others()) {
      if (state !== "alive" || !this.#view.seemsToHaveRoom(record)) continue;
      if (this.#mayAsk(record, now)) known.push(record.id);
    }
    return this.#rng.sample(known, count);
  }

  /** Asks one neighbour at a time to part, once there have been too many links for a while. */
  #part(now: number): void {
    const links = this.#out.neighbours();
    const surplus = this.#isCrisis ? undefined : this.#view.surplus(links.length);
    const { releaseDelayMs, releasePeriodMs } = this.#config;
    if (surplus === undefined) {
      this.#parting = undefined;
      this.#partAt = Number.POSITIVE_INFINITY;
      return;
    }
    if (surplus !== "hard") this.#overCapAt = Number.POSITIVE_INFINITY;
    else this.#overCapAt = Math.min(this.#overCapAt, now);
    this.#partAt = Math.min(this.#partAt, now + this.#rng.jitter(releaseDelayMs, 0.5));
    if (now < this.#partAt) return;
    this.#partAt = now + this.#rng.jitter(releasePeriodMs, 0.5);
    const hard = this.#makeRoom || now - this.#overCapAt >= 2 * releaseDelayMs;
    this.#makeRoom = false;
    const peer = hard ? this.#mostSpare(links, now) : this.#anySpare(links, now);
    this.#parting = peer === undefined ? undefined : { peer, at: now };
    if (peer !== undefined) this.#out.release(peer, hard);
  }

  #mostSpare(links: readonly MemberId[], now: number): MemberId | undefined {
    const records = links.flatMap((id) => this.#table.get(id)?.record ?? []);
    const last = this.#parting?.peer;
    const idle = records.filter(({ id }) => this.#isIdle(id, now));
    // Who was asked last and is still here needs the link.
    const others = idle.filter(({ id }) => id !== last);
    return this.#view.mostSpare(others.length > 0 ? others : idle);
  }

  /** First what was opened for traffic that is over. */
  #anySpare(links: readonly MemberId[], now: number): MemberId | undefined {
    const spare = links.filter((id) => {
      const record = this.#table.get(id)?.record;
      return record !== undefined && this.#view.seemsToSpare(record);
    });
    const over = (id: MemberId): boolean => this.#out.demand(id, now) === "idle";
    const idle = spare.find((id) => over(id) && !this.#isNeeded(id, now));
    return idle ?? this.#rng.pick(spare.filter((id) => this.#isIdle(id, now)));
  }

  /** Nothing speaks for keeping the link but the number of links. */
  #isIdle(peer: MemberId, now: number): boolean {
    return this.#out.demand(peer, now) !== "busy" && !this.#isNeeded(peer, now);
  }

  /** The mesh may fall into two without the link. */
  #isNeeded(peer: MemberId, now: number): boolean {
    if (this.merger.isBridge(peer, now)) return true;
    return this.#sides.needs(peer, this.#out.neighbours());
  }

  #isSought(peer: MemberId): boolean {
    return this.#demanded === peer || this.#sound + this.#attempts.dialled < this.#view.target;
  }

  #mayAsk(record: MemberRecord, now: number): boolean {
    const { id } = record;
    if (this.#out.linked(id) || this.#attempts.has(id)) return false;
    return this.#attempts.pauses.until(id) <= now && this.#out.mayLink(record);
  }

  #isOurTurn(peer: MemberId, now: number): boolean {
    if (this.#config.id < peer) return true;
    const since = this.#courtesy.get(peer) ?? now;
    this.#courtesy.set(peer, since);
    if (now - since < COURTESY_MS) return false;
    this.#courtesy.delete(peer);
    return true;
  }
}
