/**
 * Attempts at links: asking a member, agreeing on who offers, carrying the transport's signalling.
 *
 * ```
 * A                                   B
 * │ linkRequest(attempt) ────────────▶ │   to a member, or on a walk (`forwardJoin`) that ends at some B
 * │ ◀──────────── linkAccept(attempt)  │   or linkReject: A pauses and asks others
 * │ ── linkReject ───────────────────▶ │   if others that A asked were faster, else
 * │ ◀─────────── signal … ───────────▶ │   the offerer begins; both ways, any order, over mesh or seed
 * │ ◀══════════════ link ════════════▶ │
 * ```
 *
 * No connection is made before B has answered, and B makes none before A's offer comes: of several that are asked at
 * once, the first ones to answer are dialled and the others cost nothing. The asker offers, unless it alone is slow
 * at that (Firefox). Connections begun in a minute are bounded at both ends.
 * The asker names the transports that it has, the other end the one to use: `choice.ts`.
 * One attempt for a pair at a time: when both ask at once, the lower id's request stands and the other is withdrawn.
 * The asker's number names the attempt on the wire.
 */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import { bitOf } from "../lib/kinds.ts";
import type { Rng } from "../lib/rng.ts";
import { TokenBucket } from "../lib/token-bucket.ts";
import type { AttemptId, Effect, MemberId, SeedId } from "../machine.ts";
import { FLAG_SLOW_OFFERER, type Inner, type LinkRequest } from "../wire/messages.ts";
import { Choice } from "./choice.ts";
import { Pauses } from "./pauses.ts";

/** Signals of one attempt and one end: an offer or answer and its candidates, bundled. More are not repeated. */
const SIGNALS_MAX = 32;

/** The mesh changes while links are made, seeds come and go, and what was on its way is lost: sent again after, ms. */
const RESEND_MS = 2_000;

type LinkReject = Extract<Inner, { type: "linkReject" }>;
type RejectWord = LinkReject["reason"];

interface Attempt {
  /** Our name for it, with the driver. */
  readonly id: AttemptId;
  /** Its name on the wire: the asker's number. */
  readonly wireId: number;
  readonly peer: MemberId;
  readonly asker: boolean;
  /** The seed that it goes through; undefined: the mesh. */
  readonly seed: SeedId | undefined;
  /** Whether the other end is slow at offering; known once it has asked or answered. */
  theySlow: boolean;
  /** The transport it goes by. */
  kind: string | undefined;
  connecting: boolean;
  /** The link is open and has not been greeted. */
  linked: boolean;
  /** Signals that came before the accept they follow. */
  readonly early: Uint8Array[];
  /** What our transport has said so far, and how much of the other end's has come. */
  readonly said: Uint8Array[];
  heardCount: number;
  resentAt: number;
}

type AttemptStart = Pick<Attempt, "id" | "wireId" | "peer" | "asker" | "seed"> &
  Partial<Pick<Attempt, "theySlow" | "kind">>;

export interface AttemptsOut {
  effect(effect: Effect): void;
  /** Carries `inner` to a member: over the mesh, or through a seed. False when there is no way. */
  carry(to: MemberId, inner: Inner, seed: SeedId | undefined): boolean;
  /** Why `peer` gets no link now; undefined when it does. */
  refusal(peer: MemberId, request: LinkRequest, seed: SeedId | undefined): RejectWord | undefined;
  /** Whether a link is still wanted from one that has been asked and says yes. */
  wants(peer: MemberId): boolean;
  /** A walk found nobody. */
  missed(now: number): void;
  /** An attempt is over without a link. */
  failed(peer: MemberId, reason: string): void;
  /** What a member says of itself in its record, if it is known. */
  flagsOf(peer: MemberId): number;
  /** Somebody who has a transport in common with who offers these. */
  suiting(flags: number): MemberId | undefined;
  /** A member says through a seed that no link with it is possible, and perhaps who is to be asked in its place. */
  referred(seed: SeedId, from: MemberId, instead: MemberId | undefined): void;
  /** There is no way to `peer` now, or its seed does not have it. */
  notFound(peer: MemberId): void;
}

export class Attempts {
  readonly pauses: Pauses;
  readonly #config: Config;
  readonly #deadlines: Deadlines;
  readonly #out: AttemptsOut;
  readonly #choice: Choice;
  readonly #byPeer = new Map<MemberId, Attempt>();
  readonly #byId = new Map<AttemptId, Attempt>();
  /** Walks under way, by their attempt. */
  readonly #walks = new Set<AttemptId>();
  readonly #dials: TokenBucket;
  /** From anywhere: two members' numbers are not to meet in attempts at one another. */
  #lastId: number;

