// Meshes of Node members over real UDP and TCP sockets: ways in without a server, addresses, and transports side by side.
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import {
  type JoinOptions,
  join,
  MemoryNetwork,
  type Mesh,
  memoryTransport,
  type Transport,
  type UdpOptions,
  udpTransport,
} from "../../src/index.node.ts";
import { freePort } from "../support/free-port.ts";
import { allKnown, allLinked, Cluster, isLinked, until } from "../support/memory-mesh.ts";
import { Nat } from "../support/udp-nat.ts";
import { NO_WRTC, runNode } from "./cli-support.ts";

const CHILD = new URL("../support/no-wrtc-child.ts", import.meta.url);
const BACKOFF = { firstMs: 100, maxMs: 500 };

/** One that has UDP and nothing else, at 127.0.0.1 unless it is told otherwise. */
async function peer(
  name: string,
  seeds: readonly string[],
  udp: UdpOptions = {},
  options: Partial<JoinOptions> = {},
): Promise<Mesh> {
  const transport = (): Transport => udpTransport({ host: "127.0.0.1", ...udp });
  const mesh = await join({ cluster: "udp", name, seeds, transport, backoff: BACKOFF, ...options });
  onTestFinished(() => mesh.leave());
  return mesh;
}

const addressOf = ({ addresses: [address = ""] }: Mesh): string => address;
const portOf = (mesh: Mesh): string => addressOf(mesh).split(":").at(-1) ?? "";
const transportsOf = (mesh: Mesh): string[] => mesh.stats().links.map(({ transport }) => transport);

test("row 1: three members meet by addresses alone, and any of them introduces", async () => {
  const first = await peer("first", []);
  const second = await peer("second", [addressOf(first)]);
  expect(second.seeds.map(({ state }) => state)).toEqual(["up"]);
  const third = await peer("third", [addressOf(second)]);
  await allLinked([first, second, third]);
  expect(transportsOf(third)).toEqual(["udp", "udp"]);
  expect(third.peers.get(first.self.id)?.addresses).toEqual(first.addresses);
  const heard = [first, second].map((mesh) => mesh.hearOnce("hello"));
  await third.say("hello", 1);
  expect((await Promise.all(heard)).map(({ data }) => data)).toEqual([1, 1]);
  // The one by whom they met goes: nothing depends on it.
  await first.leave();
  await until([second, third], "it has left", () => second.peers.live.length === 1);
  expect(isLinked(second, third.self)).toBe(true);
});

test("who is given an address after it has joined takes links at one of its own from then on, as others are told", async () => {
  const cluster = await Cluster.start("udp");
  const first = await peer("first", []);
  const late = await join({ cluster: "udp", name: "late", seeds: [cluster.seed] });
  onTestFinished(() => late.leave());
  expect(late.addresses).toEqual([]);
  expect(late.addSeed(addressOf(first))).toBe(true);
  await allLinked([first, late]);
  await until([first, late], "its address", () => {
    return (first.peers.get(late.self.id)?.addresses.length ?? 0) > 0;
  });
  expect(first.peers.get(late.self.id)?.addresses).toEqual(late.addresses);
  const third = await peer("third", [`udp://127.0.0.1:${portOf(late)}`]);
  await allLinked([first, late, third]);
});

test("who wants no UDP is told what to do when it is given an address", async () => {
  const mesh = await join({ cluster: "udp", seeds: [], udp: false });
  onTestFinished(() => mesh.leave());
  expect(() => mesh.addSeed("udp://127.0.0.1:7946")).toThrow(
    expect.objectContaining({
      code: "options:seed",
      message: expect.stringContaining("udp not to be false"),
    }),
  );
});

test("row 1: seeds of several kinds, one of which is there, and names that stand for several members", async () => {
  const cluster = await Cluster.start("udp");
  const [one, two] = [await peer("one", []), await peer("two", [])];
  const away = `udp://127.0.0.1:${await freePort()}`;
  // A name of two addresses, of which one is another member's: all are at one port.
  const port = await freePort();
  const hosts = ["127.0.0.21", "127.0.0.22"];
  const named = await Promise.all(hosts.map((host) => peer(host, [], { host, port })));
  const asked: string[] = [];
  const lookup = async (name: string): Promise<string[]> => {
    asked.push(name);
    return hosts;
  };
  const seeds = [cluster.seed, away, addressOf(one), addressOf(two), `dns://all.example:${port}`];
  const mesh = await peer("mesh", seeds, { lookup });
  await allLinked([mesh, one, two, ...named]);
  expect(new Set(asked)).toEqual(new Set(["all.example"]));
  await until([mesh], "all but one are up", () => mesh.health.state === "degraded");
  const states = Object.fromEntries(mesh.seeds.map(({ url, state }) => [url, state]));
  expect(states).toMatchObject({ [`${cluster.seed}/udp`]: "up", [addressOf(two)]: "up" });
  expect(["waiting", "connecting"]).toContain(states[away]);
});

