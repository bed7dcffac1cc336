// What all share, under loss, partitions, crashes and wrong clocks, in virtual time, over several seeds.
import { describe, expect, test } from "vitest";
import type { SimMember, World } from "../../src/sim/index.ts";
import { grown, within } from "./graph.ts";

const SEEDS = [31, 32, 33];

const number = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 255);
const numberOf = (value: Uint8Array | undefined): number | undefined =>
  value && ((value[0] ?? 0) << 8) + (value[1] ?? 0);

function share(world: World, member: SimMember, key: string, value: number | undefined): void {
  const bytes = value === undefined ? undefined : number(value);
  world.command(member, { type: "share", key, value: bytes });
}

/** What a member was told last of a key. */
function configOf(member: SimMember, key: string): number | undefined {
  for (const event of member.events.toReversed()) {
    if (event.type === "shared" && event.key === key) return numberOf(event.value);
  }
  return undefined;
}

const agreeOn = (world: World, key: string, value: number | undefined): boolean =>
  world.live().every((member) => configOf(member, key) === value);

/** What a member heard of `name`, and how. */
const heardBy = (member: SimMember, name: string): string[] =>
  member.events.flatMap((event) =>
    event.type === "heard" && event.name === name
      ? [`${numberOf(event.value)}${event.late === undefined ? "" : " late"}`]
      : [],
  );

let saidCount = 0;
function say(world: World, member: SimMember, value: number, forMs: number): void {
  const id = ++saidCount;
  world.command(member, { type: "say", id, name: "news", value: number(value), forMs });
}

describe.each(SEEDS)("row 27: shared configuration, seed %i", (seed) => {
  test.each([0, 0.2])(
    "the last write is everywhere soon, and newcomers get it; loss %f",
    (loss) => {
      const world = grown(seed, 20, { loss, reliableLoss: loss });
      const [first, second] = world.live() as [SimMember, SimMember];
      share(world, first, "mode", 1);
      share(world, first, "gone", 1);
      const known = (): boolean => agreeOn(world, "mode", 1) && agreeOn(world, "gone", 1);
      within(world, 5_000, "known to all", known);
      share(world, second, "mode", 2);
      share(world, second, "gone", undefined);
      within(world, 5_000, "changed for all", () => agreeOn(world, "mode", 2));
      within(world, 5_000, "deleted for all", () => agreeOn(world, "gone", undefined));
      const late = world.add();
      within(world, 20_000, "known to the newcomer", () => configOf(late, "mode") === 2);
      expect(configOf(late, "gone")).toBeUndefined();
    },
  );

  test("it outlives all its writers, as long as anybody is there", () => {
    const world = grown(seed, 8);
    for (const [i, member] of world.live().entries()) share(world, member, `of-${i}`, i);
    world.run(5_000);
    const heirs = world.add();
    within(world, 20_000, "known to the heir", () => configOf(heirs, "of-7") === 7);
    for (const member of world.live()) {
      if (member === heirs) continue;
      world.command(member, { type: "leave" });
    }
    world.run(1_000);
    const next = world.add();
    within(world, 20_000, "handed on", () =>
      [0, 1, 2, 3, 4, 5, 6, 7].every((i) => configOf(next, `of-${i}`) === i),
    );
  });

  test("deletions that are forgotten stay in no store, and hold after the restart of all", () => {
    const world = grown(seed, 3);
    const [first, second, away] = world.live() as [SimMember, SimMember, SimMember];
    share(world, first, "old", 1);
    share(world, first, "gone", 1);
    within(world, 5_000, "known to all", () => agreeOn(world, "gone", 1));
    world.crash(away);
    share(world, first, "gone", undefined);
    for (let i = 0; i < 1_100; i++) {
      share(world, first, `k${i}`, 1);
      share(world, first, `k${i}`, undefined);
      if (i % 100 === 0) world.run(100);
    }
    share(world, first, "last", 1);
    within(world, 20_000, "known", () => configOf(second, "last") === 1);
    // The values, the young deletions, and up to where the others were.
    for (const { kept } of [first, second]) expect(kept.size).toBeLessThan(1_003);
    world.crash(first);
    world.crash(second);
    const again = [first, second, away].map((member) => world.restart(member));
    within(world, 20_000, "the same at all", () =>
      again.every(
        (member) =>
          configOf(member, "old") === 1 &&
          configOf(member, "last") === 1 &&
          configOf(member, "gone") === undefined,
      ),
    );
    expect(again.every(({ kept }) => kept.size < 1_003)).toBe(true);
  });

  test("writers in two halves of a partition: one value everywhere after it, the later one", () => {
    const world = grown(seed, 20);
    const live = world.live();
    world.partition(new Map(live.map((member, i) => [member, i % 2])));
    share(world, live[0] as SimMember, "mode", 10);
    world.run(2_000);
    // Later by the clock of the mesh, whatever the wall clocks of the two say.
    share(world, live[1] as SimMember, "mode", 11);
    share(world, live[1] as SimMember, "only here", 1);
    world.run(20_000);
    expect(new Set(world.live().map((member) => configOf(member, "mode")))).toEqual(
      new Set([10, 11]),
    );
    world.heal();
    within(
      world,
      30_000,
      "one value",
      () => agreeOn(world, "mode", 11) && agreeOn(world, "only here", 1),
    );
  });

  test("with a store it survives the restart of all", () => {
    const world = grown(seed, 5);
    const live = world.live();
    share(world, live[0] as SimMember, "mode", 1);
    share(world, live[1] as SimMember, "deleted", 1);
    world.run(3_000);
    share(world, live[2] as SimMember, "deleted", undefined);
    world.run(3_000);
    for (const member of live) world.crash(member);
    const [back] = live.map((member) => world.restart(member)) as [SimMember];
    within(world, 60_000, "all are back, with what they knew", () => agreeOn(world, "mode", 1));
    expect(agreeOn(world, "deleted", undefined)).toBe(true);
    share(world, back, "mode", 2);
    within(world, 5_000, "what is new wins", () => agreeOn(world, "mode", 2));
  });

  test("larger values are asked for by who lacks them, and come once or little more", () => {
    const world = grown(seed, 20);
    const [first] = world.live() as [SimMember];
    let bytes = 0;
    world.observe({
      onSent(_member, _lane, frame) {
        bytes += frame.length;
      },
    });
    const before = bytes;
    world.command(first, { type: "share", key: "large", value: new Uint8Array(60_000) });
    const known = (member: SimMember): boolean =>
      member.core.layers.common.sharing.registers.get("clarge")?.value?.length === 60_000;
    within(world, 10_000, "known to all", () => world.live().every(known));
    expect(bytes - before).toBeLessThan(1.2 * 60_000 * world.live().length);
  });
});

