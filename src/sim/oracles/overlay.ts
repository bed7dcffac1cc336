/**
 * Invariants 5 and 15: links are symmetric and within the budget, and as long as there is a way at all the mesh is
 * in one piece. Without the seed server only what still hangs together must do so.
 */

import type { SimMember } from "../member.ts";
import type { World } from "../world.ts";
import type { MakeOracle, Oracle, Report } from "./oracle.ts";
import { takesPart, type Weather } from "./weather.ts";

/** A link that only one end has is noticed by its silence; a member that has no other decides alone, after 10 s. ms. */
const ONE_SIDED_MS = 20_000;

/** Members without a link are let in above the budget, and others parted from. ms. */
const OVER_BUDGET_MS = 30_000;

/** Crashes are noticed, islands differ for 10 s, then the seed introduces them, and links are made. ms. */
const ONE_PIECE_MS = 45_000;

export const overlay: MakeOracle = (world, report, weather) =>
  new OverlayOracle(world, report, weather);

class OverlayOracle implements Oracle {
  readonly name = "overlay";
  readonly #world: World;
  readonly #report: Report;
  readonly #weather: Weather;
  /** Since when something has been wrong, by what it is. */
  readonly #wrong = new Map<string, number>();
  #lastFaultAt = 0;

  constructor(world: World, report: Report, weather: Weather) {
    this.#world = world;
    this.#report = report;
    this.#weather = weather;
  }

  onFault(what: string): void {
    if (what !== "hide" && what !== "show") this.#lastFaultAt = this.#world.now;
  }

  onAdded(): void {
    this.#lastFaultAt = this.#world.now;
  }

  check(): void {
    const seen = new Set<string>();
    for (const member of this.#world.live()) {
      this.#checkSymmetry(member, seen);
      this.#checkBudget(member, seen);
    }
    this.#checkOnePiece(seen);
    for (const what of this.#wrong.keys()) if (!seen.has(what)) this.#wrong.delete(what);
  }

  #checkSymmetry(member: SimMember, seen: Set<string>): void {
    for (const peer of member.core.layers.links.peers()) {
      const other = this.#world.find(peer);
      if (other?.alive && other.core.layers.links.has(member.config.id)) continue;
      // Who said that it sleeps is waited for.
      if (member.core.layers.membership.table.get(peer)?.state === "asleep") continue;
      const what = `has a link with member ${other?.index}, which has none with it`;
      const calm = Math.max(this.#weather.calmSince(member), other ? this.#calm(other) : 0);
      this.#note(member, what, ONE_SIDED_MS, calm, seen);
    }
  }

  /** A peer that crashed is gone since then. */
  #calm(other: SimMember): number {
    return other.alive ? this.#weather.calmSince(other) : 0;
  }

  #checkBudget(member: SimMember, seen: Set<string>): void {
    const { fullMeshMax, fullMeshSlack, linksTarget, linksSlack } = member.config;
    const count = member.core.layers.links.count;
    const cap = Math.max(fullMeshMax + fullMeshSlack, linksTarget + linksSlack);
    if (count > cap) {
      const what = `has ${count} links, and at most ${cap} are allowed`;
      this.#note(member, what, OVER_BUDGET_MS, this.#weather.calmSince(member), seen);
    }
  }

  #checkOnePiece(seen: Set<string>): void {
    const parts = this.#weather.partCount();
    if (parts <= 1 || parts <= this.#weather.partsPossible()) return;
    const calm = this.#world.live().map((member) => this.#awake(member));
    const since = Math.max(this.#weather.clearSince, this.#lastFaultAt, ...calm);
    this.#note(undefined, "the mesh is in parts", ONE_PIECE_MS, since, seen);
  }

  #awake(member: SimMember): number {
    return takesPart(member) ? 0 : Number.POSITIVE_INFINITY;
  }

  #note(
    member: SimMember | undefined,
    what: string,
    boundMs: number,
    calmSince: number,
    seen: Set<string>,
  ): void {
    const { now } = this.#world;
    const key = `${member?.index} ${what}`;
    seen.add(key);
    const since = Math.max(this.#wrong.get(key) ?? now, calmSince);
    this.#wrong.set(key, this.#wrong.get(key) ?? now);
    if (now - since < boundMs) return;
    this.#wrong.set(key, Number.POSITIVE_INFINITY);
    this.#report(member, `${what}, for ${Math.round((now - since) / 1_000)} s`);
  }
}
