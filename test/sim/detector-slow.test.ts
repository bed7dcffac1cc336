/** Members that are slow, hidden, asleep, deaf or mute: who is taken for what. */
import { describe, expect, test } from "vitest";
import type { SimMember } from "../../src/sim/index.ts";
import { allHold, cases, FalseDowns, grow, toldOf, within } from "./detection.ts";

describe.each(cases([1, 2], [0, 0.2]))("seed %i, loss %f", (seed, loss) => {
  test.each([2, 3, 4, 12])("a member that stalls for 3 s is never down, of %i", (count) => {
    const world = grow(seed, count, loss);
    const downs = new FalseDowns(world);
    for (let i = 0; i < 5; i++) {
      world.pause(world.members[i % count] as SimMember, 3_000);
      world.run(8_000 + 137 * i);
    }
    expect(downs.told).toEqual([]);
  });

  test.each([2, 3, 12])(
    "an announced sleep of under 5 min is no failure, of %i members",
    (count) => {
      const world = grow(seed, count, loss);
      const sleeper = world.members[1] as SimMember;
      const others = world.members.filter((one) => one !== sleeper);
      world.command(sleeper, { type: "sleep" });
      within(world, "all know that it sleeps", 4_000, () => allHold(others, [sleeper], "asleep"));
      world.sleep(sleeper, 280_000);
      world.run(279_000);
      expect(allHold(others, [sleeper], "asleep")).toBe(true);
      within(world, "it is back", 20_000, () => allHold(world.live(), world.live(), "alive"));
      world.run(10_000);
      for (const kinds of toldOf(world, sleeper))
        expect(kinds).toEqual(["join", "up", "asleep", "up"]);
    },
  );

  test("who sleeps for longer is down", () => {
    const world = grow(seed, 5, loss);
    const sleeper = world.members[1] as SimMember;
    const others = world.members.filter((one) => one !== sleeper);
    world.command(sleeper, { type: "sleep" });
    world.run(3_000);
    world.sleep(sleeper);
    world.run(295_000);
    expect(allHold(others, [sleeper], "asleep")).toBe(true);
    within(world, "down", 6_000, () => allHold(others, [sleeper], "down"));
  });

  test("a page that may be frozen and falls silent is asleep, and comes back without a word of failure", () => {
    const world = grow(seed, 6, loss);
    const page = world.members[2] as SimMember;
    const others = world.members.filter((one) => one !== page);
    world.command(page, { type: "mayFreeze", value: true });
    world.run(4_000);
    world.pause(page, 60_000);
    within(world, "asleep", 8_000, () => allHold(others, [page], "asleep"));
    world.run(60_000);
    within(world, "back", 20_000, () => allHold(world.live(), world.live(), "alive"));
    for (const kinds of toldOf(world, page)) expect(kinds).not.toContain("down");
  });

  test("hidden tabs with timers of 1 Hz are not accused, accuse nobody, and still see a crash", () => {
    const world = grow(seed, 8, loss);
    const victim = world.members[7] as SimMember;
    const downs = new FalseDowns(world);
    for (const member of world.members.slice(0, 7)) world.hide(member);
    world.run(90_000);
    expect(downs.told).toEqual([]);
    world.crash(victim);
    within(world, "the crash", 20_000, () => allHold(world.live(), [victim], "down"));
  });

  test("a member that is down and back again and again is given more time, and still not for ever", () => {
    const world = grow(seed, 8, loss);
    const slow = world.members[2] as SimMember;
    const downs = new FalseDowns(world);
    const told: number[] = [];
    for (let i = 0; i < 8; i++) {
      const before = downs.told.length;
      world.pause(slow, 5_000);
      world.run(13_000);
      told.push(downs.told.length - before);
    }
    expect(told[0]).toBeGreaterThan(0);
    expect(told.filter((count) => count === 0).length).toBeGreaterThan(1);
    world.crash(slow);
    within(world, "the crash", 15_000, () => allHold(world.live(), [slow], "down"));
  });

  test("a deaf member is found out, and accuses nobody", () => {
    const world = grow(seed, 8, loss);
    const deaf = world.members[3] as SimMember;
    const others = world.members.filter((one) => one !== deaf);
    const downs = new FalseDowns(world, [deaf]);
    world.deafen(deaf);
    within(world, "all know", 15_000, () => allHold(others, [deaf], "down"));
    world.run(10_000);
    expect(downs.told).toEqual([]);
    world.deafen(deaf, false);
    within(world, "it is back", 60_000, () => allHold(world.live(), world.live(), "alive"));
  });

  test("a deaf member that talks all the time is found out too", () => {
    const world = grow(seed, 8, loss);
    const deaf = world.members[3] as SimMember;
    const others = world.members.filter((one) => one !== deaf);
    const downs = new FalseDowns(world, [deaf]);
    world.deafen(deaf);
    const talk = (): boolean => {
      world.command(deaf, { type: "set", key: "k", value: new Uint8Array(8) });
      return allHold(others, [deaf], "down");
    };
    within(world, "all know", 25_000, talk);
    expect(downs.told).toEqual([]);
  });

  test("a mute member is found out, and nobody else is accused", () => {
    const world = grow(seed, 8, loss);
    const mute = world.members[3] as SimMember;
    const others = world.members.filter((one) => one !== mute);
    const downs = new FalseDowns(world, [mute]);
    world.silence(mute);
    within(world, "all know", 8_000, () => allHold(others, [mute], "down"));
    world.run(20_000);
    expect(downs.told).toEqual([]);
    world.silence(mute, false);
    within(world, "it is back", 60_000, () => allHold(world.live(), world.live(), "alive"));
  });

  test.each([
    [1, 8_192, 64],
    [8, 8_192, 64],
    [8, 2_048, 64],
    [10, 512, 64],
    [10, 8_192, 1_024],
  ])(
    "pause grid: %i of 20 stand still for %i ms, %i ms apart: no healthy one is down",
    (concurrent, pauseMs, apartMs) => {
      const world = grow(seed, 20, loss);
      const slow = world.members.slice(0, concurrent);
      const healthy = world.members.slice(concurrent);
      const told: number[] = [];
      world.observe({
        onEvent: (_, event) => {
          if (event.type !== "member" || event.kind !== "down") return;
          const subject = world.find(event.member.id);
          if (subject !== undefined && healthy.includes(subject)) told.push(subject.index);
        },
      });
      for (let passedMs = 0; passedMs < 20_000; passedMs += pauseMs + apartMs) {
        for (const member of slow) world.pause(member, pauseMs);
        world.run(pauseMs + apartMs);
      }
      world.run(10_000);
      expect(told).toEqual([]);
    },
  );
});

