import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Effect, Rooms, type RoomsOptions } from "../../../signaling-server/rooms.ts";
import {
  CloseCode,
  encodeMessage,
  parseClientMessage,
  parseRelay,
} from "../../../src/signaling/protocol.ts";

const options: RoomsOptions = {
  roomsMax: 3,
  membersMax: 20,
  introducersMax: 8,
  islandGraceMs: 10_000,
  introduceEveryMs: 10_000,
};

const idOf = (n: number): string => n.toString(16).padStart(32, "0");
const packet = new Uint8Array([1, 2, 3]);

/** Session n of member n in one room. */
function joined(count: number, limits: Partial<RoomsOptions> = {}, now = 0): Rooms<number> {
  const rooms = new Rooms<number>({ ...options, ...limits });
  for (let n = 0; n < count; n++) rooms.hello(n, "demo", idOf(n), undefined, now);
  return rooms;
}

function welcomed(effects: readonly Effect<number>[]): readonly string[] {
  const last = effects.at(-1);
  if (last?.type !== "send" || last.message.type !== "welcome") throw new Error("no welcome");
  return last.message.peers;
}

function closes(effects: readonly Effect<number>[]): [number, number][] {
  return effects.flatMap((effect) =>
    effect.type === "close" ? [[effect.session, effect.refusal.code] as [number, number]] : [],
  );
}

describe("hello", () => {
  test("the first member is welcomed to nobody, the second to the first", () => {
    const rooms = joined(0);
    expect(welcomed(rooms.hello(0, "demo", idOf(0), undefined, 0))).toEqual([]);
    expect(welcomed(rooms.hello(1, "demo", idOf(1), undefined, 0))).toEqual([idOf(0)]);
    expect(rooms.size).toEqual({ rooms: 1, members: 2 });
  });

  test("clusters know nothing of each other, row 44", () => {
    const rooms = joined(2);
    expect(welcomed(rooms.hello(7, "other", idOf(7), undefined, 0))).toEqual([]);
    expect(rooms.relay(7, idOf(0), packet)).toEqual([
      { type: "send", to: 7, message: { type: "gone", id: idOf(0) } },
    ]);
  });

  test("introducers take turns, so that the load spreads", () => {
    const rooms = joined(12);
    const named = new Map<string, number>();
    for (let n = 100; n < 106; n++) {
      const peers = welcomed(rooms.hello(n, "demo", idOf(n), undefined, 0));
      expect(peers).toHaveLength(8);
      for (const id of peers) named.set(id, (named.get(id) ?? 0) + 1);
      rooms.leave(n);
    }
    expect([...named.values()]).toEqual(new Array(12).fill(4));
  });

  test("a newcomer is told of whoever was heard lately, before those that fell silent", () => {
    const rooms = joined(20, { membersMax: 30 });
    rooms.seen(13, 60_000);
    const peers = welcomed(rooms.hello(50, "demo", idOf(50), undefined, 60_000));
    expect(peers).toHaveLength(8);
    expect(peers[0]).toBe(idOf(13));
  });

  test("a newer socket of the same id takes the place of the older", () => {
    const rooms = joined(2);
    const effects = rooms.hello(9, "demo", idOf(1), undefined, 0);
    expect(closes(effects)).toEqual([[1, CloseCode.replaced]]);
    expect(welcomed(effects)).toEqual([idOf(0)]);
    expect(rooms.relay(0, idOf(1), packet)).toMatchObject([{ type: "relay", to: 9 }]);
    rooms.leave(1);
    expect(rooms.size.members).toBe(2);
  });

  test("a second hello on one socket ends it", () => {
    const rooms = joined(1);
    expect(closes(rooms.hello(0, "demo", idOf(5), undefined, 0))).toEqual([
      [0, CloseCode.malformed],
    ]);
    expect(rooms.size).toEqual({ rooms: 0, members: 0 });
  });

  test("caps on members and on rooms, and a place that is left is free", () => {
    const rooms = joined(20);
    const full = [[50, CloseCode.full]];
    expect(closes(rooms.hello(50, "demo", idOf(50), undefined, 0))).toEqual(full);
    rooms.leave(3);
    expect(closes(rooms.hello(50, "demo", idOf(50), undefined, 0))).toEqual([]);
    for (const n of [51, 52]) rooms.hello(n, `room ${n}`, idOf(n), undefined, 0);
    expect(closes(rooms.hello(53, "room 53", idOf(53), undefined, 0))).toEqual([
      [53, CloseCode.full],
    ]);
    rooms.leave(51);
    expect(closes(rooms.hello(53, "room 53", idOf(53), undefined, 0))).toEqual([]);
  });

  test("the same id may come back to a full cluster", () => {
    const rooms = joined(20);
    expect(closes(rooms.hello(50, "demo", idOf(4), undefined, 0))).toEqual([
      [4, CloseCode.replaced],
    ]);
    expect(rooms.size.members).toBe(20);
  });

  test("without a hello there is nothing to say", () => {
    const rooms = joined(1);
    expect(closes(rooms.relay(5, idOf(0), packet))).toEqual([[5, CloseCode.malformed]]);
    expect(closes(rooms.island(5, idOf(0), 0))).toEqual([[5, CloseCode.malformed]]);
  });
});

