/**
 * Which links a member wants: everyone up to `fullMeshMax` members, beyond that `linksTarget` of them at random,
 * within a budget of `linksSlack` above it. A member without any link takes precedence over the budget.
 *
 * This is HyParView's active view (Leitão et al. 2007, section 4) in its first form: candidates come from the full
 * member table instead of a passive view.
 */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { Rng } from "../lib/rng.ts";
import type { MemberId, SeedId } from "../machine.ts";
import type { MemberTable } from "../membership/table.ts";
import type { Attempts, LinkRequest } from "./attempts.ts";

/** Introduced members remembered for one seed. */
const INTRODUCED_MAX = 32;

/** Introduced members dialled at once through a seed while there is no link. */
const FIRST_DIALS = 3;

/** In a full mesh both ends want the link: the higher id gives the lower so much time to ask, ms. */
const COURTESY_MS = 1_000;

export interface OverlayOut {
  linked(peer: MemberId): boolean;
  linkCount(): number;
  neighbours(): readonly MemberId[];
  /** Ends the link with `peer` for want of room. */
  drop(peer: MemberId): void;
}

export class Overlay {
  readonly #config: Config;
  readonly #deadlines: Deadlines;
  readonly #rng: Rng;
  readonly #table: MemberTable;
  readonly #attempts: Attempts;
  readonly #out: OverlayOut;
  /** Members that each seed has introduced and that are not linked yet. */
  readonly #seeds = new Map<SeedId, Set<MemberId>>();
  /** Since when the lower id has been left to ask. */
  readonly #courtesy = new Map<MemberId, number>();

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
  }

  /** Members that seeds have introduced and that are neither linked nor known to be gone. */
  get introducedCount(): number {
    let count = 0;
    for (const introduced of this.#seeds.values()) count += introduced.size;
    return count;
  }

  /** Something changed: compare what is with what is wanted, soon. */
  wake(now: number): void {
    this.#deadlines.ensure("overlay-soon", now);
  }

  onSeedUp(seed: SeedId, introduced: readonly MemberId[], now: number): void {
    const known = this.#seeds.get(seed) ?? new Set();
    this.#seeds.set(seed, known);
    for (const id of introduced) {
      if (id !== this.#config.id && known.size < INTRODUCED_MAX) known.add(id);
    }
    this.wake(now);
  }

  onSeedDown(seed: SeedId): void {
    this.#seeds.delete(seed);
  }

  onSeedGone(seed: SeedId, peer: MemberId): void {
    this.#seeds.get(seed)?.delete(peer);
  }

  onLinkUp(peer: MemberId): void {
    this.#courtesy.delete(peer);
    for (const introduced of this.#seeds.values()) introduced.delete(peer);
  }

  /** Why a request for a link is refused; undefined when it is granted. */
  refusal(request: LinkRequest): "full" | undefined {
    if (request.urgent || this.#isFull()) return undefined;
    const used = this.#out.linkCount() + this.#attempts.count;
    return used < this.#config.linksTarget + this.#config.linksSlack ? undefined : "full";
  }

  /** Asks for the links that are wanted and not there. */
  seek(generation: number, now: number): void {
    const linkCount = this.#out.linkCount();
    this.#deadlines.set("overlay", now + this.#rng.jitter(this.#config.overlayPeriodMs, 0.2));
    this.#dialIntroduced(linkCount, generation, now);
    if (linkCount === 0) return;
    this.#shed(linkCount);
    const room = this.#isFull()
      ? Number.POSITIVE_INFINITY
      : this.#config.linksTarget - linkCount - this.#attempts.count;
    const free = Math.min(room, this.#config.attemptsMax - this.#attempts.count);
    if (free <= 0) return;
    const candidates = [...this.#table.others()]
      .filter(({ record, state }) => state === "alive" && this.#mayAsk(record.id, now))
      .map(({ record }) => record.id);
    for (const peer of this.#rng.sample(candidates, free)) {
      this.#attempts.ask(peer, undefined, generation, false, now);
    }
  }

  /** Through seeds: the first link, and bridges to members that nobody here knows (another island). */
  #dialIntroduced(linkCount: number, generation: number, now: number): void {
    let dials = (linkCount === 0 ? FIRST_DIALS : 1) - this.#attempts.count;
    for (const [seed, introduced] of this.#seeds) {
      if (linkCount === 0 && introduced.size === 0) this.#recall(introduced);
      for (const peer of introduced) {
        if (this.#out.linked(peer) || (linkCount > 0 && this.#table.isLive(peer))) {
          introduced.delete(peer);
        } else if (
          dials > 0 &&
          !this.#attempts.has(peer) &&
          this.#attempts.pausedUntil(peer) <= now
        ) {
          dials--;
          this.#attempts.ask(peer, seed, generation, linkCount === 0, now);
        }
      }
    }
  }

  /** Members without a link were let in above the budget: the best linked neighbours can do without us. */
  #shed(linkCount: number): void {
    const surplus = linkCount - this.#config.linksTarget - this.#config.linksSlack;
    if (this.#isFull() || surplus <= 0) return;
    const linksOf = (id: MemberId): number => this.#table.get(id)?.record.neighbours.length ?? 0;
    const spare = this.#out.neighbours().filter((id) => linksOf(id) > this.#config.linksTarget / 2);
    spare.sort((a, b) => linksOf(b) - linksOf(a) || (a < b ? -1 : 1));
    for (const peer of spare.slice(0, surplus)) this.#out.drop(peer);
  }

  /** Every link was lost: members known from before may be at the seed too. */
  #recall(introduced: Set<MemberId>): void {
    const known = [...this.#table.others()].filter(({ state }) => state !== "left");
    for (const { record } of this.#rng.sample(known, FIRST_DIALS)) introduced.add(record.id);
  }

  /** Up to the bound everyone is linked with everyone. */
  #isFull(): boolean {
    return this.#table.liveCount <= this.#config.fullMeshMax;
  }

  #mayAsk(peer: MemberId, now: number): boolean {
    if (this.#out.linked(peer) || this.#attempts.has(peer)) return false;
    if (this.#attempts.pausedUntil(peer) > now) return false;
    if (!this.#isFull() || this.#config.id < peer) return true;
    const since = this.#courtesy.get(peer) ?? now;
    this.#courtesy.set(peer, since);
    if (now - since < COURTESY_MS) return false;
    this.#courtesy.delete(peer);
    return true;
  }
}
