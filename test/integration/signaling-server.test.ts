// The signaling server over real sockets: who may come in, who meets whom, and who is cut off.
import { connect, Server } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import {
  createSignalingServer,
  HearsayError,
  type LogEntry,
} from "../../signaling-server/index.ts";
import {
  CloseCode,
  encodeMessage,
  SIGNALING_FRAME_BYTES_MAX,
  SIGNALING_PACKET_BYTES_MAX,
} from "../../src/signaling/protocol.ts";
import { join, newId, pair, RawMember, startServer, urlOf, within } from "./signaling-support.ts";

/** Sends bytes over bare TCP and gives all that comes back until the connection ends. */
function exchange(port: number, bytes: string | Buffer): Promise<string> {
  const answer = new Promise<string>((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let came = "";
    socket.on("data", (data) => {
      came += data;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(came));
  });
  return within("an answer over TCP", answer);
}

const upgrade = (path: string, head = ""): string =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${head}` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${"A".repeat(22)}==\r\n\r\n`;

describe("members", () => {
  test("are introduced, and packets reach them with the sender's id", async () => {
    const server = await startServer();
    const one = await join(urlOf(server));
    const other = await join(urlOf(server));
    expect([one.peers, other.peers]).toEqual([[], [one.id]]);
    other.send(one.id, "an offer");
    expect(await one.packets.next()).toEqual({ from: other.id, packet: "an offer" });
    one.send(other.id, "x".repeat(SIGNALING_PACKET_BYTES_MAX));
    expect((await other.packets.next()).packet).toHaveLength(SIGNALING_PACKET_BYTES_MAX);
    expect(server.stats()).toMatchObject({ rooms: 1, members: 2, sockets: 2 });
  });

  test("learn who is gone", async () => {
    const server = await startServer();
    const one = await join(urlOf(server));
    const nobody = newId();
    one.send(nobody, "hello?");
    expect(await one.messages.next()).toEqual({ type: "gone", id: nobody });
  });

  test("of another cluster are strangers, row 44", async () => {
    const server = await startServer();
    const one = await join(urlOf(server, "red"));
    const other = await join(urlOf(server, "r%65d%20"));
    expect(other.peers).toEqual([]);
    other.send(one.id, "hello?");
    expect(await other.messages.next()).toEqual({ type: "gone", id: one.id });
    expect((await join(urlOf(server, "r%65d"))).peers).toEqual([one.id]);
  });

  test("on two islands are introduced", async () => {
    const limits = { islandGraceMs: 40, introduceEveryMs: 40 };
    const server = await startServer({ limits });
    const one = await join(urlOf(server), { island: "0".repeat(32) });
    const two = await join(urlOf(server), { island: "0".repeat(32) });
    const alone = await join(urlOf(server));
    alone.socket.send(encodeMessage({ type: "island", id: alone.id }));
    const message = await alone.messages.next();
    if (message.type !== "introduce") throw new Error(`${message.type} instead of introduce`);
    expect(message.peers.length).toBeGreaterThan(0);
    expect([one.id, two.id]).toEqual(expect.arrayContaining([...message.peers]));
    expect([one.messages.size, two.messages.size]).toEqual([0, 0]);
  });

  test("with the same id: the newer one stays", async () => {
    const server = await startServer();
    const id = newId();
    const older = await join(urlOf(server), { id });
    const newer = await join(urlOf(server), { id });
    expect(await within("the end", older.closed)).toMatchObject({ code: CloseCode.replaced });
    const other = await join(urlOf(server));
    other.send(id, "to the newer");
    expect((await newer.packets.next()).packet).toBe("to the newer");
    expect(server.stats().members).toBe(2);
  });
});

describe("cut off, while others feel nothing", () => {
  const text = (text: string) => (member: RawMember) => member.socket.send(text);
  const hello = (fields: object) => text(JSON.stringify({ type: "hello", protocol: 1, ...fields }));
  const joined =
    (misdeed: (member: RawMember) => void) =>
    (member: RawMember): void => {
      member.hello();
      misdeed(member);
    };
  const id = newId();
  const repeat = (count: number, data: string | Buffer) => (member: RawMember) => {
    for (let i = 0; i < count; i++) member.socket.send(data);
  };
  const frame = (bytes: number) => Buffer.alloc(16 + bytes, 7);
  const tcp = (data: Buffer) => (member: RawMember) => {
    // Past ws, which would not send it.
    (member.socket as unknown as { _socket: NodeJS.WritableStream })._socket.write(data);
  };

  test.each<[string, number, (member: RawMember) => void]>([
    ["garbage for a hello", CloseCode.malformed, text("who's there")],
    ["a hello without an id", CloseCode.malformed, hello({})],
    ["a hello of another protocol", CloseCode.version, hello({ protocol: 2, id })],
    ["an island before the hello", CloseCode.malformed, text(`{"type":"island","id":"${id}"}`)],
    ["a pong before the hello", CloseCode.malformed, text(`{"type":"pong"}`)],
    ["a packet before the hello", CloseCode.malformed, repeat(1, frame(1))],
    ["nothing at all", CloseCode.timeout, () => {}],
    ["WebSocket pings for a hello", CloseCode.timeout, (member) => member.socket.ping()],
    ["garbage", CloseCode.malformed, joined(text("\u0000{"))],
    ["a second hello", CloseCode.malformed, joined(hello({ id }))],
    ["a frame without a packet", CloseCode.malformed, joined(repeat(1, frame(0)))],
    ["text over the limit", CloseCode.tooLarge, joined(text("[".repeat(5_000)))],
    [
      "a packet over the limit",
      CloseCode.tooLarge,
      joined(repeat(1, frame(SIGNALING_PACKET_BYTES_MAX + 1))),
    ],
    ["megabytes", CloseCode.tooLarge, joined(repeat(1, Buffer.alloc(5_000_000)))],
    ["a broken frame", CloseCode.malformed, joined(tcp(Buffer.from([0xff, 0xff, 0xff, 0xff])))],
    [
      "text that is not UTF-8",
      CloseCode.malformed,
      joined(tcp(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff]))),
    ],
    ["a flood of text", CloseCode.flood, joined(repeat(300, '{"type":"pong"}'))],
    ["a flood of packets", CloseCode.flood, joined(repeat(300, frame(10)))],
    ["a flood of bytes", CloseCode.flood, joined(repeat(20, frame(SIGNALING_PACKET_BYTES_MAX)))],
    [
      "a flood of pings",
      CloseCode.flood,
      joined((member) => {
        for (let i = 0; i < 300; i++) member.socket.ping();
      }),
    ],
    [
      "a message in crumbs",
      CloseCode.malformed,
      joined((member) => {
        for (let i = 0; i < 200; i++) member.socket.send("x", { fin: false });
      }),
    ],
  ])("%s: %i", async (_, code, misdeed) => {
    const log: LogEntry[] = [];
    const server = await startServer({
      limits: { helloMs: code === CloseCode.timeout ? 500 : 5_000 },
      logger: (entry) => log.push(entry),
    });
    const good = await pair(urlOf(server));
    await good.talk();
    const member = new RawMember(urlOf(server));
    await within("the connection", member.opened);
    misdeed(member);
    const talks = good.talk();
    const closed = await within("the cut-off", member.closed);
    expect(closed).toEqual({ code, reason: expect.stringMatching(/.{5,123}/) });
    await talks;
    await good.talk();
    expect(server.stats()).toMatchObject({ rooms: 1, members: 2 });
    const lines = log.filter(({ event }) => event === "cut");
    expect(lines.length).toBeLessThanOrEqual(1);
    for (const line of lines) expect(line).toMatchObject({ code, socket: 3, level: "warn" });
  });

  test("a member that answers no ping", async () => {
    const server = await startServer({ limits: { pingMs: 300 } });
    const good = await join(urlOf(server));
    const dead = await join(urlOf(server), { pongs: false });
    expect(await within("the cut-off", dead.closed)).toMatchObject({ code: CloseCode.timeout });
    good.send(dead.id, "still there?");
    expect(await good.messages.next()).toEqual({ type: "gone", id: dead.id });
    expect(good.socket.readyState).toBe(WebSocket.OPEN);
  });

  test("a member too slow to read, which then hears nothing more", async () => {
    const rate = { perSecond: 1e9, burst: 1e9 };
    const server = await startServer({
      limits: { messageRate: rate, byteRate: rate, bufferedBytesMax: 200_000, farewellMs: 100 },
    });
    const slow = await join(urlOf(server));
    slow.socket.pause();
    const sender = await join(urlOf(server));
    const packet = "x".repeat(SIGNALING_PACKET_BYTES_MAX);
    // The kernel's buffers on both sides take some megabytes before anything waits in the server.
    const flood = setInterval(() => {
      for (let i = 0; i < 20; i++) sender.send(slow.id, packet);
    }, 5);
    const gone = await sender.messages.next().finally(() => clearInterval(flood));
    expect(gone).toEqual({ type: "gone", id: slow.id });
    slow.socket.resume();
    await within("the cut-off", slow.closed);
    const good = await pair(urlOf(server));
    await good.talk();
    expect(server.stats().members).toBe(3);
  });

  test("whoever takes no leave is torn down", async () => {
    const server = await startServer({ limits: { farewellMs: 50 } });
    // A masked text frame that is no message. The close frame that follows is neither read nor answered.
    const garbage = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78]);
    const answer = await exchange(
      server.port,
      Buffer.concat([Buffer.from(upgrade("/demo")), garbage]),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 101 .*not JSON$/s);
  });
});

