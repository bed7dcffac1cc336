/**
 * How links come about: the overlay says which are wanted, attempts bring them about, over the mesh or, for the
 * first one and between islands, through a seed.
 */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { Rng } from "../lib/rng.ts";
import type { AttemptId, Effect, Input, MemberId, SeedId } from "../machine.ts";
import type { MemberTable } from "../membership/table.ts";
import type { FrameCodec, RejectReason } from "../wire/codec.ts";
import type { Inner } from "../wire/messages.ts";
import { Attempts } from "./attempts.ts";
import { Overlay } from "./overlay.ts";

export interface LinkingOut {
  effect(effect: Effect): void;
  neighbours(): readonly MemberId[];
  linked(peer: MemberId): boolean;
  /** Carries `inner` over the mesh. False when there is no way now. */
  carry(to: MemberId, inner: Inner): boolean;
  /** Ends the link with `peer` for want of room. */
  shed(peer: MemberId): void;
  /** Ends our end of a link that the other end does not have any more. */
  superseded(peer: MemberId): void;
  failed(peer: MemberId, reason: string): void;
  notFound(peer: MemberId): void;
  /** A packet through a seed was refused. */
  rejected(reason: RejectReason): void;
  /** The lowest live id we know: seeds merge islands by it. */
  island(): MemberId;
}

type SeedInput = Extract<Input, { readonly seed: SeedId }>;

export class Linking {
  readonly #attempts: Attempts;
  readonly #overlay: Overlay;
  readonly #codec: FrameCodec;
  readonly #out: LinkingOut;
  readonly #seeds = new Set<SeedId>();
  #island: MemberId;

  constructor(
    config: Config,
    codec: FrameCodec,
    deadlines: Deadlines,
    rng: Rng,
    table: MemberTable,
    out: LinkingOut,
  ) {
    this.#codec = codec;
    this.#out = out;
    this.#island = out.island();
    this.#attempts = new Attempts(config, deadlines, rng.fork("attempts"), {
      effect: (effect) => out.effect(effect),
      carry: (to, inner, seed) =>
        seed === undefined ? out.carry(to, inner) : this.#sendSeed(seed, to, inner),
      refusal: (peer, request) => {
        if (!out.linked(peer)) return this.#overlay.refusal(request);
        // It asks because it has no link: ours is dead, whatever it seems.
        out.superseded(peer);
        return undefined;
      },
      failed: (peer, reason) => out.failed(peer, reason),
      notFound: (peer) => out.notFound(peer),
    });
    this.#overlay = new Overlay(config, deadlines, rng.fork("overlay"), table, this.#attempts, {
      linked: (peer) => out.linked(peer),
      linkCount: () => out.neighbours().length,
      neighbours: () => out.neighbours(),
      drop: (peer) => out.shed(peer),
    });
  }

  /** Members that a seed has introduced and that we have no link with yet. */
  get introducedCount(): number {
    return this.#overlay.introducedCount;
  }

  /** Members came, went or changed: other links may be wanted. */
  membersChanged(now: number): void {
    this.#overlay.wake(now);
    const island = this.#out.island();
    if (island === this.#island) return;
    this.#island = island;
    this.#out.effect({ type: "island", id: island });
  }

  seek(generation: number, now: number): void {
    this.#overlay.seek(generation, now);
  }

  /** What failed without a network may be tried at once. */
  retry(now: number): void {
    this.#attempts.forgetPauses();
    this.#overlay.wake(now);
  }

  onSeed(input: SeedInput, now: number): void {
    switch (input.type) {
      case "seedUp":
        if (!this.#seeds.has(input.seed)) this.#out.effect({ type: "island", id: this.#island });
        this.#seeds.add(input.seed);
        return this.#overlay.onSeedUp(input.seed, input.introduced, now);
      case "seedDown":
        this.#seeds.delete(input.seed);
        return this.#overlay.onSeedDown(input.seed);
      case "seedGone":
        this.#overlay.onSeedGone(input.seed, input.id);
        return this.#attempts.onGone(input.id, now);
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
        return this.#attempts.onAccept(from, inner.attempt, inner.flags, now);
      case "linkReject":
        return this.#attempts.onReject(from, inner.attempt, inner.reason, now);
      case "signal":
        return this.#attempts.onRemoteSignal(from, inner.attempt, inner.payload);
    }
  }

  onLocalSignal(attempt: AttemptId, payload: Uint8Array): void {
    this.#attempts.onLocalSignal(attempt, payload);
  }

  onLinked(attempt: AttemptId, now: number): void {
    this.#attempts.onLinked(attempt, now);
  }

  onConnectFailed(attempt: AttemptId, reason: string, now: number): void {
    this.#attempts.onConnectFailed(attempt, reason, now);
  }

  /** A link with `peer` was greeted. */
  onUp(peer: MemberId): void {
    this.#attempts.onUp(peer);
    this.#overlay.onLinkUp(peer);
  }

  onDown(now: number): void {
    this.#overlay.wake(now);
  }

  onAttemptDeadline(attempt: AttemptId, now: number): void {
    this.#attempts.onDeadline(attempt, now);
  }

  stop(): void {
    this.#attempts.abandonAll();
  }

  #sendSeed(seed: SeedId, to: MemberId, inner: Inner): boolean {
    if (!this.#seeds.has(seed)) return false;
    this.#out.effect({ type: "sendSeed", seed, to, bytes: this.#codec.encodeInner(inner) });
    return true;
  }
}
