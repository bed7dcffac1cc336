// A signaling server that means harm, against real members with real WebRTC: it can refuse service, and nothing else.
import { describe, expect, onTestFinished, test } from "vitest";
import { type JoinOptions, join, type Mesh, webrtcTransport } from "../../src/index.node.ts";
import { loadWrtc } from "../../src/transport/wrtc.node.ts";
import { MaliciousServer } from "../support/malicious-server.ts";
import { allLinked, noted, until } from "../support/memory-mesh.ts";

const cluster = "demo";
const secret = "what members alone know";

/** What does not come about is given up sooner than usual, and tried again sooner. */
const parameters = { attemptTimeoutMs: 4_000, requestTimeoutMs: 1_000, retryMaxMs: 1_000 };

/** Pauses between attempts grow up to half a minute. */
const PATIENCE_MS = 60_000;

async function transport() {
  const { wrtc, reason } = await loadWrtc();
  if (wrtc === undefined) throw new Error(reason);
  return webrtcTransport({ wrtc, dialsPerMinuteMax: 1_000 });
}

async function startServer(): Promise<MaliciousServer> {
  const server = await MaliciousServer.start(cluster, await transport());
  onTestFinished(() => server.close());
  return server;
}

/** A member that knows nobody yet, and what happens to it. */
async function member(options: Partial<JoinOptions> = {}) {
  const mesh = await join({ cluster, seeds: [], udp: false, parameters, ...options });
  onTestFinished(() => mesh.leave());
  const refusals: string[] = [];
  const reasons: string[] = [];
  mesh.on("refused", (reason, why) => {
    refusals.push(reason);
    reasons.push(why);
  });
  return { mesh, refusals, reasons, links: noted(mesh, ["link:up", "peer:join"]) };
}

type Member = Awaited<ReturnType<typeof member>>;

const meshesOf = (members: readonly Member[]): Mesh[] => members.map(({ mesh }) => mesh);

/** One hears the other. */
async function talk(from: Mesh, to: Mesh): Promise<void> {
  const heard = to.hearOnce("word");
  await from.say("word", "between us");
  expect((await heard).data).toBe("between us");
}

describe.each([
  ["with a secret", { secret }],
  ["without a secret", {}],
])("%s, row 45", (_, options) => {
  test("a server that connects to both in the other's name gets no link, is told of, and in vain read what it did", async () => {
    const server = await startServer();
    server.manner = "between";
    const members = [await member(options), await member(options)];
    const [one, other] = members as [Member, Member];
    const meshes = meshesOf(members);
    for (const mesh of meshes) mesh.addSeed(server.url);
    const found = (): boolean => members.some(({ refusals }) => refusals.length > 0);
    await until(meshes, "somebody sees it", found, PATIENCE_MS);
    // It had a connection with each, over which they began to greet.
    expect(server.misdeeds).toBeGreaterThan(0);
    expect(server.read.length).toBeGreaterThan(0);
    expect(members.flatMap(({ links }) => links)).toEqual([]);
    expect(meshes.flatMap((mesh) => mesh.peers.all)).toEqual([]);
    const reasons = members.flatMap((one) => one.reasons);
    expect(reasons.join()).toMatch(
      /somebody sits between the two ends, such as a signaling server/,
    );

    server.manner = "honest";
    await until(
      meshes,
      "the two have met",
      () => one.links.length > 0 && other.links.length > 0,
      PATIENCE_MS,
    );
    const readBefore = server.read.length;
    await talk(one.mesh, other.mesh);
    await talk(other.mesh, one.mesh);
    expect(server.read.length).toBe(readBefore);
    expect(server.read.some((bytes) => Buffer.from(bytes).includes("between us"))).toBe(false);
  }, 120_000);

  test("a server that swaps fingerprints keeps them apart as long as it does so", async () => {
    const server = await startServer();
    server.manner = "swap";
    const members = [await member(options), await member(options)];
    const meshes = meshesOf(members);
    const failed = noted(meshes[0] as Mesh, ["link:failed"]);
    for (const mesh of meshes) mesh.addSeed(server.url);
    await until(meshes, "it does not work", () => failed.length > 0, PATIENCE_MS);
    expect(server.misdeeds).toBeGreaterThan(0);
    expect(members.flatMap(({ links }) => links)).toEqual([]);
    server.manner = "honest";
    await until(
      meshes,
      "linked",
      () => meshes.every((mesh) => mesh.health.linkCount === 1),
      PATIENCE_MS,
    );
    await talk(meshes[0] as Mesh, meshes[1] as Mesh);
  }, 120_000);

  test("members that it invents are nobody", async () => {
    const server = await startServer();
    server.invent(3);
    // Whoever is linked with all there are looks for nobody else.
    server.manner = "hiding";
    const members = [await member(options), await member(options)];
    const meshes = meshesOf(members);
    for (const mesh of meshes) mesh.addSeed(server.url);
    const seen = (): boolean => members.some(({ refusals }) => refusals.length > 0);
    await until(meshes, "the invented are refused", seen, PATIENCE_MS);
    expect(server.misdeeds).toBeGreaterThan(0);
    server.manner = "honest";
    await allLinked(meshes);
    for (const { mesh, refusals } of members) {
      expect(mesh.peers.all.map(({ id }) => id)).toEqual(
        meshes.filter((one) => one !== mesh).map(({ self }) => self.id),
      );
      expect(refusals.filter((reason) => reason !== "handshake" && reason !== "timeout")).toEqual(
        [],
      );
    }
    await talk(meshes[0] as Mesh, meshes[1] as Mesh);
  }, 120_000);
});

test("requests, offers and answers said again link nobody with anybody else, and lose nobody, row 45", async () => {
  const server = await startServer();
  const members = [await member({ secret }), await member({ secret })];
  const meshes = meshesOf(members);
  const [one, other] = meshes as [Mesh, Mesh];
  for (const mesh of meshes) mesh.addSeed(server.url);
  await allLinked(meshes);
  const wrong = meshes.map((mesh) => noted(mesh, ["link:down", "peer:down", "peer:leave"]));
  const count = server.packets.length;
  expect(count).toBeGreaterThan(2);
  for (let i = 0; i < 3; i++) server.replay();
  // Whoever comes now comes after all of that.
  const third = await member({ secret });
  third.mesh.addSeed(server.url);
  await allLinked([one, other, third.mesh]);
  await Promise.all([talk(one, other), talk(third.mesh, one)]);
  expect(wrong).toEqual([[], []]);
  // Nor to one that has come back: they were for who it was before.
  await other.leave();
  await other.start();
  await allLinked([one, other, third.mesh]);
  for (let i = 0; i < 3; i++) server.replay();
  const fourth = await member({ secret });
  fourth.mesh.addSeed(server.url);
  await allLinked([one, other, third.mesh, fourth.mesh]);
  await talk(other, fourth.mesh);
  expect(one.peers.all.map(({ state }) => state)).toEqual(["alive", "alive", "alive"]);
}, 120_000);

test("a server that loses packets at first delays a link, and does not keep it from being, row 1", async () => {
  const server = await startServer();
  server.manner = "lossy";
  const meshes = meshesOf([await member({ secret }), await member({ secret })]);
  for (const mesh of meshes) mesh.addSeed(server.url);
  const linked = (): boolean => meshes.every((mesh) => mesh.health.linkCount === 1);
  await until(meshes, "linked", linked, PATIENCE_MS);
  expect(server.misdeeds).toBe(5);
  await talk(meshes[0] as Mesh, meshes[1] as Mesh);
}, 120_000);
