// Streams of a mesh as an application has them: Web Streams, with the pace of their reader.
import { describe, expect, test } from "vitest";
import type { Mesh, MeshStream, StreamProgress } from "../../src/index.node.ts";
import { patterned } from "../../src/testing/expectations.ts";
import { allKnown, allLinked, Cluster, joinInMemory, until } from "../support/memory-mesh.ts";

async function pair(): Promise<[Mesh, Mesh]> {
  const cluster = await Cluster.start();
  const [ann, bob] = (await cluster.joinMany(2)) as [Mesh, Mesh];
  await allLinked([ann, bob]);
  return [ann, bob];
}

async function all(readable: ReadableStream<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of readable) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function write(stream: MeshStream, ...pieces: Uint8Array[]): Promise<void> {
  const writer = stream.writable.getWriter();
  for (const piece of pieces) await writer.write(piece);
  await writer.close();
}

const errorOf = (promise: Promise<unknown>): Promise<{ code: string; message: string }> =>
  promise.then(
    () => ({ code: "none", message: "" }),
    (error) => error,
  );

describe("row 37, row 47", () => {
  test("5 MB to one peer and an answer back, through Web Streams", async () => {
    const [ann, bob] = await pair();
    const bytes = patterned(5_000_000, 1);
    bob.onStream("file.*", async (stream, from, name) => {
      const came = await all(stream.readable);
      await write(stream, Buffer.from(`${from.name} ${name} ${Buffer.compare(came, bytes)}`));
    });
    const stream = await ann.stream(bob.self.id, "file.one");
    expect([stream.name, stream.peer.name]).toEqual(["file.one", "m1"]);
    const answer = all(stream.readable);
    await new Response(Buffer.from(bytes)).body?.pipeTo(stream.writable);
    expect(String(await answer)).toBe("m0 file.one 0");
    await stream.closed;
    expect(stream.progress).toEqual({
      sentBytes: 5_000_000,
      acknowledgedBytes: 5_000_000,
      receivedBytes: "m0 file.one 0".length,
    });
    expect([ann.stats().streams.open, bob.stats().streams.open]).toEqual([0, 0]);
  });

  test("3 MB to a peer without a link, over another", async () => {
    const cluster = await Cluster.start();
    // The two that have no link ask for none, and the one between has no room for more.
    const parameters = { fullMeshMax: 2, fullMeshSlack: 0, linksTarget: 2, linksSlack: 0 };
    const meshes = await cluster.joinMany(6, { parameters });
    await allKnown(meshes);
    const pairOf = (): [Mesh, Mesh] | undefined => {
      for (const from of meshes) {
        const to = meshes.find((one) => one !== from && !from.peers.get(one.self.id)?.linked);
        if (to !== undefined) return [from, to];
      }
      return undefined;
    };
    await until(meshes, "two without a link", () => pairOf() !== undefined);
    const [from, to] = pairOf() as [Mesh, Mesh];
    const bytes = patterned(3_000_000, 2);
    const came = (async () => {
      for await (const stream of to.onStream("**")) {
        const got = await all(stream.readable);
        await stream.writable.close();
        return got;
      }
      return Buffer.of();
    })();
    const stream = await from.stream(to.self, "large");
    await write(stream, bytes);
    expect(Buffer.compare(await came, bytes)).toBe(0);
    await stream.closed;
    const relayed = meshes.reduce((sum, mesh) => sum + mesh.stats().relayed, 0);
    expect(relayed).toBeGreaterThan(10);
  });
});

describe("back-pressure", () => {
  test("a writer waits for a reader that does not read, with less than 1 MB on the way", async () => {
    const [ann, bob] = await pair();
    const streams = bob.onStream("slow");
    const [stream, { value: other }] = await Promise.all([
      ann.stream(bob.self.id, "slow"),
      streams.next() as Promise<{ value: MeshStream }>,
    ]);
    const writer = stream.writable.getWriter();
    const writes: Promise<void>[] = [];
    for (let i = 0; i < 40; i++) writes.push(writer.write(new Uint8Array(100_000)));
    const written = Promise.all(writes).then(() => "written");
    const stopped = new Promise<string>((resolve) => {
      stream.onProgress(({ acknowledgedBytes }) => {
        if (acknowledgedBytes >= 200_000) resolve("stopped");
      });
    });
    expect(await Promise.race([written, stopped])).toBe("stopped");
    expect(writer.desiredSize).toBeLessThan(0);
    // What the other end has, and what this one has taken from its writer beyond that.
    expect(other.progress.receivedBytes).toBeLessThan(500_000);
    expect(stream.progress.sentBytes).toBeLessThan(500_000);
    let count = 0;
    void written.then(() => writer.close());
    for await (const piece of other.readable) count += piece.length;
    expect(count).toBe(4_000_000);
    expect(await written).toBe("written");
    stream.abort();
  });

  test("progress is told, and can be read", async () => {
    const [ann, bob] = await pair();
    bob.onStream("p", (stream) => all(stream.readable));
    const stream = await ann.stream(bob.self.id, "p");
    const seen: StreamProgress[] = [];
    const reading = stream.onProgress();
    const told = (async () => {
      for await (const progress of reading) {
        seen.push(progress);
        if (progress.acknowledgedBytes === 1_000_000) return;
      }
    })();
    await write(stream, new Uint8Array(1_000_000));
    await told;
    const acknowledged = seen.map(({ acknowledgedBytes }) => acknowledgedBytes);
    expect(acknowledged).toEqual([...acknowledged].sort((one, other) => one - other));
    for (const one of seen) expect(one.acknowledgedBytes).toBeLessThanOrEqual(one.sentBytes);
    await stream.closed;
  });
});

