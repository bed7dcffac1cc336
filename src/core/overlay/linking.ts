/**
 * How links come about: the overlay says which are wanted, attempts bring them about, over the mesh or, for the
 * first one and between islands, through a seed.
 */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import { canLink } from "../lib/kinds.ts";
import type { Rng } from "../lib/rng.ts";
import type { AttemptId, Effect, Input, MemberId, SeedId } from "../machine.ts";
import type { MemberTable } from "../membership/table.ts";
import type { FrameCodec, RejectReason } from "../wire/codec.ts";
import type { Inner, MemberRecord, Message, MessageOf } from "../wire/messages.ts";
import { Attempts } from "./attempts.ts";
import { Overlay } from "./overlay.ts";
import { Redial } from "./redial.ts";
import { Walks } from "./walk.ts";

export interface LinkingOut {
  effect(effect: Effect): void;
  neighbours(): readonly MemberId[];
  linked(peer: MemberId): boolean;
  /** How long a neighbour has shown no life: undefined while it answers, ms. */
  silenceMs(peer: MemberId, now: number): number | undefined;
  /** Whom the schema allows a link with. */
  mayLink(record: MemberRecord): boolean;
  /** Whether traffic with a neighbour needs the link, or needed it and is over. */
  demand(peer: MemberId, now: number): "busy" | "idle" | undefined;
  /** Carries `inner` over the mesh. False when there is no way now. */
  carry(to: MemberId, inner: Inner): boolean;
  /** To a neighbour. */
  send(peer: MemberId, message: Message): void;
  /** `to` can be reached along `path`. */
  learn(to: MemberId, path: readonly MemberId[]): void;
  /** Ends the link with `peer`, for both ends have enough. */
  part(peer: MemberId): void;
  /** Ends our end of a link that the other end is known not to have any more. */
  superseded(peer: MemberId): void;
  failed(peer: MemberId, reason: string): void;
  notFound(peer: MemberId): void;
  /** A packet through a seed was refused. */
  rejected(reason: RejectReason): void;
  /** The lowest live id that we reach: seeds merge islands by it. */
  island(): MemberId;
  /** Live members that we do not reach. */
  cut(): ReadonlySet<MemberId>;
}

/** How often the island is looked at, ms: a seed gives it 10 s to settle. */
const ISLAND_PERIOD_MS = 1_000;

type SeedInput = Extract<Input, { readonly seed: SeedId }>;

export class Linking {
  readonly #config: Config;
  readonly #attempts: Attempts;
  readonly #overlay: Overlay;
  readonly #walks: Walks;
  readonly #codec: FrameCodec;
  readonly #out: LinkingOut;
  readonly #table: MemberTable;
  readonly #redial: Redial;
  readonly #seeds = new Set<SeedId>();
  #island: MemberId;
  #islandAt = 0;