describe.each(SEEDS)("row 33: what is said to those who come later, seed %i", (seed) => {
  test("is heard by who is here at once, and by newcomers within its life, once", () => {
    const world = grown(seed, 12);
    const [speaker, ...others] = world.live() as [SimMember, ...SimMember[]];
    for (const value of [1, 2, 3]) say(world, speaker, value, 20_000);
    world.command(speaker, { type: "say", id: 0, name: "news", value: number(4) });
    world.run(3_000);
    for (const member of others) expect(heardBy(member, "news")).toEqual(["1", "2", "3", "4"]);
    const late = world.add();
    world.run(5_000);
    expect(heardBy(late, "news")).toEqual(["1 late", "2 late", "3 late"]);
    // The speaker may be gone: what it said goes on for its life.
    world.command(speaker, { type: "leave" });
    world.run(2_000);
    const later = world.add();
    world.run(5_000);
    expect(heardBy(later, "news")).toEqual(["1 late", "2 late", "3 late"]);
    world.run(10_000);
    const tooLate = world.add();
    world.run(10_000);
    expect(heardBy(tooLate, "news")).toEqual([]);
    for (const member of [...others, late]) {
      expect(heardBy(member, "news").map((heard) => heard.charAt(0))).toEqual(
        member === late ? ["1", "2", "3"] : ["1", "2", "3", "4"],
      );
    }
  });

  test("is held for no longer than its life where it has waited on a silent link", () => {
    const world = grown(seed, 2, {});
    const [speaker, other] = world.live() as [SimMember, SimMember];
    world.run(2_000);
    world.block([speaker], [other]);
    say(world, speaker, 1, 3_000);
    world.run(3_500);
    world.heal();
    expect(other.links.size).toBe(1);
    within(world, 10_000, "heard", () => heardBy(other, "news").length === 1);
    expect(other.core.stats().shared.entries).toBe(0);
  });

  test("is heard after a partition by the other side", () => {
    const world = grown(seed, 12);
    const live = world.live() as SimMember[];
    world.partition(new Map(live.map((member, i) => [member, i % 2])));
    world.run(15_000);
    say(world, live[0] as SimMember, 1, 60_000);
    world.run(5_000);
    expect(heardBy(live[1] as SimMember, "news")).toEqual([]);
    world.heal();
    within(world, 30_000, "heard by all", () =>
      live.every((member) => member === live[0] || heardBy(member, "news").length === 1),
    );
    world.run(60_000);
    for (const member of live.slice(1)) expect(heardBy(member, "news")).toHaveLength(1);
  });
});

test("many times what a link may have under way is written to the configuration, and all of it arrives, as does what is said after it", () => {
  const world = grown(1, 3);
  const [writer, reader] = world.live() as [SimMember, SimMember];
  const value = new Uint8Array(1_000);
  const writes = (5 * writer.config.windowBytes) / value.length;
  for (let i = 0; i < writes; i++) {
    world.command(writer, { type: "share", key: `key ${i % 10}`, value });
    world.run(2);
  }
  share(world, writer, "last", 7);
  say(world, writer, 8, 0);
  within(world, 2_000, "it is known", () => configOf(reader, "last") === 7);
  within(world, 2_000, "it is heard", () => heardBy(reader, "news").join() === "8");
});
