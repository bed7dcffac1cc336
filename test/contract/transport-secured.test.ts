import { describe, test } from "vitest";
import { secured } from "../../src/session/secured.ts";
import { transportChecks } from "../../src/testing/transport-suite.ts";
import { MemoryNetwork, memoryTransport } from "../../src/transport/memory.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { sessionOf } from "../support/sessions.ts";

/** As if it encrypted: then frames pass as they are, once the handshake is done. */
const trusted = (inner: Transport): Transport => ({
  kind: inner.kind,
  slowOfferer: false,
  encrypted: true,
  connect: (options, handlers) => inner.connect(options, handlers),
  close: () => inner.close(),
});

describe.each([
  ["sealed", (inner: Transport) => inner, {}],
  [
    "sealed with latency, jitter and loss",
    (inner: Transport) => inner,
    { latencyMs: 2, jitterMs: 3, lossRate: 0.1, seed: 7 },
  ],
  ["as it is", trusted, {}],
])("secured memory transport, %s", (_, prepare, options) => {
  const makePair = async () => {
    const network = new MemoryNetwork(options);
    const [near, far] = await Promise.all([sessionOf(), sessionOf()]);
    return {
      // Keys change often here, so that the change is seen to lose nothing.
      near: secured(prepare(memoryTransport(network)), near, { rekeyFrames: 1_000 }),
      far: secured(prepare(memoryTransport(network)), far, { rekeyFrames: 1_000 }),
    };
  };
  for (const check of transportChecks(makePair)) test(check.name, check.run);
});
