import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { idFromBytes } from "../../../src/core/lib/ids.ts";
import { frameCodec, WIRE_VERSION } from "../../../src/core/wire/codec.ts";
import { keyPair } from "../../../src/session/identity.ts";
import { primitives } from "../../../src/session/primitives.noble.ts";
import { secured } from "../../../src/session/secured.ts";
import { HANDSHAKE_MS } from "../../../src/session/secured-link.ts";
import type { Refusal, Session } from "../../../src/session/session.ts";
import { LinkEnd } from "../../../src/testing/link-end.ts";
import { MemoryNetwork, memoryTransport } from "../../../src/transport/memory.ts";
import {
  DATAGRAM_BYTES_MAX,
  type Lane,
  type LinkHandlers,
  type Transport,
} from "../../../src/transport/transport.ts";
import { sessionOf, withPsk } from "../../support/sessions.ts";

/** What goes over a wire: changed, held back, repeated. `from` is 0 for the initiator. */
type Wire = (
  from: 0 | 1,
  frame: { readonly lane: Lane; readonly bytes: Uint8Array },
  deliver: (bytes: Uint8Array, to?: 0 | 1, lane?: Lane) => void,
  index: number,
) => void;

const honest: Wire = (_from, { bytes }, deliver) => deliver(bytes);

interface Scene {
  readonly near: LinkEnd;
  readonly far: LinkEnd;
  readonly refusals: readonly [Refusal[], Refusal[]];
}

/** Two ends, and what is between them. */
async function scene(
  wire: Wire,
  sessions: readonly [Session, Session],
  { encrypted = false, bindings = ["b", "b"] } = {},
): Promise<Scene> {
  const network = new MemoryNetwork();
  const refusals: [Refusal[], Refusal[]] = [[], []];
  const inner: LinkHandlers[] = [];
  const counts = [0, 0];
  const transport = (index: 0 | 1): Transport => {
    const below = memoryTransport(network);
    return {
      kind: "memory",
      slowOfferer: false,
      encrypted,
      close: () => below.close(),
      connect(options, handlers) {
        inner[index] = handlers;
        const link = below.connect(options, {
          ...handlers,
          frame: (lane, bytes) => {
            const from = index === 0 ? 1 : 0;
            const deliver = (changed: Uint8Array, to = index, on = lane) =>
              inner[to]?.frame(on, changed);
            wire(from, { lane, bytes }, deliver, counts[from] ?? 0);
            counts[from] = (counts[from] ?? 0) + 1;
          },
        });
        const binding = new TextEncoder().encode(bindings[index]);
        Object.defineProperty(link, "binding", { value: binding });
        return link;
      },
    };
  };
  const ends = sessions.map((session, i) => {
    const index = i as 0 | 1;
    session.refused = (refusal) => void refusals[index].push(refusal);
    const one = secured(transport(index), session);
    onTestFinished(() => one.close());
    return new LinkEnd(one, { initiator: index === 0 });
  });
  const [near, far] = ends as [LinkEnd, LinkEnd];
  near.onSignal = (payload) => queueMicrotask(() => far.signal(payload));
  far.onSignal = (payload) => queueMicrotask(() => near.signal(payload));
  return { near, far, refusals };
}

const pair = async (near = {}, far = {}): Promise<[Session, Session]> =>
  Promise.all([sessionOf(near), sessionOf(far)]);

const codes = (scene: Scene) => scene.refusals.map((list) => list.map(({ code }) => code));

/** Neither end opens, both end. */
async function refused(made: Scene): Promise<void> {
  const [near, far] = await Promise.all([made.near.closed(), made.far.closed()]);
  expect([made.near.openCount, made.far.openCount]).toEqual([0, 0]);
  expect([...made.near.misdeeds, ...made.far.misdeeds]).toEqual([]);
  for (const [end, reason] of [near, far].entries()) {
    const [refusal] = made.refusals[end] ?? [];
    if (refusal === undefined) expect(reason.code).toBe("remote");
    else expect(reason).toEqual({ code: "refused", message: refusal.message });
  }
}

afterEach(() => vi.useRealTimers());

