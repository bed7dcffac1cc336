import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import { HearsayError } from "../../../src/errors.ts";
import { retryDelay } from "../../../src/signaling/backoff.ts";
import {
  CloseCode,
  encodeMessage,
  SIGNALING_PACKET_BYTES_MAX,
} from "../../../src/signaling/protocol.ts";
import type { WebSocketConstructor } from "../../../src/signaling/websocket.ts";
import { A, B, type FakeSocket, frame, ME, world } from "./client-world.ts";

describe("connecting", () => {
  test("hello, welcome, up", () => {
    const { client, last, log } = world();
    expect(client.state).toBe("connecting");
    expect(client.send(A, new Uint8Array(1))).toBe(false);
    last().open();
    expect(last().sent).toEqual([`{"type":"hello","id":"${ME}","protocol":1}`]);
    last().says(encodeMessage({ type: "welcome", peers: [A, ME, B] }));
    expect(log).toEqual([["up", [A, B]]]);
    expect(client.state).toBe("up");
  });

  test.each([
    "demo",
    "http://example.net/demo",
    "ws://example.net",
    "ws://example.net/",
    "ws://example.net/a/b",
    "ws://example.net/a#b",
  ])("%s can never work and is refused at once", (url) => {
    expect(() => world({ url })).toThrow(HearsayError);
  });

  test("ICE servers are told before the first peers, and again when they change", () => {
    const { log, last } = world();
    const [one, other] = [[{ urls: ["stun:one"] }], [{ urls: ["stun:other"] }]];
    last().open();
    last().says(encodeMessage({ type: "welcome", peers: [A], iceServers: one }));
    last().says(encodeMessage({ type: "ping" }));
    last().says(encodeMessage({ type: "ping", iceServers: other }));
    expect(log).toEqual([
      ["ice", one],
      ["up", [A]],
      ["ice", other],
    ]);
  });

  test("a token is asked for before each attempt, and none is an attempt that failed", async () => {
    const asked: (() => string)[] = [
      () => "a b",
      () => {
        throw new Error("no more");
      },
      () => "c",
    ];
    const { client, sockets, log, advance } = world({ token: () => (asked.shift() ?? fail)() });
    const fail = (): never => {
      throw new Error("asked too often");
    };
    const turn = () => new Promise((done) => setImmediate(done));
    expect([client.state, sockets.length]).toEqual(["connecting", 0]);
    await turn();
    expect(sockets.map(({ url }) => url)).toEqual(["wss://example.net/demo?token=a%20b"]);
    sockets[0]?.ends(CloseCode.unauthorized, "the token has expired");
    advance(30_000);
    await turn();
    const reason = "no token: Error: no more";
    expect(log.at(-1)).toEqual(["down", { code: CloseCode.unauthorized, reason }, 30_000]);
    advance(30_000);
    // Whoever pauses meanwhile does not want the token any more.
    client.pause();
    await turn();
    expect([client.state, sockets.length]).toEqual(["paused", 1]);
  });

  test("an id that is none is refused at once", () => {
    expect(() => world({ id: "me" })).toThrow(/32 lower-case hex digits/);
  });

  test("a browser's own WebSocket will do", () => {
    expectTypeOf<typeof WebSocket>().toExtend<WebSocketConstructor>();
  });

  test("an attempt without a welcome is given up after 10 s, and tried again", () => {
    const { sockets, log, advance, last } = world();
    advance(5_000);
    last().open();
    advance(4_999);
    expect(log).toEqual([]);
    advance(1);
    expect(log).toEqual([["down", expect.objectContaining({ code: CloseCode.timeout }), 500]]);
    expect(sockets[0]?.closedWith).toBe(CloseCode.timeout);
    advance(500);
    expect(sockets).toHaveLength(2);
  });

  test("what a socket says after its end is not heard", () => {
    const { sockets, log, advance, last, up } = world();
    last().ends(1006);
    advance(500);
    up();
    sockets[0]?.says(encodeMessage({ type: "gone", id: A }));
    sockets[0]?.ends(1006);
    sockets[0]?.open();
    expect(log).toEqual([]);
    expect(sockets[0]?.sent).toEqual([]);
  });
});

