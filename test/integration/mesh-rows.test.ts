// What the older projects promised and this one keeps, row by row of the table in its design. Members share a
// process and reach each other by links in memory, where a WebRTC link would add nothing; see test/mesh for those.
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocketServer } from "ws";
import { MemoryNetwork, type Mesh, PARAMETERS } from "../../src/index.node.ts";
import { publicKeyOf } from "../../src/session/crypto.ts";
import { encodeMessage, parseClientMessage } from "../../src/signaling/protocol.ts";
import {
  allKnown,
  allLinked,
  Cluster,
  isLinked,
  joinInMemory,
  noted,
  until,
} from "../support/memory-mesh.ts";

const PEER_EVENTS = ["peer:join", "peer:up", "peer:suspect", "peer:down", "peer:leave"] as const;

async function invited(newcomer: Mesh, host: Mesh): Promise<void> {
  const invitation = await host.invite();
  const { text, linked } = await newcomer.acceptInvite(invitation.text);
  await Promise.all([invitation.complete(text), linked]);
}

/** Everyone says something, and everyone else hears it once. */
async function allHear(meshes: readonly Mesh[], name: string): Promise<void> {
  const heard = meshes.map((mesh) => {
    const senders: string[] = [];
    mesh.hear(name, (_, from) => senders.push(from.id));
    return { mesh, senders };
  });
  await Promise.all(meshes.map((mesh) => mesh.say(name)));
  await until(meshes, "all heard", () =>
    heard.every(({ senders }) => senders.length >= meshes.length - 1),
  );
  for (const { mesh, senders } of heard) {
    const others = meshes.filter((one) => one !== mesh).map(({ self }) => self.id);
    expect(senders.sort()).toEqual(others.sort());
  }
}

/** The only one who says `name` is heard by all others. */
async function heardByAll(speaker: Mesh, others: readonly Mesh[], name: string): Promise<void> {
  const hearing = others.map((mesh) => mesh.hearOnce(name));
  await speaker.say(name, "to all");
  for (const { data, from, direct } of await Promise.all(hearing)) {
    expect([data, from.id, direct]).toEqual(["to all", speaker.self.id, false]);
  }
}

test("row 2: a seed can be added at run time, and a known one is not added again", async () => {
  const cluster = await Cluster.start();
  const other = await cluster.join({ name: "other" });
  const mesh = await cluster.join({ name: "late", seeds: [] });
  expect(mesh.health.state).toBe("isolated");
  expect(mesh.addSeed(cluster.seed)).toBe(true);
  await allLinked([mesh, other]);
  expect(mesh.addSeed(cluster.seed)).toBe(false);
  expect(mesh.addSeed(`${cluster.seed}/`)).toBe(false);
  expect(other.addSeed(cluster.seed)).toBe(false);
  expect(mesh.seeds.map(({ url, state }) => [url, state])).toEqual([
    [`${cluster.seed}/demo`, "up"],
  ]);
  for (const wrong of [
    "",
    "demo",
    "http://127.0.0.1/",
    `${cluster.seed}/demo`,
    `${cluster.seed}?a`,
  ]) {
    expect(() => mesh.addSeed(wrong)).toThrow(expect.objectContaining({ code: "options:seed" }));
  }
  // A second way in may be away: it is shown, and nothing else suffers.
  expect(mesh.addSeed("ws://127.0.0.1:1")).toBe(true);
  await until([mesh], "degraded", () => mesh.health.state === "degraded");
  await heardByAll(mesh, [other], "hello");
});

test("row 3: members are discovered through others, without any server", async () => {
  const network = new MemoryNetwork();
  const meshes = await Promise.all(
    ["a", "b", "c", "d"].map((name) => joinInMemory(network, { cluster: "chain", name })),
  );
  const [a, b, c, d] = meshes as [Mesh, Mesh, Mesh, Mesh];
  await invited(b, a);
  await invited(c, b);
  await invited(d, c);
  await allLinked(meshes);
  expect(d.peers.all.map(({ name }) => name).sort()).toEqual(["a", "b", "c"]);
  await allHear(meshes, "hello");
});

