// Who may come in, over real sockets: origins, tokens, addresses, TLS, discovery; and how a server takes its leave.
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { type PeerCertificate, connect as tlsConnect } from "node:tls";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import {
  type LogEntry,
  type SignalingServer,
  type SignalingServerOptions,
  signToken,
} from "../../signaling-server/index.ts";
import { MemoryNetwork } from "../../src/index.node.ts";
import { CloseCode, encodeMessage } from "../../src/signaling/protocol.ts";
import { allLinked, joinInMemory } from "../support/memory-mesh.ts";
import { join, newId, pair, RawMember, startServer, urlOf, within } from "./signaling-support.ts";

const key = "the key of this server";

/** The status of an upgrade, asked for with these headers: 101 when it is let in. */
function knock(
  server: SignalingServer,
  headers: Record<string, string> = {},
  path = "/demo",
): Promise<number> {
  const answer = new Promise<number>((resolve, reject) => {
    const sent = request({
      port: server.port,
      host: "127.0.0.1",
      path,
      agent: false,
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        ...headers,
      },
    });
    sent.on("upgrade", (_, socket) => {
      onTestFinished(() => void socket.destroy());
      resolve(101);
    });
    sent.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on("error", reject).end();
  });
  return within("an answer to the upgrade", answer);
}

const get = (server: SignalingServer, path: string, headers: Record<string, string> = {}) =>
  within(`an answer to ${path}`, fetch(`http://127.0.0.1:${server.port}${path}`, { headers }));

describe("origins", () => {
  test("of the list alone are let in, and who is no page is not asked", async () => {
    const server = await startServer({ origins: ["https://app.example"] });
    expect(await knock(server, { Origin: "https://app.example" })).toBe(101);
    expect(await knock(server)).toBe(101);
    for (const Origin of [
      "https://app.example.evil",
      "http://app.example",
      "https://app.example:444",
      "null",
      "",
    ]) {
      expect(await knock(server, { Origin })).toBe(403);
    }
  });

  test("what is no origin, no number of proxies, no key is an error that says what is right", async () => {
    const wrong: [SignalingServerOptions, string][] = [
      [{ origins: ["app.example"] }, "server:bad-origin"],
      [{ origins: ["https://app.example/"] }, "server:bad-origin"],
      [{ trustProxyHops: -1 }, "server:bad-proxy"],
      [{ tokenKeys: ["short"] }, "server:bad-token-key"],
      [{ publicUrls: ["https://a"] }, "server:bad-public-url"],
      [{ limits: { socketsMax: -1 } }, "server:bad-limit"],
      [{ tls: { certFile: "none", keyFile: "none" } }, "server:bad-tls"],
    ];
    for (const [options, code] of wrong) {
      await expect(startServer(options)).rejects.toMatchObject({ code });
    }
  });
});

describe("tokens", () => {
  test("let in whoever has the right one, and tell the others why not", async () => {
    const log: LogEntry[] = [];
    const server = await startServer({ tokenKeys: [key], logger: (entry) => log.push(entry) });
    const token = signToken({ key, cluster: "demo" });
    const good = await pair(`${urlOf(server)}?token=${token}`);
    for (const [query, reason] of [
      ["", "a token is needed"],
      ["?token=", "a token is needed"],
      [`?token=${token}x`, "the token is not valid"],
      [`?token=${signToken({ key, cluster: "other" })}`, "the token is for another cluster"],
      [`?token=${signToken({ key, cluster: "demo", nowMs: 0 })}`, "the token has expired"],
    ]) {
      const member = new RawMember(`${urlOf(server)}${query}`);
      // What it says before it reads its refusal is not heard.
      await member.opened;
      member.hello();
      const closed = await within("the end", member.closed);
      expect(closed).toEqual({ code: CloseCode.unauthorized, reason });
    }
    expect(server.stats().members).toBe(2);
    await good.talk();
    const text = JSON.stringify(log);
    expect(text).toContain('"reason":"token"');
    for (const secret of [token, key, "demo"]) expect(text).not.toContain(secret);
  });

  test("come from the option of join, asked for before each attempt", async () => {
    const server = await startServer({ tokenKeys: [key] });
    const network = new MemoryNetwork();
    let asked = 0;
    const mesh = await joinInMemory(network, {
      cluster: "demo",
      seeds: [`ws://127.0.0.1:${server.port}`],
      backoff: { maxMs: 20 },
      token: async () => {
        asked += 1;
        if (asked === 1) throw new Error("the token office is closed");
        return asked === 2 ? "nonsense" : signToken({ key, cluster: "demo" });
      },
    });
    expect(mesh.health.state).toBe("alone");
    expect(asked).toBe(3);
    expect(server.stats().members).toBe(1);
  });
});

