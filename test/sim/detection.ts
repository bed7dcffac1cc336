/** Worlds for the tests of failure detection, and what their members know and were told of each other. */

import { expect } from "vitest";
import type { MemberView } from "../../src/core/machine.ts";
import { type SimMember, World } from "../../src/sim/index.ts";

export type State = MemberView["state"];

/** Seeds by losses; both lanes lose. */
export function cases(
  seeds: readonly number[],
  losses: readonly number[],
): [seed: number, loss: number][] {
  return seeds.flatMap((seed) => losses.map((loss): [number, number] => [seed, loss]));
}

/** A world of `count` members that have all met. */
export function grow(seed: number, count: number, loss: number): World {
  const world = new World(seed, { loss, reliableLoss: loss });
  for (let i = 0; i < count; i++) {
    world.add();
    world.run(37 * (i % 5));
  }
  within(world, "all see each other", 60_000, () => allHold(world.live(), world.live(), "alive"));
  world.run(10_000);
  return world;
}

export function within(world: World, what: string, msMax: number, holds: () => boolean): number {
  const ms = world.runUntil(holds, msMax);
  expect(ms, what).toBeDefined();
  return ms ?? msMax;
}

export function stateOf(member: SimMember, other: SimMember): State | undefined {
  return member.core.members().find(({ id }) => id === other.config.id)?.state;
}

/** Whether all of `members` hold each of `ones`, but themselves, in `state`. */
export function allHold(
  members: readonly SimMember[],
  ones: readonly SimMember[],
  state: State,
): boolean {
  return members.every((member) => {
    const states = new Map(member.core.members().map((view) => [view.id, view.state]));
    return ones.every((one) => one === member || states.get(one.config.id) === state);
  });
}

/** Who declares a live member down. A restart shows as down and up in one step. */
export class FalseDowns {
  readonly told: string[] = [];
  #inStep: [line: string, id: string][] = [];

  /** @param excused who may be declared down, or may declare what it wants */
  constructor(world: World, excused: readonly SimMember[] = []) {
    world.observe({
      onEvent: (member, event) => {
        if (event.type !== "member") return;
        const { id } = event.member;
        const subject = world.find(id);
        if (event.kind === "up") this.#inStep = this.#inStep.filter(([, one]) => one !== id);
        if (event.kind !== "down" || !subject?.alive) return;
        if (excused.includes(subject) || excused.includes(member)) return;
        const line = `${Math.round(world.now)}: ${member.index} takes ${subject.index} for down`;
        this.#inStep.push([line, id]);
      },
      onStep: () => {
        for (const [line] of this.#inStep) this.told.push(line);
        this.#inStep = [];
      },
    });
  }
}

/** What the others were told of a member since the beginning, but its updates. */
export function toldOf(world: World, about: SimMember): string[][] {
  const others = world.live().filter((member) => member !== about);
  return others.map((member) =>
    member.events.flatMap((event) =>
      event.type === "member" && event.member.id === about.config.id && event.kind !== "update"
        ? [event.kind]
        : [],
    ),
  );
}
