// Tabs and Node peers over real WebRTC, with the right secret and with a wrong one.
import { afterAll, beforeAll, expect, test } from "vitest";
import { allLinked, allTalk, each, seen } from "../support/actors.ts";
import { type Actor, Stage } from "../support/stage.ts";

const stage = new Stage("secrets");
const SECRET = { secret: "known to members only" };
let all: Actor[];

beforeAll(async () => {
  await stage.startServer();
  all = await Promise.all([
    stage.tab(SECRET),
    stage.tab(SECRET),
    stage.node(SECRET),
    stage.child(SECRET),
  ]);
  await allLinked(all);
}, 60_000);
afterAll(() => stage.close());

test("row 43: tabs and Node peers with the same secret are one mesh", async () => {
  await allTalk(all, "secret");
  const refused = await seen(all, ({ event }) => event === "refused");
  expect(refused).toEqual([]);
});

test.each(["tab", "node"] as const)(
  "row 43: a %s with another secret is refused by all, who are told so",
  async (kind) => {
    const joining = stage[kind]({ secret: "a guess", joinTimeoutMs: 4_000 });
    await expect(joining).rejects.toThrow(/same secret|same `secret`|its secret/);
    const refused = await seen(all, ({ event }) => event === "refused");
    expect(refused.some((line) => / (secret|broken-off)$/.test(line))).toBe(true);
    const counts = await each(all, async ({ member }) => (await member.peers()).length);
    expect(counts).toEqual(all.map(() => all.length - 1));
  },
);