describe("addresses", () => {
  test("have so many sockets, and so many requests", async () => {
    const server = await startServer({
      limits: { addressSocketsMax: 2, requestRate: { perSecond: 1, burst: 6 } },
    });
    const good = await pair(urlOf(server));
    expect(await knock(server)).toBe(429);
    expect((await get(server, "/healthz")).status).toBe(200);
    expect((await get(server, "/healthz")).status).toBe(200);
    expect((await get(server, "/healthz")).status).toBe(200);
    expect((await get(server, "/healthz")).status).toBe(429);
    expect(await knock(server)).toBe(429);
    await good.talk();
  });

  test("give their socket back when it closes, also one without a token", async () => {
    const server = await startServer({ tokenKeys: [key], limits: { addressSocketsMax: 1 } });
    for (let i = 0; i < 3; i++) {
      const member = new RawMember(urlOf(server));
      expect((await within("the end", member.closed)).code).toBe(CloseCode.unauthorized);
    }
    expect(await knock(server)).toBe(101);
  });

  test("behind a trusted proxy are those that it names", async () => {
    const limits = { addressSocketsMax: 1 };
    const trusting = await startServer({ trustProxyHops: 1, limits });
    expect(await knock(trusting, { "X-Forwarded-For": "192.0.2.1" })).toBe(101);
    expect(await knock(trusting, { "X-Forwarded-For": "192.0.2.1" })).toBe(429);
    expect(await knock(trusting, { "X-Forwarded-For": "192.0.2.2" })).toBe(101);
    expect(await knock(trusting, { "X-Forwarded-For": "192.0.2.9, 192.0.2.2" })).toBe(429);
    const plain = await startServer({ limits });
    expect(await knock(plain, { "X-Forwarded-For": "192.0.2.1" })).toBe(101);
    expect(await knock(plain, { "X-Forwarded-For": "192.0.2.2" })).toBe(429);
  });

  test("have one budget of messages for all their sockets", async () => {
    const server = await startServer({
      limits: { addressMessageRate: { perSecond: 1, burst: 10 } },
    });
    const [one, other] = [await join(urlOf(server)), await join(urlOf(server))];
    for (let i = 0; i < 5; i++) one.send(other.id, "word");
    for (let i = 0; i < 5; i++) other.send(one.id, "word");
    const { code, reason } = await within("the end", Promise.race([one.closed, other.closed]));
    expect(code).toBe(CloseCode.flood);
    expect(reason).toContain("this address");
  });
});

