/**
 * What is set for a time ends at everyone by itself, is told once, and is not seen after its life; and of a key whose
 * changes are all kept, every member sees all of them, in order, or a gap.
 */

import type { Command, Input, MeshEvent } from "../../core/machine.ts";
import type { SimMember } from "../member.ts";
import type { World } from "../world.ts";
import type { MakeOracle, Oracle, Report } from "./oracle.ts";
import { contentOf } from "./said.ts";
import type { Weather } from "./weather.ts";

/** Lives are counted by each member's own clock, which may drift, from when they came there. */
const DRIFT_SHARE = 0.1;
const LATE_MS = 10_000;

/** So long before a change a member must have been undisturbed to have no gap there. */
const CALM_MS = 5_000;

interface Life {
  readonly owner: SimMember;
  readonly generation: number;
  readonly key: string;
  readonly version: number;
  readonly endsAt: number;
  /** Everybody has ended it by then. */
  readonly overAt: number;
}

interface Change {
  readonly number: number;
  readonly content: string;
  readonly at: number;
}

/** What a member has seen of a key of one life of its owner. */
interface Seen {
  readonly generation: number;
  number: number;
}

export const lives: MakeOracle = (world, report, weather) => new Lives(world, report, weather);

class Lives implements Oracle {
  readonly name = "lives";
  readonly #world: World;
  readonly #report: Report;
  readonly #weather: Weather;
  readonly #lives = new Map<string, Life>();
  readonly #logs = new Map<string, Change[]>();
  readonly #ended = new Map<SimMember, Set<string>>();
  readonly #seen = new Map<SimMember, Map<string, Seen>>();
  /** A clock that jumps ends lives early, here and at who gets them from here. */
  #jumpedAt = Number.NEGATIVE_INFINITY;

  constructor(world: World, report: Report, weather: Weather) {
    this.#world = world;
    this.#report = report;
    this.#weather = weather;
  }

  onStep(member: SimMember, input: Input): void {
    if (input.type !== "command") return;
    if (input.command.type === "set") this.#onSet(member, input.command);
    if (input.command.type === "repeat") this.#onRepeat(member);
  }

  onEvent(member: SimMember, event: MeshEvent): void {
    if (event.type !== "state") return;
    if (event.log !== undefined) this.#onChange(member, event, event.log);
    else if (event.expired) this.#onEnd(member, event);
    else if (event.value !== undefined) this.#onValue(member, event);
  }

  onFault(what: string, member: SimMember | undefined): void {
    if (what === "clock") this.#jumpedAt = this.#world.now;
    if (member === undefined || (what !== "crash" && what !== "stop")) return;
    this.#seen.delete(member);
    this.#ended.delete(member);
  }

