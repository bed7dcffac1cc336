// What all members share: the configuration, and what is said to those who come later.
import { describe, expect, test } from "vitest";
import type { Mesh } from "../../src/index.node.ts";
import { allLinked, Cluster, until } from "../support/memory-mesh.ts";

async function meshes(count: number, options = {}): Promise<[Cluster, Mesh[]]> {
  const cluster = await Cluster.start();
  const all = await cluster.joinMany(count, options);
  await allLinked(all);
  return [cluster, all];
}

/** Waits until a key of the configuration has a value here, looking at each change. */
async function configured(mesh: Mesh, key: string, value: unknown): Promise<void> {
  for await (const change of mesh.config.on(key)) {
    if (JSON.stringify(change.value) === JSON.stringify(value)) return;
  }
}

describe("row 27: mesh.config", () => {
  test("anyone writes, all know by whom and when, newcomers too, and the writer may go", async () => {
    const [cluster, [ann, bob]] = (await meshes(2)) as [Cluster, [Mesh, Mesh]];
    const before = Date.now();
    const told: unknown[] = [];
    bob.config.on("feature.*", (value, { key, by, at }) =>
      told.push([key, value, by, at instanceof Date]),
    );
    ann.config.set("feature.dark", { on: true });
    expect(ann.config.get("feature.dark")).toEqual({ on: true });
    await configured(bob, "feature.dark", { on: true });
    const about = bob.config.about("feature.dark");
    expect(about?.by).toBe(ann.self.id);
    expect(Math.abs((about?.at.getTime() ?? 0) - before)).toBeLessThan(60_000);
    bob.config.set("feature.dark", { on: false });
    await configured(ann, "feature.dark", { on: false });
    expect(told).toEqual([
      ["feature.dark", { on: true }, ann.self.id, true],
      ["feature.dark", { on: false }, bob.self.id, true],
    ]);
    ann.config.set("gone", 1);
    ann.config.delete("gone");
    await Promise.all([
      ann.leave(),
      cluster.join({ name: "cleo" }).then(async (cleo) => {
        await configured(cleo, "feature.dark", { on: false });
        await bob.leave();
        const dora = await cluster.join({ name: "dora" });
        await configured(dora, "feature.dark", { on: false });
        expect(dora.config.keys()).toEqual(["feature.dark"]);
        expect(dora.config.entries()).toEqual([["feature.dark", { on: false }]]);
        expect(dora.config.get("gone")).toBeUndefined();
      }),
    ]);
  });

  test("what is there already is told first, own writes are told too, and deletions", async () => {
    const [, [ann, bob]] = (await meshes(2)) as [Cluster, [Mesh, Mesh]];
    ann.config.set("a.x", 1);
    const changes = ann.config.on("a.**");
    expect((await changes.next()).value).toMatchObject({ key: "a.x", value: 1, by: ann.self.id });
    ann.config.set("a.x", 2);
    await configured(bob, "a.x", 2);
    bob.config.delete("a.x");
    expect((await changes.next()).value).toMatchObject({ value: 2 });
    expect((await changes.next()).value).toMatchObject({ value: undefined, by: bob.self.id });
    expect(ann.config.keys()).toEqual([]);
    const ended = new AbortController();
    const heard: unknown[] = [];
    ann.config.on("**", (value) => heard.push(value), { signal: ended.signal });
    ended.abort();
    ann.config.set("a.x", 3);
    expect(heard).toEqual([]);
  });

  test("wrong names and values are refused, and so is what does not fit", async () => {
    const [, [ann, bob]] = (await meshes(2, { limits: { sharedKeysMax: 2 } })) as [
      Cluster,
      [Mesh, Mesh],
    ];
    const code = (expected: string) => expect.objectContaining({ code: expected });
    expect(() => ann.config.set("", 1)).toThrow(code("name:bad"));
    expect(() => ann.config.set("a.*", 1)).toThrow(code("name:bad"));
    expect(() => ann.config.set("a", undefined)).toThrow(code("value:unsupported"));
    expect(() => ann.config.set("a", new Uint8Array(65_537))).toThrow(code("value:too-large"));
    ann.config.set("a", 1);
    ann.config.set("b", 1);
    expect(() => ann.config.set("c", 1)).toThrow(code("config:full"));
    ann.config.set("a", 2);
    ann.config.delete("b");
    ann.config.set("c", 3);
    await configured(bob, "c", 3);
    expect(bob.config.keys().sort()).toEqual(["a", "c"]);
    await ann.leave();
    expect(() => ann.config.set("a", 1)).toThrow(code("mesh:left"));
  });
});

