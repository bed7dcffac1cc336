// Servers that share their rooms: without Redis, in a time that passes only when told to, and with faults by seed.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Bus, Pool } from "../../../signaling-server/pool.ts";
import {
  encodePoolMessage,
  type PoolMessage,
  parsePoolMessage,
} from "../../../signaling-server/pool-messages.ts";
import { type Effect, Rooms } from "../../../signaling-server/rooms.ts";

const limits = {
  roomsMax: 10,
  membersMax: 50,
  introducersMax: 8,
  islandGraceMs: 10_000,
  introduceEveryMs: 10_000,
};
const GHOST_MS = 15_000;

const idOf = (n: number): string => n.toString(16).padStart(32, "0");
const packet = new Uint8Array([1, 2, 3]);

/** What a bus such as Redis does: channels, order per publisher, and nothing kept. */
class MemoryBus {
  up = true;
  readonly clients = new Set<Server>();
  #queue: (() => void)[] = [];

  later(task: () => void): void {
    if (this.up) this.#queue.push(task);
  }

  /** Until nothing is under way. */
  settle(): void {
    for (let i = 0; this.#queue.length > 0; i++) {
      if (i > 100_000) throw new Error("the servers never stop talking");
      this.#queue.shift()?.();
    }
  }

  fail(): void {
    this.up = false;
    this.#queue = [];
    for (const client of this.clients) client.lost();
  }

  restore(now: number): void {
    this.up = true;
    for (const client of this.clients) client.pool.connected(now);
  }
}

type Said = { session: string; says: string };

/** A server of the pool. Its sessions are named `server/member`. */
class Server implements Bus {
  static #count = 0;
  readonly id = idOf(0xf000 + ++Server.#count);
  readonly rooms = new Rooms<string>(limits);
  readonly pool: Pool<string>;
  readonly said: Said[] = [];
  readonly #bus: MemoryBus;
  readonly #channels = new Set<string>();
  readonly clock: { now: number };

  constructor(bus: MemoryBus, clock: { now: number }) {
    this.#bus = bus;
    this.clock = clock;
    this.pool = new Pool({
      self: this.id,
      rooms: this.rooms,
      bus: this,
      ghostMs: GHOST_MS,
      perform: (effects) => this.perform(effects),
    });
    this.rooms.watch = this.pool;
    bus.clients.add(this);
    if (bus.up) this.pool.connected(clock.now);
  }

  publish(channel: string, message: Uint8Array): void {
    this.#bus.later(() => {
      for (const client of this.#bus.clients) client.hear(channel, message);
    });
  }

  subscribe(channels: readonly string[], done: () => void): void {
    this.#bus.later(() => {
      for (const channel of channels) this.#channels.add(channel);
      done();
    });
  }

  unsubscribe(channel: string): void {
    this.#channels.delete(channel);
  }

  restarts = 0;
  restart(): void {
    this.restarts += 1;
    this.pool.connected(this.clock.now);
  }

  hear(channel: string, message: Uint8Array): void {
    if (this.#channels.has(channel)) this.pool.receive(message, this.clock.now);
  }

  lost(): void {
    this.#channels.clear();
    this.pool.disconnected();
  }

  crash(): void {
    this.#bus.clients.delete(this);
  }

  perform(effects: readonly Effect<string>[]): void {
    for (const effect of effects) {
      if (effect.type === "forward") {
        if (this.pool.forward(effect.forward)) continue;
        this.said.push({ session: effect.sender, says: `gone ${effect.forward.to}` });
      } else if (effect.type === "relay") {
        this.said.push({ session: effect.to, says: `packet from ${effect.from}` });
      } else if (effect.type === "send") {
        const { message, to } = effect;
        const about =
          "peers" in message ? message.peers.join(" ") : "id" in message ? message.id : "";
        this.said.push({ session: to, says: `${message.type} ${about}`.trim() });
      } else this.said.push({ session: effect.session, says: `close ${effect.refusal.code}` });
    }
  }

  hello(id: string, cluster = "demo", island?: string): void {
    this.perform(this.rooms.hello(id, cluster, id, island, this.clock.now));
  }

  tick(): void {
    this.pool.tick(this.clock.now);
    this.perform(this.rooms.tick(this.clock.now));
  }

  /** What a session was told since it was last asked. */
  told(session: string): string[] {
    const its = this.said.filter((one) => one.session === session).map(({ says }) => says);
    const rest = this.said.filter((one) => one.session !== session);
    this.said.splice(0, this.said.length, ...rest);
    return its;
  }
}

