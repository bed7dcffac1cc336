// What the wire takes from others: versions, and sizes that fit no lane. Row by row of the table in the design.
import { expect, test } from "vitest";
import type { MessageOf } from "../../src/core/wire/messages.ts";
import { MemoryNetwork, type Mesh } from "../../src/index.node.ts";
import { Intruder } from "../support/intruder.ts";
import { allLinked, isLinked, joinInMemory, noted, until } from "../support/memory-mesh.ts";

/** Two members, and one who has a link with the first of them and greets as its last argument says. */
async function visited(
  greeting = {},
): Promise<[host: Mesh, other: Mesh, visitor: Intruder, network: MemoryNetwork]> {
  const network = new MemoryNetwork();
  const [host, other] = await Promise.all(
    ["host", "other"].map((name) => joinInMemory(network, { cluster: "c", name })),
  );
  const [one, two] = [host as Mesh, other as Mesh];
  const invitation = await one.invite();
  const accepted = await two.acceptInvite(invitation.text);
  await invitation.complete(accepted.text);
  await allLinked([one, two]);
  const visitor = await Intruder.at(one, network);
  visitor.end.send("reliable", visitor.frame({ ...visitor.hello(), ...greeting }));
  await until([one], "the visitor is in", () => isLinked(one, { id: visitor.id }));
  return [one, two, visitor, network];
}

async function talks(from: Mesh, to: Mesh): Promise<void> {
  const heard = to.hearOnce("talk");
  await from.say("talk", "on");
  expect((await heard).data).toBe("on");
}

// Telepathine and Grapevine have no version in their messages: an unknown type is dropped, or throws.
test("row 49: what a later minor version adds is tolerated, another major version never gets in", async () => {
  const [host, other, visitor] = await visited({ features: 2 ** 30 + 1 });
  const notes = noted(host, ["link:down", "refused"]);
  // A message that this version does not know: its place in the list is beyond the last.
  const ping = visitor.frame({ type: "ping", sequence: 1, echo: 0, mayFreeze: false });
  const unknown = ping.slice();
  unknown[5] = 200;
  visitor.end.send("reliable", unknown);
  const later = ping.slice();
  later[0] = 2;
  visitor.end.send("reliable", later);
  const soon = { interval: 10, timeout: 10_000 };
  await expect
    .poll(() => host.stats().rejected, soon)
    .toEqual({ malformed: 1, version: 1, cluster: 0, identity: 0 });
  // The link goes on, and so does what is known by it.
  const acked = visitor.end.frames.length;
  visitor.end.send("datagram", ping);
  await visitor.end.until("an answer", () => visitor.end.frames.length > acked);
  // Bits that nobody knows yet are shown to nobody, and passed on with the rest.
  const record = visitor.record({ version: 2, flags: 2 ** 20, name: "later" });
  visitor.end.send(
    "reliable",
    visitor.frame({ type: "members", updates: [{ type: "record", record }] }),
  );
  await until([other], "known", () => other.peers.get(visitor.id)?.name === "later");
  expect(notes).toEqual([]);
  await talks(host, other);
});

// One datagram that was too large ended Telepathine's hearing, one malformed message the process.
test("row 46: a small value with a long list beside it goes the way of what is large", async () => {
  const [host, other, visitor, network] = await visited();
  // Somebody without a link: now what is small is passed on as datagrams.
  const ghost = (await Intruder.at(host, network)).record({ name: "ghost" });
  visitor.end.send(
    "reliable",
    visitor.frame({ type: "members", updates: [{ type: "record", record: ghost }] }),
  );
  await until([host], "the third", () => host.peers.live.length === 3);
  const tell = (from: number, to: number, key: string, kept?: number[]): number => {
    const delta: MessageOf<"stateDelta"> = {
      type: "stateDelta",
      owner: visitor.id,
      generation: 1,
      from,
      to,
      last: to,
      floor: from,
      kept,
      entries: [{ key, version: to, value: Uint8Array.of(7), lifeMs: 0 }],
    };
    const frame = visitor.frame(visitor.state(delta));
    visitor.end.send("reliable", frame);
    return frame.length;
  };
  expect(tell(0, 2_000, "first")).toBeLessThan(200);
  // All that it holds, version by version: sound, and longer than a datagram.
  expect(tell(2_000, 2_001, "key", new Array(2_000).fill(1))).toBeGreaterThan(1_100);
  await until([host, other], "both know it", () =>
    [host, other].every((mesh) => mesh.peers.get(visitor.id)?.get("key") === 7),
  );
  await talks(other, host);
});
