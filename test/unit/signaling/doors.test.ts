// Who may come in, in the parts that need no socket: addresses, budgets, tokens, credentials, settings.
import { createHmac } from "node:crypto";
import type { IncomingMessage } from "node:http";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Budgets } from "../../../signaling-server/budgets.ts";
import { clientAddress } from "../../../signaling-server/client-address.ts";
import { Ice } from "../../../signaling-server/ice.ts";
import { LIMITS, limitsFrom } from "../../../signaling-server/limits.ts";
import { Metrics } from "../../../signaling-server/metrics.ts";
import { parseServeArgs, USAGE } from "../../../signaling-server/serve-args.ts";
import { signToken, tokenProblem } from "../../../signaling-server/tokens.ts";

const key = "a key of the server";

describe("whose address it is", () => {
  const from = (remoteAddress: string, forwarded?: string): IncomingMessage =>
    ({
      socket: { remoteAddress },
      headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded },
    }) as unknown as IncomingMessage;

  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:0db8::9", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ])("%s is counted as %s", (address, counted) => {
    expect(clientAddress(from(address), 0)).toBe(counted);
  });

  test("the header counts only where proxies are trusted, and from the right", () => {
    const header = "6.6.6.6, 192.0.2.7, 10.0.0.2";
    expect(clientAddress(from("10.0.0.1", header), 0)).toBe("10.0.0.1");
    expect(clientAddress(from("10.0.0.1", header), 1)).toBe("10.0.0.2");
    expect(clientAddress(from("10.0.0.1", header), 2)).toBe("192.0.2.7");
  });

  test.each([["nonsense"], [""], [","], ["999.1.1.1"], ["unknown, "]])(
    "of a header that says %j the socket counts",
    (header) => expect(clientAddress(from("10.0.0.1", header), 1)).toBe("10.0.0.1"),
  );

  test("with fewer entries than proxies the socket counts", () => {
    expect(clientAddress(from("10.0.0.1", "6.6.6.6"), 2)).toBe("10.0.0.1");
    expect(clientAddress(from("10.0.0.1"), 1)).toBe("10.0.0.1");
  });

  test.each([
    ["192.0.2.7:1234", "192.0.2.7"],
    ["[2001:db8::1]:443", "2001:db8:0:0::/64"],
    ["[2001:db8::1]", "2001:db8:0:0::/64"],
  ])("a port is no part of %s", (entry, counted) => {
    expect(clientAddress(from("10.0.0.1", entry), 1)).toBe(counted);
  });

  test("any header gives an address, and never throws", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(10), (header, hops) => {
        expect(clientAddress(from("10.0.0.1", header), hops)).toMatch(/^[\d.]+$|\/64$/);
      }),
    );
  });
});

describe("budgets of addresses", () => {
  const rate = { perSecond: 1, burst: 2 };

  test("each address has its own, and nothing is kept of one that is full again", () => {
    const budgets = new Budgets();
    expect([1, 2, 3].map(() => budgets.of("a").requests.take(0, rate))).toEqual([
      true,
      true,
      false,
    ]);
    expect(budgets.of("b").requests.take(0, rate)).toBe(true);
    budgets.tick(1_500);
    expect(budgets.size).toBe(1);
    expect(budgets.of("a").requests.take(1_500, rate)).toBe(true);
    budgets.tick(10_000);
    expect(budgets.size).toBe(0);
  });

  test("an address with a socket is remembered", () => {
    const budgets = new Budgets();
    budgets.of("a").sockets++;
    budgets.tick(1e9);
    expect(budgets.of("a").sockets).toBe(1);
  });

  test("more addresses than it can remember share one", () => {
    const budgets = new Budgets(2);
    for (const address of ["a", "b", "c"]) budgets.of(address).requests.take(0, rate);
    expect(budgets.size).toBe(2);
    expect(budgets.of("d")).toBe(budgets.of("e"));
    expect(budgets.of("a")).not.toBe(budgets.of("d"));
  });
});

