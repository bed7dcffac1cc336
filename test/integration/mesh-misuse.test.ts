// What applications do wrong, and what goes wrong around them: an error that says why, and nothing left behind.
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { join, MemoryNetwork, type Mesh } from "../../src/index.node.ts";
import { allLinked, Cluster, isLinked, joinInMemory, until } from "../support/memory-mesh.ts";

const coded = (code: string) => expect.objectContaining({ name: "HearsayError", code });

async function pair(): Promise<[Mesh, Mesh]> {
  const cluster = await Cluster.start();
  const meshes = (await cluster.joinMany(2)) as [Mesh, Mesh];
  await allLinked(meshes);
  return meshes;
}

const alone = () => joinInMemory(new MemoryNetwork(), { cluster: "alone" });

describe("names", () => {
  const bad: readonly unknown[] = ["", "n".repeat(65), "a*", "**", undefined, null, 7, {}, []];
  test.each(bad)("%o is refused wherever something is named", async (name) => {
    const mesh = await alone();
    const given = name as string;
    expect(() => mesh.say(given)).toThrow(coded("name:bad"));
    expect(() => mesh.set(given, 1)).toThrow(coded("name:bad"));
    expect(() => mesh.delete(given)).toThrow(coded("name:bad"));
    expect(() => mesh.send("x", given)).toThrow(coded("name:bad"));
    expect(mesh.keys()).toEqual([]);
  });

  test.each(["", "n".repeat(65), undefined, 7])("%o is no pattern", async (pattern) => {
    const mesh = await alone();
    const given = pattern as string;
    expect(() => mesh.hear(given)).toThrow(coded("name:bad"));
    expect(() => mesh.hear(given, () => {})).toThrow(coded("name:bad"));
    expect(() => mesh.know(given, () => {})).toThrow(coded("name:bad"));
    await expect(mesh.hearOnce(given)).rejects.toEqual(coded("name:bad"));
  });

  test("of 64 characters, whatever they are, go all the way", async () => {
    const [mesh, other] = await pair();
    for (const name of ["n".repeat(64), "漢".repeat(64), "🎉".repeat(32), "__proto__", "a.b:c d"]) {
      const heard = other.hearOnce(name);
      await mesh.say(name, name);
      expect((await heard).data).toBe(name);
      mesh.set(name, name);
      await until([other], "known", () => other.peers.get(mesh.self.id)?.get(name) === name);
    }
    expect(other.peers.get(mesh.self.id)?.keys()).toContain("__proto__");
    expect(Object.hasOwn(Object.prototype, "b")).toBe(false);
  });
});

describe("values", () => {
  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
  const circle: unknown[] = [];
  circle.push(circle);
  class Empty {}
  test.each<[string, unknown]>([
    ["a function", () => {}],
    ["a function within", { list: [() => {}] }],
    ["a symbol", Symbol("s")],
    ["a bigint", 1n],
    ["what is too deep", deep(65)],
    ["a circle", circle],
    ["a key __proto__", JSON.parse('{"a": {"__proto__": {"polluted": true}}}')],
    ["a Map, that would arrive empty", new Map([["a", 1]])],
    ["a Set", { set: new Set([1]) }],
    ["an ArrayBuffer", [new ArrayBuffer(8)]],
    ["a promise", Promise.resolve(1)],
    ["an instance without fields", new Empty()],
  ])("%s is refused, and nothing is sent", async (_, value) => {
    const mesh = await alone();
    for (const act of [
      () => mesh.say("name", value),
      () => mesh.set("name", value),
      () => mesh.send("x", "name", value),
      () => mesh.describe({ meta: value }),
    ]) {
      expect(act).toThrow(coded("value:unsupported"));
    }
    expect(mesh.keys()).toEqual([]);
  });

  test("that are too large are refused with both sizes", async () => {
    const mesh = await joinInMemory(new MemoryNetwork(), {
      cluster: "small",
      parameters: { valueBytesMax: 1_000 },
    });
    expect(() => mesh.say("name", new Uint8Array(1_000))).toThrow(/1003 bytes and may have 1000/);
    expect(() => mesh.set("name", "x".repeat(1_000))).toThrow(coded("value:too-large"));
    expect(() => mesh.describe({ meta: "x".repeat(1_024) })).toThrow(coded("value:too-large"));
    await mesh.say("name", new Uint8Array(990));
  });

  test("undefined is no value of a key", async () => {
    const mesh = await alone();
    expect(() => mesh.set("name", undefined)).toThrow(coded("value:unsupported"));
  });

  test("do not fill the state above its bound, and what was there stays", async () => {
    const mesh = await joinInMemory(new MemoryNetwork(), {
      cluster: "full",
      parameters: { stateBytesMax: 4_096, stateKeysMax: 4 },
    });
    mesh.set("a", "x".repeat(3_000));
    expect(() => mesh.set("b", "x".repeat(3_000))).toThrow(coded("state:full"));
    for (const key of ["b", "c", "d"]) mesh.set(key, 1);
    expect(() => mesh.set("e", 1)).toThrow(coded("state:full"));
    expect(mesh.keys().sort()).toEqual(["a", "b", "c", "d"]);
    mesh.set("a", "smaller");
    expect(mesh.get("a")).toBe("smaller");
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    [
      "numbers of all sizes",
      [0, -1, 1.5, 2 ** 53 - 1, -(2 ** 53 - 1), 1e300, Number.NEGATIVE_INFINITY],
    ],
    ["not a number", Number.NaN],
    ["texts", ["", "\u0000", "ü", "漢字", "🎉", "x".repeat(70_000)]],
    ["bytes", new Uint8Array([0, 255])],
    ["no bytes", new Uint8Array()],
    ["a date", new Date(1_700_000_000_123)],
    ["nested", { a: [{ b: { c: [[]] } }], constructor: 1, toString: "x" }],
    ["what is deep", deep(63)],
  ])("%s arrive as they were", async (_, value) => {
    const [mesh, other] = await pair();
    const heard = other.hearOnce("value");
    await mesh.say("value", value);
    expect((await heard).data).toEqual(value);
  });
});

