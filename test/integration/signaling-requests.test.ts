// Requests of those who mean harm: slow, endless, broken, changed at any byte.
import { connect } from "node:net";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { signToken } from "../../signaling-server/index.ts";
import { pair, startServer, urlOf, within } from "./signaling-support.ts";

const key = "the key of this server";

describe("hostile requests", () => {
  /** Sends some bytes and gives all that comes back until the end. */
  const exchange = (port: number, text: string): Promise<string> =>
    within(
      "the end of the connection",
      new Promise((resolve, reject) => {
        let came = "";
        const socket = connect(port, "127.0.0.1", () => socket.write(text));
        onTestFinished(() => void socket.destroy());
        socket.setEncoding("utf8").on("data", (data) => {
          came += data;
        });
        socket.on("error", reject).on("close", () => resolve(came));
      }),
    );

  test.each([
    ["a request that never ends", "GET /healthz HTTP/1.1\r\nHost: x\r\n"],
    ["an upgrade that never ends", "GET /demo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"],
    ["a body that never comes", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"],
  ])("%s is ended in time", async (_, text) => {
    const server = await startServer({ limits: { requestMs: 100 } });
    const good = await pair(urlOf(server));
    expect(await exchange(server.port, text)).toMatch(/^HTTP\/1\.1 (408|404) /);
    await good.talk();
  });

  test.each([
    ["headers without end", `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(50_000)}\r\n\r\n`, 431],
    [
      "two lengths",
      "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      400,
    ],
    ["no host", "GET /demo HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400],
    ["a line that is no header", "GET / HTTP/1.1\r\nHost: x\r\n: :\r\n\r\n", 400],
    [
      "an old version of WebSocket",
      "GET /demo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 7\r\n\r\n",
      400,
    ],
  ])("%s: refused, and nobody else feels it", async (_, text, status) => {
    const server = await startServer({ limits: { requestMs: 500 } });
    const good = await pair(urlOf(server));
    expect(await exchange(server.port, text)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    await good.talk();
  });
});

test("requests and upgrades changed at any byte: answered or ended, and nobody else feels it", async () => {
  const rate = { perSecond: 1e9, burst: 1e9 };
  const server = await startServer({
    tokenKeys: [key],
    metrics: true,
    limits: { requestMs: 100, requestRate: rate },
  });
  const good = await pair(`${urlOf(server)}?token=${signToken({ key, cluster: "demo" })}`);
  const upgrade =
    "GET /demo?token=x.y HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  const ask = (path: string): string =>
    `GET ${path} HTTP/1.1\r\nHost: h\r\nOrigin: http://h\r\nAuthorization: Bearer a.b\r\n\r\n`;
  const honest = [upgrade, ...["/healthz", "/metrics", "/discover/demo", "/x"].map(ask)];
  const spoilt = fc
    .tuple(fc.constantFrom(...honest), fc.nat(250), fc.nat(4), fc.uint8Array({ maxLength: 4 }))
    .map(([text, at, gone, put]) => {
      const bytes = Buffer.from(text);
      const from = at % bytes.length;
      return Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + gone)]);
    });
  const answer = (bytes: Buffer): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect(server.port, "127.0.0.1", () => socket.end(bytes));
      socket.on("error", () => {}).on("data", () => {});
      socket.on("close", () => resolve());
    });
  const check = fc.asyncProperty(fc.array(spoilt, { minLength: 20, maxLength: 20 }), (many) =>
    within(
      "the end of the connections",
      Promise.all(many.map(answer)).then(() => {}),
    ),
  );
  await fc.assert(check, { numRuns: 50 });
  await good.talk();
  expect(server.stats().members).toBe(2);
});
