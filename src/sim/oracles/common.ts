/**
 * What all share: a key's value never goes back to an earlier write; and what is said to those who come later is
 * heard once by everyone within its life, and by nobody after it. When all is quiet, `agreement` compares the rest.
 */

import { decodeWords, LASTING } from "../../core/broadcast/lasting.ts";
import type { Input, MeshEvent } from "../../core/machine.ts";
import { isLater, type Stamp } from "../../core/shared/clock.ts";
import type { SimMember } from "../member.ts";
import type { World } from "../world.ts";
import type { MakeOracle, Oracle, Report } from "./oracle.ts";
import { contentOf } from "./said.ts";
import type { Weather } from "./weather.ts";

/** A newcomer finds links, compares and asks; a large backlog takes its time. ms. */
const HEARD_MS = 15_000;

/** Lives are counted by each member's own clock, which may drift, from when it came there. */
const DRIFT_SHARE = 0.1;
const LATE_MS = 10_000;

/** It may have come late to a member that stood still, and be told by that one to others. ms. */
const HELD_MS = 2 * LATE_MS;

interface Lasting {
  readonly speaker: SimMember;
  readonly content: string;
  readonly at: number;
  readonly forMs: number;
  readonly heardBy: Set<SimMember>;
  isChecked: boolean;
}

export const common: MakeOracle = (world, report, weather) => new Common(world, report, weather);

class Common implements Oracle {
  readonly name = "common";
  readonly #world: World;
  readonly #report: Report;
  readonly #weather: Weather;
  readonly #seen = new Map<SimMember, Map<string, Stamp>>();
  readonly #said = new Map<string, Lasting>();

  constructor(world: World, report: Report, weather: Weather) {
    this.#world = world;
    this.#report = report;
    this.#weather = weather;
  }

  onInput(member: SimMember, input: Input): void {
    if (input.type !== "command" || input.command.type !== "say") return;
    const { name, value, forMs = 0 } = input.command;
    if (forMs === 0) return;
    const content = contentOf(name, value);
    const at = this.#world.now;
    this.#said.set(content, {
      speaker: member,
      content,
      at,
      forMs,
      heardBy: new Set(),
      isChecked: false,
    });
  }

  onEvent(member: SimMember, event: MeshEvent): void {
    if (event.type === "heard") this.#onHeard(member, event);
    if (event.type === "shared") this.#onShared(member, event);
  }

  check(): void {
    const { now } = this.#world;
    for (const said of this.#said.values()) {
      if (now > said.at + said.forMs) {
        this.#checkEnded(said, now);
        continue;
      }
      if (now - said.at < HEARD_MS || !said.speaker.alive) continue;
      // Who kept it may not have met anybody else yet.
      if (now - this.#weather.calmSince(said.speaker) < now - said.at) continue;
      for (const member of this.#weather.calm(HEARD_MS)) {
        if (member === said.speaker || said.heardBy.has(member)) continue;
        if (!this.#weather.connected(member, said.speaker)) continue;
        said.heardBy.add(member);
        const at = Math.round(said.at);
        this.#report(
          member,
          `has not heard what member ${said.speaker.index} said at ${at} ms for ${said.forMs} ms`,
        );
      }
    }
  }

  /** Long after its life nobody holds it any more. */
  #checkEnded(said: Lasting, now: number): void {
    if (now < said.at + said.forMs * (1 + DRIFT_SHARE) + HELD_MS || said.isChecked) return;
    said.isChecked = true;
    for (const member of this.#weather.calm(HEARD_MS)) {
      for (const { key, value } of member.core.layers.common.sharing.registers.all()) {
        const words = key.startsWith(LASTING) && value !== undefined && decodeWords(value);
        if (words && contentOf(words.name, words.value) === said.content) {
          this.#report(
            member,
            `still holds what member ${said.speaker.index} said at ${said.at} ms`,
          );
        }
      }
    }
  }

  #onHeard(member: SimMember, event: Extract<MeshEvent, { type: "heard" }>): void {
    const said = this.#said.get(contentOf(event.name, event.value));
    if (said === undefined) return;
    const overMs = this.#world.now - said.at - said.forMs * (1 + DRIFT_SHARE);
    if (event.late !== undefined && overMs > LATE_MS) {
      const by = Math.round(overMs + said.forMs * DRIFT_SHARE);
      this.#report(
        member,
        `hears what member ${said.speaker.index} said for ${said.forMs} ms ${by} ms too late`,
      );
    }
    if (said.heardBy.has(member)) {
      this.#report(member, `heard twice what member ${said.speaker.index} said to last`);
    }
    said.heardBy.add(member);
  }

  #onShared(member: SimMember, event: Extract<MeshEvent, { type: "shared" }>): void {
    const held = member.core.layers.common.sharing.registers.get(`c${event.key}`);
    const seen = this.#seen.get(member) ?? new Map<string, Stamp>();
    this.#seen.set(member, seen);
    const before = seen.get(event.key);
    if (held === undefined || held.writer !== event.writer) return;
    // Its own write may have been stamped anew, by a better clock.
    if (before !== undefined && before.writer !== held.writer && !isLater(held, before)) {
      this.#report(member, `sees the shared ${event.key} go back to an earlier write`);
    }
    seen.set(event.key, held);
  }
}
