// Two members that cannot link, and a third between them that means harm: it can drop what it carries, and no more.
import { describe, expect, onTestFinished, test } from "vitest";
import { createSignalingServer } from "../../signaling-server/index.ts";
import { frameCodec } from "../../src/core/wire/codec.ts";
import type { Message, MessageOf, Sealed } from "../../src/core/wire/messages.ts";
import { join, type Mesh } from "../../src/index.node.ts";
import { hashOfCluster } from "../../src/session/identity.ts";
import { until } from "../support/memory-mesh.ts";
import { TappedNetwork } from "../support/tapped.ts";

type Carried = MessageOf<"routed"> & { readonly inner: Sealed };
type Meddle = (message: Carried) => readonly Message[];

/** Passes on what it is given; stays what it is until a test says otherwise. */
const honest: Meddle = (message) => [message];

/** One at each side, and who is between them. */
async function scene() {
  const codec = frameCodec(await hashOfCluster("c"));
  const server = createSignalingServer({ port: 0, host: "127.0.0.1" });
  onTestFinished(() => server.close({ graceMs: 0 }));
  await server.listen();
  const between = { meddle: honest, seen: [] as Uint8Array[], carried: 0 };
  const tap = (frame: Uint8Array): readonly Uint8Array[] => {
    between.seen.push(frame);
    const decoded = codec.decode(frame);
    if (!decoded.ok || decoded.message.type !== "routed") return [frame];
    const { message } = decoded;
    if (message.hop === 0) return [frame];
    expect(message.inner.type).toBe("sealed");
    between.carried++;
    return between.meddle(message as Carried).map((one) => codec.encode(one));
  };
  const [left, right] = [new TappedNetwork("webrtc"), new TappedNetwork("udp")];
  const joined = async (name: string, ...transports: ReturnType<TappedNetwork["transport"]>[]) => {
    const seeds = [`ws://127.0.0.1:${server.port}`];
    const mesh = await join({ cluster: "c", name, seeds, transports });
    onTestFinished(() => mesh.leave());
    return mesh;
  };
  const relay = await joined("between", left.transport(tap), right.transport(tap));
  const one = await joined("one", left.transport());
  const other = await joined("other", right.transport());
  const all = [one, other, relay];
  await until(all, "all know all", () => all.every((mesh) => mesh.peers.live.length === 2));
  expect([one.health.linkCount, other.health.linkCount]).toEqual([1, 1]);
  return { one, other, relay, between };
}

const SECRET = "nobody between shall read this";

/** What `to` hears from now on. */
function hearing(to: Mesh): unknown[] {
  const heard: unknown[] = [];
  to.hear("word", (data) => heard.push(data));
  return heard;
}

describe("a member between two others", () => {
  test("finds nothing of what it carries for them: words, and the bytes of a stream", async () => {
    const { one, other, between } = await scene();
    const heard = hearing(other);
    await one.send(other.self, "word", SECRET);
    expect(heard).toEqual([SECRET]);
    const read = new Promise<string>((resolve) => {
      other.onStream("file", async ({ readable }) => resolve(await new Response(readable).text()));
    });
    const stream = await one.stream(other.self, "file");
    const writer = stream.writable.getWriter();
    await writer.write(Buffer.from(SECRET.repeat(20_000)));
    await writer.close();
    expect(await read).toBe(SECRET.repeat(20_000));
    expect(between.carried).toBeGreaterThan(10);
    expect(between.seen.filter((frame) => Buffer.from(frame).includes(SECRET))).toEqual([]);
    // What is said to all it is told as everybody.
    await one.say("word", SECRET);
    await until([other], "what all may hear", () => heard.length === 2);
    expect(between.seen.filter((frame) => Buffer.from(frame).includes(SECRET))).not.toEqual([]);
  });

  test("changes it, or puts its own words in the place of it: only what was sent is heard", async () => {
    const { one, other, between } = await scene();
    const heard = hearing(other);
    await one.send(other.self, "word", 1);
    const words = { name: "word", value: Uint8Array.of(0xa1, 0x78) };
    const harm: Meddle = (message) => [
      changed(message, { bytes: message.inner.bytes.map((byte) => byte ^ 1) }),
      changed(message, { turn: "ahead" }),
      changed(message, { number: message.inner.number + 1 }),
      { ...message, inner: { type: "direct", generation: 1, sequence: 9, ...words } },
    ];
    let harmed = 0;
    between.meddle = (message) => (harmed++ < 1 ? harm(message) : [message]);
    await one.send(other.self, "word", 2);
    await one.send(other.self, "word", 3);
    expect(heard).toEqual([1, 2, 3]);
    expect(one.stats().forged + other.stats().forged).toBe(4);
    expect([one.stats().cutOff, other.stats().cutOff]).toEqual([0, 0]);
  });

  test("repeats it: it is heard once", async () => {
    const { one, other, between } = await scene();
    const heard = hearing(other);
    between.meddle = (message) => [message, message, message];
    await one.send(other.self, "word", 1);
    between.meddle = honest;
    await one.send(other.self, "word", 2);
    expect(heard).toEqual([1, 2]);
    expect(one.stats().forged + other.stats().forged).toBeGreaterThan(1);
  });
});

function changed(message: Carried, change: Partial<Sealed>): Carried {
  return { ...message, inner: { ...message.inner, ...change } };
}
