// The limits of the wire, written out, so that changing one is a decision and not an accident.
import { describe, expect, test } from "vitest";
import { frameCodec } from "../../../src/core/wire/codec.ts";
import type { Inner, Message } from "../../../src/core/wire/messages.ts";
import { PLAIN } from "./support.ts";

const codec = frameCodec(7);

describe("limits: at one it arrives, above it is malformed", () => {
  const ID = "0123456789abcdef0123456789abcdef";
  const EMPTY = new Uint8Array(0);
  const base = {
    id: ID,
    generation: 1,
    version: 1,
    incarnation: 0,
    state: "alive",
    flags: 0,
    name: "",
    role: "",
    meta: EMPTY,
    addresses: [],
    neighbours: [],
  } as const;
  const payload = { origin: ID, generation: 1, sequence: 1 };
  const times = <T>(count: number, item: T): T[] => new Array<T>(count).fill(item);
  const hello = (change: object): Message => ({
    type: "hello",
    record: { ...base, ...change },
    features: 0,
  });
  const inside = (inner: Inner): Message => ({ type: "local", inner });

  const limits: [what: string, limit: number, make: (size: number) => Message][] = [
    ["bytes of a name", 256, (n) => hello({ name: "x".repeat(n) })],
    ["bytes of meta", 1_024, (n) => hello({ meta: new Uint8Array(n) })],
    ["addresses", 8, (n) => hello({ addresses: times(n, "a") })],
    ["bytes of an address", 256, (n) => hello({ addresses: ["x".repeat(n)] })],
    ["neighbours", 64, (n) => hello({ neighbours: times(n, ID) })],
    [
      "updates",
      1_024,
      (n) => ({
        type: "members",
        updates: times(n, {
          type: "claim",
          id: ID,
          generation: 1,
          incarnation: 0,
          state: "down",
        } as const),
      }),
    ],
    ["parts of a table of members", 512, (n) => ({ type: "memberParts", hashes: times(n, 7) })],
    [
      "entries of a member digest",
      4_096,
      (n) => ({
        type: "memberDigest",
        count: 1,
        parts: [0],
        entries: times(n, {
          id: ID,
          generation: 1,
          version: 1,
          incarnation: 0,
          state: "alive",
        } as const),
        answer: true,
      }),
    ],
    [
      "entries of a state digest",
      4_096,
      (n) => ({
        type: "stateDigest",
        entries: times(n, { owner: ID, generation: 1, maxVersion: 1 }),
        count: 1,
        parts: [0],
        answer: true,
      }),
    ],
    [
      "bytes of a state value",
      8_388_608,
      (n) => ({
        type: "stateDelta",
        owner: ID,
        generation: 1,
        from: 0,
        to: 1,
        last: 1,
        floor: 0,
        kept: undefined,
        entries: [{ key: "k", version: 1, value: new Uint8Array(n), ...PLAIN }],
      }),
    ],
    [
      "entries of a state delta",
      4_096,
      (n) => ({
        type: "stateDelta",
        owner: ID,
        generation: 1,
        from: 0,
        to: 1,
        last: 1,
        floor: 0,
        kept: undefined,
        entries: times(n, { key: "k", version: 1, value: undefined, ...PLAIN }),
      }),
    ],
    [
      "hops of a path",
      8,
      (n) => ({
        type: "routed",
        from: ID,
        path: times(n, ID),
        hop: 0,
        inner: { type: "linkAccept", attempt: 1, flags: 0 },
      }),
    ],
    [
      "bytes of a signal",
      16_384,
      (n) => inside({ type: "signal", attempt: 1, number: 0, payload: new Uint8Array(n) }),
    ],
    [
      "bytes of a direct value",
      8_388_608,
      (n) =>
        inside({ type: "direct", generation: 1, sequence: 1, name: "", value: new Uint8Array(n) }),
    ],
    [
      "bytes of a payload",
      8_388_608,
      (n) => ({
        type: "payload",
        id: payload,
        hop: 0,
        flood: false,
        name: "",
        value: new Uint8Array(n),
      }),
    ],
    ["announced payloads", 1_024, (n) => ({ type: "iHave", ids: times(n, payload) })],
    ["grafted payloads", 1_024, (n) => ({ type: "graft", ids: times(n, payload), once: true })],
    ["baselines", 4_096, (n) => ({ type: "baselines", ids: times(n, payload) })],
  ];
  for (const [what, limit, make] of limits) {
    test(`${limit} ${what}`, () => {
      const frame = codec.encode(make(limit));
      const decoded = codec.decode(frame);
      const again = decoded.ok ? codec.encode(decoded.message) : frame.subarray(0, 0);
      expect(Buffer.compare(again, frame)).toBe(0);
      const over = codec.decode(codec.encode(make(limit + 1)));
      expect(over).toEqual({ ok: false, reason: "malformed" });
    });
  }
});