function world(count: number) {
  const clock = { now: 0 };
  const bus = new MemoryBus();
  const servers = Array.from({ length: count }, () => new Server(bus, clock));
  bus.settle();
  const pass = (ms: number, step = 1_000): void => {
    for (const end = clock.now + ms; clock.now < end; ) {
      clock.now += step;
      for (const server of bus.clients) server.tick();
      bus.settle();
    }
  };
  return { clock, bus, servers, pass };
}

const [A, B, C] = [idOf(10), idOf(11), idOf(12)];

describe("members of different servers", () => {
  test("are introduced: the one that was alone is told of the other at once", () => {
    const { bus, servers } = world(2);
    const [one, other] = servers as [Server, Server];
    one.hello(A);
    bus.settle();
    other.hello(B);
    expect(one.told(A)).toEqual(["welcome"]);
    bus.settle();
    expect(other.told(B)).toEqual(["welcome", `introduce ${A}`]);
    // Whoever comes where the room is known finds them in the welcome.
    one.hello(C);
    expect(one.told(C)).toEqual([`welcome ${A} ${B}`]);
  });

  test("reach each other, and learn who is gone", () => {
    const { bus, servers } = world(2);
    const [one, other] = servers as [Server, Server];
    one.hello(A);
    other.hello(B);
    bus.settle();
    one.said.length = other.said.length = 0;
    one.perform(one.rooms.relay(A, B, packet));
    bus.settle();
    expect(other.told(B)).toEqual([`packet from ${A}`]);
    other.rooms.leave(B);
    // The packet is faster than the news.
    one.perform(one.rooms.relay(A, B, packet));
    bus.settle();
    expect(one.told(A)).toEqual([`gone ${B}`]);
    one.perform(one.rooms.relay(A, B, packet));
    expect(one.told(A)).toEqual([`gone ${B}`]);
  });

  test("on two islands are introduced, by one server each time", () => {
    const { bus, servers, pass } = world(2);
    const [one, other] = servers as [Server, Server];
    one.hello(A, "demo", A);
    bus.settle();
    other.hello(B, "demo", B);
    bus.settle();
    one.said.length = other.said.length = 0;
    pass(10_000);
    expect([...one.told(A), ...other.told(B)]).toEqual([`introduce ${B}`]);
    pass(10_000);
    expect([...one.told(A), ...other.told(B)]).toEqual([`introduce ${B}`]);
    other.perform(other.rooms.island(B, A, 0));
    bus.settle();
    pass(30_000);
    expect([...one.told(A), ...other.told(B)]).toEqual([]);
  });

  test("of other clusters know nothing of each other, row 44", () => {
    const { bus, servers } = world(2);
    const [one, other] = servers as [Server, Server];
    one.hello(A, "red");
    other.hello(B, "blue");
    bus.settle();
    one.perform(one.rooms.relay(A, B, packet));
    bus.settle();
    expect([one.told(A), other.told(B)]).toEqual([["welcome", `gone ${B}`], ["welcome"]]);
    expect([one.rooms.remote, other.rooms.remote]).toEqual([0, 0]);
  });

  test("a member at two servers is one, reached at its own server first, and gone when it left both", () => {
    const { bus, servers } = world(3);
    const [one, other, third] = servers as [Server, Server, Server];
    one.hello(A);
    other.hello(A);
    third.hello(B);
    bus.settle();
    expect(servers.map(({ rooms }) => rooms.membersOf("demo"))).toEqual([2, 2, 2]);
    for (const server of servers) server.said.length = 0;
    const reach = (): string[] => {
      third.perform(third.rooms.relay(B, A, packet));
      bus.settle();
      return [...one.told(A), ...other.told(A), ...third.told(B)];
    };
    expect(reach()).toEqual([`packet from ${B}`]);
    one.rooms.leave(A);
    bus.settle();
    expect(reach()).toEqual([`packet from ${B}`]);
    other.rooms.leave(A);
    bus.settle();
    expect(reach()).toEqual([`gone ${A}`]);
  });
});

