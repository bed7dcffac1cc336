// Publish and subscribe among tabs of a real browser and Node processes: over real WebRTC.
import { afterAll, expect, test } from "vitest";
import { allLinked, each } from "../support/actors.ts";
import { Stage } from "../support/stage.ts";

const stage = new Stage("channels");
afterAll(() => stage.close());

const COUNT = 200;
const numbers = Array.from({ length: COUNT }, (_, i) => i);

test("row 34: tabs and processes that subscribe hear all, in order, also who comes when its publisher was closed", async () => {
  await stage.startServer();
  const publisher = await stage.tab();
  const [tab, child, other] = await Promise.all([stage.tab(), stage.child(), stage.tab()]);
  await allLinked([publisher, tab, child, other]);
  const subscribers = [tab, child];
  await each(subscribers, ({ member }) => member.subscribe("news", COUNT));
  await publisher.member.publishMany("news", COUNT, COUNT);
  const hasAll = [...subscribers];
  await each(hasAll, ({ member }) => member.untilHeard("news", COUNT));
  await publisher.close();
  // A newcomer, and one that was there and did not subscribe.
  hasAll.push(other, await stage.tab());
  await each(hasAll.slice(2), async ({ member }) => {
    await member.untilLinked([tab.id, child.id]);
    await member.subscribe("news", COUNT);
    await member.untilHeard("news", COUNT);
  });
  for (const { member } of hasAll) {
    const heard = await member.heard("news");
    expect(heard.map(({ data }) => data)).toEqual(numbers);
    expect(new Set(heard.map(({ from }) => from))).toEqual(new Set([publisher.id]));
    expect(await member.errors()).toEqual([]);
  }
}, 60_000);
