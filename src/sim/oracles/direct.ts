/**
 * A message to one member is heard by that one only, at most once, and as it was sent; what is reported as sent was
 * heard; and two that nothing disturbs reach each other, with a link or over others.
 */

import type { Input, MemberId, MeshEvent } from "../../core/machine.ts";
import type { SimMember } from "../member.ts";
import type { World } from "../world.ts";
import type { MakeOracle, Oracle, Report } from "./oracle.ts";
import { contentOf } from "./said.ts";
import type { Weather } from "./weather.ts";

/** A way is found, or found anew, within so long. ms. */
const REACHED_MS = 5_000;
const CALM_MS = 20_000;

interface Sent {
  readonly to: MemberId;
  readonly content: string;
  readonly timeoutMs: number;
  heard: boolean;
}

export const direct: MakeOracle = (world, report, weather) => new Direct(world, report, weather);

class Direct implements Oracle {
  readonly name = "direct";
  readonly #world: World;
  readonly #report: Report;
  readonly #weather: Weather;
  /** What each member has sent in this life, by the number of its command. */
  readonly #sent = new Map<SimMember, Map<number, Sent>>();

  constructor(world: World, report: Report, weather: Weather) {
    this.#world = world;
    this.#report = report;
    this.#weather = weather;
  }

  onInput(member: SimMember, input: Input): void {
    if (input.type !== "command" || input.command.type !== "send") return;
    const { id, to, name, value, timeoutMs } = input.command;
    const all = this.#sent.get(member) ?? new Map<number, Sent>();
    this.#sent.set(member, all);
    all.set(id, { to, content: contentOf(name, value), timeoutMs, heard: false });
  }

  onEvent(member: SimMember, event: MeshEvent): void {
    if (event.type === "heard" && event.direct) this.#onHeard(member, event);
    if (event.type === "sent" && this.#sent.get(member)?.get(event.id)?.heard === false) {
      this.#report(member, `takes message ${event.id} for sent, and nobody has heard it`);
    }
    if (event.type === "sendFailed") this.#onFailed(member, event.id, event.reason);
  }

  #onHeard(member: SimMember, event: Extract<MeshEvent, { type: "heard" }>): void {
    const content = contentOf(event.name, event.value);
    let known = false;
    for (const [sender, all] of this.#sent) {
      if (sender.config.id !== event.from) continue;
      for (const sent of all.values()) {
        if (sent.to !== member.config.id || sent.content !== content) continue;
        known = true;
        if (sent.heard) continue;
        sent.heard = true;
        return;
      }
    }
    const what = known ? "heard again" : "was never sent here";
    this.#report(member, `a message "${event.name}" of ${event.from} ${what}`);
  }

  #onFailed(member: SimMember, id: number, reason: string): void {
    const sent = this.#sent.get(member)?.get(id);
    const to = sent && this.#world.find(sent.to);
    if (sent === undefined || to === undefined || reason !== "unreachable") return;
    const isDue = (one: SimMember): boolean =>
      this.#world.now - this.#weather.calmSince(one) >= CALM_MS + sent.timeoutMs;
    if (sent.timeoutMs < REACHED_MS || !isDue(member) || !isDue(to)) return;
    if (!this.#weather.connected(member, to)) return;
    this.#report(member, `finds no way to member ${to.index}, which is within reach`);
  }
}
