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

test("row 43: a page without WebCrypto, as of an insecure origin, proves itself all the same", async () => {
  const context = await (await stage.openBrowser()).newContext();
  await context.addInitScript(() => {
    Object.defineProperty(Crypto.prototype, "subtle", { value: undefined });
  });
  const page = await stage.tab(SECRET, context);
  await allLinked([...all, page]);
  await page.member.leave();
});

test.each(["tab", "node"] as const)(
  "row 43: a %s with another secret is refused by all, who are told so",
  async (kind) => {
    const joining = stage[kind]({
      name: "stranger",
      secret: "a guess",
      joinTimeoutMs: 4_000,
    });
    await expect(joining).rejects.toThrow(/same secret|same `secret`|its secret/);
    const refused = await seen(all, ({ event }) => event === "refused");
    expect(refused.some((line) => / (secret|broken-off)$/.test(line))).toBe(true);
    const known = await each(all, ({ member }) => member.peers());
    expect(known.flat().map(({ name }) => name)).not.toContain("stranger");
  },
);