describe("handlers that throw", () => {
  test("hurt nobody else, and are reported", async () => {
    const [mesh, other] = await pair();
    const errors: unknown[] = [];
    other.on("error", (error) => errors.push(error));
    const bad = (what: string) => () => {
      throw new Error(what);
    };
    const heard: unknown[] = [];
    other.hear("hello", bad("hear"));
    other.hear("hello", async () => Promise.reject(new Error("later")));
    other.hear("**", (data) => heard.push(data));
    other.know("key", bad("know"));
    other.on("peer:update", bad("update"));
    for (const i of [1, 2]) await mesh.say("hello", i);
    mesh.set("key", 1);
    mesh.describe({ meta: "new" });
    const said = (): string[] => errors.map((error) => (error as Error).message);
    // What is said and what is written come by different ways, and links are news of a peer, too.
    await until([other], "all reported", () => errors.length >= 6 && new Set(said()).size >= 4);
    expect(heard).toEqual([1, 2]);
    const messages = said();
    expect(messages.filter((message) => message === "hear")).toHaveLength(2);
    expect(messages.filter((message) => message === "later")).toHaveLength(2);
    expect(new Set(messages)).toEqual(new Set(["hear", "later", "know", "update"]));
    expect(isLinked(other, mesh.self)).toBe(true);
  });

  test("are told to the logger, or shown, when nobody listens for errors", async () => {
    const cluster = await Cluster.start();
    const logged: string[] = [];
    const logger = { debug() {}, warn() {}, error: (message: string) => void logged.push(message) };
    const [mesh, silent] = await Promise.all([cluster.join({ logger }), cluster.join()]);
    const shown = vi.spyOn(console, "error").mockImplementation(() => {});
    onTestFinished(() => shown.mockRestore());
    for (const one of [mesh, silent]) {
      one.on("stop", () => {
        throw new Error("stop");
      });
      await one.leave();
    }
    expect(logged).toEqual(["a handler threw"]);
    expect(shown).toHaveBeenCalledTimes(1);
  });

  test("may end themselves, add others and leave the mesh", async () => {
    const [mesh, other] = await pair();
    const heard: string[] = [];
    const end = other.hear("hello", () => {
      end();
      heard.push("once");
      other.hear("hello", () => {
        heard.push("added");
        void other.leave();
      });
    });
    await mesh.say("hello");
    await mesh.say("hello");
    await until([mesh], "left", () => mesh.peers.get(other.self.id)?.state === "left");
    expect(heard).toEqual(["once", "added"]);
  });
});

describe("a mesh that was left", () => {
  test("refuses whatever needs it, and says how to come back", async () => {
    const [mesh, other] = await pair();
    mesh.set("key", 1);
    const waiting = mesh.send(other.self.id, "never", new Uint8Array(100));
    await mesh.leave();
    await Promise.allSettled([waiting]);
    for (const act of [
      () => mesh.say("a"),
      () => mesh.set("a", 1),
      () => mesh.delete("a"),
      () => mesh.send(other.self.id, "a"),
      () => mesh.describe({ meta: 1 }),
      () => mesh.stats(),
    ]) {
      expect(act).toThrow(coded("mesh:left"));
      expect(act).toThrow(/mesh\.start\(\)/);
    }
    await expect(mesh.invite()).rejects.toEqual(coded("mesh:left"));
    await expect(mesh.acceptInvite("x")).rejects.toEqual(coded("mesh:left"));
    expect(mesh.health).toMatchObject({ state: "left", linkCount: 0 });
    expect(mesh.seeds).toEqual([]);
    await mesh.leave();
    await mesh.leave();
  });

  test("settles what was under way", async () => {
    const [mesh, other] = await pair();
    // So much that it cannot have been handed over.
    const said = Array.from({ length: 20 }, () => mesh.say("bulk", new Uint8Array(1_000_000)));
    const sent = mesh.send(other.self.id, "bulk", new Uint8Array(1_000_000));
    await mesh.leave();
    const outcomes = await Promise.allSettled([...said, sent]);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") expect(outcome.reason).toEqual(coded("mesh:left"));
    }
    expect(outcomes.at(-1)?.status).toBe("rejected");
  });
});