test("row 1: a seed that comes late is found, by its name's address of then", async () => {
  const port = await freePort();
  let host = "127.0.0.31";
  const lookup = async (): Promise<string[]> => [host];
  const joining = peer("early", [`dns://late.example:${port}`], { lookup }, { joinTimeoutMs: 0 });
  const late = await peer("late", [], { host: "127.0.0.32", port });
  host = "127.0.0.32";
  const early = await joining;
  await allLinked([early, late]);
});

test("row 2, row 9: itself as a seed is ignored, however its address is written", async () => {
  const port = await freePort();
  const spellings = [
    `udp://127.0.0.1:${port}`,
    `udp://[::1]:${port}`,
    `udp://localhost:${port}`,
    `udp://[::ffff:127.0.0.1]:${port}`,
    `udp://127.0.0.77:${port}`,
    `dns://localhost:${port}`,
  ];
  const mesh = await peer("mesh", spellings, { host: "::", port });
  await until([mesh], "all are known to be its own", () =>
    mesh.seeds.every(({ state }) => state === "self"),
  );
  expect(mesh.health).toMatchObject({ state: "alone", linkCount: 0, peerCount: 0 });
  // Together with somebody it is ignored, too.
  const other = await peer("other", []);
  expect(mesh.addSeed(addressOf(other))).toBe(true);
  expect(mesh.addSeed(addressOf(other))).toBe(false);
  await allLinked([mesh, other]);
  await until([mesh], "nothing is amiss", () => mesh.health.state === "ok");
  expect(other.addSeed(addressOf(other))).toBe(false);
  expect(() => other.addSeed("tor://somewhere:1")).toThrow(
    expect.objectContaining({ code: "options:seed" }),
  );
});

test("row 10: a member behind a NAT is reached where it advertises that it is", async () => {
  const port = await freePort();
  const nat = await Nat.start(port, "127.0.0.2");
  const inside = await peer("inside", [], { port, advertise: nat.address });
  expect(inside.addresses).toEqual([`udp://${nat.address}`]);
  const outside = await peer("outside", [`udp://${nat.address}`], { host: "127.0.0.5" });
  await allLinked([inside, outside]);
  const seen = (): readonly string[] => outside.peers.get(inside.self.id)?.addresses ?? [];
  await until([outside], "its address is known", () => seen().length > 0);
  expect(seen()).toEqual([`udp://${nat.address}`]);
});

test("row 11: one port for each at port 0, told by the mesh; a port that is taken is an error that says so", async () => {
  const mesh = await peer("mesh", []);
  expect(addressOf(mesh)).toMatch(/^udp:\/\/127\.0\.0\.1:[1-9]\d+$/);
  expect(mesh.self.addresses.length + mesh.addresses.length).toBeGreaterThan(0);
  const taken = peer("taken", [], { port: Number(portOf(mesh)) });
  await expect(taken).rejects.toMatchObject({ code: "join:listen" });
  const six = await peer("six", [], { host: "::1" });
  const both = await peer("both", [addressOf(mesh), addressOf(six)], { host: "::" });
  await until([both, mesh, six], "linked by both", () =>
    [mesh, six].every(({ self }) => isLinked(both, self)),
  );
});

test("row 46: values arrive over UDP at every size around which the way they take is another", async () => {
  const one = await peer("one", []);
  const other = await peer("other", [addressOf(one)]);
  await allLinked([one, other]);
  // A flood of state with this key adds some 70 bytes: the edge of a datagram lies between.
  const sizes = [0, 1, ...Array.from({ length: 140 }, (_, i) => 980 + i), 1_100, 1_101];
  sizes.push(16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 1_000_000);
  for (const size of sizes) one.set(`size.${size}`, randomBytes(size));
  const arrived = (size: number): boolean =>
    (other.peers.get(one.self.id)?.get(`size.${size}`) as Uint8Array | undefined)?.length === size;
  await until([other], "all sizes", () => sizes.every(arrived));
  // The largest there is, with what MessagePack adds.
  const most = new Uint8Array(8_388_608 - 5).fill(7);
  const heard = other.hearOnce<Uint8Array>("most");
  await one.say("most", most);
  expect(Buffer.from((await heard).data).equals(most)).toBe(true);
  await expect(async () => one.say("most", new Uint8Array(most.length + 1))).rejects.toThrow(
    expect.objectContaining({ code: "value:too-large" }),
  );
});