  constructor(
    config: Config,
    codec: FrameCodec,
    deadlines: Deadlines,
    rng: Rng,
    table: MemberTable,
    out: LinkingOut,
  ) {
    this.#config = config;
    this.#codec = codec;
    this.#out = out;
    this.#table = table;
    this.#redial = new Redial(config, rng.fork("redial"), table, out);
    this.#island = out.island();
    this.#attempts = this.#makeAttempts(deadlines, rng.fork("attempts"));
    this.#walks = this.#makeWalks(rng.fork("walks"));
    this.#overlay = new Overlay(config, deadlines, rng.fork("overlay"), table, this.#attempts, {
      linked: (peer) => out.linked(peer),
      neighbours: () => out.neighbours(),
      cut: () => out.cut(),
      fresh: (now) => this.#fresh(now),
      mayLink: (record) => this.#attempts.suits(record.flags) && out.mayLink(record),
      walk: (request, now) => this.#walks.begin(request, now),
      release: (peer, hard) => out.send(peer, { type: "release", hard }),
      drop: (peer) => out.part(peer),
      demand: (peer, now) => out.demand(peer, now),
    });
  }

  /** Members that a seed has introduced and that we have no link with yet. */
  get introducedCount(): number {
    return this.#overlay.introductions.count;
  }

  /** Members came, went or changed: other links may be wanted. */
  membersChanged(now: number): void {
    this.#overlay.membersChanged(now);
  }

  seek(generation: number, now: number, lateMs: number): void {
    this.#overlay.seek(generation, now, lateMs);
    this.#redial.look(this.#fresh(now).length === 0, now);
    this.#tellIsland(now);
  }

  /** Much traffic goes to `peer` over others. True when it is asked for a link. */
  demand(peer: MemberId, generation: number, now: number): boolean {
    return this.#overlay.demand(peer, generation, now);
  }

  onForwardJoin(from: MemberId, message: MessageOf<"forwardJoin">, now: number): void {
    this.#walks.onForwardJoin(from, message, now);
  }

  onRelease(from: MemberId, hard: boolean, now: number): void {
    this.#overlay.onRelease(from, hard, now);
  }

  /** What failed without a network may be tried at once. */
  retry(now: number): void {
    this.#attempts.forgive();
    this.#redial.wake();
    this.#overlay.wake(now);
  }

  onSeed(input: SeedInput, now: number): void {
    switch (input.type) {
      case "seedUp":
        if (!this.#seeds.has(input.seed)) this.#out.effect({ type: "island", id: this.#island });
        this.#seeds.add(input.seed);
        this.#overlay.introductions.onUp(input, this.#config.id);
        return this.#overlay.wake(now);
      case "seedDown":
        this.#seeds.delete(input.seed);
        return this.#overlay.introductions.onDown(input.seed);
      case "seedGone":
        this.#overlay.introductions.onGone(input.seed, input.id);
        this.#attempts.onGone(input.id, now);
        return this.#overlay.wake(now);
      case "seedPacket": {
        const decoded = this.#codec.decodeInner(input.bytes);
        if (decoded.ok) this.onInner(input.from, decoded.message, input.seed, now);
        else this.#out.rejected(decoded.reason);
      }
    }
  }

  /** What members say to each other about links; other messages are none of a seed's business. */
  onInner(from: MemberId, inner: Inner, seed: SeedId | undefined, now: number): void {
    switch (inner.type) {
      case "linkRequest":
        return this.#attempts.onRequest(from, inner, seed, now);
      case "linkAccept":
        return this.#attempts.onAccept(from, inner.attempt, inner.flags, seed, now);
      case "linkReject":
        return this.#attempts.onReject(from, inner, now);
      case "signal":
        return this.#attempts.onRemoteSignal(from, inner, now);
    }
  }

  onLocalSignal(attempt: AttemptId, payload: Uint8Array, now: number): void {
    this.#attempts.onLocalSignal(attempt, payload, now);
  }

  onLinked(attempt: AttemptId, now: number): void {
    this.#attempts.onLinked(attempt, now);
  }

  onConnectFailed(attempt: AttemptId, reason: string, now: number): void {
    this.#attempts.onConnectFailed(attempt, reason, now);
  }

  /** A member is here that was not. */
  onArrived(id: MemberId, now: number): void {
    this.#overlay.merger.onArrived(id, now);
  }

  /**
   * A link with `peer` was greeted.
   * @param isStranger it was not live here, and has links of its own
   */
  onUp(peer: MemberId, isStranger: boolean, now: number): void {
    this.#overlay.merger.onLinkUp(peer, isStranger, now);
    this.#attempts.onUp(peer);
    this.#overlay.onLinkUp(peer);
  }

  onDown(peer: MemberId, onPurpose: boolean, now: number): void {
    this.#overlay.onLinkDown(peer, onPurpose, now);
  }

  /** What was carried to `peer` over the mesh is lost. */
  onNoRoute(peer: MemberId, now: number): void {
    this.#attempts.onNoRoute(peer, now);
  }

  onAttemptFailed(now: number): void {
    this.#overlay.wake(now);
  }

  onAttemptDeadline(attempt: AttemptId, now: number): void {
    this.#attempts.onDeadline(attempt, now);
  }

  onResendDeadline(attempt: AttemptId, now: number): void {
    this.#attempts.onResendDeadline(attempt, now);
  }

  stop(): void {
    this.#attempts.abandonAll();
  }

  #makeAttempts(deadlines: Deadlines, rng: Rng): Attempts {
    const out = this.#out;
    return new Attempts(this.#config, deadlines, rng, {
      effect: (effect) => out.effect(effect),
      carry: (to, inner, seed) =>
        seed === undefined ? out.carry(to, inner) : this.#sendSeed(seed, to, inner),
      refusal: (peer, request, seed) => {
        // It asks because it has no link: ours is dead, whatever it seems. A seed may say again what was asked before.
        if (seed === undefined && out.linked(peer)) out.superseded(peer);
        return this.#overlay.grants(peer, request, true) ? undefined : "full";
      },
      wants: (peer) => this.#overlay.wants(peer),
      flagsOf: (peer) => this.#table.get(peer)?.record.flags ?? 0,
      suiting: (flags) => this.#suiting(flags, rng),
      referred: (seed, from, instead) =>
        this.#overlay.introductions.onReferred(seed, from, instead),
      missed: (now) => this.#overlay.onMissed(now),
      failed: (peer, reason) => out.failed(peer, reason),
      notFound: (peer) => out.notFound(peer),
    });
  }

  #makeWalks(rng: Rng): Walks {
    const out = this.#out;
    return new Walks(this.#config, rng, {
      fresh: (now) => this.#fresh(now),
      send: (peer, message) => out.send(peer, message),
      learn: (origin, path) => out.learn(origin, path),
      take: (origin, request, isLast, now) =>
        !out.linked(origin) &&
        this.#overlay.grants(origin, request, isLast) &&
        this.#attempts.onWalk(origin, request, now),
      refuse: (origin, attempt) =>
        out.carry(origin, { type: "linkReject", attempt, reason: "full", instead: undefined }),
    });
  }

  #fresh(now: number): readonly MemberId[] {
    const { silentMs } = this.#config;
    return this.#out.neighbours().filter((peer) => {
      const silenceMs = this.#out.silenceMs(peer, now);
      return silenceMs === undefined || silenceMs < silentMs;
    });
  }

  /** The lowest live id, looked for now and then among all members. Who has no link is an island of its own. */
  #tellIsland(now: number): void {
    if (this.#seeds.size === 0 || now < this.#islandAt) return;
    this.#islandAt = now + ISLAND_PERIOD_MS;
    const isAlone = this.#out.neighbours().length === 0;
    const island = isAlone ? this.#config.id : this.#out.island();
    if (island === this.#island) return;
    this.#island = island;
    this.#out.effect({ type: "island", id: island });
  }

  /** A live member that can link with who has these kinds of transport. */
  #suiting(flags: number, rng: Rng): MemberId | undefined {
    const suiting: MemberId[] = [];
    for (const { state, record } of this.#table.others()) {
      if (state === "alive" && canLink(record.flags, flags)) suiting.push(record.id);
    }
    return rng.pick(suiting);
  }

  #sendSeed(seed: SeedId, to: MemberId, inner: Inner): boolean {
    if (!this.#seeds.has(seed)) return false;
    this.#out.effect({ type: "sendSeed", seed, to, bytes: this.#codec.encodeInner(inner) });
    return true;
  }
}