describe("row 4: topology", () => {
  test("up to 10 members everyone is linked with everyone", async () => {
    const cluster = await Cluster.start();
    const meshes = await cluster.joinMany(10);
    await allLinked(meshes);
    await allHear(meshes, "hello");
  });

  test("14 members have a bounded number of links, and all hear and know all", async () => {
    const cluster = await Cluster.start();
    const linksTarget = PARAMETERS.linksTarget.default;
    const linksMax = linksTarget + PARAMETERS.linksSlack.default;
    const meshes = await cluster.joinMany(14, { parameters: { linksTarget } });
    await allKnown(meshes);
    await until(meshes, "links within bounds", () =>
      meshes.every(({ health }) => health.linkCount > 0 && health.linkCount <= linksMax),
    );
    await allHear(meshes, "hello");
    for (const mesh of meshes) mesh.set("who", mesh.self.name);
    await until(meshes, "all known", () =>
      meshes.every((mesh) => mesh.peers.live.every((peer) => peer.get("who") === peer.name)),
    );
    await Promise.all(
      meshes.map((mesh, i) => mesh.send(meshes[(i + 7) % 14]?.self ?? "", "direct", i)),
    );
    expect(meshes.map(({ health }) => health.linkCount).filter((n) => n > linksMax)).toEqual([]);
  });

  test("what members say of their links is what they have", async () => {
    const cluster = await Cluster.start();
    const meshes = await cluster.joinMany(3);
    await until(meshes, "links announced", () =>
      meshes.every((mesh) => mesh.peers.live.every(({ links }) => links.length === 2)),
    );
  });
});

test("row 7: the id is derived from the key, and a name and a role go with it", async () => {
  const cluster = await Cluster.start();
  const viewer = await cluster.join({ name: "viewer" });
  const mesh = await cluster.join({ name: "resizer-1", role: "worker", meta: { cores: 4 } });
  const { secretKey, generation } = mesh.identity;
  const digest = createHash("sha256")
    .update(await publicKeyOf(secretKey))
    .digest("hex");
  expect(mesh.self.id).toBe(digest.slice(0, 32));
  await allLinked([mesh, viewer]);
  const seen = viewer.peers.get(mesh.self.id);
  expect(seen).toMatchObject({ name: "resizer-1", role: "worker", meta: { cores: 4 }, node: true });
  await mesh.leave();

  const again = await cluster.join({ identity: { secretKey, generation } });
  expect(again.self.id).toBe(mesh.self.id);
  expect(again.self.name).toBe(mesh.self.id.slice(0, 8));
  await allLinked([again, viewer]);
  expect(again.self.generation).toBeGreaterThan(generation);
  expect(viewer.peers.all).toHaveLength(1);
});

describe("row 9: a member that is told of itself", () => {
  test("by a server, ignores it", async () => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    onTestFinished(() => {
      for (const socket of server.clients) socket.terminate();
      server.close();
    });
    await once(server, "listening");
    server.on("connection", (socket) => {
      socket.once("message", (data) => {
        const hello = parseClientMessage(data.toString());
        if (!hello.ok || hello.value.type !== "hello") throw new Error("no hello");
        socket.send(encodeMessage({ type: "welcome", peers: [hello.value.id] }));
        socket.send(encodeMessage({ type: "introduce", peers: [hello.value.id] }));
      });
    });
    const { port } = server.address() as AddressInfo;
    const network = new MemoryNetwork();
    const mesh = await joinInMemory(network, { cluster: "c", seeds: [`ws://127.0.0.1:${port}`] });
    expect(mesh.health.state).toBe("alone");
    expect(mesh.peers.all).toEqual([]);
    expect(network.opening.size).toBe(0);
  });

  test("by its own invitation, gets no link with itself", async () => {
    const network = new MemoryNetwork();
    const mesh = await joinInMemory(network, { cluster: "c" });
    const notes = noted(mesh, ["link:up", "peer:join", "online"]);
    const invitation = await mesh.invite();
    await expect(mesh.acceptInvite(invitation.text)).rejects.toMatchObject({ code: "invite:own" });
    expect(notes).toEqual([]);
    expect(mesh.peers.all).toEqual([]);
    expect(mesh.health).toMatchObject({ state: "isolated", linkCount: 0 });
  });
});

