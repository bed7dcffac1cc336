/**
 * Invariants 2 and 3: no live member that is within reach is held down for long, and every crash is known to all
 * in time. Both only of members that nothing has disturbed meanwhile.
 */

import type { SimMember } from "../member.ts";
import type { World } from "../world.ts";
import type { MakeOracle, Oracle, Report } from "./oracle.ts";
import type { Weather } from "./weather.ts";

/** Silence, a suspicion of 10 s at the most, an audit, and news that cross the mesh: with all of it late. ms. */
const CRASH_KNOWN_MS = 30_000;

/** A false word is refuted as soon as its subject hears it. ms. */
const REFUTED_MS = 10_000;

/** Who said that it sleeps, or may be frozen, is waited for. ms. */
const ASLEEP_MS = 320_000;

export const detection: MakeOracle = (world, report, weather) =>
  new Detection(world, report, weather);

class Detection implements Oracle {
  readonly name = "detection";
  readonly #world: World;
  readonly #report: Report;
  readonly #weather: Weather;
  /** Live members that are held down, by whom, and since when. */
  readonly #falsely = new Map<SimMember, Map<SimMember, number>>();
  readonly #crashed = new Map<SimMember, number>();

  constructor(world: World, report: Report, weather: Weather) {
    this.#world = world;
    this.#report = report;
    this.#weather = weather;
  }

  onEvent(member: SimMember, event: Parameters<NonNullable<Oracle["onEvent"]>>[1]): void {
    if (event.type !== "member") return;
    const subject = this.#world.find(event.member.id);
    if (subject === undefined || subject === member) return;
    const held = this.#falsely.get(member) ?? new Map<SimMember, number>();
    this.#falsely.set(member, held);
    if (event.kind === "down" && subject.alive) held.set(subject, this.#world.now);
    else if (event.kind !== "update") held.delete(subject);
  }

  onFault(what: string, member: SimMember | undefined): void {
    if (member === undefined || (what !== "crash" && what !== "stop")) return;
    this.#falsely.delete(member);
    for (const held of this.#falsely.values()) held.delete(member);
    if (what === "crash") this.#crashed.set(member, this.#world.now);
  }

  onAdded(_member: SimMember, former: SimMember | undefined): void {
    if (former !== undefined) this.#crashed.delete(former);
  }

  check(): void {
    const { now } = this.#world;
    for (const [member, held] of this.#falsely) {
      for (const [subject, since] of held) {
        const from = Math.max(
          since,
          this.#weather.calmSince(member),
          this.#weather.calmSince(subject),
        );
        if (now - from < REFUTED_MS || !this.#weather.connected(member, subject)) continue;
        held.delete(subject);
        this.#report(member, `holds member ${subject.index} down, which is there`);
      }
    }
    for (const [subject, at] of this.#crashed) this.#checkCrash(subject, at);
  }

  #checkCrash(subject: SimMember, at: number): void {
    const { now } = this.#world;
    if (now - at < CRASH_KNOWN_MS) return;
    let open = false;
    for (const member of this.#world.live()) {
      const known = member.core.layers.membership.table.get(subject.config.id);
      if (known === undefined || known.state === "down" || known.state === "left") continue;
      if (known.record.generation > subject.config.generation + 1) continue;
      const patienceMs = known.state === "asleep" ? ASLEEP_MS : CRASH_KNOWN_MS;
      const from = Math.max(at, this.#weather.calmSince(member));
      open = true;
      if (now - from < patienceMs || this.#weather.isAlone(member)) continue;
      this.#report(member, `holds member ${subject.index} ${known.state}, which crashed`);
      this.#crashed.delete(subject);
      return;
    }
    if (!open) this.#crashed.delete(subject);
  }
}