describe("faults", () => {
  test("the bus dies: members stay, nobody is named who cannot be reached for long, and all is told again", () => {
    const { bus, servers, pass, clock } = world(2);
    const [one, other] = servers as [Server, Server];
    one.hello(A);
    other.hello(B);
    bus.settle();
    bus.fail();
    expect([one.pool.up, other.pool.up]).toEqual([false, false]);
    one.said.length = 0;
    one.perform(one.rooms.relay(A, B, packet));
    expect(one.told(A)).toEqual([`gone ${B}`]);
    one.hello(C);
    expect(one.rooms.size.members).toBe(2);
    pass(GHOST_MS + 1_000);
    expect([one.rooms.remote, other.rooms.remote]).toEqual([0, 0]);
    other.rooms.leave(B);
    other.hello(idOf(20));
    bus.restore(clock.now);
    bus.settle();
    expect(one.rooms.membersOf("demo")).toBe(3);
    expect(other.rooms.membersOf("demo")).toBe(3);
    expect(one.rooms.presences("demo").map(({ id }) => id)).toEqual([A, C]);
  });

  test("a server that dies leaves no ghosts for longer than the bound; one that stops, none", () => {
    const { bus, servers, pass } = world(3);
    const [one, other, third] = servers as [Server, Server, Server];
    one.hello(A);
    other.hello(B);
    third.hello(C);
    bus.settle();
    other.pool.close();
    other.crash();
    bus.settle();
    expect(one.rooms.membersOf("demo")).toBe(2);
    third.crash();
    pass(GHOST_MS - 5_000);
    expect(one.rooms.membersOf("demo")).toBe(2);
    pass(6_000);
    expect(one.rooms.membersOf("demo")).toBe(1);
  });

  test("a server that was taken for gone comes back with all its members", () => {
    const { bus, servers, pass, clock } = world(2);
    const [one, other] = servers as [Server, Server];
    one.hello(A);
    other.hello(B);
    bus.settle();
    // It stands still.
    bus.clients.delete(other);
    pass(GHOST_MS + 1_000);
    expect(one.rooms.membersOf("demo")).toBe(1);
    bus.clients.add(other);
    other.pool.receive(encodePoolMessage({ type: "alive", server: other.id }), clock.now);
    pass(10_000);
    expect([one, other].map(({ rooms }) => rooms.membersOf("demo"))).toEqual([2, 2]);
  });

  test("a bus that has gone deaf is connected anew", () => {
    const { bus, servers, pass } = world(1);
    const [one] = servers as [Server];
    one.hello(A);
    bus.settle();
    pass(60_000);
    expect(one.restarts).toBe(0);
    // Nothing that it says comes back.
    one.lost();
    one.pool.connected(60_000);
    bus.settle();
    one.unsubscribe("servers");
    pass(GHOST_MS + 1_000);
    expect(one.restarts).toBe(1);
    expect(one.pool.up).toBe(true);
  });

  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("hello" as const),
        at: fc.nat(2),
        member: fc.nat(7),
        cluster: fc.constantFrom("red", "blue"),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant("leave" as const), at: fc.nat(2), member: fc.nat(7) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("settle" as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom("fail" as const, "restore" as const) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), at: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.nat(20_000) }) },
  );

  /** What has gone wrong before. */
  const FOUND: (typeof step extends fc.Arbitrary<infer Step> ? Step[] : never)[] = [
    // A room that opened while the server was connecting.
    [
      { do: "crash", at: 0 },
      { do: "hello", at: 0, member: 0, cluster: "red" },
      { do: "hello", at: 1, member: 1, cluster: "red" },
    ],
    // The last member of a room left, and the bus died with the news.
    [
      { do: "hello", at: 1, member: 2, cluster: "red" },
      { do: "hello", at: 0, member: 0, cluster: "red" },
      { do: "settle" },
      { do: "leave", at: 1, member: 2 },
      { do: "fail" },
    ],
  ];

  test("after any faults, once the bus is back and the dead are missed, all know all, and reach them", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { bus, servers, pass, clock } = world(3);
        const at = (index: number) => servers[index] as Server;
        for (const step of steps) {
          if (step.do === "hello") {
            const server = at(step.at);
            server.hello(idOf(step.member), step.cluster);
          } else if (step.do === "leave") at(step.at).rooms.leave(idOf(step.member));
          else if (step.do === "settle") bus.settle();
          else if (step.do === "pass") pass(step.ms);
          else if (step.do === "crash") {
            at(step.at).crash();
            servers[step.at] = new Server(bus, clock);
          } else if (step.do === "fail" && bus.up) bus.fail();
          else if (step.do === "restore" && !bus.up) bus.restore(clock.now);
        }
        if (!bus.up) bus.restore(clock.now);
        bus.settle();
        pass(GHOST_MS + 6_000);
        for (const cluster of ["red", "blue"]) {
          const here = servers.map(({ rooms }) => rooms.presences(cluster).map(({ id }) => id));
          const all = new Set(here.flat());
          servers.forEach(({ rooms }, index) => {
            const wanted = here[index]?.length === 0 ? 0 : all.size;
            expect(rooms.membersOf(cluster)).toBe(wanted);
          });
          servers.forEach((server, index) => {
            const from = here[index]?.[0];
            if (from === undefined) return;
            for (const to of all) {
              for (const one of servers) one.said.length = 0;
              server.perform(server.rooms.relay(from, to, packet));
              bus.settle();
              const said = servers.flatMap((one) => one.said);
              expect(said).toEqual([{ session: to, says: `packet from ${from}` }]);
            }
          });
        }
      }),
      { numRuns: 500, examples: FOUND.map((steps): [typeof steps] => [steps]) },
    );
  }, 60_000);
});

