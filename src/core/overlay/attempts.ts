/**
 * Attempts at links: asking a member, agreeing on who offers, carrying the transport's signalling.
 *
 * ```
 * A                                   B
 * │ linkRequest(attempt) ────────────▶ │   no connection is made before B has answered
 * │ ◀──────────── linkAccept(attempt)  │   or linkReject: A pauses and asks others
 * │ ◀─────────── signal … ───────────▶ │   the offerer begins; both ways, any order, over mesh or seed
 * │ ◀══════════════ link ════════════▶ │
 * ```
 *
 * Offerer is the one that is not slow at it, then the lower id. One attempt for a pair at a time: when both ask at
 * once, the lower id's request stands and the other is withdrawn. The asker's number names the attempt on the wire.
 */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { Rng } from "../lib/rng.ts";
import type { AttemptId, Effect, MemberId, SeedId } from "../machine.ts";
import { FLAG_SLOW_OFFERER, type Inner } from "../wire/messages.ts";

/** Signals that came before the accept they follow. */
const EARLY_SIGNALS_MAX = 32;

/** Members whose pause before the next request is remembered. */
const PAUSES_MAX = 4_096;

export type LinkRequest = Extract<Inner, { type: "linkRequest" }>;
type RejectWord = Extract<Inner, { type: "linkReject" }>["reason"];

interface Attempt {
  /** Our name for it, with the driver. */
  readonly id: AttemptId;
  /** Its name on the wire: the asker's number. */
  readonly wireId: number;
  readonly peer: MemberId;
  readonly asker: boolean;
  /** The seed that it goes through; undefined: the mesh. */
  readonly seed: SeedId | undefined;
  connecting: boolean;
  /** The link is open and has not been greeted. */
  linked: boolean;
  readonly early: Uint8Array[];
}

interface Pause {
  readonly until: number;
  readonly ms: number;
}

export interface AttemptsOut {
  effect(effect: Effect): void;
  /** Carries `inner` to a member: over the mesh, or through a seed. False when there is no way. */
  carry(to: MemberId, inner: Inner, seed: SeedId | undefined): boolean;
  /** Why `peer` gets no link now; undefined when it does. */
  refusal(peer: MemberId, request: LinkRequest): RejectWord | undefined;
  /** An attempt is over without a link. */
  failed(peer: MemberId, reason: string): void;
  /** There is no way to `peer` now, or its seed does not have it. */
  notFound(peer: MemberId): void;
}

export class Attempts {
  readonly #config: Config;
  readonly #deadlines: Deadlines;
  readonly #rng: Rng;
  readonly #out: AttemptsOut;
  readonly #byPeer = new Map<MemberId, Attempt>();
  readonly #byId = new Map<AttemptId, Attempt>();
  readonly #pauses = new Map<MemberId, Pause>();
  #lastId = 0;

  constructor(config: Config, deadlines: Deadlines, rng: Rng, out: AttemptsOut) {
    this.#config = config;
    this.#deadlines = deadlines;
    this.#rng = rng;
    this.#out = out;
  }

  get count(): number {
    return this.#byPeer.size;
  }

  has(peer: MemberId): boolean {
    return this.#byPeer.has(peer);
  }

  /** Until when `peer` is not to be asked again, ms; 0 when it may be. */
  pausedUntil(peer: MemberId): number {
    return this.#pauses.get(peer)?.until ?? 0;
  }

  forgetPauses(): void {
    this.#pauses.clear();
  }