test("row 48: transports of one's own pass through `transports`, and links go by what both ends have", async () => {
  const cluster = await Cluster.start("udp");
  const network = new MemoryNetwork();
  const mine = (): Transport => ({ ...memoryTransport(network), kind: "mine" });
  const udpOnly = (): Transport => udpTransport({ host: "127.0.0.1" });
  const of = (name: string, ...transports: Transport[]): Promise<Mesh> =>
    cluster.join({ name, transport: undefined as never, transports });
  const left = await of("left", mine());
  const right = await of("right", udpOnly());
  // Nothing in common: they know of each other by the server alone.
  expect(isLinked(left, right.self)).toBe(false);
  const bridge = await of("bridge", udpOnly(), mine());
  await allKnown([left, right, bridge]);
  expect([transportsOf(left), transportsOf(right)]).toEqual([["mine"], ["udp"]]);
  expect(transportsOf(bridge).sort()).toEqual(["mine", "udp"]);
  // What one says the other hears, over the one that has both.
  const heard = right.hearOnce("across");
  await left.send(right.self, "across", "hello");
  expect((await heard).from.id).toBe(left.self.id);
});

test("row 48: what one transport cannot link goes by the next", async () => {
  const cluster = await Cluster.start("udp");
  const network = new MemoryNetwork();
  const blocked = (): Transport => {
    // Its signals lead nowhere, as through a firewall.
    const inner = udpTransport({ host: "127.0.0.1" });
    return {
      kind: "udp",
      slowOfferer: false,
      encrypted: false,
      close: () => inner.close(),
      connect: (options, handlers) =>
        inner.connect({ ...options, openTimeoutMs: 200 }, { ...handlers, signal: () => {} }),
    };
  };
  const of = (name: string): Promise<Mesh> =>
    cluster.join({
      name,
      transport: undefined as never,
      transports: [blocked(), memoryTransport(network)],
    });
  const [one, other] = [await of("one"), await of("other")];
  await allLinked([one, other]);
  expect(transportsOf(one)).toEqual(["memory"]);
});

test("a Node process without WebRTC works over UDP, and says what is missing", async () => {
  const mesh = await peer("mesh", []);
  const child = runNode([
    ...["--import", NO_WRTC, "--import", "tsx"],
    ...[fileURLToPath(CHILD), addressOf(mesh)],
  ]);
  expect(await child.exit()).toBe(0);
  const [, json = "{}"] = /^(\{.*\})$/m.exec(child.output()) ?? [];
  const { warnings, reasons, why, links } = JSON.parse(json);
  expect(links).toEqual(["udp"]);
  const remedy = expect.stringContaining("npm install wrtc");
  expect(warnings).toEqual([{ code: "join:no-webrtc", message: remedy }]);
  expect([reasons, why]).toEqual([["no-webrtc"], remedy]);
});

test("an invitation of a member with UDP alone is taken by one that has more, and leads to a link", async () => {
  const host = await peer("host", []);
  const transports = (): Transport[] => [
    memoryTransport(new MemoryNetwork()),
    udpTransport({ host: "127.0.0.1" }),
  ];
  const guest = await peer("guest", [], {}, { transport: undefined as never, transports });
  const invitation = await host.invite();
  const { text, linked } = await guest.acceptInvite(invitation.text);
  await Promise.all([invitation.complete(text), linked]);
  await allLinked([host, guest]);
});

test("row 50: members of one cluster find each other on their network by multicast, and those of others do not", async () => {
  const of = async (name: string, cluster: string): Promise<Mesh> => {
    const mesh = await join({ cluster, name, udp: { mdns: true } });
    onTestFinished(() => mesh.leave());
    return mesh;
  };
  const stranger = await of("stranger", "another");
  const [ann, bob] = [await of("ann", "lan"), await of("bob", "lan")];
  await allLinked([ann, bob]);
  const cleo = await of("cleo", "lan");
  await allLinked([ann, bob, cleo]);
  expect(stranger.health).toMatchObject({ linkCount: 0, peerCount: 0 });
});