describe("messages of the pool", () => {
  const id = fc.nat(50).map(idOf);
  const presence = fc.record({ id, island: fc.option(id, { nil: undefined }) });
  const cluster = fc.string({ unit: "grapheme", maxLength: 60 });
  const message: fc.Arbitrary<PoolMessage> = fc.oneof(
    fc.record({
      type: fc.constantFrom("alive" as const, "bye" as const, "who" as const),
      server: id,
    }),
    fc.record({
      type: fc.constant("all" as const),
      server: id,
      cluster,
      ask: fc.boolean(),
      presences: fc.array(presence),
    }),
    fc.record({ type: fc.constant("here" as const), server: id, cluster, presence }),
    fc.record({ type: fc.constant("left" as const), server: id, cluster, id }),
    fc.record({
      type: fc.constant("packet" as const),
      server: id,
      cluster,
      from: id,
      to: id,
      packet: fc.uint8Array({ minLength: 1, maxLength: 100 }),
    }),
    fc.record({ type: fc.constant("gone" as const), server: id, cluster, from: id, to: id }),
  );

  test("arrive as they were said", () => {
    fc.assert(
      fc.property(message, (message) => {
        expect(parsePoolMessage(encodePoolMessage(message))).toEqual(message);
      }),
    );
  });

  test("50,000 mutated ones: no throw, and the rooms keep their caps", () => {
    const mutated = fc
      .tuple(message.map(encodePoolMessage), fc.array(fc.tuple(fc.nat(200), fc.nat(255))))
      .map(([bytes, changes]) => {
        const copy = Uint8Array.from(bytes);
        for (const [at, value] of changes) copy[at % copy.length] = value;
        return copy;
      });
    const { servers, clock } = world(1);
    const [one] = servers as [Server];
    one.hello(A);
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 60 })), (bytes) => {
        clock.now += 10;
        one.pool.receive(bytes, clock.now);
        expect(one.rooms.membersOf("demo")).toBeLessThanOrEqual(limits.membersMax);
      }),
      { numRuns: 50_000 },
    );
    expect(one.rooms.presences("demo")).toEqual([{ id: A, island: undefined }]);
  }, 60_000);
});