  /** Asks `peer` for a link. */
  ask(
    peer: MemberId,
    seed: SeedId | undefined,
    generation: number,
    urgent: boolean,
    now: number,
  ): void {
    if (this.#byPeer.has(peer)) return;
    const id = ++this.#lastId;
    const attempt = this.#begin({ id, wireId: id, peer, asker: true, seed }, now);
    const flags = this.#config.slowOfferer ? FLAG_SLOW_OFFERER : 0;
    const request: Inner = { type: "linkRequest", attempt: id, generation, flags, urgent };
    if (!this.#out.carry(peer, request, seed)) this.#giveUp(attempt, now);
  }

  onRequest(from: MemberId, request: LinkRequest, seed: SeedId | undefined, now: number): void {
    const own = this.#byPeer.get(from);
    if (own !== undefined) {
      // A repetition of what we have accepted, or glare that the lower id wins.
      if (!own.asker && own.wireId === request.attempt) return;
      if (own.asker && this.#config.id < from) return;
      this.#end(own);
      if (own.connecting) this.#out.effect({ type: "abandon", attempt: own.id });
    }
    const refusal = this.#out.refusal(from, request);
    if (refusal !== undefined || this.#byPeer.size >= 4 * this.#config.attemptsMax) {
      const reason = refusal ?? "full";
      this.#out.carry(from, { type: "linkReject", attempt: request.attempt, reason }, seed);
      return;
    }
    const attempt = this.#begin(
      { id: ++this.#lastId, wireId: request.attempt, peer: from, asker: false, seed },
      now,
    );
    const flags = this.#config.slowOfferer ? FLAG_SLOW_OFFERER : 0;
    const accept: Inner = { type: "linkAccept", attempt: request.attempt, flags };
    if (this.#out.carry(from, accept, seed)) this.#connect(attempt, request.flags, now);
    else this.#giveUp(attempt, now);
  }

  onAccept(from: MemberId, wireId: number, flags: number, now: number): void {
    const attempt = this.#match(from, wireId);
    if (attempt !== undefined && isAsking(attempt)) this.#connect(attempt, flags, now);
  }

  onReject(from: MemberId, wireId: number, reason: RejectWord, now: number): void {
    const attempt = this.#match(from, wireId);
    if (attempt === undefined || attempt.linked) return;
    const why = attempt.connecting ? "given up by the other end" : `refused: ${reason}`;
    this.#fail(attempt, why, now);
  }

  /** The other end's signalling. */
  onRemoteSignal(from: MemberId, wireId: number, payload: Uint8Array): void {
    const attempt = this.#match(from, wireId);
    if (attempt === undefined) return;
    if (attempt.connecting) {
      this.#out.effect({ type: "signal", attempt: attempt.id, payload });
    } else if (attempt.early.length < EARLY_SIGNALS_MAX) attempt.early.push(payload);
  }

  /** Our transport's signalling. */
  onLocalSignal(id: AttemptId, payload: Uint8Array): void {
    const attempt = this.#byId.get(id);
    if (attempt === undefined) return;
    const inner: Inner = { type: "signal", attempt: attempt.wireId, payload };
    this.#out.carry(attempt.peer, inner, attempt.seed);
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
    const reject: Inner = { type: "linkReject", attempt: attempt.wireId, reason: "failed" };
    this.#out.carry(attempt.peer, reject, attempt.seed);
    this.#fail(attempt, reason, now);
  }

  /** The seed has no such member. */
  onGone(peer: MemberId, now: number): void {
    const attempt = this.#byPeer.get(peer);
    if (attempt?.seed !== undefined) this.#giveUp(attempt, now);
  }

  onDeadline(id: AttemptId, now: number): void {
    const attempt = this.#byId.get(id);
    if (attempt === undefined) return;
    const { connecting, linked } = attempt;
    this.#fail(attempt, connecting ? "no link in time" : linked ? "no greeting" : "no answer", now);
  }

  /** A link with `peer` stands: it may be asked at once when it is needed again. */
  onUp(peer: MemberId): void {
    this.#pauses.delete(peer);
    const attempt = this.#byPeer.get(peer);
    if (attempt?.linked) this.#end(attempt);
  }

  abandonAll(): void {
    for (const attempt of [...this.#byPeer.values()]) {
      this.#end(attempt);
      if (attempt.connecting) this.#out.effect({ type: "abandon", attempt: attempt.id });
    }
  }

  #begin(start: Omit<Attempt, "connecting" | "linked" | "early">, now: number): Attempt {
    const attempt: Attempt = { ...start, connecting: false, linked: false, early: [] };
    this.#byPeer.set(attempt.peer, attempt);
    this.#byId.set(attempt.id, attempt);
    this.#deadlines.set(`attempt:${attempt.id}`, now + this.#config.requestTimeoutMs);
    return attempt;
  }

  #connect(attempt: Attempt, theirFlags: number, now: number): void {
    attempt.connecting = true;
    this.#deadlines.set(`attempt:${attempt.id}`, now + this.#config.attemptTimeoutMs);
    const theySlow = (theirFlags & FLAG_SLOW_OFFERER) !== 0;
    const initiator =
      this.#config.slowOfferer === theySlow
        ? this.#config.id < attempt.peer
        : !this.#config.slowOfferer;
    this.#out.effect({ type: "connect", attempt: attempt.id, peer: attempt.peer, initiator });
    for (const payload of attempt.early) {
      this.#out.effect({ type: "signal", attempt: attempt.id, payload });
    }
    attempt.early.length = 0;
  }

  #match(peer: MemberId, wireId: number): Attempt | undefined {
    const attempt = this.#byPeer.get(peer);
    return attempt?.wireId === wireId ? attempt : undefined;
  }

  #fail(attempt: Attempt, reason: string, now: number): void {
    this.#pause(attempt, now);
    this.#out.failed(attempt.peer, reason);
  }

  /** Nobody was asked, so nothing has failed. */
  #giveUp(attempt: Attempt, now: number): void {
    this.#pause(attempt, now);
    this.#out.notFound(attempt.peer);
  }

  #pause(attempt: Attempt, now: number): void {
    this.#end(attempt);
    if (attempt.connecting) this.#out.effect({ type: "abandon", attempt: attempt.id });
    const before = this.#pauses.get(attempt.peer)?.ms ?? this.#config.retryMinMs / 2;
    const ms = Math.min(2 * before, this.#config.retryMaxMs);
    this.#pauses.delete(attempt.peer);
    this.#pauses.set(attempt.peer, { until: now + this.#rng.jitter(ms, 0.5), ms });
    if (this.#pauses.size > PAUSES_MAX) {
      const oldest = this.#pauses.keys().next();
      if (!oldest.done) this.#pauses.delete(oldest.value);
    }
  }

  #end(attempt: Attempt): void {
    this.#byPeer.delete(attempt.peer);
    this.#byId.delete(attempt.id);
    this.#deadlines.clear(`attempt:${attempt.id}`);
  }
}

function isAsking(attempt: Attempt): boolean {
  return attempt.asker && !attempt.connecting && !attempt.linked;
}
