import { describe, expect, test } from "vitest";
import { coreConfig, parametersOf } from "../../../src/mesh/core-config.ts";
import { type JoinOptions, parseOptions } from "../../../src/mesh/options.ts";
import { MemoryNetwork, memoryTransport } from "../../../src/transport/memory.ts";

const secretKey = new Uint8Array(32);

/** What is wrong, the option that is, and the code that it is refused with. */
const WRONG: readonly (readonly [string, unknown, string])[] = [
  ["nothing", undefined, "options:options"],
  ["null", null, "options:options"],
  ["a number", 7, "options:options"],
  ["no cluster", {}, "options:cluster"],
  ["an empty cluster", { cluster: "" }, "options:cluster"],
  ["a long cluster", { cluster: "c".repeat(65) }, "options:cluster"],
  ["half a surrogate pair", { cluster: "\ud800" }, "options:cluster"],
  ["a cluster that is a number", { cluster: 1 }, "options:cluster"],
  ["a mistyped option", { cluster: "c", seed: "ws://a" }, "options:unknown"],
  ["a long name", { cluster: "c", name: "n".repeat(65) }, "options:name"],
  ["a name that is no text", { cluster: "c", name: {} }, "options:name"],
  ["a role that is no text", { cluster: "c", role: 1 }, "options:role"],
  ["a seed in place of seeds", { cluster: "c", seeds: "ws://a" }, "options:seeds"],
  ["a seed that is no URL", { cluster: "c", seeds: ["a"] }, "options:seed"],
  ["a seed that is http", { cluster: "c", seeds: ["http://a"] }, "options:seed"],
  ["a seed with a cluster", { cluster: "c", seeds: ["ws://a/c"] }, "options:seed"],
  ["a seed with a query", { cluster: "c", seeds: ["ws://a?b"] }, "options:seed"],
  ["a seed that is null", { cluster: "c", seeds: [null] }, "options:seed"],
  ["no identity", { cluster: "c", identity: null }, "options:identity"],
  ["an identity without key", { cluster: "c", identity: {} }, "options:identity"],
  [
    "a short key",
    { cluster: "c", identity: { secretKey: new Uint8Array(31), generation: 0 } },
    "options:identity",
  ],
  [
    "a key that is text",
    { cluster: "c", identity: { secretKey: "0".repeat(32), generation: 0 } },
    "options:identity",
  ],
  ["no generation", { cluster: "c", identity: { secretKey } }, "options:identity"],
  [
    "half a generation",
    { cluster: "c", identity: { secretKey, generation: 0.5 } },
    "options:identity",
  ],
  ["a negative wait", { cluster: "c", joinTimeoutMs: -1 }, "options:joinTimeoutMs"],
  ["a wait that is no number", { cluster: "c", joinTimeoutMs: "soon" }, "options:joinTimeoutMs"],
  ["a pause of nothing", { cluster: "c", backoff: { firstMs: 0 } }, "options:backoff"],
  ["a pause that is no number", { cluster: "c", backoff: { maxMs: "long" } }, "options:backoff"],
  ["a transport that carries nothing", { cluster: "c", transport: {} }, "options:transport"],
  ["a transport that is null", { cluster: "c", transport: null }, "options:transport"],
  ["a logger that cannot warn", { cluster: "c", logger: { debug() {} } }, "options:logger"],
  ["a signal that is none", { cluster: "c", signal: true }, "options:signal"],
  ["a store that is none", { cluster: "c", store: "disk" }, "options:store"],
  ["a switch that is no boolean", { cluster: "c", leaveOnSignals: 1 }, "options:leaveOnSignals"],
  ["a repetition without pause", { cluster: "c", repeatValuesMs: 0 }, "options:repeatValuesMs"],
  ["one that never comes", { cluster: "c", repeatValuesMs: 1e12 }, "options:repeatValuesMs"],
  ["no such part", { cluster: "c", detector: { patienceMs: 4 } }, "options:detector"],
  ["a part out of range", { cluster: "c", overlay: { linksTarget: 1_000 } }, "options:overlay"],
  ["a part that is text", { cluster: "c", limits: { membersMax: "9" } }, "options:limits"],
  ["a part that is inherited", { cluster: "c", limits: { toString: 9 } }, "options:limits"],
  ["an empty URL", "", "options:url"],
  ["a URL without cluster", "ws://a", "options:url"],
  ["a URL with a bad escape", "ws://a/%", "options:url"],
  ["a URL of another kind", "http://a/c", "options:seed"],
  ["a URL whose cluster is too long", `ws://a/${"c".repeat(65)}`, "options:cluster"],
];

describe("options that are wrong", () => {
  test.each(WRONG)("%s: is refused with a reason and a remedy", (_, options, code) => {
    const parse = () => parseOptions(options as JoinOptions);
    expect(parse).toThrow(expect.objectContaining({ name: "HearsayError", code }));
    expect(parse).toThrow(/\w{3,}/);
  });

  test.each([
    { fullMeshMax: 1 },
    { linksTarget: Number.NaN },
    { probePeriodMs: "1000" as unknown as number },
    { noSuch: 1 } as Record<string, number>,
  ])("parameters %o are refused with their range", (parameters) => {
    const life = {
      id: "00".repeat(16),
      generation: 1,
      clusterHash: 1,
      name: "",
      role: "",
      meta: undefined,
      node: true,
      proofs: "none" as const,
      sealKey: new Uint8Array(32),
      transports: [],
    };
    expect(() => coreConfig({ parameters }, life)).toThrow(
      expect.objectContaining({ code: "options:parameters" }),
    );
  });
});

describe("options that are right", () => {
  test.each<string | JoinOptions>([
    "ws://localhost:8080/demo",
    "wss://mesh.example/a%20b",
    { cluster: "c" },
    {
      cluster: "ü 漢 🎉",
      name: "🎉",
      role: "",
      seeds: ["ws://a", "wss://b:1/", "ws://[::1]:8080"],
    },
    { cluster: "c", identity: { secretKey, generation: 0 }, joinTimeoutMs: 0 },
    { cluster: "c", joinTimeoutMs: Number.POSITIVE_INFINITY, backoff: { firstMs: 1 } },
    { cluster: "c", transport: memoryTransport(new MemoryNetwork()), logger: console },
    { cluster: "c", signal: new AbortController().signal, meta: { any: "thing" } },
  ])("%o", (options) => {
    expect(() => parseOptions(options)).not.toThrow();
  });

  test("the core's parameters are grouped by what they are about; the groups go before the list of all", () => {
    const options = {
      detector: { probePeriodMs: 500, asleepMs: 60_000 },
      overlay: { linksTarget: 6 },
      limits: { valueBytesMax: 1_000 },
      parameters: { linksTarget: 4, gapMs: 1_000 },
    };
    expect(parametersOf(options)).toEqual({
      probePeriodMs: 500,
      asleepMs: 60_000,
      linksTarget: 6,
      valueBytesMax: 1_000,
      gapMs: 1_000,
    });
    expect(parametersOf({})).toEqual({});
  });

  test("the short form names the server and the cluster", () => {
    expect(parseOptions("wss://mesh.example:1/a%20b")).toEqual({
      cluster: "a b",
      seeds: ["wss://mesh.example:1"],
    });
  });
});
