import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CLUSTER_NAME_LENGTH_MAX,
  CloseCode,
  encodeMessage,
  encodeRelay,
  ICE_SERVERS_MAX,
  type Parsed,
  parseClientMessage,
  parseClusterPath,
  parseRelay,
  parseServerMessage,
  SIGNALING_FRAME_BYTES_MAX,
  SIGNALING_PACKET_BYTES_MAX,
  SIGNALING_PEERS_MAX,
  SIGNALING_PROTOCOL,
  SIGNALING_TEXT_LENGTH_MAX,
  spend,
} from "../../../src/signaling/protocol.ts";

const A = "a".repeat(32);
const B = "b".repeat(32);
const id = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString("hex"));
const peers = fc.uniqueArray(id, { maxLength: SIGNALING_PEERS_MAX });

const iceServer = fc.oneof(
  fc.record({
    urls: fc.constantFrom<string[][]>(["stun:s.example"], ["stuns:[2001:db8::1]:5349", "stun:s"]),
  }),
  fc.record({
    urls: fc.constantFrom<string[][]>(["turn:192.0.2.1:3478?transport=tcp"], ["turns:t.example"]),
    username: fc.string({ minLength: 1, maxLength: 50 }),
    credential: fc.string({ minLength: 1, maxLength: 50 }),
  }),
);
const iceServers = fc.array(iceServer, { maxLength: ICE_SERVERS_MAX });

/** The code of a refusal, which also has to be one that WebSocket can carry. */
function codeOf(parsed: Parsed<unknown>): number | undefined {
  if (parsed.ok) return undefined;
  expect(new TextEncoder().encode(parsed.refusal.reason).length).toBeLessThanOrEqual(123);
  return parsed.refusal.code;
}

