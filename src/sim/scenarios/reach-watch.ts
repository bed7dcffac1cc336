/** Follows things that are told to all: when each member hears of each. */

import type { MeshEvent } from "../../core/machine.ts";
import type { SimMember } from "../member.ts";
import type { Observer, World } from "../world.ts";

interface Told {
  readonly at: number;

  /** Who is to hear it. */
  readonly waiting: Set<SimMember>;
  readonly audience: number;
  /** How long each took, ms. */
  readonly times: number[];
}

export class ReachWatch implements Observer {
  readonly #world: World;
  readonly #told = new Map<number, Told>();
  /** Numbers what is told, so that no two watches of a world use the same. */
  #number: number;

  constructor(world: World) {
    this.#world = world;
    this.#number = world.steps;
    world.observe(this);
  }

  /** `from` says something of so many bytes to all of `audience`. */
  say(from: SimMember, bytes: number, audience: readonly SimMember[]): void {
    const value = this.#begin(from, bytes, audience);
    this.#world.command(from, { type: "say", id: this.#number, name: "reach", value });
  }

  /** `from` sets a key of its state to a new value. */
  set(from: SimMember, key: string, bytes: number, audience: readonly SimMember[]): void {
    const value = this.#begin(from, bytes, audience);
    this.#world.command(from, { type: "set", key, value });
  }

  /** Things told so far. */
  get count(): number {
    return this.#told.size;
  }

  get allReached(): boolean {
    for (const { waiting } of this.#told.values()) {
      for (const member of waiting) if (member.alive) return false;
    }
    return true;
  }

  /** How long each thing took to be known to all, ms; what some never heard is left out. */
  wholeMs(): number[] {
    return [...this.#told.values()]
      .filter(({ waiting }) => [...waiting].every((member) => !member.alive))
      .map(({ times }) => times.reduce((most, ms) => Math.max(most, ms), 0));
  }

  /** Mean share of the audience that has heard a thing within `ms` of it. */
  reachedWithin(ms: number): number {
    let share = 0;
    for (const { times, audience } of this.#told.values()) {
      share += times.filter((time) => time <= ms).length / Math.max(1, audience);
    }
    return share / Math.max(1, this.#told.size);
  }

  onEvent(member: SimMember, event: MeshEvent): void {
    if (event.type !== "heard" && event.type !== "state") return;
    if (event.value === undefined || event.value.length < 4) return;
    const number = new DataView(event.value.buffer, event.value.byteOffset).getUint32(0);
    const told = this.#told.get(number);
    if (told?.waiting.delete(member)) told.times.push(this.#world.now - told.at);
  }

  #begin(from: SimMember, bytes: number, audience: readonly SimMember[]): Uint8Array {
    const value = new Uint8Array(Math.max(4, bytes));
    new DataView(value.buffer).setUint32(0, ++this.#number);
    const waiting = new Set(audience);
    waiting.delete(from);
    const at = this.#world.now;
    this.#told.set(this.#number, { at, waiting, audience: waiting.size, times: [] });
    return value;
  }
}
