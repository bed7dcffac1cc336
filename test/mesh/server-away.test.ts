// The signaling server is only the way in: without it the mesh lives, heals and grows, and its return disturbs nobody.
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allKnow, allLinked, allTalk, each, inMs, seen, without } from "../support/actors.ts";
import { wallMs } from "../support/member.ts";
import { type Actor, type ChildActor, Stage, type TabActor } from "../support/stage.ts";

const stage = new Stage("server-away");
let tab: TabActor;
let otherTab: TabActor;
let node: Actor;
let all: Actor[];

const report = (line: string): void => void process.stdout.write(`${line}\n`);

/** What nobody should see of anybody while nothing happens to the members themselves. */
const FLAP = /^(peer:(suspect|down|leave)|link:(down|failed)|offline|gap|refused)$/;

/** Links a newcomer with `host` by the two texts that people carry. */
async function invited(newcomer: Actor, host: Actor): Promise<void> {
  const invitation = await host.member.invite();
  const reply = await newcomer.member.acceptInvite(invitation);
  await host.member.complete(reply);
  await newcomer.member.accepted();
}

beforeAll(async () => {
  await stage.startServer();
  [tab, otherTab, node] = await Promise.all([
    stage.tab({ cuttable: true }),
    stage.tab(),
    stage.node({ cuttable: true }),
  ]);
  all = [tab, otherTab, node, await stage.child()];
  await allLinked(all);
}, 60_000);
afterAll(() => stage.close());

describe("row 6: without the signaling server", () => {
  let tabByInvitation: TabActor;
  let childByInvitation: ChildActor;

  test("members stay linked, hear and know each other", async () => {
    await stage.stopServer();
    await each(all, ({ member }) => member.untilHealth("degraded"));
    await allTalk(all, "away");
    await allKnow(all, "away");
    expect(await seen(all, ({ event }) => FLAP.test(event))).toEqual([]);
  });

  test.each([
    ["a tab and a tab", () => [tab, otherTab] as const],
    ["a tab and a Node process", () => [tab, node] as const],
    ["a Node process and a tab", () => [node, otherTab] as const],
  ])("%s that lost their link get one over the others", async (what, pair) => {
    const [from, to] = pair();
    await from.member.cut(to.id);
    const since = wallMs();
    await allLinked([from, to]);
    report(`${what} were linked again after ${inMs([wallMs() - since])} ms`);
    await allTalk(all, `cut-${from.name}-${to.name}`);
  });

  test("a tab comes by a tab's invitation, and a Node process too", async () => {
    tabByInvitation = await stage.tab({ seeds: [] });
    expect(await tabByInvitation.member.health()).toMatchObject({ state: "isolated" });
    await invited(tabByInvitation, tab);
    childByInvitation = await stage.child({ seeds: [] });
    await invited(childByInvitation, tabByInvitation);
    // The links with the others are introduced, offered and answered over the mesh alone.
    all = [...all, tabByInvitation, childByInvitation];
    await allLinked(all);
    await allTalk(all, "invited");
    await allKnow(all, "invited");
  });

  test("what was said and set before is known to those who came later", async () => {
    for (const other of without(all, tabByInvitation, childByInvitation)) {
      for (const { member } of [tabByInvitation, childByInvitation]) {
        await member.untilKnown(other.id, "away", { name: other.name, list: [1, "two", null] });
      }
    }
  });

  test("a tab that is closed is gone at once, and a killed process is found down", async () => {
    all = without(all, tabByInvitation, childByInvitation);
    const since = wallMs();
    childByInvitation.process.kill("SIGKILL");
    await tabByInvitation.close();
    const left = await each(all, ({ member }) => member.untilState(tabByInvitation.id, "left"));
    const down = await each(all, ({ member }) => member.untilState(childByInvitation.id, "down"));
    report(`without server: left after ${inMs(left.map((at) => at - since))} ms`);
    report(`without server: down after ${inMs(down.map((at) => at - since))} ms`);
  });
});

describe("row 6: when the signaling server is back", () => {
  let before: number;
  beforeAll(() => {
    before = wallMs();
  });

  test("everyone finds it, and nothing else changes", async () => {
    await stage.startServer();
    await each(all, ({ member }) => member.untilHealth("ok"));
    report(`all at the server again after ${inMs([wallMs() - before])} ms`);
    for (let round = 0; round < 5; round++) await allTalk(all, `back-${round}`);
  });

  test("newcomers come through it again", async () => {
    all = [...all, ...(await Promise.all([stage.tab(), stage.node()]))];
    await allLinked(all);
    await allTalk(all, "all");
    await allKnow(all, "all");
    // What ends with those who are gone may still be on its way.
    const here = new Set(["", ...all.map(({ id }) => id)]);
    expect(
      await seen(
        all,
        ({ event, at, id }) =>
          at >= before && here.has(id) && FLAP.test(event) && event !== "link:failed",
      ),
    ).toEqual([]);
  });
});

describe("all the time", () => {
  test("nobody was held for dead who was not", async () => {
    const suspected = await seen(
      all,
      ({ event, id }) => /^peer:(suspect|down)$/.test(event) && all.some((one) => one.id === id),
    );
    expect(suspected).toEqual([]);
    for (const { member } of all) {
      expect(await member.errors()).toEqual([]);
      expect(await member.stats()).toMatchObject({ rejected: 0, unreadable: 0 });
    }
  });
});