describe("TLS", () => {
  const file = (name: string): string =>
    fileURLToPath(new URL(`../support/tls/${name}`, import.meta.url));

  const certificateOf = (port: number): Promise<PeerCertificate> =>
    within(
      "the certificate",
      new Promise((resolve, reject) => {
        const socket = tlsConnect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
          resolve(socket.getPeerCertificate());
          socket.destroy();
        });
        socket.on("error", reject);
      }),
    );

  test("members connect by wss, and a new certificate is taken without a stop", async () => {
    const folder = mkdtempSync(joinPath(tmpdir(), "hearsay-tls-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const tls = { certFile: joinPath(folder, "cert"), keyFile: joinPath(folder, "key") };
    const put = (name: string): void => {
      copyFileSync(file(`${name}.cert.pem`), tls.certFile);
      copyFileSync(file(`${name}.key.pem`), tls.keyFile);
    };
    put("one");
    const server = await startServer({ tls });
    expect(server.urls[0]).toBe(`wss://localhost:${server.port}`);
    const socket = new WebSocket(`${server.urls[0]}/demo`, { rejectUnauthorized: false });
    onTestFinished(() => socket.terminate());
    const said = (data: Buffer): string => JSON.parse(data.toString()).type;
    const welcome = new Promise<string>((resolve, reject) => {
      socket.once("error", reject);
      socket.once("open", () => socket.send(encodeMessage({ type: "hello", id: newId() })));
      socket.once("message", (data: Buffer) => resolve(said(data)));
    });
    expect(await within("the welcome", welcome)).toBe("welcome");
    expect((await certificateOf(server.port)).subject.CN).toBe("one.test");

    put("other");
    server.reload();
    expect((await certificateOf(server.port)).subject.CN).toBe("other.test");
    copyFileSync(file("one.key.pem"), tls.keyFile);
    expect(() => server.reload()).toThrow(expect.objectContaining({ code: "server:bad-tls" }));
    expect((await certificateOf(server.port)).subject.CN).toBe("other.test");
    expect(socket.readyState).toBe(WebSocket.OPEN);
  });
});

describe("row 12: discovery", () => {
  const turn = { urls: ["turn:turn.example:3478"], secret: "north" };
  const lasting = signToken({ key, cluster: "demo", use: "discover", lifeMs: 1e10 });
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

  test("with a key one is told what one needs to join, and joins with it", async () => {
    const server = await startServer({ tokenKeys: [key], turn, iceServers: [{ urls: "stun:s" }] });
    const network = new MemoryNetwork();
    const first = await joinInMemory(network, {
      cluster: "demo",
      seeds: [`ws://127.0.0.1:${server.port}`],
      token: signToken({ key, cluster: "demo" }),
    });
    const response = await get(server, "/discover/demo", bearer(lasting));
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    const { members, ...options } = (await response.json()) as {
      readonly members: number;
      readonly cluster: string;
      readonly seeds: string[];
      readonly token: string;
      readonly iceServers: object[];
    };
    expect(members).toBe(1);
    expect(options).toEqual({
      cluster: "demo",
      seeds: [`ws://127.0.0.1:${server.port}`],
      token: expect.any(String),
      iceServers: [
        { urls: "stun:s" },
        {
          urls: turn.urls,
          username: expect.stringMatching(/^\d+:/),
          credential: expect.any(String),
        },
      ],
    });
    const mesh = await joinInMemory(network, {
      cluster: options.cluster,
      seeds: options.seeds,
      token: options.token,
    });
    await allLinked([first, mesh]);
  });

  test("without one it is 401, whatever else is asked", async () => {
    const server = await startServer({ tokenKeys: [key] });
    const wrong: [string, Record<string, string>][] = [
      ["/discover/demo", {}],
      ["/discover/demo", bearer("nonsense")],
      ["/discover/demo", bearer(signToken({ key, cluster: "demo" }))],
      ["/discover/demo", { Authorization: `Basic ${lasting}` }],
      ["/discover/other", bearer(lasting)],
      ["/discover/", bearer(lasting)],
      ["/discover/demo/more", bearer(lasting)],
      ["/discover/%", bearer(lasting)],
      [`/discover/demo?token=${lasting}`, {}],
    ];
    for (const [path, headers] of wrong) {
      const response = await get(server, path, headers);
      expect([path, response.status]).toEqual([path, 401]);
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
      expect(await response.text()).not.toContain("seeds");
    }
  });

  test("the URLs are those that the server was told", async () => {
    const publicUrls = ["wss://a.example", "wss://b.example/"];
    const server = await startServer({ tokenKeys: [key], publicUrls });
    const answer = (await (await get(server, "/discover/demo", bearer(lasting))).json()) as object;
    expect(answer).toMatchObject({ seeds: ["wss://a.example", "wss://b.example"] });
  });

  test("a page of an allowed origin may ask, another may not", async () => {
    const server = await startServer({ tokenKeys: [key], origins: ["https://app.example"] });
    const url = `http://127.0.0.1:${server.port}/discover/demo`;
    const preflight = (Origin: string) => fetch(url, { method: "OPTIONS", headers: { Origin } });
    const allowed = await preflight("https://app.example");
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(allowed.headers.get("access-control-allow-headers")).toBe("Authorization");
    expect((await preflight("https://evil.example")).status).toBe(403);
    expect((await fetch(url, { method: "POST" })).status).toBe(405);
  });

  test("a server without keys has no such page", async () => {
    expect((await get(await startServer(), "/discover/demo", bearer(lasting))).status).toBe(404);
  });
});

