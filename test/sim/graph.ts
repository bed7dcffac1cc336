/** The links of a world as a graph, and worlds to look at. */

import { expect } from "vitest";
import type { Parameters } from "../../src/core/config.ts";
import { type NetworkOptions, type SimMember, World } from "../../src/sim/index.ts";

interface Options extends Partial<NetworkOptions> {
  readonly parameters?: Partial<Parameters>;
  /** Between two joins, ms. */
  readonly spacingMs?: number;
}

export interface Joined {
  readonly count: number;
  readonly network?: Partial<NetworkOptions>;
  readonly parameters?: Partial<Parameters>;
}

/** A world whose members have just begun to join, one after another. */
export function joined(seed: number, { count, network = {}, parameters = {} }: Joined): World {
  const world = new World(seed, network);
  for (let i = 0; i < count; i++) {
    world.add({ parameters });
    world.run(20);
  }
  return world;
}

/** A world in which everyone knows everyone and nothing is sought any more. */
export function grown(seed: number, count: number, options: Options = {}): World {
  const { parameters = {}, spacingMs = 50, ...network } = options;
  const world = new World(seed, network, { parameters });
  for (let i = 0; i < count; i++) {
    world.add();
    world.run(spacingMs);
  }
  within(world, 60_000, "everyone knows everyone, with links enough", () => {
    const { linksTarget } = (world.members[0] as SimMember).config;
    return world.live().every((member) => {
      const known = member.core.members().length;
      return known === count && member.links.size >= Math.min(linksTarget, count - 1);
    });
  });
  return world;
}

/** Runs until `holds`, and gives how long that took. */
export function within(
  world: World,
  msMax: number,
  what: string,
  holds: () => boolean,
  stepMs = 100,
): number {
  const ms = world.runUntil(holds, msMax, stepMs);
  expect(ms, what).toBeDefined();
  return ms ?? msMax;
}

/** Members at the other ends of its links that are there and know of it. */
export function linkedWith(member: SimMember): SimMember[] {
  const others = new Set<SimMember>();
  for (const end of member.links.values()) if (end.to.alive) others.add(end.to);
  return [...others];
}

/** The sizes of the parts that the links of live members leave, largest first. */
export function parts(world: World): number[] {
  const seen = new Set<SimMember>();
  const sizes: number[] = [];
  for (const start of world.live()) {
    if (seen.has(start)) continue;
    const part = [start];
    seen.add(start);
    for (const member of part) {
      for (const other of linkedWith(member)) {
        if (seen.has(other) || other.group !== member.group) continue;
        seen.add(other);
        part.push(other);
      }
    }
    sizes.push(part.length);
  }
  return sizes.sort((a, b) => b - a);
}

/** Links that only one of their ends holds. */
export function oneSided(world: World): [SimMember, SimMember][] {
  return world.live().flatMap((member) =>
    linkedWith(member)
      .filter((other) => !linkedWith(other).includes(member))
      .map((other): [SimMember, SimMember] => [member, other]),
  );
}

/** How many links a member has had since the start. */
export function linksMade(member: SimMember): number {
  return member.events.filter(({ type }) => type === "linkUp").length;
}

/** Joins two members as an invitation does: by a link that neither core has asked for. */
export function invite(world: World, a: SimMember, b: SimMember): void {
  for (const end of world.network.open(a, b)) {
    const common = { link: end.id, attempt: undefined, transport: "sim", peer: end.to.config.id };
    world.input(end.owner, { type: "linkUp", ...common });
  }
}
