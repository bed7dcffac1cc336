// Four tabs and two Node processes, over real WebRTC, in one mesh: what the whole project is about.
// The tests follow each other on the same mesh, and the last ones take members away.
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  allKnow,
  allLinked,
  allTalk,
  each,
  idsOf,
  inMs,
  seen,
  without,
} from "../support/actors.ts";
import { wallMs } from "../support/member.ts";
import { type Actor, type ChildActor, Stage, type TabActor } from "../support/stage.ts";

const stage = new Stage("spine");
let tabs: TabActor[];
let child: ChildActor;
let node: Actor;
let all: Actor[];
/** Those that nobody has taken away yet. */
let here: Actor[];
let startedAt: number;

/** A member that is late for want of processor time judges nobody: with six on two cores that adds up. Usually 5 s, ms. */
const FOUND_DOWN_MS = 30_000;

const report = (line: string): void => void process.stdout.write(`${line}\n`);

/** Takes a member away, and says how soon each of the others noticed, ms. */
async function gone(actor: Actor, state: "left" | "down", since: number): Promise<number[]> {
  here = without(here, actor);
  const at = await each(here, ({ member }) => member.untilState(actor.id, state, FOUND_DOWN_MS));
  return at.map((one) => one - since);
}

beforeAll(async () => {
  await stage.startServer();
  await stage.openBrowser();
  startedAt = wallMs();
  [tabs, child, node] = await Promise.all([
    Promise.all([stage.tab(), stage.tab(), stage.tab(), stage.tab()]),
    stage.child(),
    stage.node(),
  ]);
  all = [...tabs, child, node];
  here = all;
}, 60_000);
afterAll(() => stage.close());

describe("row 54: four tabs and two Node processes", () => {
  test("see each other, and everyone is linked with everyone", async () => {
    await allLinked(all);
    report(`all linked ${inMs([wallMs() - startedAt])} ms after the first began to start`);
    for (const actor of all) {
      const peers = await actor.member.peers();
      expect(peers.map(({ id }) => id).sort()).toEqual(idsOf(without(all, actor)));
      expect(peers.every(({ state }) => state === "alive")).toBe(true);
      const inNode = peers.filter(({ node }) => node).map(({ name }) => name);
      expect(inNode.sort()).toEqual(
        without([child, node], actor)
          .map(({ name }) => name)
          .sort(),
      );
      expect(await actor.member.health()).toMatchObject({ state: "ok", linkCount: 5 });
    }
  });

  test("hear every say of the others once, in order, and not their own", async () => {
    await allTalk(all, "chat.message");
  });

  test("know everything that the others set, change and delete", async () => {
    await allKnow(all, "who");
    await each(all, ({ member }) => member.set("other", true));
    await each(all, ({ member, name }) => member.set("who", name));
    await each(all, ({ member }) => member.delete("other"));
    await each(all, (actor) =>
      each(without(all, actor), async ({ member }) => {
        await member.untilKnown(actor.id, "who", actor.name);
        await member.untilKnown(actor.id, "other", undefined);
        expect(await member.keys(actor.id)).toEqual(["who"]);
      }),
    );
  });

  test("row 37: get what is sent to one of them, and nobody else does", async () => {
    await each(all, ({ name, member }) =>
      each(all, async ({ id }) => {
        if (id !== (await member.self()).id) await member.send(id, "to-you", [name, id]);
      }),
    );
    for (const actor of all) {
      const heard = await actor.member.heard("to-you");
      expect(heard.map(({ from }) => from).sort()).toEqual(idsOf(without(all, actor)));
      for (const { data, from, direct } of heard) {
        expect(data).toEqual([all.find(({ id }) => id === from)?.name, actor.id]);
        expect(direct).toBe(true);
      }
    }
  });

  test("row 14: see a tab leave at once when it is closed", async () => {
    const [tab] = tabs as [TabActor];
    const since = wallMs();
    const closed = tab.close();
    const ms = await gone(tab, "left", since);
    await closed;
    report(`a closed tab was seen to leave after ${inMs(ms)} ms`);
    expect(Math.max(...ms)).toBeLessThan(3_000);
  });

  test("find a Node process down that was killed", async () => {
    const since = wallMs();
    child.process.kill("SIGKILL");
    const ms = await gone(child, "down", since);
    report(`a killed process was found down after ${inMs(ms)} ms`);
    expect(Math.max(...ms)).toBeLessThan(FOUND_DOWN_MS);
  });

  test("find a tab down that crashed", async () => {
    const [, tab] = tabs as [TabActor, TabActor];
    const since = wallMs();
    await tab.crash();
    const ms = await gone(tab, "down", since);
    report(`a crashed tab was found down after ${inMs(ms)} ms`);
    expect(Math.max(...ms)).toBeLessThan(FOUND_DOWN_MS);
  });

  test("go on together, and nobody else was ever held for dead", async () => {
    await allTalk(here, "after");
    await allKnow(here, "after");
    const [closed, crashed] = tabs as [TabActor, TabActor];
    const about = (event: string) => seen(here, (one) => one.event === event);
    const namesOf = (event: string, who: readonly Actor[]) =>
      here.flatMap(({ name }) => who.map((one) => `${name}: ${event} ${one.name}`)).sort();
    expect(await about("peer:down")).toEqual(namesOf("peer:down", [child, crashed]));
    expect(await about("peer:leave")).toEqual(namesOf("peer:leave", [closed]));
    const dead = new Set([child.id, crashed.id]);
    expect(await seen(here, ({ event, id }) => event === "peer:suspect" && !dead.has(id))).toEqual(
      [],
    );
    const ends = new Set([...dead, closed.id]);
    expect(await seen(here, ({ event, id }) => event === "link:down" && !ends.has(id))).toEqual([]);
    expect(await seen(here, ({ event }) => /^(gap|refused|offline)$/.test(event))).toEqual([]);
    for (const actor of here) {
      const events = (await actor.member.story()).map(({ event }) => event);
      // Each of the others was seen to come once.
      expect(events.filter((event) => event === "peer:join")).toHaveLength(5);
      expect(events.filter((event) => event === "peer:up")).toHaveLength(5);
      expect(await actor.member.errors()).toEqual([]);
      expect(await actor.member.stats()).toMatchObject({ rejected: 0, unreadable: 0 });
    }
  });
});
