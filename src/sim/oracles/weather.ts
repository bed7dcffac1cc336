/**
 * Since when is a member undisturbed? What has a bound in time holds only for members that were there, awake and
 * within reach all that time, so every oracle with a bound asks here.
 */

import type { SimMember } from "../member.ts";
import type { Fault, Observer, World } from "../world.ts";

export class Weather implements Observer {
  readonly #world: World;
  /** When something last happened to a member, ms. */
  readonly #since = new Map<SimMember, number>();
  #partitioned = false;
  #clearSince = 0;
  #seedUpSince = 0;
  /** The part of the mesh that each member that takes part is in, by its lowest index, and since when. */
  #parts = new Map<SimMember, { part: number; since: number }>();
  /** How many members each part has. */
  readonly #sizes = new Map<number, number>();
  #partsAt = -1;

  constructor(world: World) {
    this.#world = world;
    world.observe(this);
  }

  /** Since when nothing has kept the member from taking part, ms; Infinity while something does. */
  calmSince(member: SimMember): number {
    if (!takesPart(member) || this.#partitioned) return Number.POSITIVE_INFINITY;
    const since = Math.max(member.bornAt, this.#since.get(member) ?? 0, this.#clearSince);
    return Math.max(since, this.#partOf(member)?.since ?? Number.POSITIVE_INFINITY);
  }

  /** The members that have been calm for `ms`. */
  calm(ms: number): SimMember[] {
    const { now } = this.#world;
    return this.#world.live().filter((member) => now - this.calmSince(member) >= ms);
  }

  /** Since when no partition lasts and the seed server is there, ms; Infinity otherwise. */
  get clearSince(): number {
    if (this.#partitioned || !this.#world.seedServer.up) return Number.POSITIVE_INFINITY;
    return Math.max(this.#clearSince, this.#seedUpSince);
  }

  /** Whether links lead from one to the other. */
  connected(a: SimMember, b: SimMember): boolean {
    const part = this.#partOf(a)?.part;
    return part !== undefined && part === this.#partOf(b)?.part;
  }

  /** Nobody is within reach of it: then it decides nothing about others. */
  isAlone(member: SimMember): boolean {
    const part = this.#partOf(member)?.part;
    return part === undefined || this.#sizes.get(part) === 1;
  }

  /** How many parts the live members' links leave. */
  partCount(): number {
    this.look();
    return this.#sizes.size;
  }

  /** How many parts the members make that take part, if every link stood that a transport can make. */
  partsPossible(): number {
    const { network } = this.#world;
    const left = new Set(this.#world.members.filter(takesPart));
    let parts = 0;
    for (const start of left) {
      parts++;
      left.delete(start);
      const stack = [start];
      for (let member = stack.pop(); member !== undefined; member = stack.pop()) {
        for (const other of left) {
          if (!network.couldConnect(member, other)) continue;
          left.delete(other);
          stack.push(other);
        }
      }
    }
    return parts;
  }

  onFault(what: Fault, member: SimMember | undefined): void {
    const { now } = this.#world;
    // Crashes and broken links are for the protocol to bear: who is without any link is in no part.
    if (member !== undefined) {
      if (what !== "cut") this.#since.set(member, now);
      return;
    }
    if (what === "partition") this.#partitioned = true;
    if (what === "heal") this.#partitioned = false;
    if (what === "seedUp") this.#seedUpSince = now;
    if (what === "partition" || what === "heal") this.#clearSince = now;
  }

  #partOf(member: SimMember): { part: number; since: number } | undefined {
    this.look();
    return this.#parts.get(member);
  }

  /** To be called often: a change of the parts is dated by the look that sees it. */
  look(): void {
    if (this.#partsAt === this.#world.now) return;
    this.#partsAt = this.#world.now;
    const before = this.#parts;
    this.#parts = new Map();
    this.#sizes.clear();
    for (const start of this.#world.members) {
      if (takesPart(start) && !this.#parts.has(start)) this.#spread(start, before);
    }
  }

  #spread(start: SimMember, before: ReadonlyMap<SimMember, { part: number; since: number }>): void {
    const { now } = this.#world;
    const stack = [start];
    let size = 0;
    const enter = (member: SimMember): void => {
      const held = before.get(member);
      const since = held?.part === start.index ? held.since : now;
      this.#parts.set(member, { part: start.index, since });
      size++;
    };
    enter(start);
    for (let member = stack.pop(); member !== undefined; member = stack.pop()) {
      for (const { to, other } of member.links.values()) {
        // A link is one while both ends have it.
        if (!takesPart(to) || this.#parts.has(to) || !to.links.has(other.id)) continue;
        enter(to);
        stack.push(to);
      }
    }
    this.#sizes.set(start.index, size);
  }
}

/** It is there, awake, and can talk. */
export function takesPart(member: SimMember): boolean {
  return member.alive && !member.paused && !member.deaf && !member.mute;
}