describe("row 43: a link opens", () => {
  test("when both ends have proven who they are, and each knows the other", async () => {
    const keys = await Promise.all([keyPair(), keyPair()]);
    const sessions = await pair(
      { keys: keys[0], features: ["a", "b"] },
      { keys: keys[1], features: ["b"], primitives },
    );
    const made = await scene(honest, sessions);
    await Promise.all([made.near.opened(), made.far.opened()]);
    expect(made.near.link).toMatchObject({ peer: keys[1].id, features: ["b"] });
    expect(made.far.link).toMatchObject({ peer: keys[0].id, features: ["a", "b"] });
    expect(made.near.link.binding).toEqual(made.far.link.binding);
    expect(codes(made)).toEqual([[], []]);
    for (const lane of ["reliable", "unordered", "datagram"] as const) {
      made.near.send(lane, Uint8Array.of(1, 2, 3));
      await made.far.until(lane, () => made.far.frames.some((frame) => frame.lane === lane));
    }
  });

  test("with the same secret, and with either of two during a rotation", async () => {
    const secrets: [string[], string[]][] = [
      [["x"], ["x"]],
      [["old", "new"], ["old"]],
      [["old"], ["new", "old"]],
      [
        ["new", "old"],
        ["old", "new"],
      ],
      [["new"], ["new", "old"]],
    ];
    for (const [near, far] of secrets) {
      const made = await scene(honest, await pair({ secrets: near }, { secrets: far }));
      await Promise.all([made.near.opened(), made.far.opened()]);
    }
  });

  test("by an invitation, which hands over what the cluster shares", async () => {
    const [host, guest] = await pair({ secrets: ["x"] });
    const own = await sessionOf({ secrets: ["own"] });
    const network = new MemoryNetwork();
    const invitationPsk = new Uint8Array(32).fill(9);
    const ends = [host, guest].map((session, i) => {
      const transport = withPsk(secured(memoryTransport(network), session), invitationPsk);
      return new LinkEnd(transport, { initiator: i === 0 });
    }) as [LinkEnd, LinkEnd];
    ends[0].onSignal = (payload) => ends[1].signal(payload);
    ends[1].onSignal = (payload) => ends[0].signal(payload);
    await Promise.all(ends.map((end) => end.opened()));
    expect(guest.psks).toEqual(host.psks);
    const made = await scene(honest, [guest, await sessionOf({ secrets: ["x"] })]);
    await Promise.all([made.near.opened(), made.far.opened()]);
    // Who has a secret keeps it.
    const [before] = own.psks;
    own.adopt(host.psks);
    expect(own.psks).toEqual([before]);
  });
});

