import { describe, test } from "vitest";
import { transportChecks } from "../../src/testing/transport-suite.ts";
import {
  MemoryNetwork,
  type MemoryNetworkOptions,
  memoryTransport,
} from "../../src/transport/memory.ts";

describe.each<[string, MemoryNetworkOptions]>([
  ["at once", {}],
  ["with latency, jitter and loss", { latencyMs: 2, jitterMs: 3, lossRate: 0.1, seed: 7 }],
])("memory transport, %s", (_, options) => {
  const makePair = () => {
    const network = new MemoryNetwork(options);
    return { near: memoryTransport(network), far: memoryTransport(network) };
  };
  for (const check of transportChecks(makePair)) test(check.name, check.run);
});
