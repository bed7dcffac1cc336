import { describe, expect, onTestFinished, test } from "vitest";
import { secured } from "../../src/session/secured.ts";
import { LinkEnd } from "../../src/testing/link-end.ts";
import { transportChecks } from "../../src/testing/transport-suite.ts";
import {
  MemoryNetwork,
  type MemoryNetworkOptions,
  memoryTransport,
} from "../../src/transport/memory.ts";
import type { Lane, Transport } from "../../src/transport/transport.ts";
import { udpTransport } from "../../src/transport/udp/udp.ts";
import { sessionOf } from "../support/sessions.ts";

/** As if it encrypted: then frames pass as they are, once the handshake is done. */
const trusted = (inner: Transport): Transport => ({
  kind: inner.kind,
  slowOfferer: false,
  encrypted: true,
  connect: (options, handlers) => inner.connect(options, handlers),
  close: () => inner.close(),
});

describe.each<[string, (inner: Transport) => Transport, MemoryNetworkOptions]>([
  ["sealed", (inner) => inner, {}],
  [
    "sealed with latency, jitter and loss",
    (inner) => inner,
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

describe("secured UDP transport", () => {
  const make = async (secrets?: readonly string[]) =>
    secured(udpTransport({ host: "127.0.0.1" }), await sessionOf({ secrets }));
  for (const check of transportChecks(async () => ({ near: await make(), far: await make() }))) {
    test(check.name, check.run);
  }

  /** One end listens and says again what it hears, the other dials it. */
  async function dialled(secrets: readonly string[]) {
    const [host, guest] = await Promise.all([make(["right"]), make(secrets)]);
    for (const one of [host, guest]) onTestFinished(() => one.close());
    const shown: (string | undefined)[] = [];
    await host.dialling?.listen((link) => {
      shown.push(link.peer);
      const nothing = () => {};
      const echo = (lane: Lane, bytes: Uint8Array) => link.send(lane, bytes);
      return { signal: nothing, open: nothing, frame: echo, drain: nothing, close: nothing };
    });
    const connect: Transport["connect"] = (_, handlers) =>
      guest.dialling?.dial(host.dialling?.addresses ?? [], handlers) ?? expect.fail("no dialling");
    return { shown, end: new LinkEnd({ ...guest, connect }, { initiator: true }) };
  }

  test("a link that is dialled is shown when its other end is known", async () => {
    const { shown, end } = await dialled(["right"]);
    await end.opened();
    expect(shown).toEqual([expect.any(String)]);
    for (const lane of ["reliable", "unordered"] as const) end.send(lane, Uint8Array.of(1, 2, 3));
    await end.until("both", () => end.frames.length === 2);
  });

  test("row 43: who dials with another secret is shown to nobody", async () => {
    const { shown, end } = await dialled(["wrong"]);
    expect((await end.closed()).code).toBe("refused");
    expect(shown).toEqual([]);
  });
});
