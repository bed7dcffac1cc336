// Rows of the table that need members with processes, links and clocks of their own: over real WebRTC.
import process from "node:process";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { join, type Mesh } from "../../src/index.node.ts";
import { keyPair } from "../../src/session/identity.ts";
import { allKnow, allLinked, allTalk, each, inMs, seen } from "../support/actors.ts";
import { wallMs } from "../support/member.ts";
import { isLinked, noted, until } from "../support/memory-mesh.ts";
import { type Actor, Stage } from "../support/stage.ts";

const report = (line: string): void => void process.stdout.write(`${line}\n`);

const stages: Stage[] = [];
async function stageFor(cluster: string): Promise<Stage> {
  const stage = new Stage(cluster);
  stages.push(stage);
  await stage.startServer();
  return stage;
}
afterAll(() => Promise.all(stages.map((stage) => stage.close())));

/** Secret keys whose ids stand in order, lowest first. */
async function keysInOrder(count: number): Promise<string[]> {
  const pairs = await Promise.all(Array.from({ length: count }, () => keyPair()));
  pairs.sort((a, b) => (a.id < b.id ? -1 : 1));
  return pairs.map(({ secretKey }) => Buffer.from(secretKey).toString("hex"));
}

test("row 5: nobody leads: without the first who joined and without the lowest id all goes on", async () => {
  const stage = await stageFor("no-leader");
  const [lowest, ...keys] = await keysInOrder(5);
  const first = await stage.child({ secretKeyHex: keys[3] ?? "" });
  const low = await stage.child({ secretKeyHex: lowest ?? "" });
  let rest: Actor[] = await Promise.all([
    stage.node({ secretKeyHex: keys[0] ?? "" }),
    stage.node({ secretKeyHex: keys[1] ?? "" }),
    stage.node({ secretKeyHex: keys[2] ?? "" }),
  ]);
  await allLinked([first, low, ...rest]);
  expect([first, ...rest].every(({ id }) => id > low.id)).toBe(true);

  const since = wallMs();
  first.process.kill("SIGKILL");
  low.process.kill("SIGKILL");
  // Nothing waits for their end to be noticed.
  await allTalk(rest, "at-once");
  const down = await each(rest, async ({ member }) => {
    await member.untilState(first.id, "down");
    return await member.untilState(low.id, "down");
  });
  report(`two of five killed at once: found down after ${inMs(down.map((at) => at - since))} ms`);
  rest = [...rest, await stage.node()];
  await allLinked(rest);
  await allTalk(rest, "later");
  await allKnow(rest, "later");
  const gone = new Set([first.id, low.id]);
  const doubted = await seen(
    rest,
    ({ event, id }) => /^peer:(suspect|down)$/.test(event) && !gone.has(id),
  );
  expect(doubted).toEqual([]);
});

describe("row 13: a mesh that is left", () => {
  async function meshIn(stage: Stage, name: string): Promise<Mesh> {
    const mesh = await join({ cluster: stage.cluster, seeds: [stage.seed], name });
    onTestFinished(() => mesh.leave());
    return mesh;
  }
  const alone = (mesh: Mesh) => until([mesh], "alone", () => mesh.peers.live.length === 0);

  test("can start again, with its handlers once each, as the same member", async () => {
    const stage = await stageFor("again");
    const other = await meshIn(stage, "other");
    const seenByOther = noted(other, ["peer:join", "peer:up", "peer:leave", "peer:down"]);
    const mesh = await meshIn(stage, "mesh");
    const notes = noted(mesh, ["start", "stop"]);
    const heard: unknown[] = [];
    const known: unknown[] = [];
    mesh.hear("hello", (data) => heard.push(data));
    mesh.know("key", (_, value) => known.push(value));
    const { id } = mesh.self;
    for (let round = 1; round <= 3; round++) {
      await until(
        [mesh, other],
        "linked",
        () => isLinked(mesh, other.self) && isLinked(other, mesh.self),
      );
      expect(mesh.self.id).toBe(id);
      // Each return tells anew what is there already.
      await until([mesh], "known anew", () => known.length === 2 * (round - 1));
      other.set("key", round);
      await until([mesh], "known", () => known.includes(round));
      await other.say("hello", round);
      await until([mesh], "heard", () => heard.includes(round));
      mesh.set("mine", round);
      await until([other], "mine", () => other.peers.get(id)?.get("mine") === round);
      if (round === 3) break;
      await mesh.leave();
      await alone(other);
      await mesh.start();
      // What it had set went with it.
      expect(mesh.get("mine")).toBeUndefined();
    }
    expect(heard).toEqual([1, 2, 3]);
    expect(known).toEqual([1, 1, 2, 2, 3]);
    expect(notes).toEqual(["stop", "start", "stop", "start"]);
    expect(seenByOther).toEqual([
      "peer:join mesh",
      "peer:up mesh",
      "peer:leave mesh",
      "peer:up mesh",
      "peer:leave mesh",
      "peer:up mesh",
    ]);
    expect(other.peers.all).toHaveLength(1);
  });

  test("starts and leaves once, however often it is told to", async () => {
    const stage = await stageFor("idempotent");
    const mesh = await meshIn(stage, "mesh");
    const notes = noted(mesh, ["start", "stop"]);
    await Promise.all([mesh.start(), mesh.start()]);
    expect(mesh.start()).toBe(mesh.start());
    expect(notes).toEqual([]);
    await Promise.all([mesh.leave(), mesh.leave()]);
    await mesh.leave();
    expect(notes).toEqual(["stop"]);
    expect(mesh.health.state).toBe("left");
    await Promise.all([mesh.start(), mesh.start()]);
    expect(notes).toEqual(["stop", "start"]);
    await mesh[Symbol.asyncDispose]();
    expect(notes).toEqual(["stop", "start", "stop"]);
  });

  test("while it starts is left all the same", async () => {
    const stage = await stageFor("hurry");
    const mesh = await meshIn(stage, "mesh");
    await mesh.leave();
    const notes = noted(mesh, ["start", "stop"]);
    const starting = mesh.start();
    const failed = expect(starting).rejects.toMatchObject({ code: "mesh:left" });
    await mesh.leave();
    await failed;
    expect(mesh.health.state).toBe("left");
    expect(notes).toEqual([]);
    const once = mesh.start();
    await mesh.leave();
    const twice = mesh.start();
    await expect(once).rejects.toMatchObject({ code: "mesh:left" });
    await twice;
    expect(notes).toEqual(["start"]);
    await until([mesh], "alone at the server", () => mesh.health.state === "alone");
  });
});

test("row 14: a member that leaves is seen to leave at once", async () => {
  const stage = await stageFor("leave");
  const [leaving, ...others] = await Promise.all([stage.child(), stage.node(), stage.node()]);
  await allLinked([leaving, ...others]);
  const since = wallMs();
  await leaving.member.leave();
  const left = await each(others, ({ member }) => member.untilState(leaving.id, "left"));
  const ms = left.map((at) => at - since);
  report(`a Node process that left was seen to leave after ${inMs(ms)} ms`);
  expect(Math.max(...ms)).toBeLessThan(1_000);
  expect(await seen(others, ({ event }) => /^peer:(suspect|down)$/.test(event))).toEqual([]);
});