describe("coming back, row 1", () => {
  test("for ever, with waits that double up to a bound", () => {
    const { log, advance, last } = world();
    const waits: number[] = [];
    for (let i = 0; i < 1_200; i++) {
      last().ends(1006);
      const wait = (log.at(-1) as [string, unknown, number])[2];
      waits.push(wait);
      advance(wait);
    }
    expect(waits.slice(0, 7)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    expect(waits.at(-1)).toBe(15_000);
  });

  test("a connection that stood starts anew, one that broke at once does not", () => {
    const { log, advance, last, up } = world();
    const waitAfter = (ms: number) => {
      up();
      // In steps, so that the server is not found silent.
      for (let left = ms; left > 0; left -= 5_000) {
        advance(Math.min(left, 5_000));
        last().says(encodeMessage({ type: "ping" }));
      }
      last().ends(1006);
      const wait = (log.at(-1) as [string, unknown, number])[2];
      advance(wait);
      return wait;
    };
    expect([0, 0, 9_999, 10_000, 0, 60_000].map(waitAfter)).toEqual([
      500, 1_000, 2_000, 500, 1_000, 500,
    ]);
  });

  test("full jitter: evenly from nothing to the bound", () => {
    const backoff = { firstMs: 1_000, maxMs: 30_000, refusedMs: 300_000, stableMs: 10_000 };
    expect(retryDelay(1006, 1, backoff, 0)).toBe(0);
    expect(retryDelay(1006, 1, backoff, 0.999)).toBe(999);
    expect(retryDelay(1006, 5_000, backoff, 0.5)).toBe(15_000);
  });

  test("a newer socket of the same id has the place for minutes, unless told otherwise: it may be anybody's", () => {
    const { client, sockets, log, advance, last } = world();
    last().ends(CloseCode.replaced, "newer");
    expect(log).toEqual([["down", { code: CloseCode.replaced, reason: "newer" }, 300_000]]);
    expect(client.state).toBe("refused");
    advance(299_999);
    expect(sockets).toHaveLength(1);
    client.reconnect();
    expect(sockets).toHaveLength(2);
  });

  test.each([
    [CloseCode.version, 300_000],
    [CloseCode.malformed, 300_000],
    [CloseCode.tooLarge, 300_000],
    [CloseCode.full, 30_000],
    [CloseCode.flood, 30_000],
    [CloseCode.timeout, 500],
    [CloseCode.goingAway, 500],
  ])("after close code %i it waits %i ms", (code, ms) => {
    const { client, last, log } = world();
    last().ends(code, "so");
    expect(log).toEqual([["down", { code, reason: "so" }, ms]]);
    expect(client.state).toBe("waiting");
  });

  test("reconnect cuts the wait short, and does nothing while connected", () => {
    const { client, sockets, advance, last, up } = world();
    last().ends(1006);
    client.reconnect();
    expect(sockets).toHaveLength(2);
    client.reconnect();
    up();
    client.reconnect();
    advance(5_000);
    expect(sockets).toHaveLength(2);
  });

  test("pause drops the connection and stays away, resume comes back", () => {
    const { client, sockets, log, advance, last, up, timers } = world();
    up();
    client.pause();
    expect(last().closedWith).toBe(1000);
    expect(log).toEqual([["down", { code: 1000, reason: "paused" }, undefined]]);
    expect(client.state).toBe("paused");
    client.pause();
    client.reconnect();
    client.island(A);
    expect(timers).toEqual([]);
    advance(1e9);
    expect([sockets.length, log.length]).toEqual([1, 1]);
    client.resume();
    expect(client.state).toBe("connecting");
    up();
    client.resume();
    expect([sockets.length, client.state]).toEqual([2, "up"]);
  });

  test.each(["connecting", "up", "waiting", "paused"])(
    "closed while %s, nothing is left",
    (state) => {
      const { client, sockets, log, advance, last, up, timers } = world();
      if (state !== "connecting") up();
      client.island(A);
      if (state === "waiting") last().ends(1006);
      if (state === "paused") client.pause();
      expect(client.state).toBe(state);
      log.length = 0;
      client.close();
      expect(timers).toEqual([]);
      client.reconnect();
      client.resume();
      client.pause();
      client.island(B);
      last().ends(1006);
      last().says(encodeMessage({ type: "gone", id: A }));
      advance(1e9);
      expect([client.state, sockets.length, log.length]).toEqual(["closed", 1, 0]);
      expect(client.send(A, new Uint8Array(1))).toBe(false);
    },
  );
});

describe("a silent server", () => {
  test("is taken for gone after 45 s, and any message starts the time anew", () => {
    const { log, advance, last, up } = world();
    up();
    advance(44_000);
    last().says(encodeMessage({ type: "ping" }));
    expect(last().texts.at(-1)).toBe('{"type":"pong"}');
    advance(44_999);
    expect(log).toEqual([]);
    advance(1);
    expect(log).toEqual([["down", expect.objectContaining({ code: CloseCode.timeout }), 500]]);
  });
});

describe("packets", () => {
  test("go out with the receiver's id and come in with the sender's", () => {
    const { client, last, log, up } = world();
    up();
    const packet = new Uint8Array([1, 2, 3]);
    expect(client.send(A, packet)).toBe(true);
    expect(last().sent.at(-1)).toEqual(new Uint8Array(frame(A, packet)));
    last().says(frame(B, packet));
    last().says(encodeMessage({ type: "gone", id: A }));
    last().says(encodeMessage({ type: "introduce", peers: [B] }));
    expect(log).toEqual([
      ["packet", B, packet],
      ["gone", A],
      ["introduce", [B]],
    ]);
  });

  test("none to oneself, to nobody, empty, or over the size", () => {
    const { client, last, up } = world();
    up();
    expect(client.send(ME, new Uint8Array(1))).toBe(false);
    expect(client.send("somebody", new Uint8Array(1))).toBe(false);
    expect(client.send(A, new Uint8Array(0))).toBe(false);
    expect(client.send(A, new Uint8Array(SIGNALING_PACKET_BYTES_MAX + 1))).toBe(false);
    expect(client.send(A, new Uint8Array(SIGNALING_PACKET_BYTES_MAX))).toBe(true);
    expect(last().sent).toHaveLength(2);
  });

  test("what waits to leave is bounded", () => {
    const { client, last, up } = world();
    up();
    last().bufferedAmount = 262_144 - 17;
    expect(client.send(A, new Uint8Array(1))).toBe(true);
    expect(client.send(A, new Uint8Array(2))).toBe(false);
  });

  test("we send less than the server takes for a flood", () => {
    const { client, advance, last, up } = world();
    up();
    let sent = 0;
    for (let ms = 0; ms < 10_000; ms += 10) {
      if (client.send(A, new Uint8Array(1))) sent += 1;
      last().says(encodeMessage({ type: "ping" }));
      advance(10);
    }
    expect(sent).toBe(50 + 10 * 15 - 1);
    let bytes = 0;
    advance(10_000);
    while (client.send(A, new Uint8Array(60_000))) bytes += 60_000;
    expect(bytes).toBe(240_000);
  });
});

describe("the island", () => {
  const reports = (socket: FakeSocket) =>
    socket.texts.filter((text) => text.includes('"island"')).map((text) => JSON.parse(text));

  test("is told with hello, and again with every hello", () => {
    const { client, advance, last } = world();
    client.island(A);
    last().ends(1006);
    advance(500);
    last().open();
    expect(reports(last())).toEqual([{ type: "hello", protocol: 1, id: ME, island: A }]);
  });

  test("is told when it changes, once a second at most, the latest one", () => {
    const { client, advance, last, up } = world();
    up();
    for (const id of [A, A, B, A, B]) client.island(id);
    expect(reports(last())).toEqual([{ type: "island", id: A }]);
    advance(999);
    expect(reports(last())).toHaveLength(1);
    advance(1);
    expect(reports(last()).at(-1)).toEqual({ type: "island", id: B });
    advance(10_000);
    client.island(B);
    expect(reports(last())).toHaveLength(2);
  });

  test("changed between hello and welcome it is told after it", () => {
    const { client, last } = world();
    last().open();
    client.island(A);
    expect(reports(last())).toEqual([]);
    last().says(encodeMessage({ type: "welcome", peers: [] }));
    expect(reports(last())).toEqual([{ type: "island", id: A }]);
  });
});

describe("a hostile server", () => {
  const pingText = encodeMessage({ type: "ping" });

  test.each([
    ["garbage", "}{"],
    ["an unknown message", '{"type":"obey"}'],
    ["wrong ids", `{"type":"introduce","peers":["me"]}`],
    ["a huge list", JSON.stringify({ type: "introduce", peers: new Array(1e5).fill(A) })],
    ["a second welcome", encodeMessage({ type: "welcome", peers: [] })],
    ["a member's message", encodeMessage({ type: "island", id: A })],
    ["a short frame", new ArrayBuffer(16)],
    ["a huge frame", new ArrayBuffer(1 << 20)],
    ["neither text nor bytes", { toString: "no" }],
    ["a blob", new Blob(["x"])],
  ])("that sends %s is left, with a reason", (_, data) => {
    const { client, log, last, up } = world();
    up();
    last().says(data);
    expect(log).toEqual([
      [
        "down",
        { code: expect.any(Number), reason: expect.stringContaining("the server sent") },
        300_000,
      ],
    ]);
    expect(last().closedWith).toBeGreaterThanOrEqual(4000);
    expect(client.state).toBe("waiting");
  });

  test.each([
    ["a message", pingText],
    ["a packet", frame(A, new Uint8Array(1))],
  ])("that sends %s before the welcome is left", (_, data) => {
    const { log, last } = world();
    last().open();
    last().says(data);
    expect(log).toEqual([
      ["down", expect.objectContaining({ code: CloseCode.malformed }), 300_000],
    ]);
  });

  test("that floods is left", () => {
    const { log, last, up } = world();
    up();
    for (let i = 0; i < 6_000; i++) last().says(encodeMessage({ type: "gone", id: A }));
    expect(log.at(-1)).toEqual([
      "down",
      expect.objectContaining({ code: CloseCode.flood }),
      30_000,
    ]);
    expect(log).toHaveLength(4_999 + 1);
  });

  test("says whatever it likes: no throw, and it is either obeyed within the rules or left", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.constantFrom(pingText, encodeMessage({ type: "gone", id: A }), "{}"),
    );
    const bytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.slice().buffer);
    const data = fc.oneof(text, bytes, fc.anything());
    fc.assert(
      fc.property(fc.array(data, { maxLength: 8 }), fc.boolean(), (messages, welcomed) => {
        const { client, last, up, log } = world();
        if (welcomed) up();
        else last().open();
        for (const data of messages) last().says(data);
        const downs = log.filter((entry) => (entry as unknown[])[0] === "down");
        expect(downs.length).toBe(client.state === "waiting" ? 1 : 0);
      }),
      { numRuns: 5_000 },
    );
  }, 30_000);
});