test.each([
  [2, 6, 8],
  [2, 16, 8],
  [8, 5, 10],
])(
  "a stall of 3 s of one of %i is no failure at 20 %% loss, seed %i: its neighbours have lost probes before",
  (count, seed, stalls) => {
    const world = grow(seed, count, 0.2);
    const downs = new FalseDowns(world);
    for (let i = 0; i < stalls; i++) {
      world.pause(world.members[i % count] as SimMember, 3_000);
      world.run(8_000 + 137 * i);
    }
    expect(downs.told).toEqual([]);
  },
);

test("half of the mesh stands still again and again, and keeps links among itself only: it takes nobody for down", () => {
  const world = grow(1, 32, 0);
  const slow = world.members.slice(0, 16);
  const healthy = world.members.slice(16);
  const downs = new FalseDowns(world, slow);
  const told = new FalseDowns(world, healthy);
  for (let i = 0; i < 4; i++) {
    for (const member of slow) world.pause(member, 8_192);
    world.run(8_192 + 1_024);
  }
  within(world, "one mesh again", 30_000, () => allHold(world.live(), world.live(), "alive"));
  world.run(25_000);
  expect(downs.told).toEqual([]);
  expect(
    told.told.filter((line) => healthy.some(({ index }) => line.includes(`takes ${index} `))),
  ).toEqual([]);
});
