// A member's own state as an application has it: lives, logs, limits, and what becomes of it when its owner goes.
import { describe, expect, test } from "vitest";
import { type Mesh, memoryTransport, type Transport } from "../../src/index.node.ts";
import { allLinked, Cluster, until } from "../support/memory-mesh.ts";

async function meshes(count: number, options = {}): Promise<[Cluster, Mesh[]]> {
  const cluster = await Cluster.start();
  const all = await cluster.joinMany(count, options);
  await allLinked(all);
  return [cluster, all];
}

const seen = (mesh: Mesh, owner: Mesh) => mesh.peers.get(owner.self.id);
const isSame = (mesh: Mesh, owner: Mesh, key: string, value: Uint8Array): boolean => {
  const got = seen(mesh, owner)?.get(key);
  return got instanceof Uint8Array && Buffer.compare(got, value) === 0;
};
const withCode = (code: string) => expect.objectContaining({ code });

describe("row 32: what is set for a time", () => {
  test("ends at everyone, who is told once, by whom it was; newcomers never see it", async () => {
    const [cluster, all] = await meshes(3);
    const [ann, bob] = all as [Mesh, Mesh];
    const told: unknown[] = [];
    const known: unknown[] = [];
    for (const mesh of all) {
      mesh.on("state:expired", (peer, key, value) => {
        told.push([mesh.self.name, peer.id, key, value]);
      });
    }
    bob.know("typing", (_peer, value) => known.push(value));
    ann.set("typing", true, { ttlMs: 300 });
    ann.set("name", "ann");
    await until(all, "all know", () => all.slice(1).every((mesh) => seen(mesh, ann)?.get("name")));
    expect(seen(bob, ann)?.get("typing")).toBe(true);
    await until(all, "it has ended at all", () => told.length === 3);
    expect(new Set(told)).toEqual(
      new Set(["m0", "m1", "m2"].map((name) => [name, ann.self.id, "typing", true])),
    );
    expect(known).toEqual([true, undefined]);
    for (const mesh of all)
      expect(mesh === ann ? ann.keys() : seen(mesh, ann)?.keys()).toEqual(["name"]);
    const late = await cluster.join({ name: "late" });
    await until([late], "the newcomer knows", () => seen(late, ann)?.get("name") === "ann");
    expect(seen(late, ann)?.get("typing")).toBeUndefined();
    expect(told).toHaveLength(3);
  });

  test("ends although values are repeated, and lasts when it is set again without a life", async () => {
    const [, all] = await meshes(2, { repeatValuesMs: 100 });
    const [ann, bob] = all as [Mesh, Mesh];
    const told: string[] = [];
    bob.on("state:expired", (_peer, key) => told.push(key));
    ann.set("lasts", 1, { ttlMs: 200 });
    ann.set("lasts", 2);
    ann.set("ends", 1, { ttlMs: 400 });
    await until(all, "it has ended", () => told.length > 0);
    expect(told).toEqual(["ends"]);
    expect(seen(bob, ann)?.get("lasts")).toBe(2);
  });

  test("has a life from 1 ms to a year, and no log", async () => {
    const [, [ann]] = (await meshes(1)) as [Cluster, [Mesh]];
    for (const ttlMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 31_536_000_001]) {
      expect(() => ann.set("k", 1, { ttlMs }), `${ttlMs}`).toThrow(withCode("options:ttlMs"));
    }
    for (const log of [{ max: 0 }, { max: 10_001 }, { max: 1.5 }]) {
      expect(() => ann.set("k", 1, { log })).toThrow(withCode("options:log"));
    }
    expect(() => ann.set("k", 1, { log: true, ttlMs: 10 })).toThrow(withCode("options:log"));
    expect(ann.keys()).toEqual([]);
  });
});

describe("row 29: changes in quick succession", () => {
  test("are told as the last one alone, or all of them in order where the key is a log", async () => {
    const [, all] = await meshes(3);
    const [ann, bob, cleo] = all as [Mesh, Mesh, Mesh];
    const heard: unknown[] = [];
    bob.know("log", (_peer, value) => heard.push(value));
    for (let i = 1; i <= 5; i++) ann.set("key", i);
    for (let i = 1; i <= 150; i++) ann.set("log", i, { log: true });
    await until(all, "all have both", () =>
      [bob, cleo].every((mesh) => seen(mesh, ann)?.get("log") === 150),
    );
    const numbers = (first: number): number[] =>
      Array.from({ length: 151 - first }, (_, i) => first + i);
    expect(heard).toEqual(numbers(1));
    expect(seen(bob, ann)?.get("key")).toBe(5);
    for (const peer of [ann, seen(bob, ann), seen(cleo, ann)]) {
      expect(peer?.log("log")).toEqual(numbers(51));
      expect(peer?.log("key")).toEqual([]);
    }
    ann.delete("log");
    await until(all, "it is gone", () => seen(bob, ann)?.get("log") === undefined);
    expect([...ann.log("log"), ...(seen(bob, ann)?.log("log") ?? [])]).toEqual([]);
  });

  test("row 29: who comes when a log has dropped its oldest gets the rest, and is told of the gap", async () => {
    const transport = (): Transport => memoryTransport(cluster.network);
    const cluster = await Cluster.start();
    const [ann, late] = (await cluster.joinMany(2, { transport })) as [Mesh, Mesh];
    const gaps: unknown[] = [];
    late.on("state:gap", (peer, key, first, last) => gaps.push([peer.id, key, first, last]));
    await late.leave();
    for (let i = 1; i <= 10; i++) ann.set("log", i, { log: { max: 3 } });
    await late.start();
    await until([late], "the rest", () => seen(late, ann)?.get("log") === 10);
    expect(seen(late, ann)?.log("log")).toEqual([8, 9, 10]);
    expect(gaps).toEqual([[ann.self.id, "log", 1, 7]]);
  });
});