describe("full", () => {
  test("clusters, the server's rooms, and its sockets", async () => {
    const server = await startServer({ limits: { membersMax: 2, roomsMax: 2, socketsMax: 4 } });
    const good = await pair(urlOf(server));
    const third = new RawMember(urlOf(server));
    await third.opened;
    third.hello();
    expect(await third.closed).toEqual({
      code: CloseCode.full,
      reason: "the cluster is full here",
    });
    await join(urlOf(server, "second"));
    const room = new RawMember(urlOf(server, "third"));
    await room.opened;
    room.hello();
    expect(await room.closed).toEqual({ code: CloseCode.full, reason: "the server is full" });
    const waiting = new RawMember(urlOf(server));
    await waiting.opened;
    const refused = await exchange(server.port, upgrade("/demo"));
    expect(refused).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n.*come back later/s);
    await good.talk();
  });
});

describe("refused before they are in", () => {
  test.each([
    ["/", 400, "/CLUSTER"],
    ["/a/b", 400, "one name"],
    ["/%", 400, "percent-encoding"],
    ["/%00", 400, "control characters"],
    [`/${"x".repeat(129)}`, 400, "128"],
    ["http://localhost/demo", 400, "/CLUSTER"],
    ["*", 400, "/CLUSTER"],
  ])("an upgrade of %s: %i", async (path, status, text) => {
    const server = await startServer();
    const answer = await exchange(server.port, upgrade(path));
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toContain(text);
    expect(server.stats().sockets).toBe(0);
  });

  test.each([
    [
      "a bad key",
      "GET /demo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
      400,
    ],
    [
      "another protocol",
      "GET /demo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
      400,
    ],
    ["a POST", upgrade("/demo").replace("GET", "POST"), 405],
    ["no HTTP", "hearsay?\r\n\r\n", 400],
    ["endless headers", `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(100_000)}\r\n\r\n`, 431],
  ])("%s", async (_, text, status) => {
    const server = await startServer();
    expect(await exchange(server.port, text)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  test("a connection reset at any point harms nobody", async () => {
    const server = await startServer();
    const good = await pair(urlOf(server));
    const request = upgrade("/demo");
    for (let length = 0; length <= request.length; length += 20) {
      await new Promise<void>((resolve, reject) => {
        const socket = connect(server.port, "127.0.0.1", () => {
          socket.write(request.slice(0, length) || "\r\n", () => {
            socket.resetAndDestroy();
            resolve();
          });
        });
        socket.on("error", reject);
      });
    }
    await good.talk();
  });
});

describe("addresses, row 11", () => {
  test("port 0 takes a free one, which the URLs name", async () => {
    const server = await startServer();
    expect(server.port).toBeGreaterThan(0);
    expect(server.urls[0]).toBe(`ws://localhost:${server.port}`);
    for (const url of server.urls) expect((await join(`${url}/demo`)).id).toBeDefined();
  });

  const hasIPv6 = Object.values(networkInterfaces())
    .flat()
    .some((one) => one?.family === "IPv6");

  test("IPv4 and IPv6 members meet", async ({ skip }) => {
    if (!hasIPv6) skip("this machine has no IPv6");
    const server = await startServer();
    const four = await join(`ws://127.0.0.1:${server.port}/demo`);
    const six = await join(`ws://[::1]:${server.port}/demo`);
    expect(six.peers).toEqual([four.id]);
    six.send(four.id, "across");
    expect((await four.packets.next()).packet).toBe("across");
  });

  test("a machine without IPv6 is served by IPv4, unless IPv6 was asked for", async () => {
    const listen = vi.spyOn(Server.prototype, "listen");
    const fail = function (this: Server): Server {
      const error = Object.assign(new Error("no IPv6 here"), { code: "EAFNOSUPPORT" });
      queueMicrotask(() => this.emit("error", error));
      return this;
    };
    try {
      listen.mockImplementationOnce(fail);
      await join(urlOf(await startServer()));
      expect(listen.mock.calls.at(-1)).toMatchObject([{ host: "0.0.0.0" }, {}]);
      listen.mockImplementationOnce(fail);
      const six = createSignalingServer({ port: 0, host: "::1" });
      await expect(six.listen()).rejects.toMatchObject({ code: "server:listen" });
    } finally {
      listen.mockRestore();
    }
  });

  test("one address only, if told so", async () => {
    const server = await startServer({ host: "127.0.0.1" });
    expect(server.urls).toEqual([`ws://127.0.0.1:${server.port}`]);
    await join(urlOf(server));
    if (!hasIPv6) return;
    const six = await startServer({ host: "::1" });
    expect(six.urls).toEqual([`ws://[::1]:${six.port}`]);
    await join(`${six.urls[0]}/demo`);
  });

  test("a port in use is a clear error, and the first server goes on", async () => {
    const first = await startServer();
    const good = await pair(urlOf(first));
    const second = createSignalingServer({ port: first.port });
    const error = await second.listen().catch((error) => error);
    expect(error).toBeInstanceOf(HearsayError);
    expect(error).toMatchObject({
      code: "server:port-in-use",
      message: expect.stringMatching(/choose another port/),
    });
    await second.close();
    await good.talk();
  });

  test("a host that is not ours is a clear error", async () => {
    const server = createSignalingServer({ port: 0, host: "203.0.113.1" });
    await expect(server.listen()).rejects.toMatchObject({ code: "server:listen" });
  });
});

describe("stopping", () => {
  test("sends all away and frees the port", async () => {
    const server = await startServer();
    const members = [await join(urlOf(server)), await join(urlOf(server, "other"))];
    const waiting = new RawMember(urlOf(server));
    await waiting.opened;
    const { port } = server;
    const closing = server.close();
    expect(server.close()).toBe(closing);
    await within("the stop", closing);
    for (const member of [...members, waiting]) {
      expect(await member.closed).toEqual({
        code: CloseCode.goingAway,
        reason: "the server is going away",
      });
    }
    const next = await startServer({ port });
    expect(next.port).toBe(port);
    expect(server.stats()).toMatchObject({ rooms: 0, members: 0, sockets: 0 });
  });

  test("does not wait for those who do not go, nor for an open request", async () => {
    const server = await startServer();
    const stuck = await join(urlOf(server));
    stuck.socket.pause();
    const request = connect(server.port, "127.0.0.1", () => request.write("GET / HTTP/1.1\r\n"));
    const ended = new Promise((resolve) => request.on("close", resolve).on("error", () => {}));
    await within("the stop", server.close({ graceMs: 50 }));
    await within("the end of the request", ended);
  });

  test("before it has begun is no error, and it cannot begin after it", async () => {
    const server = createSignalingServer({ port: 0 });
    await server.close();
    await expect(server.listen()).rejects.toMatchObject({ code: "server:closed" });
    expect([server.port, server.urls]).toEqual([0, []]);
  });

  test("while it begins", async () => {
    const server = createSignalingServer({ port: 0 });
    const listening = server.listen();
    expect(server.listen()).toBe(listening);
    await within("the stop", server.close());
    await expect(fetch(`http://127.0.0.1:${(await listening).port}/`)).rejects.toThrow();
  });
});

test("what a member says is not in the log", async () => {
  const log: LogEntry[] = [];
  const server = await startServer({ logger: (entry) => log.push(entry) });
  const one = await join(urlOf(server, "secret-cluster"));
  const other = await join(urlOf(server, "secret-cluster"));
  one.send(other.id, "secret-packet");
  await other.packets.next();
  one.socket.send("secret-garbage");
  await one.closed;
  await server.close();
  const text = JSON.stringify(log);
  expect(log.map(({ event }) => event)).toEqual([
    "listening",
    "opened",
    "opened",
    "cut",
    "sent away",
    "stopped",
  ]);
  for (const secret of ["secret", one.id, other.id]) expect(text).not.toContain(secret);
});

test("frames have room for the largest packet and its id, and no more", () => {
  expect(SIGNALING_FRAME_BYTES_MAX).toBe(16 + SIGNALING_PACKET_BYTES_MAX);
});
