/**
 * Of invariant 2, the sharper half: a live member that nothing disturbs is not even declared down by another that
 * nothing disturbs, while members crash, links break, and others stand still. Being refuted in time is no excuse:
 * applications have been told.
 */

import type { MeshEvent } from "../../core/machine.ts";
import type { SimMember } from "../member.ts";
import type { World } from "../world.ts";
import type { MakeOracle, Oracle, Report } from "./oracle.ts";
import type { Weather } from "./weather.ts";

/** What was amiss before is forgotten after so long: within it all know of a crash, and so of what was taken for one. ms. */
const CALM_MS = 5_000;

export const accusation: MakeOracle = (world, report, weather) =>
  new Accusation(world, report, weather);

class Accusation implements Oracle {
  readonly name = "accusation";
  readonly #world: World;
  readonly #report: Report;
  readonly #weather: Weather;
  /** Declared down in this step. A restart is told as down and up at once. */
  readonly #accused = new Set<SimMember>();

  constructor(world: World, report: Report, weather: Weather) {
    this.#world = world;
    this.#report = report;
    this.#weather = weather;
  }

  onEvent(_member: SimMember, event: MeshEvent): void {
    if (event.type !== "member") return;
    const subject = this.#world.find(event.member.id);
    if (subject === undefined) return;
    if (event.kind === "down" && subject.alive) this.#accused.add(subject);
    else if (event.kind === "up") this.#accused.delete(subject);
  }

  onStep(member: SimMember): void {
    if (this.#accused.size === 0) return;
    for (const subject of this.#accused) {
      if (!this.#isCalm(subject) || !this.#isCalm(member)) continue;
      if (!this.#weather.connected(member, subject)) continue;
      this.#report(member, `declares member ${subject.index} down, which is there`);
    }
    this.#accused.clear();
  }

  #isCalm(member: SimMember): boolean {
    return this.#world.now - this.#weather.calmSince(member) >= CALM_MS;
  }
}