describe("row 47: large values", () => {
  test("20 of 150 kB arrive whole", async () => {
    const [, all] = await meshes(3);
    const [ann, ...others] = all as [Mesh, Mesh, Mesh];
    const large = (i: number): Uint8Array => new Uint8Array(150_000).fill(i);
    for (let i = 0; i < 20; i++) ann.set(`large.${i}`, large(i));
    await until(all, "all have all", () =>
      others.every((mesh) => seen(mesh, ann)?.keys().length === 20),
    );
    for (const mesh of others) {
      for (let i = 0; i < 20; i++) expect(isSame(mesh, ann, `large.${i}`, large(i))).toBe(true);
    }
  });

  test("row 46: values arrive at every size around which the way they take is another", async () => {
    const [, all] = await meshes(2);
    const [ann, bob] = all as [Mesh, Mesh];
    // Floods, one frame, one delta, several frames.
    const sizes = [
      0, 250, 256, 257, 1_024, 16_370, 16_384, 16_400, 65_535, 65_536, 65_600, 200_000,
    ];
    for (const size of sizes) ann.set(`of.${size}`, new Uint8Array(size).fill(7));
    await until(all, "all of them", () => seen(bob, ann)?.keys().length === sizes.length);
    for (const size of sizes) {
      expect(isSame(bob, ann, `of.${size}`, new Uint8Array(size).fill(7)), `${size}`).toBe(true);
    }
  });

  test("have a cap each, and together, and so have keys: who goes above it is told what to do", async () => {
    const [, [ann]] = (await meshes(1, {
      limits: { valueBytesMax: 1_000, stateBytesMax: 2_000, stateKeysMax: 3 },
    })) as [Cluster, [Mesh]];
    const bytes = (size: number): Uint8Array => new Uint8Array(size);
    expect(() => ann.set("k", bytes(1_000))).toThrow(
      expect.objectContaining({ code: "value:too-large", message: expect.stringMatching(/parts/) }),
    );
    ann.set("a", bytes(900));
    ann.set("b", bytes(900));
    const full = { code: "state:full", message: expect.stringMatching(/delete other keys/) };
    expect(() => ann.set("c", bytes(300))).toThrow(expect.objectContaining(full));
    expect(ann.get("c")).toBeUndefined();
    ann.delete("b");
    for (const key of ["c", "d"]) ann.set(key, 1);
    expect(() => ann.set("e", 1)).toThrow(expect.objectContaining(full));
    for (const key of ["", "x".repeat(65), "cursor.*", 7]) {
      expect(() => ann.set(key as string, 1)).toThrow(withCode("name:bad"));
    }
    ann.delete("d");
    ann.set("c".repeat(64), 1);
    expect(ann.keys()).toHaveLength(3);
  });
});

describe("row 8: a member that is restarted", () => {
  test("with its identity: what it sets is known at once, though it set more in its former life", async () => {
    const [cluster, [ann]] = (await meshes(1)) as [Cluster, [Mesh]];
    const first = await cluster.join({ name: "first" });
    for (let i = 1; i <= 50; i++) first.set("count", i);
    first.set("old", 1);
    await until([ann], "the former life", () => seen(ann, first)?.get("old") === 1);
    const { identity } = first;
    await first.leave();
    await until([ann], "it has left", () => seen(ann, first)?.keys().length === 0);
    const again = await cluster.join({ name: "again", identity });
    expect(again.self.id).toBe(first.self.id);
    again.set("count", 1);
    await until([ann], "the new value", () => seen(ann, again)?.get("count") === 1);
    expect(seen(ann, again)?.keys()).toEqual(["count"]);
  });

  test("row 23: with an older copy of its identity too, and what its former life set does not come back", async () => {
    const [cluster, all] = await meshes(2);
    const [ann, bob] = all as [Mesh, Mesh];
    const first = await cluster.join({ name: "first" });
    // As from a backup: it has counted fewer starts than the mesh knows of.
    const identity = { ...first.identity, generation: 0 };
    first.set("old", 1);
    await until(all, "the former life", () => all.every((mesh) => seen(mesh, first)?.get("old")));
    await first.leave();
    const again = await cluster.join({ name: "again", identity });
    again.set("new", 1);
    await until(all, "the new life", () => all.every((mesh) => seen(mesh, again)?.get("new")));
    for (const mesh of [ann, bob]) expect(seen(mesh, again)?.keys()).toEqual(["new"]);
    const late = await cluster.join({ name: "late" });
    await until([late], "the newcomer knows", () => seen(late, again)?.get("new") === 1);
    expect(seen(late, again)?.keys()).toEqual(["new"]);
  });
});
