// More members than are all linked with each other: four tabs and eight Node processes' worth of members.
import process from "node:process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { allKnow, allTalk, each, inMs, seen, without } from "../support/actors.ts";
import { wallMs } from "../support/member.ts";
import { type Actor, Stage } from "../support/stage.ts";

const MEMBERS = 12;
/** So few links that many pairs have none: what is said and set goes over others. */
const parameters = { fullMeshMax: 4, linksTarget: 6, linksSlack: 1 };

const stage = new Stage("many");
let all: Actor[];
let ms: number;

beforeAll(async () => {
  await stage.startServer();
  await stage.openBrowser();
  const from = wallMs();
  const options = { parameters };
  all = await Promise.all(
    Array.from({ length: MEMBERS }, (_, i) =>
      i % 3 === 0 ? stage.tab(options) : stage.node(options),
    ),
  );
  await each(all, (one) => each(without(all, one), ({ id }) => one.member.untilState(id, "alive")));
  ms = wallMs() - from;
}, 60_000);
afterAll(() => stage.close());

test("12 members with few links hear every say once, and know every set", async () => {
  process.stdout.write(`12 members know each other ${inMs([ms])} ms after the first began\n`);
  await allTalk(all, "chat");
  await allKnow(all, "who");
  await each(all, ({ id, member }, i) =>
    member.send(all[(i + 6) % MEMBERS]?.id ?? id, "direct", i),
  );
  await allTalk(all, "again");
  const links = await each(all, async ({ member }) => (await member.health()).linkCount);
  process.stdout.write(`links of each: ${links.join(", ")}\n`);
  expect(Math.max(...links)).toBeLessThan(MEMBERS - 1);
});

test("nobody was held for dead", async () => {
  const bad = /^(peer:suspect|peer:down|peer:leave|gap|refused|offline)$/;
  expect(await seen(all, ({ event }) => bad.test(event))).toEqual([]);
  for (const { member } of all) {
    expect(await member.errors()).toEqual([]);
    expect(await member.stats()).toMatchObject({ rejected: 0, unreadable: 0 });
  }
});