describe("messages", () => {
  test("what a member says arrives as it was said", () => {
    const message = fc.oneof(
      fc.record({ type: fc.constant("hello" as const), id }),
      fc.record({ type: fc.constant("hello" as const), id, island: id }),
      fc.record({ type: fc.constant("island" as const), id }),
      fc.constant({ type: "pong" as const }),
    );
    fc.assert(
      fc.property(message, (message) => {
        expect(parseClientMessage(encodeMessage(message))).toEqual({ ok: true, value: message });
      }),
    );
  });

  test("what the server says arrives as it was said", () => {
    const message = fc.oneof(
      fc.record({ type: fc.constantFrom("welcome" as const, "introduce" as const), peers }),
      fc.record({ type: fc.constant("welcome" as const), peers, iceServers }),
      fc.record({ type: fc.constant("gone" as const), id }),
      fc.constant({ type: "ping" as const }),
      fc.record({ type: fc.constant("ping" as const), iceServers }),
    );
    fc.assert(
      fc.property(message, (message) => {
        expect(parseServerMessage(encodeMessage(message))).toEqual({ ok: true, value: message });
      }),
    );
  });

  test("fields that are not known are ignored", () => {
    const text = JSON.stringify({
      type: "hello",
      protocol: 1,
      id: A,
      token: "later",
      __proto__: 1,
    });
    expect(parseClientMessage(text)).toEqual({ ok: true, value: { type: "hello", id: A } });
  });

  test("another protocol is refused as such, whatever else its hello says", () => {
    for (const hello of [{ protocol: SIGNALING_PROTOCOL + 1, name: "of the future" }, {}]) {
      const text = JSON.stringify({ type: "hello", ...hello });
      expect(codeOf(parseClientMessage(text))).toBe(CloseCode.version);
    }
  });

  test.each([
    "",
    "{",
    "null",
    "1",
    "[]",
    "{}",
    '"hello"',
    '{"type":"shutdown"}',
    '{"type":["hello"]}',
    `{"type":"hello","protocol":1}`,
    `{"type":"hello","protocol":1,"id":"${A}0"}`,
    `{"type":"hello","protocol":1,"id":"${A.toUpperCase()}"}`,
    `{"type":"hello","protocol":1,"id":["${A}"]}`,
    `{"type":"hello","protocol":1,"id":"${A}","island":7}`,
    `{"type":"island"}`,
    `{"type":"welcome","peers":[]}`,
  ])("a member must not say %s", (text) => {
    expect(codeOf(parseClientMessage(text))).toBe(CloseCode.malformed);
  });

  test.each([
    `{"type":"welcome"}`,
    `{"type":"welcome","peers":"${A}"}`,
    `{"type":"welcome","peers":["${A}","${A}"]}`,
    `{"type":"introduce","peers":[null]}`,
    `{"type":"introduce","peers":{"length":0}}`,
    `{"type":"gone","id":"${A}\\n"}`,
    `{"type":"pong"}`,
    JSON.stringify({
      type: "welcome",
      peers: Array.from({ length: SIGNALING_PEERS_MAX + 1 }, (_, i) => `${i}`.padStart(32, "0")),
    }),
  ])("the server must not say %s", (text) => {
    expect(codeOf(parseServerMessage(text))).toBe(CloseCode.malformed);
  });

  test.each([
    "stun:s",
    {},
    [1],
    [null],
    [{}],
    [{ urls: [] }],
    [{ urls: "stun:" }],
    [{ urls: "http://a" }],
    [{ urls: "stun:a b" }],
    [{ urls: "stun:a:0" }],
    [{ urls: "stun:a:65536" }],
    [{ urls: "stun:a?transport=udp" }],
    [{ urls: "turn:a" }],
    [{ urls: "turn:a", username: "u" }],
    [{ urls: "turn:a?transport=tls", username: "u", credential: "c" }],
    [{ urls: "turn:a", username: 1, credential: "c" }],
    [{ urls: "turn:a", username: "u".repeat(201), credential: "c" }],
    [{ urls: new Array(5).fill("stun:a") }],
    new Array(5).fill({ urls: "stun:a" }),
  ])("ICE servers that WebRTC would throw at are refused: %j", (iceServers) => {
    for (const type of ["welcome", "ping"]) {
      const text = JSON.stringify({ type, peers: [], iceServers });
      expect(codeOf(parseServerMessage(text))).toBe(CloseCode.malformed);
    }
  });

  test("a control message is short, and not read if it is not", () => {
    const text = JSON.stringify({ type: "pong", pad: "" });
    const pad = "x".repeat(SIGNALING_TEXT_LENGTH_MAX - text.length);
    const longest = JSON.stringify({ type: "pong", pad });
    expect(longest.length).toBe(SIGNALING_TEXT_LENGTH_MAX);
    expect(parseClientMessage(longest).ok).toBe(true);
    expect(codeOf(parseClientMessage(`${longest} `))).toBe(CloseCode.tooLarge);
    expect(codeOf(parseServerMessage("[".repeat(100_000)))).toBe(CloseCode.tooLarge);
  });

  test("100,000 mutated messages: no throw, and what is accepted is well formed", () => {
    const seeds = [
      encodeMessage({ type: "hello", id: A, island: B }),
      encodeMessage({ type: "island", id: A }),
      encodeMessage({ type: "welcome", peers: [A, B] }),
      encodeMessage({ type: "introduce", peers: [A] }),
      encodeMessage({ type: "gone", id: B }),
      encodeMessage({ type: "ping" }),
      encodeMessage({ type: "pong" }),
    ];
    const mutation = fc.tuple(fc.nat(200), fc.nat(4), fc.string({ unit: "binary", maxLength: 3 }));
    const text = fc.oneof(
      { weight: 8, arbitrary: mutated(fc.constantFrom(...seeds), mutation) },
      { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
      { weight: 1, arbitrary: fc.json() },
    );
    let accepted = 0;
    fc.assert(
      fc.property(text, (text) => {
        for (const parse of [parseClientMessage, parseServerMessage]) {
          const parsed = parse(text);
          if (!parsed.ok) {
            expect(parsed.refusal.reason.length).toBeLessThanOrEqual(123);
            continue;
          }
          accepted += 1;
          expect(parse(encodeMessage(parsed.value))).toEqual(parsed);
        }
      }),
      { numRuns: 100_000 },
    );
    // Otherwise the mutations would have been too wild to say anything.
    expect(accepted).toBeGreaterThan(100);
  }, 60_000);
});

function mutated(
  seed: fc.Arbitrary<string>,
  mutation: fc.Arbitrary<[number, number, string]>,
): fc.Arbitrary<string> {
  return fc
    .tuple(seed, fc.array(mutation, { maxLength: 3 }))
    .map(([text, mutations]) =>
      mutations.reduce(
        (text, [at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut),
        text,
      ),
    );
}

describe("relayed packets", () => {
  test("a packet arrives as it was sent, with its id", () => {
    fc.assert(
      fc.property(id, fc.uint8Array({ minLength: 1, maxLength: 300 }), (id, packet) => {
        const frame = encodeRelay(id, packet);
        if (!frame.ok) throw new Error(frame.refusal.reason);
        expect(frame.value.length).toBe(16 + packet.length);
        expect(parseRelay(frame.value)).toEqual({ ok: true, value: { id, packet } });
      }),
    );
  });

  test("sizes on both sides of each edge", () => {
    const sizes = [1, SIGNALING_PACKET_BYTES_MAX];
    for (const size of sizes) expect(encodeRelay(A, new Uint8Array(size)).ok).toBe(true);
    for (const size of sizes) expect(parseRelay(new Uint8Array(16 + size)).ok).toBe(true);
    expect(codeOf(encodeRelay(A, new Uint8Array(0)))).toBe(CloseCode.malformed);
    for (const size of [0, 15, 16]) {
      expect(codeOf(parseRelay(new Uint8Array(size)))).toBe(CloseCode.malformed);
    }
    const over = SIGNALING_PACKET_BYTES_MAX + 1;
    expect(codeOf(encodeRelay(A, new Uint8Array(over)))).toBe(CloseCode.tooLarge);
    expect(codeOf(parseRelay(new Uint8Array(SIGNALING_FRAME_BYTES_MAX + 1)))).toBe(
      CloseCode.tooLarge,
    );
  });

  test("an id that is none is refused", () => {
    expect(codeOf(encodeRelay("somebody", new Uint8Array(1)))).toBe(CloseCode.malformed);
  });

  test("any bytes are taken or refused, and never throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const parsed = parseRelay(bytes);
        expect(parsed.ok).toBe(bytes.length > 16);
        if (parsed.ok)
          expect(encodeRelay(parsed.value.id, parsed.value.packet)).toMatchObject({ ok: true });
      }),
    );
  });
});

