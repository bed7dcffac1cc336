// What a mesh tells and repeats about itself: figures by layer, comparing on demand, values as a heartbeat.
import { expect, test } from "vitest";
import { allKnown, allLinked, Cluster, noted, until } from "../support/memory-mesh.ts";

test("row 18: own values are repeated as a heartbeat where that is asked for, and only there", async () => {
  const cluster = await Cluster.start();
  const [quiet, listener] = await cluster.joinMany(2);
  const beating = await cluster.join({ name: "beating", repeatValuesMs: 100 });
  if (quiet === undefined || listener === undefined) throw new Error("nobody has joined");
  await allLinked([quiet, listener, beating]);
  const told: string[] = [];
  listener.know("status", (peer, value) => told.push(`${peer.name} ${value}`));
  quiet.set("status", "here");
  beating.set("status", "beats");
  const beats = (): number => told.filter((one) => one === "beating beats").length;
  await until([listener], "five beats", () => beats() >= 5);
  expect(told.filter((one) => one === "m0 here")).toEqual(["m0 here"]);
  // Presence is another matter: nobody is missed who repeats nothing.
  expect(listener.peers.get(quiet.self.id)?.state).toBe("alive");
  // What was deleted is not repeated.
  beating.delete("status");
  beating.set("other", 1);
  await until([listener], "the other key", () => beating.self.keys().join() === "other");
  await beating.leave();
  await until([listener], "it has left", () => listener.peers.live.length === 1);
});

test("row 31: a member compares with its neighbours when it is asked to, and not before", async () => {
  const cluster = await Cluster.start();
  const meshes = await cluster.joinMany(3, { parameters: { repairPeriodMs: 60_000 } });
  await allLinked(meshes);
  const [first, ...others] = meshes;
  if (first === undefined) throw new Error("nobody has joined");
  first.set("key", "value");
  await until(meshes, "all know it", () =>
    others.every((mesh) => mesh.peers.get(first.self.id)?.get("key") === "value"),
  );
  const before = first.stats().state.digests;
  first.sync();
  expect(first.stats().state.digests - before).toBe(others.length);
  // All is equal: nobody sends anything, and nothing changes.
  const repaired = others.map((mesh) => mesh.stats().state.deltas);
  await Promise.all(others.map((mesh) => mesh.send(first.self.id, "after")));
  expect(others.map((mesh) => mesh.stats().state.deltas)).toEqual(repaired);
  expect(first.peers.live).toHaveLength(2);
});

test("row 50: figures by layer tell what each has done", async () => {
  const cluster = await Cluster.start();
  const meshes = await cluster.joinMany(3);
  await allKnown(meshes);
  await allLinked(meshes);
  const [first, second, third] = meshes;
  if (first === undefined || second === undefined || third === undefined) throw new Error("few");
  const hearing = [second, third].map((mesh) => mesh.hearOnce("news"));
  await first.say("news", "x".repeat(2_000));
  await Promise.all(hearing);
  second.set("key", "value");
  await until(meshes, "known", () => first.peers.get(second.self.id)?.get("key") === "value");
  await first.send(third.self.id, "note", 1);
  const stats = first.stats();
  expect(stats.broadcast.payloadsSent).toBe(2);
  expect(second.stats().broadcast.payloadsReceived).toBeGreaterThanOrEqual(1);
  expect(second.stats().broadcast.hopsMax).toBe(1);
  expect(second.stats().state.floods).toBeGreaterThanOrEqual(2);
  expect([second.stats().heard, third.stats().heard]).toEqual([1, 2]);
  expect(stats.links.map(({ peer }) => peer).sort()).toEqual(
    [second.self.id, third.self.id].sort(),
  );
  for (const link of stats.links) {
    expect(link.transport).toBe("memory");
    expect(link.sentBytes).toBeGreaterThan(2_000);
    expect(link.receivedBytes).toBeGreaterThan(0);
  }
  expect(stats.rejected).toEqual({ version: 0, cluster: 0, malformed: 0, identity: 0 });
  expect(stats.unreadable).toBe(0);
});

test("row 19: the suspicion of a peer is low while it answers", async () => {
  const cluster = await Cluster.start();
  const [first, second] = await cluster.joinMany(2);
  if (first === undefined || second === undefined) throw new Error("nobody has joined");
  const notes = noted(first, ["peer:suspect", "peer:down"]);
  const peer = first.peers.get(second.self.id);
  expect(peer?.suspicion).toBeGreaterThanOrEqual(0);
  expect(peer?.suspicion).toBeLessThan(8);
  // It grows between two signs of life, and falls with each.
  const soon = { interval: 20, timeout: 10_000 };
  await expect.poll(() => peer?.suspicion, soon).toBeGreaterThan(0.1);
  await expect.poll(() => peer?.suspicion, soon).toBeLessThan(0.1);
  expect(first.stats().links[0]?.suspicion).toBeLessThan(8);
  expect(notes).toEqual([]);
  expect(first.self.suspicion).toBeUndefined();
});
