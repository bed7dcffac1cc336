// Streams between two tabs of a real browser. How fast, and what waits meanwhile: npm run bench -- stream
import { afterAll, beforeAll, expect, test } from "vitest";
import { seen } from "../support/actors.ts";
import { type StreamTab, streamStage, streamTabs } from "../support/stream-tabs.ts";

const TOTAL = 20_000_000;

const stage = streamStage();
let near: StreamTab;
let far: StreamTab;

beforeAll(async () => {
  [near, far] = await streamTabs(stage);
}, 60_000);
afterAll(() => stage.close());

test("row 47: 20 MB arrive whole, while all that is said meanwhile is heard", async () => {
  await near.streams.talk();
  await near.streams.send(far.id, TOTAL);
  const { pings } = await near.streams.quiet();
  expect(await far.streams.received()).toEqual({ bytes: TOTAL, right: true });
  expect(pings.length).toBeGreaterThan(0);
  expect((await far.streams.late()).length).toBeGreaterThan(0);
  const lost = /^(peer:suspect|peer:down|link:down|gap|refused)$/;
  expect(await seen([near, far], ({ event }) => lost.test(event))).toEqual([]);
  for (const { member } of [near, far]) {
    expect(await member.errors()).toEqual([]);
    expect(await member.stats()).toMatchObject({ rejected: 0 });
  }
});

test("who does not read holds the other up, with 1 MB at the most on the way", async () => {
  const { wrote, sent } = await near.streams.fill(far.id, TOTAL);
  expect(sent).toBeLessThanOrEqual(1_000_000);
  expect(wrote).toBeLessThanOrEqual(1_300_000);
  const { held, bytes } = await far.streams.release();
  expect(held).toBeLessThanOrEqual(1_000_000);
  expect(bytes).toBe(Math.ceil(TOTAL / 64_000) * 64_000);
});
