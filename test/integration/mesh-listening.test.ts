// What an application listens to: its own words and keys where it asks for them, iterators in place of handlers,
// timers that end with the mesh, logs by name.
import { describe, expect, test } from "vitest";
import { type Mesh, memoryTransport, type Transport } from "../../src/index.node.ts";
import { allLinked, Cluster, until } from "../support/memory-mesh.ts";
import { runNode } from "./cli-support.ts";

async function pair(): Promise<[Mesh, Mesh]> {
  const cluster = await Cluster.start();
  const transport = (): Transport => memoryTransport(cluster.network);
  const meshes = (await cluster.joinMany(2, { transport })) as [Mesh, Mesh];
  await allLinked(meshes);
  return meshes;
}

describe("row 17: what a member says about itself", () => {
  test("can be changed, is told to all, and survives that it leaves and joins again", async () => {
    const [one, other] = await pair();
    const seen = other.peers.get(one.self.id);
    const told: unknown[] = [];
    other.on("peer:update", (peer) => told.push(peer.meta));
    one.describe({ meta: { cores: 4, tags: ["a", "b"] } });
    await until([other], "the meta", () => seen?.meta !== undefined);
    expect(seen?.meta).toEqual({ cores: 4, tags: ["a", "b"] });
    expect(told).toContainEqual({ cores: 4, tags: ["a", "b"] });
    one.describe({ name: "renamed" });
    await until([other], "the name", () => seen?.name === "renamed");
    expect(seen?.meta).toEqual({ cores: 4, tags: ["a", "b"] });
    await one.leave();
    await until([other], "it has left", () => seen?.state === "left");
    await one.start();
    await until([other], "it is back", () => seen?.state === "alive");
    expect(seen).toMatchObject({ name: "renamed", meta: { cores: 4, tags: ["a", "b"] } });
  });

  test("has a bound", async () => {
    const [one] = await pair();
    expect(() => one.describe({ meta: "x".repeat(2_000) })).toThrow(
      expect.objectContaining({ code: "value:too-large" }),
    );
    expect(one.self.meta).toBeUndefined();
  });
});

describe("row 24: own state", () => {
  test("is set, read, listed and deleted, and told to nobody here who did not ask", async () => {
    const [one, other] = await pair();
    const own: unknown[] = [];
    const others: unknown[] = [];
    one.set("before", 1);
    one.know("**", (peer, value, key) => others.push([peer.id, key, value]));
    one.know("**", (peer, value, key) => own.push([peer.id, key, value]), { own: true });
    one.set("a.b", { deep: [1, 2] });
    expect(one.get("a.b")).toEqual({ deep: [1, 2] });
    expect(one.keys()).toEqual(["before", "a.b"]);
    expect(one.entries()).toEqual([
      ["before", 1],
      ["a.b", { deep: [1, 2] }],
    ]);
    one.delete("before");
    other.set("theirs", true);
    await until([one], "theirs", () => others.length > 0);
    const { id } = one.self;
    expect(own).toEqual([
      [id, "a.b", { deep: [1, 2] }],
      [id, "before", undefined],
      [other.self.id, "theirs", true],
    ]);
    expect(others).toEqual([[other.self.id, "theirs", true]]);
    expect(one.get("before")).toBeUndefined();
  });

  test("that is there already is told to who asks for it", async () => {
    const [one] = await pair();
    one.set("key", 0);
    const reading = one.know("key", { own: true });
    expect((await reading.next()).value).toMatchObject({ key: "key", value: 0 });
    one.set("key", 1);
    expect((await reading.next()).value).toMatchObject({ value: 1, peer: one.self });
    one.delete("key");
    expect((await reading.next()).value).toMatchObject({ key: "key", value: undefined });
  });
});