describe("tokens", () => {
  const nowMs = 1_000_000_000_000;
  const join = { cluster: "demo", use: "join", nowMs } as const;

  test("open their cluster until they end, under any of the keys", () => {
    const token = signToken({ key, cluster: "demo", nowMs, lifeMs: 60_000 });
    expect(token).toMatch(/^[\w-]+\.[\w-]+$/);
    expect(tokenProblem(token, [key], join)).toBeUndefined();
    expect(tokenProblem(token, ["another key of it", key], join)).toBeUndefined();
    expect(tokenProblem(token, [key], { ...join, nowMs: nowMs + 59_999 })).toBeUndefined();
    expect(tokenProblem(token, [key], { ...join, nowMs: nowMs + 60_000 })).toBe(
      "the token has expired",
    );
  });

  test("open nothing else", () => {
    const token = signToken({ key, cluster: "demo", nowMs });
    expect(tokenProblem(token, [key], { ...join, cluster: "other" })).toMatch("another cluster");
    expect(tokenProblem(token, [key], { ...join, use: "discover" })).toMatch("to discover");
    expect(tokenProblem(token, ["another key of it"], join)).toMatch("not valid");
    expect(tokenProblem(token, [], join)).toMatch("not valid");
    for (const none of [undefined, ""]) expect(tokenProblem(none, [key], join)).toMatch("needed");
  });

  test("with any character changed, cut or added are not valid", () => {
    const token = signToken({ key, cluster: "demo", nowMs });
    const spoilt = fc
      .tuple(fc.nat(token.length), fc.nat(2), fc.string({ unit: "binary", maxLength: 3 }))
      .map(([at, gone, put]) => token.slice(0, at) + put + token.slice(at + gone));
    fc.assert(
      fc.property(fc.oneof(spoilt, fc.string({ unit: "binary" })), (text) => {
        const bytes = (whole: string) => whole.split(".").map((it) => Buffer.from(it, "base64url"));
        fc.pre(text !== "" && JSON.stringify(bytes(text)) !== JSON.stringify(bytes(token)));
        expect(tokenProblem(text, [key], join)).toBe("the token is not valid");
      }),
      { numRuns: 5_000 },
    );
    expect(tokenProblem("x".repeat(1e6), [key], join)).toBe("the token is not valid");
  });

  test("a weak key and a life that cannot be meant are refused", () => {
    expect(() => signToken({ key: "short", cluster: "demo" })).toThrow(/at least 16 characters/);
    for (const lifeMs of [0, Number.NaN, 1e15]) {
      expect(() => signToken({ key, cluster: "demo", lifeMs })).toThrow(/a token lives/);
    }
  });
});

describe("credentials for TURN", () => {
  const turn = { urls: ["turn:turn.example:3478"], secret: "north", lifeMs: 600_000 };

  test("are made as coturn checks them", () => {
    const [stun, server] = new Ice([{ urls: "stun:stun.example" }], turn).serversFor("ann", 0);
    expect(stun).toEqual({ urls: "stun:stun.example" });
    const credential = createHmac("sha1", "north").update("600:ann").digest("base64");
    expect(server).toEqual({ urls: turn.urls, username: "600:ann", credential });
  });

  test("what members would refuse cannot be told to them", () => {
    const many = new Array(5).fill({ urls: "stun:a" });
    for (const servers of [
      [{ urls: "http://a" }],
      [{ urls: "turn:a" }],
      [{ urls: "stun:a?transport=udp" }],
      [{ urls: "stun:a:70000" }],
      [{ urls: [] }],
      many,
    ]) {
      expect(() => new Ice(servers)).toThrow(/up to 4 servers/);
    }
    for (const bad of [{ lifeMs: 1 }, { secret: "" }, { urls: [] }]) {
      expect(() => new Ice([], { ...turn, ...bad })).toThrow(
        expect.objectContaining({ code: "server:bad-ice" }),
      );
    }
  });
});

