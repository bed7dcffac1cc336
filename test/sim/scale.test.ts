import { describe, expect, test } from "vitest";
import { World } from "../../src/sim/index.ts";

const knowAll = (world: World): boolean =>
  world.live().every(({ core }) => core.liveCount === world.live().length);

const equalTables = (world: World): boolean =>
  new Set(world.live().map(({ core }) => JSON.stringify(core.fingerprints()))).size === 1;

describe("many join at once", () => {
  test("60 know each other within 4 s, and it costs little", () => {
    const count = 60;
    const world = new World(1, {}, { keepEvents: false });
    let bytes = 0;
    world.observe({
      onSent: (_member, _lane, frame) => {
        bytes += frame.length;
      },
    });
    for (let i = 0; i < count; i++) world.add();
    const tookMs = world.runUntil(() => knowAll(world), 10_000, 100);
    expect(tookMs, "all know all").toBeLessThanOrEqual(4_000);
    // Before news of members went together it was 3,500 steps and 260 kB.
    expect(world.steps / count).toBeLessThan(450);
    expect(bytes / count).toBeLessThan(60_000);
    expect(
      world.runUntil(() => equalTables(world), 40_000, 500),
      "equal tables",
    ).toBeDefined();
  });

  test("one that joins 100 gets their records once, from its first neighbour", () => {
    const world = new World(3, {}, { keepEvents: false });
    world.settle(100);
    world.run(5_000);
    const newcomer = world.add();
    let received = 0;
    let sent = 0;
    world.observe({
      onInput: (member, input) => {
        if (member === newcomer && input.type === "packet") received += input.bytes.length;
      },
      onSent: (member, _lane, frame) => {
        if (member === newcomer) sent += frame.length;
      },
    });
    const tookMs = world.runUntil(() => newcomer.core.liveCount === 101, 5_000);
    expect(tookMs).toBeLessThanOrEqual(1_500);
    world.run(10_000 - (tookMs ?? 0));
    expect(equalTables(world)).toBe(true);
    // 100 records of about 185 bytes, and what is said and answered meanwhile.
    expect(received).toBeLessThan(2 * 100 * 185);
    expect(sent).toBeLessThan(20_000);
  });
});

describe("idle members", () => {
  test.each([
    [100, 8],

    [100, 12],
  ])("%i with %i links send at most 250 bytes of payload a second", (count, linksTarget) => {
    const world = new World(4, {}, { keepEvents: false, parameters: { linksTarget } });
    world.settle(count);
    world.run(10_000);
    let bytes = 0;
    let frames = 0;
    world.observe({
      onSent: (_member, _lane, frame) => {
        bytes += frame.length;
        frames++;
      },
    });
    const seconds = 20;
    world.run(seconds * 1_000);
    expect(bytes / count / seconds).toBeLessThanOrEqual(250);
    // One probe and its answer for each link, shared by its two ends.
    expect(frames / count / seconds).toBeLessThanOrEqual(linksTarget);
    expect(frames / count / seconds).toBeGreaterThan(linksTarget / 2);
  });
});