test("row 25: of others what they set, and nothing of strangers", async () => {
  const [one, other] = await pair();
  one.set("cursor", [3, 4]);
  const seen = other.peers.get(one.self.id);
  await until([other], "the cursor", () => seen?.get("cursor") !== undefined);
  expect(seen?.get("cursor")).toEqual([3, 4]);
  expect(seen?.keys()).toEqual(["cursor"]);
  expect(seen?.get("nothing")).toBeUndefined();
  expect(other.peers.get("0".repeat(32))?.get("cursor")).toBeUndefined();
  expect(other.peers.get("")).toBeUndefined();
});

test("row 28: keys are watched by wildcards, in segments by . and :, by handlers and by iterators", async () => {
  const [one, other] = await pair();
  const told: Record<string, string[]> = { "cursor.*": [], "cursor.**": [], "*:x": [], exact: [] };
  for (const pattern of Object.keys(told)) {
    other.know(pattern, (_peer, _value, key) => told[pattern]?.push(key));
  }
  const reading = other.know("**");
  const keys = ["cursor", "cursor.a", "cursor.a.b", "y:x", "exact", "exactly"];
  for (const key of keys) one.set(key, key);
  const read: string[] = [];
  for await (const { peer, key, value } of reading) {
    expect([peer.id, value]).toEqual([one.self.id, key]);
    read.push(key);
    if (read.length === keys.length) break;
  }
  expect(read.sort()).toEqual([...keys].sort());
  expect(told).toEqual({
    "cursor.*": ["cursor.a"],
    "cursor.**": ["cursor", "cursor.a", "cursor.a.b"],
    "*:x": ["y:x"],
    exact: ["exact"],
  });
});

describe("row 33: what is said", () => {
  test("is heard by oneself where that is asked for, as the others hear it", async () => {
    const [one, other] = await pair();
    const silent: unknown[] = [];
    one.hear("**", (data) => silent.push(data));
    const own = one.hear("news.*", { own: true });
    const theirs = other.hear("news.*");
    const data = { list: [1], when: new Date(0) };
    one.say("news.first", data);
    data.list.push(2);
    const [mine, heard] = await Promise.all([own.next(), theirs.next()]);
    expect(mine.value).toMatchObject({
      name: "news.first",
      direct: false,
      from: { id: one.self.id },
    });
    expect(mine.value?.data).toEqual({ list: [1], when: new Date(0) });
    expect(heard.value?.data).toEqual(mine.value?.data);
    expect(silent).toEqual([]);
  });

  test("waits for a slow reader up to its bound, while the others go on", async () => {
    const [one, other] = await pair();
    const slow = other.hear("n", { bufferMax: 10, onFull: "drop-newest" });
    const failing = other.hear("n", { bufferMax: 10, onFull: "error" });
    const heard: unknown[] = [];
    other.hear("n", (data) => heard.push(data));
    for (let i = 0; i < 50; i++) one.say("n", i);
    await until([other], "all heard", () => heard.length === 50);
    expect(slow.droppedCount).toBe(40);
    const kept: unknown[] = [];
    for (let i = 0; i < 10; i++) kept.push((await slow.next()).value?.data);
    expect(kept).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (let i = 0; i < 10; i++) await failing.next();
    await expect(failing.next()).rejects.toMatchObject({ code: "reader:slow" });
  });

  test("once, by name or pattern", async () => {
    const [one, other] = await pair();
    const first = other.hearOnce("a.*");
    one.say("b");
    one.say("a.1", 1);
    one.say("a.2", 2);
    expect(await first).toMatchObject({ name: "a.1", data: 1 });
    await expect(other.hearOnce("a", { signal: AbortSignal.abort("why") })).rejects.toBe("why");
  });
});

test("a mesh with a transport that was given cannot start again, and says what to do", async () => {
  const cluster = await Cluster.start();
  const mesh = await cluster.join();
  await mesh.leave();
  await expect(mesh.start()).rejects.toMatchObject({ code: "options:transport" });
  expect(mesh.health.state).toBe("left");
});