test("row 26: to believe what another set is to know it and to share it", async () => {
  const [, [ann, bob, cleo]] = (await meshes(3)) as [Cluster, [Mesh, Mesh, Mesh]];
  // The recipe of docs/migrating.md: what ann says of the weather is what all hold.
  bob.know("weather", (peer, value, key) => {
    if (peer.name === ann.self.name && value !== undefined) bob.config.set(key, value);
  });
  ann.set("weather", "rain");
  await configured(cleo, "weather", "rain");
  await ann.leave();
  expect(cleo.config.get("weather")).toBe("rain");
});

describe("row 33: say with forMs", () => {
  test("is heard once by who is here and by who comes later, from a speaker that may be gone", async () => {
    const [cluster, [ann, bob]] = (await meshes(2)) as [Cluster, [Mesh, Mesh]];
    const heard: unknown[] = [];
    bob.hear("news", (data, _from, _name, { late }) => heard.push([data, late]));
    ann.say("news", "first", { forMs: 60_000 });
    ann.say("news", "not for later");
    ann.say("news", "second", { forMs: 60_000 });
    await until([bob], "heard", () => heard.length === 3);
    const joinAndHear = async (name: string): Promise<unknown[]> => {
      const mesh = await cluster.join({ name });
      const [first, second] = [mesh.hear("news"), mesh.hear("news")];
      const got = [(await first.next()).value, (await first.next()).value];
      await second.return();
      return got.map((one) => [one?.data, one?.late, one?.from.name]);
    };
    expect(await joinAndHear("cleo")).toEqual([
      ["first", true, ann.self.name],
      ["second", true, ann.self.name],
    ]);
    const left = bob.once("peer:leave");
    await ann.leave();
    await left;
    expect((await joinAndHear("dora")).map((one) => (one as unknown[]).slice(0, 2))).toEqual([
      ["first", true],
      ["second", true],
    ]);
    expect(heard).toEqual([
      ["first", false],
      ["not for later", false],
      ["second", false],
    ]);
  });

  test("has bounds, and says so", async () => {
    const [, [ann, bob]] = (await meshes(2, { limits: { sharedKeysMax: 4 } })) as [
      Cluster,
      [Mesh, Mesh],
    ];
    const code = (expected: string) => expect.objectContaining({ code: expected });
    for (const forMs of [-1, Number.NaN, 3_600_001]) {
      expect(() => ann.say("n", 1, { forMs })).toThrow(code("options:forMs"));
    }
    expect(() => ann.say("n", new Uint8Array(65_536), { forMs: 1 })).toThrow(
      code("value:too-large"),
    );
    const heard = bob.hear("n");
    ann.say("n", 1, { forMs: 60_000 });
    ann.say("n", 2, { forMs: 60_000 });
    expect(() => ann.say("n", 3, { forMs: 60_000 })).toThrow(code("say:full"));
    // The configuration has the other half of the room.
    ann.config.set("a", 1);
    ann.say("n", 4);
    const got: unknown[] = [];
    for await (const { data } of heard) {
      got.push(data);
      if (data === 4) break;
    }
    expect(got).toEqual([1, 2, 4]);
  });
});