test("row 11: a server on port 0 is reached by IPv4 and by IPv6, and they meet", async () => {
  const cluster = await Cluster.start("demo", { host: "::" });
  const { port } = cluster.server;
  expect(port).toBeGreaterThan(0);
  const by4 = await cluster.join({ name: "by4", seeds: [`ws://127.0.0.1:${port}`] });
  const by6 = await cluster.join({ name: "by6", seeds: [`ws://[::1]:${port}`] });
  await allLinked([by4, by6]);
  await allHear([by4, by6], "hello");
});

describe("row 15: peer lists", () => {
  test("hold the others by state and by role, and never oneself", async () => {
    const cluster = await Cluster.start();
    const mesh = await cluster.join({ name: "me", role: "worker" });
    const worker = await cluster.join({ name: "worker", role: "worker" });
    const viewer = await cluster.join({ name: "viewer", role: "viewer" });
    await allLinked([mesh, worker, viewer]);
    const names = (peers: Iterable<{ readonly name: string }>) =>
      [...peers].map(({ name }) => name);
    expect(names(mesh.peers.live).sort()).toEqual(["viewer", "worker"]);
    expect(names(mesh.peers).sort()).toEqual(["viewer", "worker"]);
    expect(names(mesh.peers.byRole("worker"))).toEqual(["worker"]);
    expect(names(mesh.peers.byRole("nobody"))).toEqual([]);
    expect(mesh.peers.get(mesh.self.id)).toBeUndefined();
    expect(mesh.peers.get("stranger")).toBeUndefined();
    expect(mesh.peers.get(viewer.self.id)?.name).toBe("viewer");

    await viewer.leave();
    await until([mesh], "the viewer has left", () => mesh.peers.live.length === 1);
    expect(names(mesh.peers.live)).toEqual(["worker"]);
    expect(names(mesh.peers.all).sort()).toEqual(["viewer", "worker"]);
    expect(mesh.peers.down).toEqual([]);
    expect(mesh.peers.get(viewer.self.id)?.state).toBe("left");
    expect(JSON.parse(JSON.stringify(mesh.peers.live))).toMatchObject([{ name: "worker" }]);
  });
});

describe("row 16: peer events", () => {
  test("come once for each transition", async () => {
    const cluster = await Cluster.start();
    const mesh = await cluster.join({ name: "me" });
    const notes = noted(mesh, [...PEER_EVENTS, "link:up", "link:down", "online", "offline"]);
    const other = await cluster.join({ name: "other" });
    const third = await cluster.join({ name: "third" });
    await allLinked([mesh, other, third]);
    expect(notes).toEqual(
      ["other", "third"].flatMap((name) => [
        `peer:join ${name}`,
        `peer:up ${name}`,
        `link:up ${name}`,
        ...(name === "other" ? ["online"] : []),
      ]),
    );
    notes.length = 0;
    await other.leave();
    await until([mesh, third], "gone", () =>
      [mesh, third].every(({ peers }) => peers.get(other.self.id)?.state === "left"),
    );
    await until([mesh], "the link ended", () => !isLinked(mesh, other.self));
    expect(notes.sort()).toEqual(["link:down other", "peer:leave other"]);

    notes.length = 0;
    const { identity } = other;
    const back = await cluster.join({ name: "other", identity });
    await allLinked([mesh, back, third]);
    expect(notes).toEqual(["peer:up other", "link:up other"]);
  });

  test("tell of what a member says about itself", async () => {
    const cluster = await Cluster.start();
    const [mesh, other] = (await cluster.joinMany(2)) as [Mesh, Mesh];
    await allLinked([mesh, other]);
    other.describe({ meta: { mood: "good" } });
    const isGood = () => JSON.stringify(mesh.peers.live[0]?.meta) === '{"mood":"good"}';
    await until([mesh], "the new meta", isGood);
  });
});