  check(): void {
    const { now } = this.#world;
    for (const [name, life] of this.#lives) {
      if (now < life.overAt) continue;
      this.#lives.delete(name);
      for (const member of this.#weather.calm(LATE_MS)) {
        const held = replicaOf(member, life.owner)?.get(life.key);
        const { generation } = replicaOf(member, life.owner) ?? {};
        if (generation !== life.generation || held?.version !== life.version) continue;
        if (held.value === undefined) continue;
        const lateMs = Math.round(now - life.endsAt);
        this.#report(
          member,
          `holds ${life.key} of ${life.owner.index} ${lateMs} ms after its life`,
        );
      }
    }
  }

  #onSet(owner: SimMember, { key, lifeMs = 0, log }: Extract<Command, { type: "set" }>): void {
    const replica = replicaOf(owner, owner);
    const item = replica?.get(key);
    if (replica === undefined || item === undefined) return;
    const { generation } = replica;
    const { now: at } = this.#world;
    if (log !== undefined && item.value !== undefined) {
      const name = `${owner.config.id} ${key}`;
      const changes = this.#logs.get(name) ?? [];
      this.#logs.set(name, changes);
      changes.push({ number: item.log?.number ?? 0, content: contentOf("", item.value), at });
    } else if (lifeMs > 0) {
      const { version } = item;
      const overAt = at + (1 + DRIFT_SHARE) * lifeMs + LATE_MS;
      const life = { owner, generation, key, version, endsAt: at + lifeMs, overAt };
      this.#lives.set(nameOf(owner.config.id, generation, key, version), life);
    }
  }

  /** What lives goes on as long as it would have, at another version. */
  #onRepeat(owner: SimMember): void {
    const items = replicaOf(owner, owner)?.values() ?? [];
    for (const life of [...this.#lives.values()]) {
      const item = items.find(({ key, endsAt }) => key === life.key && endsAt < Infinity);
      if (life.owner !== owner || item === undefined || item.version <= life.version) continue;
      const { version } = item;
      const { generation, key } = life;
      this.#lives.set(nameOf(owner.config.id, generation, key, version), { ...life, version });
    }
  }

  #onValue(member: SimMember, event: Extract<MeshEvent, { type: "state" }>): void {
    const replica = member.core.layers.state.store.replicaOf(event.owner);
    const item = replica?.get(event.key);
    if (replica === undefined || item === undefined || item.endsAt === Infinity) return;
    const name = nameOf(event.owner, replica.generation, event.key, item.version);
    // What is over everywhere is known no more.
    if (this.#lives.has(name)) return;
    const isRenumbered = !this.#world.members.some(
      ({ config, core }) =>
        config.id === event.owner &&
        core.layers.membership.table.own.generation === replica.generation &&
        config.generation === replica.generation,
    );
    if (!isRenumbered) this.#report(member, `sees ${event.key} of ${event.owner} after its life`);
  }

  #onEnd(member: SimMember, { owner, key }: Extract<MeshEvent, { type: "state" }>): void {
    const replica = member.core.layers.state.store.replicaOf(owner);
    const version = replica?.get(key)?.version;
    if (replica === undefined || version === undefined) return;
    const name = nameOf(owner, replica.generation, key, version);
    const ended = this.#ended.get(member) ?? new Set<string>();
    this.#ended.set(member, ended);
    if (ended.has(name)) this.#report(member, `is told twice that ${key} of ${owner} has ended`);
    ended.add(name);
    const life = this.#lives.get(name);
    if (life === undefined || this.#jumpedAt > life.endsAt - LATE_MS - 60_000) return;
    const earlyMs = life.endsAt - this.#world.now;
    if (earlyMs > DRIFT_SHARE * (life.overAt - life.endsAt - LATE_MS) * 10 + 1) {
      this.#report(member, `ends ${key} of ${owner} ${Math.round(earlyMs)} ms too soon`);
    }
  }

  #onChange(
    member: SimMember,
    { owner, key, value }: Extract<MeshEvent, { type: "state" }>,
    { number, missed }: { readonly number: number; readonly missed: number },
  ): void {
    const name = `${owner} ${key}`;
    const generation = member.core.layers.state.store.replicaOf(owner)?.generation ?? 0;
    const seen = this.#seen.get(member) ?? new Map<string, Seen>();
    this.#seen.set(member, seen);
    const before = seen.get(name);
    const after = before?.generation === generation ? before.number : 0;
    seen.set(name, { generation, number });
    // A log that was deleted begins anew.
    if (number - missed !== after + 1 && number - missed !== 1) {
      this.#report(member, `sees change ${number} of ${name} after ${after}, and no gap`);
    }
    const content = value && contentOf("", value);
    const changes = this.#logs.get(name) ?? [];
    if (!changes.some((one) => one.number === number && one.content === content)) {
      this.#report(member, `sees change ${number} of ${name} as it was never written`);
    }
    if (missed > 0) this.#onGap(member, owner, key, number - missed);
  }

  /** Who was there all the time misses nothing. */
  #onGap(member: SimMember, id: string, key: string, first: number): void {
    const owner = this.#world.find(id);
    const change = this.#logs.get(`${id} ${key}`)?.findLast(({ number }) => number === first);
    if (owner === undefined || change === undefined) return;
    const since = change.at - CALM_MS;
    if (this.#weather.calmSince(member) > since || this.#weather.calmSince(owner) > since) return;
    if (!this.#weather.connected(member, owner)) return;
    this.#report(member, `misses change ${first} of ${key} of member ${owner.index}`);
  }
}

function replicaOf(member: SimMember, owner: SimMember) {
  return member.core.layers.state.store.replicaOf(owner.config.id);
}

function nameOf(owner: string, generation: number, key: string, version: number): string {
  return `${owner} ${generation} ${key} ${version}`;
}
