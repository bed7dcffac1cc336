/**
 * Invariant 6: what a member says is heard at most once, in its order, and only as it was said; and by everyone who
 * was undisturbed throughout, or a gap is shown. What was said is learned from the commands themselves.
 */

import type { Input, MemberId, MeshEvent } from "../../core/machine.ts";
import type { SimMember } from "../member.ts";
import type { World } from "../world.ts";
import type { MakeOracle, Oracle, Report } from "./oracle.ts";
import { contentOf } from "./said.ts";
import type { Weather } from "./weather.ts";

/** Trees are mended, gaps given up, and large messages take their time. ms. */
const HEARD_MS = 15_000;

/** What is older than this has been looked at. ms. */
const KEEP_MS = 60_000;

interface Said {
  /** Counts what its speaker said in this life. */
  readonly sequence: number;
  readonly content: string;
  readonly at: number;
}

interface Listener {
  /** Which of the speaker's lives was heard last. */
  life: number;
  /** The last of it that was heard, or given up as a gap. */
  sequence: number;
  /** What was heard late, which comes by another way and once too: the life, and the sequence. */
  readonly late: Set<string>;
}

export const delivery: MakeOracle = (world, report, weather) =>
  new Delivery(world, report, weather);

class Delivery implements Oracle {
  readonly name = "delivery";
  readonly #world: World;
  readonly #report: Report;
  readonly #weather: Weather;
  readonly #said = new Map<SimMember, Said[]>();
  /** Who has had an id, one after another. */
  readonly #lives = new Map<MemberId, SimMember[]>();
  readonly #counts = new Map<SimMember, number>();
  readonly #heard = new Map<SimMember, Map<MemberId, Listener>>();
  /** All that was said up to this is checked, ms. */
  readonly #checkedAt = new Map<SimMember, number>();

  constructor(world: World, report: Report, weather: Weather) {
    this.#world = world;
    this.#report = report;
    this.#weather = weather;
  }

  onAdded(member: SimMember): void {
    const { id } = member.config;
    this.#lives.set(id, [...(this.#lives.get(id) ?? []), member]);
  }

  onInput(member: SimMember, input: Input): void {
    if (input.type !== "command" || input.command.type !== "say") return;
    const { name, value } = input.command;
    const sequence = (this.#counts.get(member) ?? 0) + 1;
    this.#counts.set(member, sequence);
    const said = this.#said.get(member) ?? [];
    this.#said.set(member, said);
    said.push({ sequence, content: contentOf(name, value), at: this.#world.now });
    while ((said[0]?.at ?? this.#world.now) < this.#world.now - KEEP_MS) said.shift();
  }

  onEvent(member: SimMember, event: MeshEvent): void {
    if (event.type === "heard" && event.late !== undefined) this.#onLate(member, event);
    else if (event.type === "heard" && !event.direct) this.#onHeard(member, event);
    if (event.type === "gap") {
      const listener = this.#listener(member, event.from);
      listener.sequence = Math.max(listener.sequence, event.last);
    }
  }

  check(): void {
    const { now } = this.#world;
    const until = now - HEARD_MS;
    for (const [speaker, said] of this.#said) {
      const from = this.#checkedAt.get(speaker) ?? Number.NEGATIVE_INFINITY;
      this.#checkedAt.set(speaker, until);
      const due = said.filter(({ at }) => at > from && at <= until);
      const last = due.at(-1);
      if (last === undefined || !speaker.alive) continue;
      for (const member of this.#weather.calm(HEARD_MS + LEAD_MS)) {
        if (member !== speaker) this.#checkHeard(member, speaker, due);
      }
    }
  }

  #checkHeard(member: SimMember, speaker: SimMember, due: readonly Said[]): void {
    const calmSince = Math.max(this.#weather.calmSince(member), this.#weather.calmSince(speaker));
    if (!this.#weather.connected(member, speaker)) return;
    const { life, sequence: last } = this.#listener(member, speaker.config.id);
    const heard = this.#lives.get(speaker.config.id)?.[life] === speaker ? last : 0;
    const missed = due.find(({ at, sequence }) => at > calmSince + LEAD_MS && sequence > heard);
    if (missed === undefined) return;
    const { sequence, at } = missed;
    this.#report(
      member,
      `has not heard number ${sequence} of member ${speaker.index}, said at ${Math.round(at)} ms, and shows no gap`,
    );
  }

  /** Counted with what comes by the tree. */
  #onLate(member: SimMember, event: Extract<MeshEvent, { type: "heard" }>): void {
    const content = contentOf(event.name, event.value);
    for (const [life, speaker] of (this.#lives.get(event.from) ?? []).entries()) {
      const said = this.#said.get(speaker)?.find((one) => one.content === content);
      if (said === undefined) continue;
      this.#listener(member, event.from).late.add(`${life} ${said.sequence}`);
    }
  }

  #onHeard(member: SimMember, event: Extract<MeshEvent, { type: "heard" }>): void {
    const listener = this.#listener(member, event.from);
    const content = contentOf(event.name, event.value);
    const lives = this.#lives.get(event.from) ?? [];
    // Of the life that was heard last, or of a later one.
    for (let life = listener.life; life < lives.length; life++) {
      const after = life === listener.life ? listener.sequence : 0;
      const said = this.#said.get(lives[life] as SimMember) ?? [];
      const next = said.find((one) => one.sequence > after && one.content === content);
      if (next === undefined) continue;
      // A newcomer begins where its first neighbour stands; from there on nothing is left out silently.
      let reached = after;
      while (listener.late.has(`${life} ${reached + 1}`)) reached++;
      if (after > 0 && next.sequence > reached + 1) {
        this.#report(
          member,
          `heard ${next.sequence} of ${event.from} after ${after}, without a gap`,
        );
      }
      listener.life = life;
      listener.sequence = next.sequence;
      return;
    }
    const ever = lives.some((life) => this.#said.get(life)?.some((one) => one.content === content));
    const what = ever ? "again, or out of order" : "that was never said";
    this.#report(member, `heard "${event.name}" of ${event.from} ${what}`);
  }

  #listener(member: SimMember, id: MemberId): Listener {
    const all = this.#heard.get(member) ?? new Map<MemberId, Listener>();
    this.#heard.set(member, all);
    const listener = all.get(id) ?? { life: 0, sequence: 0, late: new Set() };
    all.set(id, listener);
    return listener;
  }
}

/** Both were undisturbed so long before it was said: the trees are theirs. ms. */
const LEAD_MS = 5_000;