describe("row 37: direct messages", () => {
  test("arrive at one member only, once, also without a link", async () => {
    const cluster = await Cluster.start();
    // So few links that many pairs have none.
    const parameters = { fullMeshMax: 2, linksTarget: 6, linksSlack: 0 };
    const meshes = await cluster.joinMany(12, { parameters });
    await allKnown(meshes);
    const heard: string[] = [];
    for (const mesh of meshes) {
      mesh.hear("direct", (data, from, _, { direct }) => {
        heard.push(`${from.name} to ${mesh.self.name}: ${data} ${direct}`);
      });
    }
    const pairs = meshes.flatMap((from) =>
      meshes.filter((to) => to !== from).map((to) => [from, to] as const),
    );
    expect(pairs.some(([from, to]) => !isLinked(from, to.self))).toBe(true);
    await Promise.all(pairs.map(([from, to]) => from.send(to.self.id, "direct", to.self.name)));
    const wanted = pairs.map(
      ([from, to]) => `${from.self.name} to ${to.self.name}: ${to.self.name} true`,
    );
    expect(heard.sort()).toEqual(wanted.sort());
  });

  test("to strangers and to those who have left fail with a reason", async () => {
    const cluster = await Cluster.start();
    const [mesh, other] = (await cluster.joinMany(2)) as [Mesh, Mesh];
    await allLinked([mesh, other]);
    await expect(mesh.send("00".repeat(16), "x")).rejects.toMatchObject({
      code: "send:unknown-peer",
    });
    await expect(mesh.send(mesh.self.id, "x")).rejects.toMatchObject({ code: "send:unknown-peer" });
    await other.leave();
    await until([mesh], "gone", () => mesh.peers.live.length === 0);
    await expect(mesh.send(other.self.id, "x", 1)).rejects.toMatchObject({ code: /^send:/ });
  });
});

describe("row 44: clusters of other names", () => {
  test("at the same server and on the same network never meet", async () => {
    const cluster = await Cluster.start("one");
    const ones = await cluster.joinMany(2);
    const others = await Promise.all(
      ["b0", "b1"].map((name) => cluster.join({ name, cluster: "other" })),
    );
    await Promise.all([allLinked(ones), allLinked(others)]);
    await Promise.all([allHear(ones, "hello"), allHear(others, "hello")]);
    const ids = (meshes: readonly Mesh[]) => meshes.map(({ self }) => self.id);
    for (const [mine, theirs] of [
      [ones, others],
      [others, ones],
    ] as const) {
      for (const mesh of mine) {
        expect(mesh.peers.all.filter(({ id }) => ids(theirs).includes(id))).toEqual([]);
      }
    }
  });
});

test("row 53: a logger of one's own is told what happens, by name", async () => {
  const cluster = await Cluster.start();
  const told: string[] = [];
  const note = (message: string): void => void told.push(message);
  const logger = { debug: note, warn: note, error: note };
  const mesh = await cluster.join({ name: "me", logger });
  const other = await cluster.join({ name: "other" });
  await allLinked([mesh, other]);
  mesh.know("key", () => {
    throw new Error("mine");
  });
  other.set("key", 1);
  await until([mesh], "known", () => mesh.peers.get(other.self.id)?.get("key") === 1);
  await mesh.leave();
  for (const name of ["peer:join", "link:up", "online", "a handler threw", "stop"]) {
    expect(told).toContain(name);
  }
});