describe("ends", () => {
  test("an abort is an error at the other end, with the message and no stack", async () => {
    for (const who of [0, 1]) {
      const meshes = await pair();
      const streams = meshes[1].onStream("x");
      const both = await Promise.all([
        meshes[0].stream(meshes[1].self.id, "x"),
        streams.next().then(({ value }) => value as MeshStream),
      ]);
      const [one, other] = who === 0 ? both : [...both].reverse();
      const read = errorOf(all((other as MeshStream).readable));
      const closed = errorOf((other as MeshStream).closed);
      one?.abort(new Error("the disk is full"));
      for (const error of [await read, await closed]) {
        expect(error.code).toBe("stream:aborted");
        expect(error.message).toBe("the other end aborted the stream: the disk is full");
      }
      expect((await errorOf((one as MeshStream).closed)).code).toBe("stream:aborted");
      const writing = (other as MeshStream).writable.getWriter().write(new Uint8Array(1));
      expect((await errorOf(writing)).code).toBe("stream:aborted");
    }
  });

  test("a signal aborts it, before and while it runs", async () => {
    const [ann, bob] = await pair();
    bob.onStream("x", () => {});
    const before = AbortSignal.abort(new Error("no"));
    expect(await errorOf(ann.stream(bob.self.id, "x", { signal: before }))).toMatchObject({
      message: "no",
    });
    const controller = new AbortController();
    const stream = await ann.stream(bob.self.id, "x", { signal: controller.signal });
    controller.abort("enough");
    expect((await errorOf(stream.closed)).code).toBe("stream:aborted");
  });

  test("nobody takes it, nobody is there, it is gone, we have left", async () => {
    const cluster = await Cluster.start();
    const parameters = { streamTakeMs: 50 };
    const [ann, bob] = (await cluster.joinMany(2, { parameters })) as [Mesh, Mesh];
    await allLinked([ann, bob]);
    const code = async (promise: Promise<unknown>): Promise<string> =>
      (await errorOf(promise)).code;
    expect(await code(ann.stream(bob.self.id, "nobody"))).toBe("stream:refused");
    expect(await code(ann.stream("f".repeat(32), "x"))).toBe("stream:unknown-peer");
    expect(await code(ann.stream(bob.self.id, "a*"))).toBe("name:bad");
    bob.onStream("x", () => {});
    const first = await ann.stream(bob.self.id, "x");
    await bob.leave();
    expect(await code(first.closed)).toBe("stream:gone");
    expect(await code(ann.stream(bob.self.id, "x"))).toBe("stream:gone");
    await ann.leave();
    expect(await code(ann.stream(bob.self.id, "x"))).toBe("mesh:left");
  });

  test("leaving ends all streams; a handler that fails aborts its own", async () => {
    const [ann, bob] = await pair();
    const errors: unknown[] = [];
    bob.on("error", (error) => errors.push(error));
    bob.onStream("bad", async () => {
      throw new Error("a secret");
    });
    bob.onStream("open", () => {});
    const bad = await errorOf((await ann.stream(bob.self.id, "bad")).closed);
    expect(bad.message).toBe("the other end aborted the stream: its handler failed");
    expect(errors.map(String)).toEqual(["Error: a secret"]);
    const open = await ann.stream(bob.self.id, "open");
    await ann.leave();
    expect((await errorOf(open.closed)).code).toBe("mesh:left");
  });

  test("what is no bytes is refused, and the stream is over", async () => {
    const [ann, bob] = await pair();
    bob.onStream("x", () => {});
    const stream = await ann.stream(bob.self.id, "x");
    const writer = stream.writable.getWriter();
    const wrong = writer.write("text" as unknown as Uint8Array);
    expect((await errorOf(wrong)).code).toBe("stream:bytes");
  });
});

test("a stream that comes before anybody listens is taken by who does soon", async () => {
  const [ann, bob] = await pair();
  const opening = ann.stream(bob.self.id, "early");
  await until([ann, bob], "offered", () => bob.stats().streams.open === 1);
  bob.onStream("early", (stream) => all(stream.readable));
  await write(await opening, new Uint8Array(10));
});

test("a page that uses no stream loads nothing of them", async () => {
  const { network } = await Cluster.start();
  const mesh = await joinInMemory(network, { cluster: "alone" });
  expect(mesh.stats().streams).toMatchObject({ open: 0, opened: 0, rejected: 0 });
});
