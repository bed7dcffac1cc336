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

  test("row 45: a storm of strangers who say nothing, and come again, does not keep a member out", async () => {
    const session = await sessionOf({ secrets: ["right"] });
    const refusals: string[] = [];
    session.refused = ({ code }) => void refusals.push(code);
    const host = secured(udpTransport({ host: "127.0.0.1" }), session);
    const stranger = udpTransport({ host: "127.0.0.1", openMax: 1_000 });
    const member = await make(["right"]);
    for (const one of [host, stranger, member]) onTestFinished(() => one.close());
    const peers: unknown[] = [];
    const nothing = () => {};
    const silent = {
      signal: nothing,
      open: nothing,
      frame: nothing,
      drain: nothing,
      close: nothing,
    };
    await host.dialling?.listen(({ peer }) => {
      peers.push(peer);
      return silent;
    });
    const addresses = host.dialling?.addresses ?? [];
    let isOver = false;
    const storm = (): void => {
      if (!isOver) stranger.dial(addresses, { ...silent, close: () => queueMicrotask(storm) });
    };
    for (let i = 0; i < 250; i++) storm();
    await expect
      .poll(() => refusals.length, { interval: 20, timeout: 10_000 })
      .toBeGreaterThan(300);
    const connect: Transport["connect"] = (_, handlers) =>
      member.dialling?.dial(addresses, handlers) ?? expect.fail("no dialling");
    // One of them may have come by chance while too many others did: then it knocks again, as any member does.
    let knocks = 0;
    let end: LinkEnd;
    do {
      end = new LinkEnd({ ...member, connect }, { initiator: true });
      const { closes } = end;
      await end.until("open or closed", () => end.openCount + closes.length > 0);
    } while (end.openCount === 0 && ++knocks < 10);
    isOver = true;
    expect(end.openCount).toBe(1);
    expect(peers.length).toBe(1);
    expect(refusals).toContain("flood");
  });
});
