// The signaling client against real servers: that it comes back, finds out when nobody is there, and ends.
import { spawn } from "node:child_process";
import { connect, createServer, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocketServer } from "ws";
import { type SignalingClientOptions, signalingClient } from "../../src/signaling/client.ts";
import {
  CloseCode,
  encodeMessage,
  type IceServer,
  type Refusal,
} from "../../src/signaling/protocol.ts";
import { nodeWebSocket } from "../../src/signaling/websocket.node.ts";
import { Inbox, join, newId, startServer, urlOf, within } from "./signaling-support.ts";

const quick = { firstMs: 20, maxMs: 100, refusedMs: 40, stableMs: 1_000 };

/** A client and what its handlers were told. */
function start(url: string, options: Partial<SignalingClientOptions> = {}) {
  const id = newId();
  const ups = new Inbox<readonly string[]>("up");
  const downs = new Inbox<Refusal & { retryInMs: number | undefined }>("down");
  const packets = new Inbox<{ from: string; packet: string }>("a packet");
  const ices = new Inbox<readonly IceServer[]>("ICE servers");
  const gones = new Inbox<string>("gone");
  const introductions = new Inbox<readonly string[]>("introduce");
  const client = signalingClient({
    url,
    id,
    WebSocket: nodeWebSocket,
    backoff: quick,
    handlers: {
      up: (peers) => ups.put(peers),
      down: (refusal, retryInMs) => downs.put({ ...refusal, retryInMs }),
      packet: (from, packet) => packets.put({ from, packet: Buffer.from(packet).toString() }),
      ice: (servers) => ices.put(servers),
      gone: (id) => gones.put(id),
      introduce: (peers) => introductions.put(peers),
    },
    ...options,
  });
  onTestFinished(() => client.close());
  return { id, client, ups, downs, packets, ices, gones, introductions };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("a client", () => {
  test("meets others, hears them and learns who is gone", async () => {
    const server = await startServer();
    const one = start(urlOf(server));
    expect(await one.ups.next()).toEqual([]);
    const other = start(urlOf(server));
    expect(await other.ups.next()).toEqual([one.id]);
    expect(other.client.send(one.id, bytes("an offer"))).toBe(true);
    expect(await one.packets.next()).toEqual({ from: other.id, packet: "an offer" });
    other.client.close();
    await until("the leave", () => server.stats().members === 1);
    one.client.send(other.id, bytes("an answer"));
    expect(await one.gones.next()).toBe(other.id);
  });

  test("is introduced to another island", async () => {
    const server = await startServer({ limits: { islandGraceMs: 40, introduceEveryMs: 40 } });
    const one = start(urlOf(server));
    one.client.island(one.id);
    await one.ups.next();
    const other = start(urlOf(server));
    await other.ups.next();
    other.client.island(other.id);
    const asked = await Promise.race([one.introductions.next(), other.introductions.next()]);
    expect([[one.id], [other.id]]).toContainEqual(asked);
  });

  test("answers pings, so that it stays while idle", async () => {
    const server = await startServer({ limits: { pingMs: 300 } });
    const { client, ups, downs } = start(urlOf(server), { silenceMs: 1_000 });
    await ups.next();
    const later = await join(urlOf(server));
    // A member that answers no ping is cut off after two of them; this one is longer there.
    const dead = await join(urlOf(server), { pongs: false });
    await within("the cut-off", dead.closed);
    const dead2 = await join(urlOf(server), { pongs: false });
    await within("the cut-off", dead2.closed);
    expect([client.state, downs.size, later.socket.readyState]).toEqual(["up", 0, 1]);
  });

  test("comes back when the server does, row 1", async () => {
    const server = await startServer();
    const { port } = server;
    const clients = Array.from({ length: 5 }, () => start(urlOf(server)));
    for (const { ups } of clients) await ups.next();
    await within("the stop", server.close());
    for (const { downs, client } of clients) {
      expect(await downs.next()).toMatchObject({
        code: CloseCode.goingAway,
        reason: "the server is going away",
        retryInMs: expect.any(Number),
      });
      expect(client.send(newId(), bytes("lost"))).toBe(false);
      // At least one attempt that finds nobody.
      expect(await downs.next()).toMatchObject({ code: 1006, retryInMs: expect.any(Number) });
    }
    await startServer({ port });
    for (const { ups } of clients) await ups.next();
    const [one, other] = clients as [ReturnType<typeof start>, ReturnType<typeof start>];
    one.client.send(other.id, bytes("again"));
    expect(await other.packets.next()).toEqual({ from: one.id, packet: "again" });
  });

  test("of the same id gives way to the newer one, for minutes", async () => {
    const server = await startServer();
    const id = newId();
    const older = start(urlOf(server), { id });
    await older.ups.next();
    const newer = start(urlOf(server), { id });
    await newer.ups.next();
    expect(await older.downs.next()).toMatchObject({
      code: CloseCode.replaced,
      retryInMs: expect.any(Number),
    });
    expect([older.client.state, newer.client.state]).toEqual(["refused", "up"]);
  });

  test("pauses and resumes", async () => {
    const server = await startServer();
    const { client, ups, downs } = start(urlOf(server));
    await ups.next();
    client.pause();
    expect(await downs.next()).toMatchObject({ code: 1000, retryInMs: undefined });
    await until("the leave", () => server.stats().sockets === 0);
    client.resume();
    await ups.next();
    expect(server.stats().members).toBe(1);
  });

  test("finds out that a connection is dead though nothing closed it", async () => {
    const server = await startServer({ limits: { pingMs: 200 } });
    const line = await startLine(server.port);
    const { ups, downs } = start(`ws://127.0.0.1:${line.port}/demo`, { silenceMs: 1_000 });
    await ups.next();
    line.goDead();
    expect(await downs.next()).toMatchObject({
      code: CloseCode.timeout,
      reason: "the server fell silent",
    });
    await ups.next();
  });

  test("gives up an attempt that nobody answers", async () => {
    const deaf = createServer((socket) => onTestFinished(() => void socket.destroy()));
    const port = await listenOn(deaf);
    const { downs } = start(`ws://127.0.0.1:${port}/demo`, { connectMs: 50 });
    for (let i = 0; i < 3; i++) {
      expect(await downs.next()).toMatchObject({ code: CloseCode.timeout });
    }
  });

  test("told by HTTP that the server is full tries again", async () => {
    const server = await startServer({ limits: { socketsMax: 1 } });
    const first = await join(urlOf(server));
    const { ups, downs } = start(urlOf(server));
    expect(await downs.next()).toMatchObject({ code: 1006, retryInMs: expect.any(Number) });
    first.socket.close();
    await ups.next();
  });
});

describe("a hostile server", () => {
  const welcome = encodeMessage({ type: "welcome", peers: [] });

  test.each<[string, readonly (string | Buffer)[]]>([
    ["garbage", [welcome, "}{"]],
    ["wrong ids", ['{"type":"welcome","peers":["x"]}']],
    ["a packet before the welcome", [Buffer.alloc(20)]],
    ["a frame over the limit", [welcome, Buffer.alloc(1_000_000)]],
    ["a flood", [welcome, ...new Array<string>(6_000).fill('{"type":"ping"}')]],
  ])("that sends %s is left, and tried again later", async (_, messages) => {
    const hostile = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    onTestFinished(() => hostile.close());
    const closes = new Inbox<number>("the client leaves");
    hostile.on("connection", (socket) => {
      socket.on("error", () => {});
      socket.on("close", (code) => closes.put(code));
      socket.once("message", () => {
        for (const message of messages) socket.send(message);
      });
    });
    await within("the server", new Promise((resolve) => hostile.once("listening", resolve)));
    const { port } = hostile.address() as { port: number };
    const { client, downs } = start(`ws://127.0.0.1:${port}/demo`);
    const down = await downs.next();
    expect(down.reason).toMatch(/the server|lost/);
    expect(down.retryInMs).toEqual(expect.any(Number));
    expect(await closes.next()).toBeGreaterThan(1000);
    expect((await downs.next()).code).toBe(down.code);
    client.close();
  });
});

describe("after close the process ends", () => {
  test.each(["up", "connecting to nobody", "up on a dead line", "waiting"])("%s", async (what) => {
    const server = await startServer();
    const deaf = createServer((socket) => onTestFinished(() => void socket.destroy()));
    const line = await startLine(server.port);
    const ports: Record<string, number> = {
      up: server.port,
      "up on a dead line": line.port,
      "connecting to nobody": await listenOn(deaf),
      waiting: 1,
    };
    const child = startProgram(`ws://127.0.0.1:${ports[what]}/demo`);
    const connecting = new Promise((resolve) => deaf.once("connection", resolve));
    const lines = what === "connecting to nobody" ? connecting : child.firstLine;
    await within("the client", lines, 15_000);
    if (what === "up on a dead line") line.goDead();
    child.say("close");
    expect(await within("the end of the process", child.exited)).toBe(0);
  });
});

/** A program that only runs a client, prints its first event, and closes it when it hears from us. */
function startProgram(url: string) {
  const program = `
    import { signalingClient } from "./src/signaling/client.ts";
    import { nodeWebSocket } from "./src/signaling/websocket.node.ts";
    const print = (event) => () => console.log(event);
    const client = signalingClient({
      url: "${url}", id: "${newId()}", WebSocket: nodeWebSocket, backoff: { firstMs: 60_000 }, random: () => 0.9,
      handlers: { up: print("up"), down: print("down"), packet() {}, gone() {}, introduce() {} },
    });
    process.stdin.once("data", () => { process.stdin.destroy(); client.close(); });
  `;
  const args = ["--import", "tsx", "--input-type=module", "--eval", program];
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const child = spawn(process.execPath, args, { cwd, stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return {
    firstLine: new Promise((resolve) => child.stdout.once("data", resolve)),
    exited: new Promise((resolve) => child.once("exit", resolve)),
    say: (text: string) => child.stdin.write(text),
  };
}

/** A line to a server that can go dead without a sign: connections stay open and carry nothing more. */
async function startLine(to: number): Promise<{ port: number; goDead(): void }> {
  const open = new Set<Socket>();
  const proxy = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => {});
    }
    near.pipe(far).pipe(near);
    onTestFinished(() => {
      near.destroy();
      far.destroy();
    });
  });
  const port = await listenOn(proxy);
  return {
    port,
    goDead() {
      for (const socket of open) socket.unpipe().pause();
      open.clear();
    },
  };
}

async function listenOn(server: ReturnType<typeof createServer>): Promise<number> {
  onTestFinished(() => void server.close());
  await within("a port", new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  return (server.address() as { port: number }).port;
}

/** Looks until it is so: for what the server does after a socket is closed, which no client can see. */
async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`not within 5 s: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