describe("settings", () => {
  test("each limit has a default within its range, which is what the server takes", () => {
    const limits = limitsFrom();
    for (const [name, { value, min, max, about }] of Object.entries(LIMITS)) {
      const numbers = typeof value === "number" ? [value] : [value.perSecond, value.burst];
      for (const number of numbers) {
        expect(number).toBeGreaterThanOrEqual(min);
        expect(number).toBeLessThanOrEqual(max);
      }
      expect(about).not.toBe("");
      expect(limits[name as keyof typeof limits]).toEqual(value);
      const flag = name.replace(/[A-Z]/g, (it) => `-${it.toLowerCase()}`);
      expect(USAGE).toContain(`--${flag} `);
    }
  });

  test.each([
    [{ socketsMax: 0 }, "limits.socketsMax is 0: it must be a number from 1 to 1000000"],
    [{ socketsMax: 1.5 }, "limits.socketsMax is 1.5"],
    [{ introducersMax: 9 }, "from 1 to 8"],
    [{ pingMs: 60_000 }, "from 1 to 30000"],
    [{ helloMs: Number.NaN }, "limits.helloMs is NaN"],
    [{ messageRate: { perSecond: 0, burst: 1 } }, "{ perSecond, burst }"],
    [{ messageRate: undefined as never, sockets: 1 } as object, "there is no limit sockets"],
    [{ byteRate: 5 as never }, "limits.byteRate must be"],
  ])("%j is an error that says what is right", (limits, message) => {
    expect(() => limitsFrom(limits)).toThrow(message);
  });

  test("the command line reaches all of them", () => {
    const argv = [
      ...["--port", "0", "--origin", "https://a.example", "--origin", "https://b.example"],
      ...["--token-key", "x".repeat(16), "--trust-proxy", "2", "--public-url", "wss://m.example"],
      ...["--stun", "stun:s:1", "--turn", "turn:t:2", "--turn-secret", "north", "--metrics"],
      ...["--turn-life-ms", "60000", "--drain-ms", "7", "--tls-cert", "c", "--tls-key", "k"],
      ...["--sockets-max", "5", "--message-rate", "1:2", "--ping-ms", "100"],
    ];
    expect(parseServeArgs(argv)).toEqual({
      log: false,
      drainMs: 7,
      options: {
        port: 0,
        origins: ["https://a.example", "https://b.example"],
        tokenKeys: ["x".repeat(16)],
        trustProxyHops: 2,
        publicUrls: ["wss://m.example"],
        tls: { certFile: "c", keyFile: "k" },
        iceServers: [{ urls: ["stun:s:1"] }],
        turn: { urls: ["turn:t:2"], secret: "north", lifeMs: 60_000 },
        metrics: true,
        limits: { socketsMax: 5, messageRate: { perSecond: 1, burst: 2 }, pingMs: 100 },
      },
    });
    expect(parseServeArgs(["--help"])).toBeUndefined();
    for (const wrong of [
      ["--tls-cert", "c"],
      ["--turn", "turn:t"],
      ["--trust-proxy", "-1"],
      ["--drain-ms", "1e3"],
      ["--token-key", "@/no/such/file"],
    ]) {
      expect(() => parseServeArgs(wrong)).toThrow(
        /go together|whole number|cannot be read|argument/,
      );
    }
  });
});

test("metrics are in the text form of Prometheus", () => {
  const metrics = new Metrics();
  metrics.count("refused_total", 'reason="origin"');
  metrics.count("refused_total", 'reason="origin"');
  metrics.count("refused_total", 'reason="token"');
  metrics.relayed = 7;
  const lines = metrics.text({ members: 3 }).split("\n");
  expect(lines.at(-1)).toBe("");
  for (const line of [
    'hearsay_refused_total{reason="origin"} 2',
    'hearsay_refused_total{reason="token"} 1',
    "hearsay_relayed_total 7",
    "hearsay_members 3",
    "# TYPE hearsay_members gauge",
  ]) {
    expect(lines).toContain(line);
  }
  expect(lines.filter((line) => line === "# TYPE hearsay_refused_total counter")).toHaveLength(1);
  for (const line of lines.slice(0, -1)) {
    expect(line).toMatch(/^# (HELP|TYPE) hearsay_\w+ .+$|^hearsay_\w+(\{\w+="\w+"\})? [\d.e+]+$/);
  }
});