describe("row 43: a handshake is refused", () => {
  test("with another secret: here with the reason, there with nothing but the closed link", async () => {
    const made = await scene(honest, await pair({ secrets: ["x"] }, { secrets: ["y"] }));
    await refused(made);
    expect(codes(made)).toEqual([["broken-off"], ["secret"]]);
    expect(made.refusals[1][0]?.message).toContain("join with the same `secret`");
    const open = await scene(honest, await pair({}, { secrets: ["y"] }));
    await refused(open);
    expect(codes(open)).toEqual([["broken-off"], ["secret"]]);
  });

  test("row 44: of another cluster", async () => {
    const made = await scene(honest, await pair({ cluster: "one" }, { cluster: "two" }));
    await refused(made);
    expect(codes(made)).toEqual([[], ["cluster"]]);
  });

  test("of another major version, and then both ends know why", async () => {
    const later: Wire = (from, { bytes }, deliver, index) => {
      if (from === 0 && index === 0) bytes[0] = WIRE_VERSION + 1;
      if (from === 1) bytes[0] = WIRE_VERSION + 1;
      deliver(bytes);
    };
    const made = await scene(later, await pair());
    await refused(made);
    expect(codes(made)).toEqual([["version"], ["version"]]);
  });

  test("when somebody sits between two channels and passes it through", async () => {
    const options = { encrypted: true, bindings: ["near", "far"] };
    const made = await scene(honest, await pair(), options);
    await refused(made);
    expect(codes(made)).toEqual([[], ["handshake"]]);
  });

  test("of who shows another's key, or a signature of something else", async () => {
    const forgeries: ((session: Session) => Promise<Partial<Session>>)[] = [
      // Its own key under another's name.
      async (session) => {
        const other = await sessionOf();
        return { credentials: other.credentials.bind(other), check: session.check.bind(session) };
      },
      // Signed for another cluster.
      async () => {
        const other = await sessionOf({ cluster: "other" });
        return { credentials: other.credentials.bind(other), staticKey: other.staticKey };
      },
      async () => ({ credentials: () => new Uint8Array(200) }),
      async () => ({ credentials: () => new Uint8Array(0) }),
    ];
    for (const forge of forgeries) {
      for (const forger of [0, 1]) {
        const sessions = await pair();
        Object.assign(sessions[forger] as Session, await forge(sessions[forger] as Session));
        const made = await scene(honest, sessions);
        await refused(made);
        expect(made.refusals[1 - forger]?.[0]?.code).toBe("identity");
      }
    }
  });

  test.each<[string, Wire]>([
    ["cut", (_from, { bytes }, deliver) => deliver(bytes.subarray(0, -1))],
    ["empty", (_from, _frame, deliver) => deliver(new Uint8Array(0))],
    ["oversized", (_from, _frame, deliver) => deliver(new Uint8Array(65_000).fill(1))],
    ["reflected", (from, { bytes }, deliver) => deliver(bytes, from)],
    [
      "repeated",
      (_from, { bytes }, deliver) => {
        deliver(bytes.slice());
        deliver(bytes);
      },
    ],
    [
      "out of order",
      (from, { bytes }, deliver, index) => {
        if (from === 0 && index === 0) deliver(new Uint8Array(150).fill(1));
        deliver(bytes);
      },
    ],
    [
      "followed by frames before its end",
      (from, { bytes }, deliver) => {
        deliver(bytes);
        if (from === 0) deliver(Uint8Array.of(1), 1, "unordered");
      },
    ],
  ])("that is %s", async (_, wire) => {
    const made = await scene(wire, await pair());
    await refused(made);
    expect(codes(made).flat().length).toBeGreaterThan(0);
  });

  test("that is another's of before", async () => {
    const recorded: Uint8Array[] = [];
    const record: Wire = (from, { bytes }, deliver) => {
      if (from === 0) recorded.push(bytes.slice());
      deliver(bytes);
    };
    const sessions = await pair();
    const first = await scene(record, sessions);
    await first.far.opened();
    const replay: Wire = (from, { bytes }, deliver, index) =>
      deliver(from === 0 ? (recorded[index] ?? bytes) : bytes);
    const made = await scene(replay, sessions);
    await refused(made);
    expect(codes(made).flat()).toContain("handshake");
  });

  test("that does not go on, within its time", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    for (const at of [0, 1]) {
      let stopped = (): void => {};
      const isStopped = new Promise<void>((resolve) => {
        stopped = resolve;
      });
      const silent: Wire = (from, { bytes }, deliver) => (from === at ? stopped() : deliver(bytes));
      const made = await scene(silent, await pair());
      await isStopped;
      expect(made.near.closes.length + made.far.closes.length).toBe(0);
      vi.advanceTimersByTime(HANDSHAKE_MS);
      await Promise.resolve();
      expect(codes(made)).toEqual([["timeout"], ["timeout"]]);
    }
  });

  test("when too many begin: the one that has waited longest goes", async () => {
    const network = new MemoryNetwork();
    const session = await sessionOf();
    const refusals: string[] = [];
    session.refused = ({ code }) => void refusals.push(code);
    const host = secured(memoryTransport(network), session, { pendingMax: 3 });
    onTestFinished(() => host.close());
    const silent = memoryTransport(network);
    const links = Array.from({ length: 6 }, () => {
      const [one, other] = [
        new LinkEnd(host, { initiator: false }),
        new LinkEnd(silent, { initiator: true }),
      ];
      one.onSignal = (payload) => other.signal(payload);
      other.onSignal = (payload) => one.signal(payload);
      return { one, other };
    });
    await Promise.all(links.map(({ other }) => other.opened()));
    await Promise.all(links.slice(0, 3).map(({ one }) => one.closed()));
    expect(refusals).toEqual(["flood", "flood", "flood"]);
    expect(links.slice(3).map(({ one }) => one.link.state)).toEqual(Array(3).fill("opening"));
  });
});