  constructor(config: Config, deadlines: Deadlines, rng: Rng, out: AttemptsOut) {
    this.#config = config;
    this.#deadlines = deadlines;
    this.#out = out;
    this.pauses = new Pauses(config, rng);
    this.#choice = new Choice(config);
    this.#lastId = rng.below(2 ** 30);
    const { dialsPerMinuteMax } = config;
    this.#dials = new TokenBucket(dialsPerMinuteMax / 60, dialsPerMinuteMax, 0);
  }

  /** Links that may come of what was asked here or is being dialled. */
  get count(): number {
    return this.#walks.size + this.#countOf((attempt) => !isWaiting(attempt));
  }

  /** The same with what was granted to others. */
  get peerCount(): number {
    return this.#byPeer.size;
  }

  /** Connections under way. */
  get dialled(): number {
    return this.#countOf(({ connecting, linked }) => connecting || linked);
  }

  /** How many more members may be asked now. */
  free(now: number): number {
    return this.#dials.available(now) - this.#walks.size;
  }

  has(peer: MemberId): boolean {
    return this.#byPeer.has(peer);
  }

  /** Asks `peer` for a link. */
  ask(
    peer: MemberId,
    seed: SeedId | undefined,
    generation: number,
    links: number,
    now: number,
  ): void {
    if (this.#byPeer.has(peer) || this.free(now) < 1) return;
    const id = ++this.#lastId;
    const attempt = this.#begin({ id, wireId: id, peer, asker: true, seed }, now);
    const flags = this.#flags(this.#choice.offer(peer, this.#out.flagsOf(peer), now));
    const request: Inner = { type: "linkRequest", attempt: id, generation, flags, links };
    if (!this.#out.carry(peer, request, seed)) this.#giveUp(attempt, now);
  }

  /** Begins a walk: the request goes to nobody in particular. */
  walk(generation: number, links: number, now: number): LinkRequest {
    const id = ++this.#lastId;
    this.#walks.add(id);
    this.#deadlines.set(`attempt:${id}`, now + this.#config.requestTimeoutMs);
    const flags = this.#flags(this.#choice.offer(undefined, 0, now));
    return { attempt: id, generation, flags, links };
  }

  /** Whether any transport of who offers these is ours, too. */
  suits(flags: number): boolean {
    return this.#choice.suits(flags);
  }

  /** What failed without a network says nothing. */
  forgive(): void {
    this.pauses.endAll();
    this.#choice.forget();
  }

  onRequest(from: MemberId, request: LinkRequest, seed: SeedId | undefined, now: number): void {
    const own = this.#byPeer.get(from);
    if (own !== undefined) {
      // A repetition of what we have accepted, or glare that the lower id wins.
      if (!own.asker && own.wireId === request.attempt) return;
      if (own.asker && this.#config.id < from) return;
      this.#drop(own);
    }
    const reason = this.#refusal(from, request, seed, now);
    if (reason === undefined) return this.#accept(from, request, seed, now);
    const instead = reason === "kind" ? this.#out.suiting(request.flags) : undefined;
    this.#out.carry(from, rejectOf(request.attempt, reason, instead), seed);
  }

  /** A walk of `from` ends here. False when it should go on. */
  onWalk(from: MemberId, request: LinkRequest, now: number): boolean {
    if (this.#byPeer.has(from) || this.#refusal(from, request, undefined, now) !== undefined)
      return false;
    this.#accept(from, request, undefined, now);
    return true;
  }

  onAccept(
    from: MemberId,
    wireId: number,
    flags: number,
    seed: SeedId | undefined,
    now: number,
  ): void {
    const theySlow = (flags & FLAG_SLOW_OFFERER) !== 0;
    const asked = this.#match(from, wireId);
    const found = this.#walks.has(wireId);
    if (asked !== undefined && !isAsking(asked)) return;
    if (found) this.#endWalk(wireId);
    const other = found ? this.#byPeer.get(from) : undefined;
    const wins = other === undefined || (this.#config.id < from && !other.connecting);
    const late = (!found && asked === undefined) || !this.#choice.suits(flags);
    if (late || !wins || !this.#out.wants(from) || !this.#dials.take(now)) {
      if (asked !== undefined) this.#end(asked);
      this.#out.carry(from, rejectOf(wireId, "failed"), seed);
      return;
    }
    if (other !== undefined) this.#drop(other);
    const start = { id: wireId, wireId, peer: from, asker: true, seed };
    const attempt = found ? this.#begin(start, now) : (asked as Attempt);
    attempt.theySlow = theySlow;
    attempt.kind = this.#choice.of(from, flags, now);
    this.#connect(attempt, now);
  }

  onReject(from: MemberId, { attempt: wireId, reason, instead }: LinkReject, now: number): void {
    if (this.#walks.has(wireId)) {
      this.#endWalk(wireId);
      return this.#out.missed(now);
    }
    const attempt = this.#match(from, wireId);
    if (attempt === undefined || attempt.linked) return;
    if (isWaiting(attempt)) return this.#end(attempt);
    // It has but the one that failed before: that is to be tried again.
    const isOnlyOne = reason === "kind" && this.#choice.forgive(from);
    if (attempt.seed !== undefined && reason === "kind" && !isOnlyOne) {
      this.#out.referred(attempt.seed, from, instead);
    }
    const why = attempt.connecting ? "given up by the other end" : `refused: ${reason}`;
    this.#fail(attempt, why, now);
  }

  /** The other end's signalling, in its order. What was heard before shows that ours was not. */
  onRemoteSignal(from: MemberId, signal: Extract<Inner, { type: "signal" }>, now: number): void {
    const attempt = this.#match(from, signal.attempt);
    if (attempt === undefined || attempt.linked) return;
    if (signal.number < attempt.heardCount) return this.#resend(attempt, now);
    if (signal.number > attempt.heardCount) return;
    if (isWaiting(attempt)) {
      if (!this.#dials.take(now)) return;
      this.#connect(attempt, now);
    }
    if (!attempt.connecting && attempt.early.length >= SIGNALS_MAX) return;
    attempt.heardCount++;
    const { payload } = signal;
    if (attempt.connecting) this.#out.effect({ type: "signal", attempt: attempt.id, payload });
    else attempt.early.push(payload);
  }

  /** Our transport's signalling. */
  onLocalSignal(id: AttemptId, payload: Uint8Array, now: number): void {
    const attempt = this.#byId.get(id);
    if (attempt === undefined) return;
    const number = attempt.said.push(payload) - 1;
    this.#carrySignal(attempt, number);
    if (this.#isOfferer(attempt)) this.#deadlines.ensure(`resend:${id}`, now + RESEND_MS);
  }

  onResendDeadline(id: AttemptId, now: number): void {
    const attempt = this.#byId.get(id);
    if (attempt === undefined || !attempt.connecting) return;
    this.#deadlines.set(`resend:${id}`, now + RESEND_MS);
    this.#resend(attempt, now);
  }

  /** The transport has made the link. The attempt ends with the greeting: until then nobody is asked twice. */
  onLinked(id: AttemptId, now: number): void {
    const attempt = this.#byId.get(id);
    if (attempt === undefined) return;
    attempt.connecting = false;
    attempt.linked = true;
    this.#deadlines.set(`attempt:${id}`, now + this.#config.requestTimeoutMs);
  }

  onConnectFailed(id: AttemptId, reason: string, now: number): void {
    const attempt = this.#byId.get(id);
    if (attempt === undefined) return;
    // The other end would wait for its own transport to give up.
    this.#out.carry(attempt.peer, rejectOf(attempt.wireId, "failed"), attempt.seed);
    this.#fail(attempt, reason, now);
  }

  /** What went to `peer` was lost on its way: another way may be known, or another member is asked. */
  onNoRoute(peer: MemberId, now: number): void {
    const attempt = this.#byPeer.get(peer);
    if (attempt === undefined || attempt.seed !== undefined) return;
    if (isAsking(attempt)) this.#giveUp(attempt, now);
    else if (attempt.connecting) this.#resend(attempt, now);
  }

  /** The seed has no such member. */
  onGone(peer: MemberId, now: number): void {
    const attempt = this.#byPeer.get(peer);
    if (attempt?.seed !== undefined) this.#giveUp(attempt, now);
  }

  onDeadline(id: AttemptId, now: number): void {
    if (this.#walks.delete(id)) return this.#out.missed(now);
    const attempt = this.#byId.get(id);
    if (attempt === undefined) return;
    if (isWaiting(attempt)) return this.#end(attempt);
    const { connecting, linked } = attempt;
    this.#fail(attempt, connecting ? "no link in time" : linked ? "no greeting" : "no answer", now);
  }

  /** A link with `peer` stands: it may be asked at once when it is needed again. */
  onUp(peer: MemberId): void {
    this.pauses.end(peer);
    const attempt = this.#byPeer.get(peer);
    if (attempt?.linked) this.#end(attempt);
  }

  abandonAll(): void {
    for (const attempt of [...this.#byPeer.values()]) this.#drop(attempt);
  }

  #flags(kinds: number): number {
    return (this.#config.slowOfferer ? FLAG_SLOW_OFFERER : 0) | kinds;
  }

  /** Who has no link at all is let in, whatever was dialled before. */
  #refusal(
    from: MemberId,
    request: LinkRequest,
    seed: SeedId | undefined,
    now: number,
  ): RejectWord | undefined {
    if (!this.#choice.suits(request.flags)) return "kind";
    if (this.#byPeer.size >= 4 * this.#config.attemptsMax) return "full";
    if (request.links > 0 && this.#dials.available(now) < 1) return "full";
    return this.#out.refusal(from, request, seed);
  }

  #accept(from: MemberId, request: LinkRequest, seed: SeedId | undefined, now: number): void {
    const wireId = request.attempt;
    const theySlow = (request.flags & FLAG_SLOW_OFFERER) !== 0;
    const kind = this.#choice.of(from, request.flags, now);
    const start = { id: ++this.#lastId, wireId, peer: from, asker: false, seed, theySlow, kind };
    const attempt = this.#begin(start, now);
    const flags = this.#flags(kind === undefined ? 0 : bitOf(kind));
    const accept: Inner = { type: "linkAccept", attempt: wireId, flags };
    if (!this.#out.carry(from, accept, seed)) return this.#end(attempt);
    // The asker is to make its offer by then, or to say that it does not.
    this.#deadlines.set(`attempt:${attempt.id}`, now + this.#config.attemptTimeoutMs / 2);
    if (!this.#isOfferer(attempt)) return;
    this.#dials.take(now);
    this.#connect(attempt, now);
  }

  #begin(start: AttemptStart, now: number): Attempt {
    const attempt: Attempt = {
      theySlow: false,
      kind: undefined,
      ...start,
      connecting: false,
      linked: false,
      early: [],
      said: [],
      heardCount: 0,
      resentAt: now,
    };
    this.#byPeer.set(attempt.peer, attempt);
    this.#byId.set(attempt.id, attempt);
    this.#deadlines.set(`attempt:${attempt.id}`, now + this.#config.requestTimeoutMs);
    return attempt;
  }

  #isOfferer(attempt: Attempt): boolean {
    const { slowOfferer } = this.#config;
    return slowOfferer === attempt.theySlow ? attempt.asker : !slowOfferer;
  }

  #connect(attempt: Attempt, now: number): void {
    attempt.connecting = true;
    this.#deadlines.set(`attempt:${attempt.id}`, now + this.#config.attemptTimeoutMs);
    const initiator = this.#isOfferer(attempt);
    const { id, peer, kind } = attempt;
    this.#out.effect({ type: "connect", attempt: id, peer, initiator, transport: kind });
    for (const payload of attempt.early) {
      this.#out.effect({ type: "signal", attempt: attempt.id, payload });
    }
    attempt.early.length = 0;
  }

  #carrySignal(attempt: Attempt, number: number): void {
    const payload = attempt.said[number];
    if (payload === undefined) return;
    const inner: Inner = { type: "signal", attempt: attempt.wireId, number, payload };
    this.#out.carry(attempt.peer, inner, attempt.seed);
  }

  #resend(attempt: Attempt, now: number): void {
    if (now - attempt.resentAt < RESEND_MS / 2) return;
    attempt.resentAt = now;
    const count = Math.min(attempt.said.length, SIGNALS_MAX);
    for (let number = 0; number < count; number++) this.#carrySignal(attempt, number);
  }

  #match(peer: MemberId, wireId: number): Attempt | undefined {
    const attempt = this.#byPeer.get(peer);
    return attempt?.wireId === wireId ? attempt : undefined;
  }

  #fail(attempt: Attempt, reason: string, now: number): void {
    if (attempt.connecting) this.#choice.failed(attempt.peer, attempt.kind, now);
    this.#pause(attempt, now);
    this.#out.failed(attempt.peer, reason);
  }

  /** Nobody was asked, so nothing has failed. */
  #giveUp(attempt: Attempt, now: number): void {
    this.#pause(attempt, now);
    this.#out.notFound(attempt.peer);
  }

  #pause(attempt: Attempt, now: number): void {
    this.#drop(attempt);
    this.pauses.begin(attempt.peer, now);
  }

  #countOf(counts: (attempt: Attempt) => boolean): number {
    let count = 0;
    for (const attempt of this.#byPeer.values()) if (counts(attempt)) count++;
    return count;
  }

  #drop(attempt: Attempt): void {
    this.#end(attempt);
    if (attempt.connecting) this.#out.effect({ type: "abandon", attempt: attempt.id });
  }

  #endWalk(id: AttemptId): void {
    this.#walks.delete(id);
    this.#deadlines.clear(`attempt:${id}`);
  }

  #end(attempt: Attempt): void {
    this.#byPeer.delete(attempt.peer);
    this.#byId.delete(attempt.id);
    this.#deadlines.clear(`attempt:${attempt.id}`);
    this.#deadlines.clear(`resend:${attempt.id}`);
  }
}

function rejectOf(attempt: number, reason: RejectWord, instead?: MemberId): LinkReject {
  return { type: "linkReject", attempt, reason, instead };
}

function isAsking(attempt: Attempt): boolean {
  return attempt.asker && !attempt.connecting && !attempt.linked;
}

/** Accepted here, and nothing has come of it yet. */
function isWaiting(attempt: Attempt): boolean {
  return !attempt.asker && !attempt.connecting && !attempt.linked;
}
