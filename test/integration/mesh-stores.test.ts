// What outlives the end of all: the identity and the configuration, in a store.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as pathOf } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  diskStore,
  type HearsayError,
  join,
  MemoryNetwork,
  type Mesh,
  memoryStore,
  memoryTransport,
  type OpenStore,
  redisStore,
  type StoreChange,
} from "../../src/index.node.ts";
import { allLinked, Cluster, joinInMemory } from "../support/memory-mesh.ts";
import { Redis } from "../support/redis.ts";

const alone = { cluster: "stores" };

async function folder(): Promise<string> {
  const path = await mkdtemp(pathOf(tmpdir(), "hearsay-mesh-store-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A store whose writes are counted, and fail while they are told to. */
function watched(inner = memoryStore()) {
  const seen = { batches: [] as (readonly StoreChange[])[], fails: false, attempted() {} };
  const open: OpenStore = async (onRepair) => {
    const store = await inner(onRepair);
    return {
      range: (...range) => store.range(...range),
      write: async (changes) => {
        seen.batches.push(changes);
        setImmediate(() => seen.attempted());
        if (seen.fails) throw Object.assign(new Error("no room"), { code: "store:full" });
        await store.write(changes);
      },
      close: () => store.close(),
    };
  };
  return { open, seen };
}

async function wholeOf(open: OpenStore): Promise<string[]> {
  const store = await open();
  const entries = await store.range("", "\uffff");
  await store.close();
  return entries.map(({ key }) => key);
}

describe("row 27: with a store, mesh.config survives the restart of all", () => {
  test("on disk: each finds it before it meets anybody, and is who it was", async () => {
    const cluster = await Cluster.start();
    const stores = [diskStore(await folder()), diskStore(await folder())] as const;
    const [ann, bob] = [
      await cluster.join({ name: "ann", store: stores[0] }),
      await cluster.join({ name: "bob", store: stores[1] }),
    ] as const;
    await allLinked([ann, bob]);
    ann.config.set("from.ann", { on: true });
    bob.config.set("from.bob", new Uint8Array(60_000).fill(7));
    ann.config.set("gone", 1);
    const hasAll = (mesh: Mesh): boolean => mesh.config.keys().length === 3;
    await configured([ann, bob], () => hasAll(ann) && hasAll(bob));
    bob.config.delete("gone");
    await configured([ann, bob], () => ann.config.get("gone") === undefined);
    const [before, ids] = [ann.config.about("from.bob"), [ann.self.id, bob.self.id]];
    await Promise.all([ann.leave(), bob.leave()]);

    const generations = [ann.self.generation, bob.self.generation] as [number, number];
    const network = new MemoryNetwork();
    const again = await Promise.all(
      stores.map((store) => joinInMemory(network, { cluster: "demo", store })),
    );
    for (const [i, mesh] of again.entries()) {
      expect(mesh.peers.all).toEqual([]);
      expect(mesh.self.id).toBe(ids[i]);
      expect(mesh.self.generation).toBeGreaterThan(generations[i] as number);
      expect(mesh.config.keys().sort()).toEqual(["from.ann", "from.bob"]);
      expect(mesh.config.get("from.ann")).toEqual({ on: true });
      expect(mesh.config.about("from.bob")).toEqual(before);
    }
  });

  test("on Redis: who waits for the store comes back as who had it", async () => {
    const redis = await Redis.start();
    const store = redisStore(redis.url, "member", { wait: true, leaseMs: 1_000 });
    const network = new MemoryNetwork();
    const first = await joinInMemory(network, { ...alone, store });
    first.config.set("a", 1);
    const next = joinInMemory(new MemoryNetwork(), { ...alone, store });
    await first.leave();
    const second = await next;
    expect([second.self.id, second.config.get("a")]).toEqual([first.self.id, 1]);
  });

  test("what was deleted stays deleted, and what is written then is later", async () => {
    const store = memoryStore();
    const first = await joinInMemory(new MemoryNetwork(), { ...alone, store });
    first.config.set("a", 1);
    first.config.set("b", 1);
    first.config.delete("b");
    await first.leave();
    const cluster = await Cluster.start("stores");
    const other = await cluster.join();
    other.config.set("c", 1);
    const second = await cluster.join({ store });
    await allLinked([other, second]);
    await configured([other], () => other.config.get("a") === 1);
    expect(other.config.keys().sort()).toEqual(["a", "c"]);
    second.config.set("a", 2);
    await configured([other], () => other.config.get("a") === 2);
  });

  test("the same mesh, left and started again, has it too", async () => {
    const network = new MemoryNetwork();
    const transport = () => memoryTransport(network);
    const store = memoryStore();
    const mesh = await join({ ...alone, store, transport });
    onTestFinished(() => mesh.leave());
    mesh.config.set("a", 1);
    // At once: each waits for the one before.
    void mesh.leave();
    await mesh.start();
    expect(mesh.config.get("a")).toBe(1);
    await mesh.leave();
    expect((await wholeOf(store)).sort()).toEqual(["stores/config/a", "stores/identity"]);
  });
});

describe("a store", () => {
  test("is written in batches, each key once, and not with what came from it", async () => {
    const { open, seen } = watched();
    const mesh = await joinInMemory(new MemoryNetwork(), { ...alone, store: open });
    seen.batches.length = 0;
    for (let i = 0; i < 300; i++) mesh.config.set(`key.${i % 100}`, i);
    await mesh.leave();
    // What is signed together is written together.
    expect(seen.batches.length).toBeLessThan(6);
    expect(seen.batches.flat().length).toBe(100);
    seen.batches.length = 0;
    const again = await joinInMemory(new MemoryNetwork(), { ...alone, store: open });
    expect(again.config.get("key.99")).toBe(299);
    await again.leave();
    expect(seen.batches.flat().map(({ key }) => key)).toEqual(["stores/identity"]);
  });

  test("that fails is told once, the mesh goes on, and it catches up", async () => {
    const { open, seen } = watched();
    const warnings: string[] = [];
    const logger = { debug() {}, error() {}, warn: (message: string) => warnings.push(message) };
    const options = { ...alone, store: open, logger: logger as never };
    const mesh = await joinInMemory(new MemoryNetwork(), options);
    const problems: Error[] = [];
    mesh.on("store", (problem) => problems.push(problem));
    seen.fails = true;
    const failed = mesh.once("health");
    mesh.config.set("a", 1);
    const [health] = await failed;
    expect(health.reasons).toContain("store-failed");
    expect(health.why).toMatch(/not kept/);
    for (let i = 0; i < 3; i++) {
      mesh.config.set("b", i);
      await new Promise<void>((resolve) => {
        seen.attempted = resolve;
      });
    }
    expect(problems).toMatchObject([{ code: "store:full" }]);
    expect(warnings).toEqual(["no room"]);
    seen.fails = false;
    const mended = mesh.once("health");
    mesh.config.set("c", 1);
    expect((await mended)[0].reasons).not.toContain("store-failed");
    await mesh.leave();
    const again = await joinInMemory(new MemoryNetwork(), { ...alone, store: open });
    expect(again.config.entries().sort()).toEqual([
      ["a", 1],
      ["b", 2],
      ["c", 1],
    ]);
  });

  test("that is damaged is told, and the rest is there", async () => {
    const inner = memoryStore();
    const first = await joinInMemory(new MemoryNetwork(), { ...alone, store: inner });
    first.config.set("a", 1);
    first.config.set("b", 2);
    await first.leave();
    const raw = await inner();
    await raw.write([{ key: "stores/config/a", value: Uint8Array.of(1, 2, 3) }]);
    await raw.write([{ key: "stores/identity", value: Uint8Array.of(1, 2, 3) }]);
    await raw.close();
    const problem = Object.assign(new Error("left out"), { code: "store:corrupt" });
    const repaired: OpenStore = (onRepair) => {
      onRepair?.(problem);
      return inner();
    };
    const warned: string[] = [];
    const logger = { debug() {}, error() {}, warn: (message: string) => void warned.push(message) };
    const again = await joinInMemory(new MemoryNetwork(), { ...alone, store: repaired, logger });
    expect(again.config.entries()).toEqual([["b", 2]]);
    expect(again.self.id).not.toBe(first.self.id);
    expect(warned).toEqual(["left out"]);
  });

  test("that another member has open fails join, and is free when that has left", async () => {
    const store = memoryStore();
    const first = await joinInMemory(new MemoryNetwork(), { ...alone, store });
    const second = joinInMemory(new MemoryNetwork(), { ...alone, store });
    await expect(second).rejects.toMatchObject({
      code: "store:locked",
    } satisfies Partial<HearsayError>);
    await first.leave();
    await (await joinInMemory(new MemoryNetwork(), { ...alone, store })).leave();
    // Also when a join is given up.
    const given = joinInMemory(new MemoryNetwork(), {
      ...alone,
      store,
      signal: AbortSignal.abort(),
    });
    await expect(given).rejects.toThrow();
    await (await store()).close();
  });

  test("that is waited for: a join that is given up, and a mesh that leaves, wait no longer", async () => {
    const inner = memoryStore();
    const begun = [() => {}, () => {}];
    const attempts = begun.map((_, i) => new Promise<void>((resolve) => (begun[i] = resolve)));
    let count = 0;
    /** Free at first and from then on never. */
    const store: OpenStore = async (onRepair, signal) => {
      if (count++ === 0) return await inner(onRepair);
      begun[count - 2]?.();
      return await new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    };
    const mesh = await joinInMemory(new MemoryNetwork(), { ...alone, store });
    await mesh.leave();
    const starting = mesh.start();
    await attempts[0];
    await Promise.all([
      expect(starting).rejects.toMatchObject({ code: "mesh:left" }),
      mesh.leave(),
    ]);
    const ending = new AbortController();
    const joining = joinInMemory(new MemoryNetwork(), { ...alone, store, signal: ending.signal });
    await attempts[1];
    ending.abort(new Error("enough"));
    await expect(joining).rejects.toThrow("enough");
  });

  test("keeps an identity that was given, and its generation when the clock is set back", async () => {
    const store = memoryStore();
    const secretKey = new Uint8Array(32).fill(9);
    const given = { ...alone, store, identity: { secretKey, generation: 4e12 } };
    const first = await joinInMemory(new MemoryNetwork(), given);
    expect(first.self.generation).toBe(4e12 + 1);
    await first.leave();
    const second = await joinInMemory(new MemoryNetwork(), { ...alone, store });
    expect([second.self.id, second.self.generation]).toEqual([first.self.id, 4e12 + 2]);
  });
});

/** Looks at every change of the configurations until `holds` does. */
async function configured(meshes: readonly Mesh[], holds: () => boolean): Promise<void> {
  await Promise.race(
    meshes.map(async (mesh) => {
      for await (const _ of mesh.config.on("**")) if (holds()) return;
    }),
  );
}