describe("row 43: frames of an open link", () => {
  async function open(wire: Wire) {
    const made = await scene(wire, await pair());
    await Promise.all([made.near.opened(), made.far.opened()]);
    return made;
  }

  test("cannot be read on their way, where the transport does not encrypt", async () => {
    const seen: Uint8Array[] = [];
    const made = await open((_from, { bytes }, deliver) => {
      seen.push(bytes.slice());
      deliver(bytes);
    });
    const words = new TextEncoder().encode("nobody else shall read this");
    for (const lane of ["reliable", "unordered", "datagram"] as const) made.near.send(lane, words);
    await made.far.until("all", () => made.far.frames.length === 3);
    for (const bytes of seen) {
      expect(Buffer.from(bytes).includes(Buffer.from(words.subarray(0, 8)))).toBe(false);
    }
  });

  test.each<Lane>(["reliable", "unordered"])(
    "of the %s lane that are changed, repeated or sent back end the link",
    async (lane) => {
      const attacks: Wire[] = [
        (_from, { bytes }, deliver) => deliver(bytes.map((byte) => byte ^ 1)),
        (_from, { bytes }, deliver) => {
          deliver(bytes.slice());
          deliver(bytes);
        },
        (from, { bytes }, deliver) => deliver(bytes, from),
      ];
      for (const attack of attacks) {
        let attacking = false;
        const made = await open((...args) => (attacking ? attack : honest)(...args));
        attacking = true;
        made.near.send(lane, Uint8Array.of(1, 2, 3));
        const codes = [await made.near.closed(), await made.far.closed()].map(({ code }) => code);
        expect(codes.sort()).toEqual(["protocol", "remote"]);
        expect(made.far.frames.length).toBeLessThanOrEqual(1);
        expect(made.near.frames).toEqual([]);
      }
    },
  );

  test("that are datagrams are dropped when they are changed, repeated or sent back, and the link goes on", async () => {
    const made = await open((from, { lane, bytes }, deliver) => {
      deliver(bytes.slice());
      if (lane !== "datagram") return;
      deliver(bytes.slice());
      deliver(bytes.slice(), from);
      for (let i = 0; i < bytes.length; i++) {
        deliver(bytes.map((byte, at) => (at === i ? byte ^ 1 : byte)));
      }
      deliver(new Uint8Array(DATAGRAM_BYTES_MAX * 2));
      deliver(new Uint8Array(0));
    });
    for (let i = 0; i < 5; i++) made.near.send("datagram", Uint8Array.of(i));
    made.near.send("reliable", Uint8Array.of(9));
    await made.far.until("the last", () => made.far.frames.some(({ lane }) => lane === "reliable"));
    await made.far.until("all", () => made.far.frames.length >= 6);
    const datagrams = made.far.frames.filter(({ lane }) => lane === "datagram");
    expect(datagrams.map(({ bytes }) => bytes[0])).toEqual([0, 1, 2, 3, 4]);
    expect(made.near.frames).toEqual([]);
    expect(made.near.link.state).toBe("open");
  });

  test("overtake the last word of the handshake, and wait for it", async () => {
    const held: (() => void)[] = [];
    const made = await scene(
      (from, { lane, bytes }, deliver, index) => {
        // The responder's second reliable frame says that all is well.
        if (from === 1 && lane === "reliable" && index === 1) held.push(() => deliver(bytes));
        else deliver(bytes);
        if (lane === "datagram") for (const late of held.splice(0)) late();
      },
      await pair(),
    );
    await made.far.opened();
    made.far.send("unordered", Uint8Array.of(1));
    made.far.send("datagram", Uint8Array.of(2));
    await made.near.until("both", () => made.near.frames.length === 2);
    expect(made.near.misdeeds).toEqual([]);
    expect(made.near.frames.map(({ bytes }) => bytes[0])).toEqual([1, 2]);
  });
});

test("a bare greeting of the core, from before there were handshakes, is refused", async () => {
  const network = new MemoryNetwork();
  const session = await sessionOf();
  const refusals: string[] = [];
  session.refused = ({ code }) => void refusals.push(code);
  const [one, other] = [
    new LinkEnd(secured(memoryTransport(network), session), { initiator: false }),
    new LinkEnd(memoryTransport(network), { initiator: true }),
  ];
  one.onSignal = (payload) => other.signal(payload);
  other.onSignal = (payload) => one.signal(payload);
  await other.opened();
  const record = {
    id: idFromBytes(new Uint8Array(16)),
    generation: 1,
    version: 1,
    incarnation: 0,
    state: "alive" as const,
    flags: 0,
    name: "somebody of before",
    role: "",
    meta: new Uint8Array(),
    addresses: [],
    neighbours: [],
  };
  other.send(
    "reliable",
    frameCodec(session.clusterHash).encode({ type: "hello", features: 0, record }),
  );
  expect((await one.closed()).code).toBe("refused");
  expect((await other.closed()).code).toBe("remote");
  expect(refusals).toEqual(["handshake"]);
});