describe("credentials for TURN", () => {
  test("come with the welcome, and new ones before they end", async () => {
    const turn = { urls: ["turn:t.example"], secret: "north", lifeMs: 60_000 };
    let nowMs = 0;
    const server = await startServer({
      turn,
      now: () => nowMs,
      wallNow: () => nowMs,
      limits: { helloMs: 20 },
    });
    const socket = new WebSocket(urlOf(server));
    onTestFinished(() => socket.terminate());
    const id = newId();
    const users: string[] = [];
    let told = (): void => {};
    socket.on("message", (data: Buffer) => {
      const [server] = JSON.parse(data.toString()).iceServers ?? [];
      if (server === undefined) return;
      users.push(server.username);
      told();
    });
    const next = (): Promise<void> =>
      within(
        "credentials",
        new Promise((resolve) => {
          told = resolve;
        }),
      );
    const first = next();
    socket.once("open", () => socket.send(encodeMessage({ type: "hello", id })));
    await first;
    const second = next();
    nowMs = 30_000;
    await second;
    expect(users).toEqual([`60:${id}`, `90:${id}`]);
  });
});

describe("for those who watch it", () => {
  test("metrics are there if asked for", async () => {
    expect((await get(await startServer(), "/metrics")).status).toBe(404);
    const server = await startServer({ metrics: true, origins: ["https://app.example"] });
    await knock(server, { Origin: "https://evil.example" });
    await (await pair(urlOf(server, "secret-cluster"))).talk();
    const response = await get(server, "/metrics");
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const lines = (await response.text()).split("\n");
    for (const line of [
      "hearsay_connections_total 2",
      'hearsay_refused_total{reason="origin"} 1',
      "hearsay_relayed_total 2",
      "hearsay_rooms 1",
      "hearsay_members 2",
      "hearsay_draining 0",
    ]) {
      expect(lines).toContain(line);
    }
    expect(lines.join("\n")).not.toContain("secret");
  });
});

describe("draining", () => {
  test("sends members away one after another, and lets nobody new in", async () => {
    const server = await startServer();
    const url = urlOf(server);
    const members: RawMember[] = [];
    for (let i = 0; i < 30; i++) members.push(await join(url));
    const gone: number[] = [];
    const left = members.map(async (member, index) => {
      const { code } = await member.closed;
      gone.push(index);
      return code;
    });
    const closing = server.close({ drainMs: 10_000 });
    await members[0]?.closed;
    // Those that are still here are served.
    const [one, other] = members.slice(-2) as [RawMember, RawMember];
    one.send(other.id, "still here");
    expect((await other.packets.next()).packet).toBe("still here");
    expect(gone.length).toBeLessThan(30);
    expect(await knock(server)).toBe(503);
    const health = await get(server, "/healthz");
    expect([health.status, await health.json()]).toMatchObject([503, { status: "draining" }]);
    await within("the stop", closing);
    expect(await Promise.all(left)).toEqual(new Array(30).fill(CloseCode.goingAway));
    // A hundred a second: five each twentieth of one.
    const rounds = gone.map((index) => Math.floor(index / 5));
    expect(rounds).toEqual([...rounds].sort());
  });

  test("takes no longer than few members need", async () => {
    const server = await startServer();
    await join(urlOf(server));
    await within("the stop", server.close({ drainMs: 600_000 }));
  });
});
