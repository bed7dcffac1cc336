// What the acceptance suite does not see of links over UDP and TCP: addresses, NATs, and strangers at the port.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { DATAGRAM_BYTES_MAX, FRAME_BYTES_MAX, SEAL_BYTES } from "../../src/transport/transport.ts";
import { openSockets } from "../../src/transport/udp/sockets.ts";
import { freePort } from "../support/free-port.ts";
import {
  arriveBothWays,
  arrives,
  dial,
  Listener,
  linked,
  strangerAt,
  udp,
} from "../support/udp-ends.ts";
import { Nat } from "../support/udp-nat.ts";

const NOBODY = { connection() {}, datagram() {} };

test.each([
  ["127.0.0.1", /^udp:\/\/127\.0\.0\.1:\d+$/],
  ["::1", /^udp:\/\/\[::1\]:\d+$/],
])("row 11: port 0 is one that is free for UDP and TCP, at %s", async (host, shape) => {
  const there = await Listener.start({ host });
  expect(there.at.addresses).toEqual([expect.stringMatching(shape)]);
  await expect(openSockets(host, there.port, NOBODY)).rejects.toMatchObject({ code: "EADDRINUSE" });
  const beside = createSocket(host === "::1" ? "udp6" : "udp4");
  onTestFinished(() => void beside.close());
  beside.bind(there.port, host);
  const [error] = await once(beside, "error");
  expect(error).toMatchObject({ code: "EADDRINUSE" });
});

test("row 11: who listens on all addresses is reached by IPv4 and IPv6, on all lanes", async () => {
  const there = await Listener.start({ host: "::" });
  expect(there.at.addresses.length).toBeGreaterThan(0);
  await arriveBothWays(...(await linked(udp(), there, `udp://127.0.0.1:${there.port}`)));
  const there6 = await linked(udp({ host: "::1" }), there, `udp://[::1]:${there.port}`);
  await arriveBothWays(...there6);
});

test("row 10: an end behind a NAT is reached where it advertises that it is, on all lanes", async () => {
  const port = await freePort();
  const nat = await Nat.start(port, "127.0.0.2");
  const there = await Listener.start({ port, advertise: nat.address });
  expect(there.at.addresses).toEqual([`udp://${nat.address}`]);
  const [near, far] = await linked(udp({ host: "127.0.0.5" }), there);
  await arriveBothWays(near, far);
  await nat.until(() => nat.inbound > 0 && nat.outbound > 0);
  // It may say it by a name, and without a port where that is the same.
  const lookup = async (name: string) => (name === "peer.example" ? ["127.0.0.1"] : []);
  const named = await Listener.start({ advertise: "peer.example", lookup });
  expect(named.address).toMatch(/^udp:\/\/peer\.example:\d+$/);
  const [group = []] = await named.at.resolve(named.address);
  expect(group).toEqual([`udp://127.0.0.1:${named.port}`]);
});

test("row 10: datagrams follow an end that its NAT gives a new port, and nobody else", async () => {
  const there = await Listener.start();
  const nat = await Nat.start(there.port);
  const [near, far] = await linked(udp({ host: "127.0.0.5" }), there, `udp://${nat.address}`);
  await arriveBothWays(near, far);
  await nat.until(() => nat.outbound > 0);
  nat.remap();
  const { outbound } = nat;
  const again = setInterval(() => {
    near.send("datagram", new Uint8Array(10));
    far.send("datagram", new Uint8Array(10));
  }, 20);
  onTestFinished(() => clearInterval(again));
  await nat.until(() => nat.outbound > outbound + 10);
  expect([near.link.state, far.link.state]).toEqual(["open", "open"]);
});

test("where no UDP gets through, the datagram lane goes over TCP", async () => {
  const there = await Listener.start();
  const nat = await Nat.start(there.port);
  nat.losesUdp = true;
  const [near, far] = await linked(udp(), there, `udp://${nat.address}`);
  await arriveBothWays(near, far);
  expect(nat.outbound).toBe(0);
});

test("row 46: datagrams arrive up to their size with a seal on, and larger ones are refused", async () => {
  const there = await Listener.start();
  const [near, far] = await linked(udp(), there);
  const most = DATAGRAM_BYTES_MAX + SEAL_BYTES;
  for (const size of [DATAGRAM_BYTES_MAX - 1, DATAGRAM_BYTES_MAX, most - 1, most]) {
    await arrives(near, far, "datagram", size);
    expect(far.frames.at(-1)?.bytes.length).toBe(size);
  }
  expect(() => near.send("datagram", new Uint8Array(most + 1))).toThrow(RangeError);
  await arrives(near, far, "reliable", FRAME_BYTES_MAX + SEAL_BYTES);
  expect(near.link.stats().droppedDatagrams).toBe(0);
});

