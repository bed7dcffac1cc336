/**
 * Broadcast trees settle: while nothing disturbs the mesh and much is said, most members get each payload once.
 * What a wrong prune costs is seen here only, for what it takes away the announcements bring back.
 */

import type { SimMember } from "../member.ts";
import type { World } from "../world.ts";
import type { MakeOracle, Oracle, Report } from "./oracle.ts";
import type { Weather } from "./weather.ts";

/** Trees grow again within this after a disturbance, and each look is over so long. ms. */
const CALM_MS = 10_000;
const WINDOW_MS = 5_000;

/** Less than this, said by all together in a window, says nothing. */
const SAID_MIN = 100;

/** Payloads that come for each one that is needed. Floods and lost races are among them. */
const REDUNDANCY_MAX = 0.3;

export const trees: MakeOracle = (world, report, weather) => new Trees(world, report, weather);

class Trees implements Oracle {
  readonly name = "trees";
  readonly #world: World;
  readonly #report: Report;
  readonly #weather: Weather;
  #since = 0;
  #said = 0;
  /** Said in the window before: with the first words trees only begin to grow. */
  #saidBefore = 0;
  #before = 0;

  constructor(world: World, report: Report, weather: Weather) {
    this.#world = world;
    this.#report = report;
    this.#weather = weather;
  }

  onInput(_member: SimMember, input: { type: string; command?: { type: string } }): void {
    if (input.type === "command" && input.command?.type === "say") this.#said++;
  }

  check(): void {
    const { now } = this.#world;
    if (now - this.#since < WINDOW_MS) return;
    const received = this.#received();
    const live = this.#world.live();
    const needed = this.#said * (live.length - 1);
    const redundancy = (received - this.#before) / needed - 1;
    const calm = this.#weather.calm(CALM_MS + WINDOW_MS).length === live.length;
    const grown = Math.min(this.#said, this.#saidBefore) >= SAID_MIN;
    if (calm && grown && redundancy > REDUNDANCY_MAX) {
      this.#report(undefined, `payloads come ${(1 + redundancy).toFixed(2)} times to each member`);
    }
    this.#since = now;
    this.#saidBefore = this.#said;
    this.#said = 0;
    this.#before = received;
  }

  #received(): number {
    return this.#world
      .live()
      .reduce((sum, { core }) => sum + core.layers.broadcast.stats.payloadsReceived, 0);
  }
}