describe("joining", () => {
  test("is given up when its signal aborts, before, meanwhile and afterwards", async () => {
    const cluster = await Cluster.start();
    const reason = new Error("changed my mind");
    await expect(cluster.join({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const atOnce = new AbortController();
    const joining = cluster.join({ signal: atOnce.signal });
    atOnce.abort(reason);
    await expect(joining).rejects.toBe(reason);
    const later = new AbortController();
    const mesh = await cluster.join({ signal: later.signal });
    expect(mesh.health.state).toBe("alone");
    later.abort(reason);
    expect(mesh.health.state).toBe("left");
  });

  test("where no server is ends in bounded time, says where, and leaves nothing behind", async () => {
    const seed = "ws://127.0.0.1:1";
    const from = performance.now();
    const joined = joinInMemory(new MemoryNetwork(), {
      cluster: "c",
      seeds: [seed],
      joinTimeoutMs: 300,
    });
    await expect(joined).rejects.toEqual(coded("join:unreachable"));
    await expect(joined).rejects.toThrow(seed);
    expect(performance.now() - from).toBeLessThan(3_000);
  });

  test("where a server says nothing ends too", async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const seeds = [`ws://127.0.0.1:${port}`];
    const joined = joinInMemory(new MemoryNetwork(), { cluster: "c", seeds, joinTimeoutMs: 300 });
    await expect(joined).rejects.toEqual(coded("join:unreachable"));
  });

  test("waits for ever when it is told to, longer than timers can", async () => {
    const cluster = await Cluster.start();
    for (const joinTimeoutMs of [0, 2 ** 40, Number.POSITIVE_INFINITY]) {
      const mesh = await cluster.join({ joinTimeoutMs });
      expect(mesh.health.state).not.toBe("isolated");
    }
  });

  test("with the wrong kind of options never begins", async () => {
    await expect(join({ cluster: "" })).rejects.toEqual(coded("options:cluster"));
    await expect(join({ cluster: "c", parameters: { fullMeshMax: 1 } })).rejects.toEqual(
      coded("options:parameters"),
    );
    await expect(join({ cluster: "c", meta: () => {} })).rejects.toEqual(
      coded("value:unsupported"),
    );
  });
});

describe("sending", () => {
  test.each([0, -1, Number.NaN, "soon"])("with a wait of %o is refused", async (timeoutMs) => {
    const [mesh, other] = await pair();
    const options = { timeoutMs: timeoutMs as number };
    expect(() => mesh.send(other.self, "x", 1, options)).toThrow(coded("options:timeoutMs"));
  });

  test("can be given up", async () => {
    const [mesh, other] = await pair();
    const reason = new Error("enough");
    const sent = mesh.send(other.self, "x", 1, { signal: AbortSignal.abort(reason) });
    await expect(sent).rejects.toBe(reason);
    await mesh.send(other.self, "x", 2, { timeoutMs: Number.POSITIVE_INFINITY });
  });
});

describe("listening", () => {
  test("without a function is refused", async () => {
    const mesh = await alone();
    expect(() => mesh.on("health", "handler" as never)).toThrow(TypeError);
    expect(() => mesh.know("a", 7 as never)).toThrow(TypeError);
  });

  test("ends by its function, by its signal and with its loop, once and for all", async () => {
    const [mesh, other] = await pair();
    const heard: string[] = [];
    const controller = new AbortController();
    const end = other.hear("x", () => heard.push("function"));
    other.hear("x", () => heard.push("signal"), { signal: controller.signal });
    other.hear("x", () => heard.push("never"), { signal: AbortSignal.abort() });
    const loop = (async () => {
      for await (const { data } of other.hear("x")) {
        heard.push(`loop ${data}`);
        if (data === 1) break;
      }
    })();
    const say = async (data: number) => {
      const fence = other.hearOnce("fence");
      await mesh.say("x", data);
      await mesh.say("fence");
      await fence;
    };
    await say(1);
    await loop;
    end();
    end();
    controller.abort();
    await say(2);
    expect(heard.sort()).toEqual(["function", "loop 1", "signal"]);
    await expect(other.hearOnce("x", { signal: AbortSignal.abort("no") })).rejects.toBe("no");
    await expect(other.once("peer:join", { signal: AbortSignal.abort("no") })).rejects.toBe("no");
  });
});