test("row 46: what the path does not take is told as lost, and the socket goes on", async () => {
  const received: number[] = [];
  let came = (): void => {};
  const one = await openSockets("127.0.0.1", 0, NOBODY);
  const other = await openSockets("127.0.0.1", 0, {
    connection() {},
    datagram(bytes) {
      received.push(bytes.length);
      came();
    },
  });
  onTestFinished(() => {
    one.close();
    other.close();
  });
  const to = { host: "127.0.0.1", port: other.port };
  const failed = new Promise<void>((resolve) => {
    expect(one.send([new Uint8Array(66_000)], to, resolve)).toBe(true);
  });
  await failed;
  const arrival = new Promise<void>((resolve) => {
    came = resolve;
  });
  one.send([new Uint8Array(5), new Uint8Array(5)], to, () => {});
  await arrival;
  expect(received).toEqual([10]);
});

test("row 9: an end knows itself under every address of it", async () => {
  const { at, port } = await Listener.start({ host: "::" });
  const [group = []] = await at.resolve(`udp://localhost:${port}`);
  for (const address of [...group, `udp://127.0.0.3:${port}`, ...at.addresses]) {
    expect((await dial(at, address).closed()).code, address).toBe("self");
  }
});

test("who takes no links that nobody announced says so, and one that is not there is told soon", async () => {
  const there = await Listener.start({ openMax: 1 });
  await linked(udp(), there);
  const refused = await dial(udp(), there.address).closed();
  expect(refused).toMatchObject({ code: "failed", message: expect.stringContaining("no links") });
  const nobody = await dial(udp(), `udp://127.0.0.1:${await freePort()}`).closed();
  expect(nobody).toMatchObject({ code: "failed", message: expect.stringContaining("REFUSED") });
  const nowhere = await dial(udp(), "nonsense", "udp://127.0.0.1:0").closed();
  expect(nowhere.code).toBe("failed");
});

test("a connection that breaks ends the link at both ends at once", async () => {
  const there = await Listener.start();
  const nat = await Nat.start(there.port);
  const [near, far] = await linked(udp(), there, `udp://${nat.address}`);
  nat.reset();
  const codes = [(await near.closed()).code, (await far.closed()).code];
  for (const code of codes) expect(["failed", "remote"]).toContain(code);
});

test("what strangers say ends their connection, and nobody else's", async () => {
  const there = await Listener.start();
  const [near, far] = await linked(udp(), there);
  const words = [
    Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    Buffer.alloc(64, 255),
    Buffer.concat([Buffer.from("hearsay\x01"), Buffer.alloc(64)]),
    Buffer.concat([Buffer.from("hearsay\x01\x07"), Buffer.alloc(64)]),
    Buffer.concat([Buffer.from("hearsay\x02\x01"), Buffer.alloc(64)]),
    // It greets well, and goes on with something else than the word that is due.
    Buffer.concat([Buffer.from("hearsay\x01\x01"), Buffer.alloc(26), Buffer.alloc(64, 9)]),
  ];
  for (const word of words) {
    const stranger = await strangerAt(there);
    stranger.resume();
    stranger.write(word);
    await once(stranger, "close");
  }
  expect(there.taken.length).toBe(1);
  await arriveBothWays(near, far);
});

test("frames of no kind, and those over the size of their lane, end their link alone", async () => {
  const there = await Listener.start();
  const [near, far] = await linked(udp(), there);
  const oversized = Buffer.alloc(4 + 2_000);
  oversized.writeUIntBE(2_001, 0, 3);
  oversized[3] = 3;
  for (const frame of [Buffer.of(0, 0, 1, 9), Buffer.of(255, 255, 255, 1), oversized]) {
    const next = there.next();
    const stranger = await strangerAt(there);
    stranger.resume();
    stranger.write(Buffer.concat([Buffer.from("hearsay\x01\x01"), Buffer.alloc(26)]));
    stranger.write(Buffer.concat([Buffer.of(0, 0, 1, 0), frame]));
    expect((await (await next).closed()).code).toBe("protocol");
  }
  await arriveBothWays(near, far);
});

test("who says nothing holds a place for a while only, and not all of them", async () => {
  const there = await Listener.start();
  const silent = await Promise.all(Array.from({ length: 40 }, () => strangerAt(there)));
  const closed = silent.map((socket) => once(socket.resume(), "close"));
  await Promise.race(closed);
  // Others get in from elsewhere all the while.
  const [near, far] = await linked(udp({ host: "127.0.0.9" }), there);
  await arriveBothWays(near, far);
  await Promise.all(closed);
});

test("a datagram with an id that nobody has is not answered", async () => {
  const there = await Listener.start();
  const [near, far] = await linked(udp(), there);
  const stranger = createSocket("udp4");
  onTestFinished(() => void stranger.close());
  let answers = 0;
  stranger.on("message", () => answers++);
  for (const length of [0, 1, 8, 9, 17, 1_133, 2_000, 60_000]) {
    stranger.send(Buffer.alloc(length, 1), there.port, "127.0.0.1");
  }
  await arriveBothWays(near, far);
  expect(answers).toBe(0);
});