describe("relay", () => {
  test("a packet goes to its receiver with the sender's id", () => {
    const rooms = joined(2);
    expect(rooms.relay(0, idOf(1), packet)).toEqual([
      { type: "relay", to: 1, from: idOf(0), packet },
    ]);
  });

  test("the sender is told of a receiver that has left", () => {
    const rooms = joined(2);
    rooms.leave(1);
    expect(rooms.relay(0, idOf(1), packet)).toEqual([
      { type: "send", to: 0, message: { type: "gone", id: idOf(1) } },
    ]);
  });
});

/** What the rooms must be, said the slow way. */
class Model {
  readonly members = new Map<number, { cluster: string; id: string }>();

  find(cluster: string, id: string): number | undefined {
    for (const [session, one] of this.members) {
      if (one.cluster === cluster && one.id === id) return session;
    }
    return undefined;
  }

  count(cluster: string): number {
    return [...this.members.values()].filter((one) => one.cluster === cluster).length;
  }

  get rooms(): number {
    return new Set([...this.members.values()].map((one) => one.cluster)).size;
  }
}

type Step =
  | { do: "hello"; session: number; cluster: string; id: string; island: string | undefined }
  | { do: "island"; session: number; id: string }
  | { do: "relay"; session: number; id: string }
  | { do: "leave" | "seen"; session: number }
  | { do: "tick"; ms: number };

const session = fc.nat(11);
const cluster = fc.constantFrom("red", "green", "blue");
const id = fc.nat(7).map(idOf);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("hello" as const),
    session,
    cluster,
    id,
    island: fc.option(id, { nil: undefined }),
  }),
  fc.record({ do: fc.constant("island" as const), session, id }),
  fc.record({ do: fc.constant("relay" as const), session, id }),
  fc.record({ do: fc.constantFrom("leave" as const, "seen" as const), session }),
  fc.record({ do: fc.constant("tick" as const), ms: fc.nat(12_000) }),
);

