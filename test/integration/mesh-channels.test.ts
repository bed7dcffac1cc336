// Publish and subscribe among members of one process, linked in memory: what the API promises.
import { describe, expect, test } from "vitest";
import {
  type HearsayError,
  type Join,
  type Mesh,
  memoryTransport,
  type Published,
} from "../../src/index.node.ts";
import { allLinked, Cluster } from "../support/memory-mesh.ts";

const HISTORY = { history: 100 };

async function members(count: number): Promise<{ cluster: Cluster; meshes: Mesh[] }> {
  const cluster = await Cluster.start();
  // A function, so that they can start again.
  const transport = () => memoryTransport(cluster.network);
  const meshes = await cluster.joinMany(count, { transport });
  await allLinked(meshes);
  return { cluster, meshes };
}

/** The next so many of what is read. */
async function next<T>(reading: AsyncIterableIterator<T>, count: number): Promise<T[]> {
  const items: T[] = [];
  while (items.length < count) items.push((await reading.next()).value);
  return items;
}

const dataOf = (published: readonly Published[]): unknown[] => published.map(({ data }) => data);
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "resolved",
    (error: HearsayError) => error.code,
  );

describe("row 34: a channel", () => {
  test("is heard by those who subscribe, once each, in order, and carried by nobody else", async () => {
    const { meshes } = await members(4);
    const [ann, bob, cleo, dan] = meshes as [Mesh, Mesh, Mesh, Mesh];
    const read = [bob, cleo].map((mesh) => mesh.channel("news", HISTORY).subscribe());
    const news = ann.channel("news", HISTORY);
    const count = 300;
    for (let i = 0; i < count; i++) await news.publish({ i });
    const expected = Array.from({ length: count }, (_, i) => ({ i }));
    for (const reading of read) {
      const first = await next(reading, 1);
      // As much as is kept, where it subscribed only after the first ones.
      const begin = first[0]?.number ?? 0;
      const rest = await next(reading, count - begin);
      expect(dataOf([...first, ...rest])).toEqual(expected.slice(begin - 1));
      expect(rest.map(({ number }) => number)).toEqual(rest.map((_, i) => begin + 1 + i));
      expect(
        rest.every(
          ({ from, missed, channel }) =>
            from.id === ann.self.id && missed === 0 && channel === "news",
        ),
      ).toBe(true);
    }
    expect(news.subscribers.map(({ id }) => id).sort()).toEqual([bob.self.id, cleo.self.id].sort());
    // No history for what follows: only what is new, to those who are left.
    await read[1]?.return();
    const last = next(read[0] as AsyncIterableIterator<Published>, 1);
    await news.publish("last");
    expect((await last)[0]).toMatchObject({ data: "last", late: false, number: count + 1 });
    expect(dan.stats()).toMatchObject({ parts: {}, relayed: 0 });
    expect(ann.stats().parts.channel).toMatchObject({ published: count + 1, missed: 0 });
    expect(bob.stats().parts.channel).toMatchObject({ rejected: 0, missed: 0 });
  });

  test("tells who comes late what was published, also by who has left", async () => {
    const { cluster, meshes } = await members(2);
    const [ann, bob] = meshes as [Mesh, Mesh];
    const kept = bob.channel("news", HISTORY).subscribe();
    const news = ann.channel("news", HISTORY);
    for (const data of ["one", "two", "three"]) await news.publish(data);
    expect(dataOf(await next(kept, 3))).toEqual(["one", "two", "three"]);
    await ann.leave();
    const cleo = await cluster.join({ name: "cleo" });
    const late = await next(cleo.channel("news", { history: 2 }).subscribe(), 2);
    expect(late).toMatchObject([
      { data: "two", late: true, missed: 0 },
      { data: "three", late: true, missed: 0 },
    ]);
    expect(late[0]?.from.id).toBe(ann.self.id);
  });

  test("goes on in the next life, with its handlers", async () => {
    const { meshes } = await members(2);
    const [ann, bob] = meshes as [Mesh, Mesh];
    const heard = bob.channel("news", HISTORY).subscribe();
    const news = ann.channel("news", HISTORY);
    await news.publish(1);
    expect(dataOf(await next(heard, 1))).toEqual([1]);
    await bob.leave();
    await news.publish(2);
    await bob.start();
    // What it heard in its last life comes again, as late: nothing was kept of that.
    const again = await next(heard, 2);
    expect(again).toMatchObject([
      { data: 1, late: true },
      { data: 2, late: true },
    ]);
    await ann.leave();
    expect(await codeOf(news.publish(3))).toBe("mesh:left");
    await ann.start();
    await news.publish(4);
    expect((await next(heard, 1))[0]).toMatchObject({ data: 4, number: 1 });
  });

  test("is heard by who publishes only where that is asked for", async () => {
    const [ann] = (await members(1)).meshes as [Mesh];
    const news = ann.channel("news");
    const other: unknown[] = [];
    news.subscribe((data) => other.push(data));
    const own = news.subscribe({ own: true });
    await news.publish({ a: new Uint8Array([1]) });
    await news.publish(2);
    expect(await next(own, 2)).toMatchObject([
      { data: { a: new Uint8Array([1]) }, from: ann.self, number: 1 },
      { data: 2, number: 2 },
    ]);
    expect(other).toEqual([]);
  });

  test("has the bounds of all that is read, and ends with its signal", async () => {
    const { meshes } = await members(2);
    const [ann, bob] = meshes as [Mesh, Mesh];
    const news = ann.channel("news", HISTORY);
    const channel = bob.channel("news", HISTORY);
    const oldest = channel.subscribe({ bufferMax: 2 });
    const newest = channel.subscribe({ bufferMax: 2, onFull: "drop-newest" });
    const strict = channel.subscribe({ bufferMax: 2, onFull: "error" });
    const ending = new AbortController();
    const all = channel.subscribe({ signal: ending.signal });
    for (let i = 0; i < 10; i++) await news.publish(i);
    await next(all, 10);
    expect(dataOf(await next(oldest, 2))).toEqual([8, 9]);
    expect(dataOf(await next(newest, 2))).toEqual([0, 1]);
    expect([oldest.droppedCount, newest.droppedCount]).toEqual([8, 8]);
    expect(dataOf(await next(strict, 2))).toEqual([0, 1]);
    expect(await codeOf(strict.next())).toBe("reader:slow");
    ending.abort();
    expect(await all.next()).toEqual({ done: true, value: undefined });
  });

  test("carries the largest value", async () => {
    const { meshes } = await members(2);
    const [ann, bob] = meshes as [Mesh, Mesh];
    const heard = bob.channel("news", HISTORY).subscribe();
    const large = new Uint8Array(8 * 1_024 * 1_024 - 5).fill(7);
    await ann.channel("news", HISTORY).publish(large);
    const [published] = await next(heard, 1);
    expect(published?.data).toHaveLength(large.length);
    const news = ann.channel("news");
    expect(await codeOf(news.publish(new Uint8Array(8 * 1_024 * 1_024)))).toBe("value:too-large");
  });

  test("refuses what is wrong, and says what is right", async () => {
    const [ann] = (await members(1)).meshes as [Mesh];
    const wrong = (name: string, options?: object) => () => ann.channel(name, options);
    expect(wrong("")).toThrow(expect.objectContaining({ code: "name:bad" }));
    expect(wrong("a.*")).toThrow(expect.objectContaining({ code: "name:bad" }));
    expect(wrong("a", { history: -1 })).toThrow(
      expect.objectContaining({ code: "options:history" }),
    );
    expect(wrong("a", { history: 1.5 })).toThrow(
      expect.objectContaining({ code: "options:history" }),
    );
    expect(wrong("a", { historyMs: 0 })).toThrow(
      expect.objectContaining({ code: "options:historyMs" }),
    );
    expect(wrong("a", { kind: "topic" })).toThrow(
      expect.objectContaining({ code: "options:kind" }),
    );
    const news = ann.channel("a");
    expect(() => news.subscribe("handler" as never)).toThrow(TypeError);
    expect(await codeOf(news.publish(() => {}))).toBe("value:unsupported");
    const published = Array.from({ length: 2_000 }, (_, i) => codeOf(news.publish(i)));
    expect(new Set(await Promise.all(published))).toEqual(new Set(["resolved", "channel:full"]));
    const aborted = AbortSignal.abort();
    expect(await news.subscribe({ signal: aborted }).next()).toMatchObject({ done: true });
  });

  test("carries what its name says, where that is said", () => {
    type News = { channels: { news: { title: string } } };
    const typed = async (join: Join): Promise<void> => {
      const mesh = await join<News>("ws://localhost/demo");
      const news = mesh.channel("news");
      await news.publish({ title: "hello" });
      news.subscribe((data, _from, { late }) => [data.title.length, late]);
      // @ts-expect-error no news without a title
      await news.publish({ body: "" });
      // @ts-expect-error no such channel
      mesh.channel("sports");
    };
    expect(typed).toBeTypeOf("function");
  });
});
