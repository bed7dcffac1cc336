import { describe, expect, test } from "vitest";
import { HearsayError } from "../../src/errors.ts";
import { checkSeed, parseOptions, seedUrl } from "../../src/mesh/options.ts";

const key = { secretKey: new Uint8Array(32), generation: 1 };

function codeOf(given: unknown): string | undefined {
  try {
    parseOptions(given as never);
  } catch (error) {
    return error instanceof HearsayError ? error.code : String(error);
  }
  return undefined;
}

describe("what is wrong is refused, with a code that says where", () => {
  const wrong: [code: string, given: unknown][] = [
    ["options:options", undefined],
    ["options:options", null],
    ["options:options", 7],
    ["options:url", "nonsense"],
    ["options:url", "ws://host"],
    ["options:url", "ws://host/"],
    ["options:url", "ws://host/%E0%A4%A"],
    ["options:seed", "http://host/cluster"],
    ["options:cluster", `ws://host/${"x".repeat(65)}`],
    ["options:unknown", { cluster: "c", seed: "ws://host" }],
    ["options:cluster", {}],
    ["options:cluster", { cluster: "" }],
    ["options:cluster", { cluster: "x".repeat(65) }],
    ["options:cluster", { cluster: 7 }],
    ["options:name", { cluster: "c", name: "x".repeat(65) }],
    ["options:name", { cluster: "c", name: 7 }],
    ["options:role", { cluster: "c", role: {} }],
    ["options:seed", { cluster: "c", seeds: ["http://host"] }],
    ["options:seed", { cluster: "c", seeds: ["ws://host", "ws://host/room"] }],
    ["options:seed", { cluster: "c", seeds: ["ws://host?x=1"] }],
    ["options:seed", { cluster: "c", seeds: ["ws://host#x"] }],
    ["options:seed", { cluster: "c", seeds: [undefined] }],
    ["options:identity", { cluster: "c", identity: { ...key, secretKey: new Uint8Array(31) } }],
    ["options:identity", { cluster: "c", identity: {} }],
    ["options:joinTimeoutMs", { cluster: "c", joinTimeoutMs: -1 }],
    ["options:joinTimeoutMs", { cluster: "c", joinTimeoutMs: Number.NaN }],
  ];
  for (const [code, given] of wrong) {
    test(`${code}: ${JSON.stringify(given)?.slice(0, 60)}`, () => {
      expect(codeOf(given)).toBe(code);
    });
  }
});

describe("what is right is taken", () => {
  test("a URL is a seed and a cluster", () => {
    expect(parseOptions("ws://host:8080/my%20room")).toEqual({
      cluster: "my room",
      seeds: ["ws://host:8080"],
    });
    expect(parseOptions("wss://[::1]:1/a").seeds).toEqual(["wss://[::1]:1"]);
  });

  test("everything that there is", () => {
    const all = {
      cluster: "x".repeat(64),
      seeds: ["ws://host", "wss://host:1/"],
      name: "",
      role: "worker",
      meta: { a: 1 },
      identity: key,
      iceServers: [],
      iceTransportPolicy: "relay",
      joinTimeoutMs: 0,
      signal: new AbortController().signal,
      logger: console,
      backoff: {},
      parameters: {},
    } as const;
    expect(parseOptions(all)).toEqual(all);
    expect(
      codeOf({ cluster: "c", seeds: [], joinTimeoutMs: Number.POSITIVE_INFINITY }),
    ).toBeUndefined();
  });

  test("the room of a cluster at a seed, whatever its name", () => {
    expect(seedUrl("ws://host:1", "a/b ä")).toBe("ws://host:1/a%2Fb%20%C3%A4");
    expect(seedUrl("ws://host:1//", "a")).toBe("ws://host:1/a");
    expect(() => checkSeed("wss://host")).not.toThrow();
  });
});