/** Performs one step on both and holds the one against the other. */
function check(
  rooms: Rooms<number>,
  model: Model,
  limits: RoomsOptions,
  step: Step,
  now: number,
): void {
  const effects = perform(rooms, step, now);
  const own = "session" in step ? model.members.get(step.session) : undefined;
  for (const [session] of closes(effects)) model.members.delete(session);
  if (step.do === "leave") model.members.delete(step.session);
  if (step.do === "hello") {
    const others = [...model.members.values()].filter((one) => one.cluster === step.cluster);
    const isNew = others.length === 0;
    const full = others.length >= limits.membersMax || (isNew && model.rooms >= limits.roomsMax);
    expect(closes(effects).some(([session]) => session === step.session)).toBe(
      own !== undefined || full,
    );
    if (!own && !full) {
      const peers = welcomed(effects);
      expect(peers).toHaveLength(Math.min(others.length, limits.introducersMax));
      expect(new Set(peers).size).toBe(peers.length);
      expect(others.map((one) => one.id)).toEqual(expect.arrayContaining([...peers]));
      model.members.set(step.session, { cluster: step.cluster, id: step.id });
    }
  }
  if (step.do === "relay" && own) {
    const to = model.find(own.cluster, step.id);
    expect(effects).toMatchObject([
      to === undefined ? { message: { type: "gone" } } : { type: "relay", to, from: own.id },
    ]);
  }
  for (const effect of effects) {
    if (effect.type !== "send" || effect.message.type !== "introduce") continue;
    const room = model.members.get(effect.to)?.cluster as string;
    expect(effect.message.peers.length).toBeGreaterThan(0);
    for (const id of effect.message.peers) {
      expect(model.find(room, id)).toBeDefined();
      expect(model.find(room, id)).not.toBe(effect.to);
    }
  }
  expect(rooms.size).toEqual({ rooms: model.rooms, members: model.members.size });
}

function perform(rooms: Rooms<number>, step: Step, now: number): Effect<number>[] {
  switch (step.do) {
    case "hello":
      return rooms.hello(step.session, step.cluster, step.id, step.island, now);
    case "island":
      return rooms.island(step.session, step.id, now);
    case "relay":
      return rooms.relay(step.session, step.id, packet);
    case "leave":
      rooms.leave(step.session);
      return [];
    case "seen":
      rooms.seen(step.session, now);
      return [];
    case "tick":
      return rooms.tick(now);
  }
}

describe("properties", () => {
  test("any sequence of steps keeps the rooms as the model says, and leaves nothing behind", () => {
    const limits = { ...options, roomsMax: 2, membersMax: 5, introducersMax: 3 };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const rooms = new Rooms<number>(limits);
        const model = new Model();
        let now = 0;
        for (const step of steps) {
          if (step.do === "tick") now += step.ms;
          check(rooms, model, limits, step, now);
        }
        for (const session of [...model.members.keys()]) rooms.leave(session);
        expect(rooms.size).toEqual({ rooms: 0, members: 0 });
        expect(rooms.tick(now + 100_000)).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  }, 60_000);

  test("the same steps have the same effects", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const run = () => {
          const rooms = new Rooms<number>(options);
          return steps.map((step, index) => perform(rooms, step, index * 3_000));
        };
        expect(run()).toEqual(run());
      }),
      { numRuns: 300 },
    );
  });

  test("100,000 random and mutated messages of members: no throw, and caps are kept", () => {
    const hello = id.map((id) => encodeMessage({ type: "hello", id, island: idOf(1) }));
    const island = id.map((id) => encodeMessage({ type: "island", id }));
    const broken = fc
      .tuple(hello, fc.nat(120), fc.string({ unit: "binary", maxLength: 2 }))
      .map(([text, at, put]) => text.slice(0, at) + put + text.slice(at + 1));
    const text = fc.oneof(hello, island, broken, fc.string({ unit: "binary" }), fc.json());
    const bytes = fc.uint8Array({ maxLength: 24 });
    const rooms = new Rooms<number>({ ...options, membersMax: 6, roomsMax: 2 });
    let now = 0;
    fc.assert(
      fc.property(session, cluster, fc.oneof(text, bytes), (session, cluster, data) => {
        now += 37;
        if (typeof data !== "string") {
          const parsed = parseRelay(data);
          if (parsed.ok) rooms.relay(session, parsed.value.id, parsed.value.packet);
        } else {
          const parsed = parseClientMessage(data);
          if (!parsed.ok) rooms.leave(session);
          else if (parsed.value.type === "island") rooms.island(session, parsed.value.id, now);
          else if (parsed.value.type === "hello") {
            rooms.hello(session, cluster, parsed.value.id, parsed.value.island, now);
          } else rooms.seen(session, now);
        }
        rooms.tick(now);
        expect(rooms.size.rooms).toBeLessThanOrEqual(2);
        expect(rooms.size.members).toBeLessThanOrEqual(12);
      }),
      { numRuns: 100_000 },
    );
  }, 60_000);
});
