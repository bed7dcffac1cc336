// Parts of the core as the mesh loads, attaches and keeps them.
import { expect, test } from "vitest";
import { KeptStore } from "../../../src/mesh/kept-store.ts";
import { MeshParts, type PartFace, type PartMesh } from "../../../src/mesh/parts.ts";
import type { Peer } from "../../../src/mesh/peers.ts";
import { memoryStore } from "../../../src/store/memory.ts";
import type { OpenStore } from "../../../src/store/store.ts";

function parts() {
  const done: string[] = [];
  const made = new MeshParts({
    valueBytesMax: 1,
    store: undefined,
    self: {} as Peer,
    peer: () => undefined,
    stranger: (id) => ({ id }) as Peer,
    unreadable: () => {},
    report: () => {},
    attach: (part) => void done.push(`attach ${part}`),
    command: (command) => {
      done.push(JSON.stringify(command));
      return [
        { type: "part", part: "channel", event: "of another" },
        { type: "part", part: "queue", event: "answer" },
      ];
    },
  });
  const load = async (mesh: PartMesh): Promise<PartFace> => {
    done.push("load");
    return {
      started: () => mesh.attach(() => undefined as never),
      stopped: ({ message }) => void done.push(message),
      take: (event) => void done.push(`${event}: ${mesh.command("do")}`),
    };
  };
  return { made, load, done };
}

test("a part is loaded once, when it is used, and attached in each life", async () => {
  const { made, load, done } = parts();
  made.started();
  made.take("queue", "nobody hears it");
  expect(done).toEqual([]);
  const [one, other] = await Promise.all([made.face("queue", load), made.face("queue", load)]);
  expect(one).toBe(other);
  expect(done).toEqual(["load", "attach queue"]);
  made.stopped(new Error("left"));
  made.started();
  expect(done.slice(2)).toEqual(["left", "attach queue"]);
});

test("one that is loaded between two lives is attached with the next", async () => {
  const { made, load, done } = parts();
  await made.face("queue", load);
  expect(done).toEqual(["load"]);
  made.started();
  expect(done).toEqual(["load", "attach queue"]);
});

test("it hears its own events, and gets those of its command back", async () => {
  const { made, load, done } = parts();
  await made.face("queue", load);
  made.take("channel", "of another");
  made.take("queue", "event");
  const command = JSON.stringify({ type: "part", part: "queue", command: "do" });
  expect(done.slice(1)).toEqual([command, "event: answer"]);
});

test("what could not be loaded is tried again", async () => {
  const { made, load } = parts();
  await expect(made.face("queue", () => Promise.reject(new Error("offline")))).rejects.toThrow();
  await expect(made.face("queue", load)).resolves.toBeDefined();
});

async function opened(open: OpenStore, cluster = "demo"): Promise<KeptStore> {
  const kept = new KeptStore(open, cluster, undefined);
  await kept.hold();
  return kept;
}

async function keysOf(kept: KeptStore, part: "queue" | "channel"): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of kept.readPart(part)) keys.push(...page.map(({ key }) => key));
  return keys;
}

const value = Uint8Array.of(7);

test("each part finds again what it has kept, in order, and nothing else", async () => {
  const open = memoryStore();
  const first = await opened(open);
  const wanted = Array.from({ length: 2_500 }, (_, i) => `job/${String(i).padStart(5, "0")}`);
  await first.writePart(
    "queue",
    wanted.toReversed().map((key) => ({ key, value })),
  );
  await first.writePart("channel", [{ key: "news", value }]);
  await first.writePart("queue", [{ key: "job/00007", value: undefined }]);
  first.keep(5);
  first.keepEntry("job/1", value);
  await first.release();
  const second = await opened(open);
  expect(await keysOf(second, "queue")).toEqual(wanted.filter((key) => key !== "job/00007"));
  expect(await keysOf(second, "channel")).toEqual(["news"]);
  await second.release();
  // Of another cluster.
  expect(await keysOf(await opened(open, "dem"), "queue")).toEqual([]);
});

test("a damaged entry hides none that comes after it", async () => {
  const inner = memoryStore();
  const open: OpenStore = async () => {
    const store = await inner();
    const range: typeof store.range = async (...given) =>
      (await store.range(...given)).filter(({ key }) => !key.endsWith("0500"));
    return { range, write: (changes) => store.write(changes), close: () => store.close() };
  };
  const kept = await opened(open);
  const keys = Array.from({ length: 2_500 }, (_, i) => String(i).padStart(5, "0"));
  await kept.writePart(
    "queue",
    keys.map((key) => ({ key, value })),
  );
  expect(await keysOf(kept, "queue")).toEqual(keys.filter((key) => !key.endsWith("0500")));
});

test("a store has one id, for ever; another has another", async () => {
  const open = memoryStore();
  const first = await opened(open);
  const id = await first.storeId();
  expect(id).toHaveLength(16);
  await first.release();
  const second = await opened(open);
  expect(await second.storeId()).toEqual(id);
  expect(await (await opened(memoryStore())).storeId()).not.toEqual(id);
});

test("who writes is told what became of it, and whoever watches once", async () => {
  const kept = await opened(memoryStore({ bytesMax: 100 }));
  const told: (string | undefined)[] = [];
  kept.watch((problem) => told.push(problem && Reflect.get(problem, "code")));
  const large = [{ key: "large", value: new Uint8Array(200) }];
  await expect(kept.writePart("queue", large)).rejects.toMatchObject({ code: "store:full" });
  await expect(kept.writePart("queue", large)).rejects.toMatchObject({ code: "store:full" });
  expect(kept.isFailing).toBe(true);
  await kept.writePart("queue", [{ key: "small", value }]);
  expect(told).toEqual(["store:full", undefined]);
  await kept.release();
  const late = kept.writePart("queue", [{ key: "late", value }]);
  await expect(late).rejects.toMatchObject({ code: "store:closed" });
});