describe("the cluster in a URL, row 44", () => {
  test.each([
    ["/demo", "demo"],
    ["/my%20cluster", "my cluster"],
    ["/%C3%A9t%C3%A9", "été"],
    ["/a%2Fb", "a/b"],
    ["/..", ".."],
    [`/${"x".repeat(CLUSTER_NAME_LENGTH_MAX)}`, "x".repeat(CLUSTER_NAME_LENGTH_MAX)],
  ])("%s names a cluster", (path, name) => {
    expect(parseClusterPath(path)).toEqual({ ok: true, value: name });
  });

  test.each(["", "/", "//", "demo", "/a/b", "/a/", "/%", "/%ff", "/%00", "/a%0Ab"])(
    "%s names none",
    (path) => {
      expect(codeOf(parseClusterPath(path))).toBe(CloseCode.malformed);
    },
  );

  test("a name that is too long is refused", () => {
    const path = `/${"x".repeat(CLUSTER_NAME_LENGTH_MAX + 1)}`;
    expect(codeOf(parseClusterPath(path))).toBe(CloseCode.malformed);
  });
});

describe("the budget of a member", () => {
  const rate = { perSecond: 20, burst: 100 };

  test("a burst passes, one more does not, and time gives back one by one", () => {
    let fullAt: number | undefined = 0;
    for (let i = 0; i < 100; i++) {
      fullAt = spend(fullAt as number, 1_000, rate);
      expect(fullAt).toBeDefined();
    }
    expect(spend(fullAt as number, 1_000, rate)).toBeUndefined();
    expect(spend(fullAt as number, 1_049, rate)).toBeUndefined();
    expect(spend(fullAt as number, 1_050, rate)).toBeDefined();
  });

  test("in no stretch of time does more pass than the burst and the rate together", () => {
    const gaps = fc.array(fc.tuple(fc.nat(500), fc.integer({ min: 1, max: 30 })), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(gaps, (gaps) => {
        const passed: { at: number; cost: number }[] = [];
        let fullAt = 0;
        let now = 0;
        for (const [gap, cost] of gaps) {
          now += gap;
          const next = spend(fullAt, now, rate, cost);
          if (next === undefined) continue;
          fullAt = next;
          passed.push({ at: now, cost });
        }
        for (let from = 0; from < passed.length; from++) {
          let sum = 0;
          for (const { at, cost } of passed.slice(from)) {
            sum += cost;
            const ms = at - (passed[from]?.at ?? 0);
            expect(sum).toBeLessThanOrEqual(rate.burst + (ms * rate.perSecond) / 1_000 + 1e-6);
          }
        }
      }),
    );
  });
});