test("events come by iterator too", async () => {
  const cluster = await Cluster.start();
  const first = await cluster.join({ name: "first" });
  const joins = first.on("peer:join");
  await cluster.join({ name: "second" });
  const { value } = await joins.next();
  expect(value?.[0]).toMatchObject({ name: "second" });
  await joins.return();
  expect((await joins.next()).done).toBe(true);
});

describe("row 52: timers of the application", () => {
  test("run, are ended by what they returned, by a signal and by leaving", async () => {
    const [one] = await pair();
    const ran: string[] = [];
    const ended = new AbortController();
    one.after(1, () => ran.push("ended"))();
    one.every(1, () => ran.push("aborted"), { signal: ended.signal });
    ended.abort();
    await new Promise<void>((resolve) => {
      one.after(5, () => ran.push("after"));
      const end = one.every(1, () => {
        ran.push("every");
        if (ran.filter((what) => what === "every").length < 3 || !ran.includes("after")) return;
        end();
        resolve();
      });
    });
    expect(ran).not.toContain("ended");
    expect(ran).not.toContain("aborted");
    expect(ran.filter((what) => what === "after")).toEqual(["after"]);

    const late: string[] = [];
    one.after(1, () => late.push("after"));
    one.every(1, () => late.push("every"));
    await one.leave();
    await one.start();
    await new Promise<void>((resolve) => one.after(20, resolve));
    expect(late).toEqual([]);
    await one.leave();
    expect(() => one.after(1, () => {})).toThrow(expect.objectContaining({ code: "mesh:left" }));
  });

  test("leave out a beat while the one before still runs, and report what they throw", async () => {
    const [one] = await pair();
    const errors: unknown[] = [];
    one.on("error", (error) => errors.push(error));
    let running = 0;
    let most = 0;
    await new Promise<void>((resolve) => {
      let beats = 0;
      const end = one.every(1, async () => {
        most = Math.max(most, ++running);
        await new Promise<void>((next) => one.after(5, next));
        running--;
        if (++beats === 3) {
          end();
          resolve();
        }
      });
    });
    expect(most).toBe(1);
    const failed = one.once("error");
    one.after(0, () => {
      throw new Error("mine");
    });
    await failed;
    expect(errors).toEqual([new Error("mine")]);
  });

  test("take sensible delays only", async () => {
    const [one] = await pair();
    for (const delayMs of [-1, Number.NaN, 2 ** 31]) {
      expect(() => one.after(delayMs, () => {})).toThrow(
        expect.objectContaining({ code: "options:delayMs" }),
      );
    }
    expect(() => one.every(0, () => {})).toThrow();
    expect(() => one.after(1, "run" as never)).toThrow(TypeError);
  });
});

test("row 53: DEBUG shows what happens by names in Node, and nothing is said without it", async () => {
  const script = `
    import { join, MemoryNetwork, memoryTransport } from "./src/index.node.ts";
    const network = new MemoryNetwork();
    const enter = (name) => join({ cluster: "c", name, transport: memoryTransport(network) });
    const [ann, bob] = [await enter("ann"), await enter("bob")];
    const known = Promise.all([ann.once("peer:join"), bob.once("peer:join")]);
    const invitation = await ann.invite();
    const { text, linked } = await bob.acceptInvite(invitation.text);
    await Promise.all([invitation.complete(text), linked, known]);
    await ann.leave();
    await bob.leave();`;
  const run = async (DEBUG: string): Promise<string> => {
    const program = runNode(["--import", "tsx", "--input-type=module", "-e", script], { DEBUG });
    expect(await program.exit()).toBe(0);
    return program.output();
  };
  const [peers, quiet] = await Promise.all([run("hearsay:peer,hearsay:stop"), run("other")]);
  expect(peers).toMatch(/hearsay:peer peer:join .*name: 'ann'/);
  expect(peers).toMatch(/hearsay:stop stop/);
  expect(peers).not.toContain("hearsay:link");
  expect(quiet).toBe("");
});
