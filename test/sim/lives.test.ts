// State that ends by itself and keys whose changes are all kept, under loss, pauses, sleep, partitions, drifting and
// jumping clocks, restarts; in virtual time, over several seeds. All oracles watch.
import { describe, expect, test } from "vitest";
import { ORACLES, Oracles, type SimMember, World } from "../../src/sim/index.ts";

const SEEDS = [41, 42, 43];

/** One probe's period. */
const PERIOD_MS = 1_000;

interface Watched {
  readonly world: World;
  /** Fails when an oracle does not hold. */
  quiet(): void;
}

function grow(seed: number, count: number, loss = 0): Watched {
  const world = new World(seed, { loss, reliableLoss: loss });
  const oracles = new Oracles(world, ORACLES);
  for (let i = 0; i < count; i++) {
    world.add();
    world.run(20);
  }
  const known = (): boolean => world.live().every(({ core }) => core.members().length === count);
  expect(world.runUntil(known, 60_000), "all know all").toBeDefined();
  world.run(5_000);
  const quiet = (): void => {
    world.run(30_000);
    expect(oracles.quiet()).toEqual([]);
  };
  return { world, quiet };
}

interface Manner {
  readonly lifeMs?: number;
  readonly log?: number;
}

function set(world: World, member: SimMember, key: string, number: number, how: Manner = {}): void {
  const value = Uint8Array.of(number >> 8, number & 255);
  world.command(member, { type: "set", key, value, ...how });
}

const numberOf = (value: Uint8Array | undefined): number | undefined =>
  value && ((value[0] ?? 0) << 8) + (value[1] ?? 0);

/** What a member was told of a key, in order: the numbers, "gone", "ended". */
function toldOf(member: SimMember, owner: SimMember, key: string): (number | string)[] {
  return member.events.flatMap((event): (number | string)[] => {
    if (event.type !== "state" || event.key !== key || event.owner !== owner.config.id) return [];
    return [event.expired ? "ended" : (numberOf(event.value) ?? "gone")];
  });
}

const missedOf = (member: SimMember, key: string): number[] =>
  member.events.flatMap((event) =>
    event.type === "state" && event.key === key && event.log ? event.log.missed : [],
  );

/** When each member was told of the end. */
function endsOf(world: World): Map<SimMember, number[]> {
  const ends = new Map<SimMember, number[]>();
  world.observe({
    onEvent(member, event) {
      if (event.type !== "state" || event.expired !== true) return;
      ends.set(member, [...(ends.get(member) ?? []), world.now]);
    },
  });
  return ends;
}

/** Of all state, all hold the same. */
const agree = (world: World): boolean => {
  const hashes = world.live().map(({ core }) => core.fingerprints());
  return new Set(hashes.map(({ stateHigh, stateLow }) => `${stateHigh} ${stateLow}`)).size === 1;
};

describe.each(SEEDS)("row 32: seed %i", (seed) => {
  test.each([0, 0.2])(
    "what is set for a time ends at everyone once, in its time, with clocks that drift; loss %f",
    (loss) => {
      const { world, quiet } = grow(seed, 16, loss);
      for (const member of world.live()) world.drift(member, 0.96 + 0.08 * (member.index / 15));
      const owner = world.live()[5] as SimMember;
      for (const lifeMs of [3_000, 30_000]) {
        const ends = endsOf(world);
        const at = world.now;
        set(world, owner, "k", 1, { lifeMs });
        world.run(1.1 * lifeMs + PERIOD_MS);
        expect(ends.size).toBe(16);
        for (const [, times] of ends) {
          expect(times).toHaveLength(1);
          expect(times[0]).toBeGreaterThanOrEqual(at + 0.9 * lifeMs);
        }
        expect(agree(world)).toBe(true);
      }
      for (const member of world.live()) {
        const expected = ["ended", "ended"];
        if (member !== owner) expected.splice(0, 2, ...([1, "ended", 1, "ended"] as string[]));
        expect(toldOf(member, owner, "k")).toEqual(expected);
      }
      quiet();
    },
  );

  test("nobody who comes late sees it, whoever slept, stood still, was cut off or had its clock jump", () => {
    const { world, quiet } = grow(seed, 10, 0.05);
    const [owner, sleeper, paused, cut, jumped] = world.live() as SimMember[];
    set(world, owner as SimMember, "k", 1, { lifeMs: 20_000 });
    world.run(2_000);
    world.sleep(sleeper as SimMember, undefined, true);
    world.pause(paused as SimMember, 30_000);
    world.partition(new Map([[cut as SimMember, 1]]));
    world.jump(jumped as SimMember, 3_000);
    world.run(22_000);
    expect(toldOf(cut as SimMember, owner as SimMember, "k")).toEqual([1, "ended"]);
    // Those who know of nobody but who held it longest come now, and meet the others.
    const late = world.add();
    world.heal();
    world.run(3_000);
    world.wake(sleeper as SimMember);
    world.run(20_000);
    const later = world.add();
    world.run(15_000);
    expect(agree(world)).toBe(true);
    for (const member of [late, later]) {
      expect(toldOf(member, owner as SimMember, "k")).toEqual([]);
    }
    for (const member of [sleeper, paused, cut, jumped] as SimMember[]) {
      expect(toldOf(member, owner as SimMember, "k").slice(-1)).toEqual(["ended"]);
    }
    quiet();
  });

  test("set again it lasts, or lives anew; and repeated it ends all the same", () => {
    const { world, quiet } = grow(seed, 8, 0.1);
    const [owner, other] = world.live() as [SimMember, SimMember];
    for (const key of ["lasts", "renewed", "repeated"])
      set(world, owner, key, 1, { lifeMs: 6_000 });
    world.run(4_000);
    set(world, owner, "lasts", 2);
    set(world, owner, "renewed", 2, { lifeMs: 6_000 });
    for (let i = 0; i < 4; i++) {
      world.command(owner, { type: "repeat" });
      world.run(1_000);
    }
    const last = (key: string): unknown => toldOf(other, owner, key).at(-1);
    expect([last("lasts"), last("renewed"), last("repeated")]).toEqual([2, 2, "ended"]);
    world.run(5_000);
    expect([last("lasts"), last("renewed")]).toEqual([2, "ended"]);
    expect(agree(world)).toBe(true);
    quiet();
  });
});

describe.each(SEEDS)("row 29: seed %i", (seed) => {
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

  test.each([0, 0.2])(
    "of a log all hear every change in order, of another key the last at least; loss %f",
    (loss) => {
      const { world, quiet } = grow(seed, 20, loss);
      const owner = world.live()[3] as SimMember;
      for (const i of numbers(200)) {
        set(world, owner, "log", i, { log: 500 });
        set(world, owner, "key", i);
        if (i % 5 === 0) world.run(20);
      }
      expect(world.runUntil(() => agree(world), 30_000)).toBeDefined();
      for (const member of world.live()) {
        if (member === owner) continue;
        expect(toldOf(member, owner, "log")).toEqual(numbers(200));
        const told = toldOf(member, owner, "key");
        expect(told.at(-1)).toBe(200);
        expect(told).toEqual([...told].sort((a, b) => Number(a) - Number(b)));
      }
      quiet();
    },
  );

  test("who was away for no longer than the log goes back misses nothing, for longer is told what", () => {
    const { world, quiet } = grow(seed, 12, 0.05);
    const [owner, away] = world.live() as [SimMember, SimMember];
    set(world, owner, "short", 1, { log: 5 });
    set(world, owner, "long", 1, { log: 100 });
    world.run(3_000);
    world.partition(new Map([[away, 1]]));
    for (let i = 2; i <= 30; i++) {
      set(world, owner, "short", i, { log: 5 });
      set(world, owner, "long", i, { log: 100 });
      world.run(1_000);
    }
    world.heal();
    const came = (): boolean => toldOf(away, owner, "short").at(-1) === 30;
    expect(world.runUntil(came, 60_000)).toBeDefined();
    world.run(10_000);
    expect(toldOf(away, owner, "long")).toEqual(numbers(30));
    const short = toldOf(away, owner, "short");
    expect(short.slice(-5)).toEqual([26, 27, 28, 29, 30]);
    const missed = missedOf(away, "short").reduce((sum, one) => sum + one, 0);
    expect(short.length + missed).toBe(30);
    expect(missed).toBeGreaterThan(0);
    for (const member of world.live().slice(2)) {
      expect(toldOf(member, owner, "short")).toEqual(numbers(30));
    }
    quiet();
  });
});

describe.each(SEEDS)("row 8: seed %i", (seed) => {
  test("row 23: what a restarted member sets wins at once; what its former life set is gone for good", () => {
    const { world, quiet } = grow(seed, 10, 0.05);
    const [first] = world.live() as [SimMember];
    for (let i = 1; i <= 300; i++) set(world, first, `k${i % 7}`, i);
    set(world, first, "ends", 1, { lifeMs: 60_000 });
    world.run(5_000);
    world.crash(first);
    world.run(1_000);
    const again = world.restart(first);
    set(world, again, "k0", 1);
    const others = world.live().filter((member) => member !== again);
    const has = (): boolean =>
      others.every((member) => {
        const replica = member.core.layers.state.store.replicaOf(again.config.id);
        return numberOf(replica?.get("k0")?.value) === 1 && replica?.count === 1;
      });
    expect(world.runUntil(has, 20_000, 20)).toBeDefined();
    // As soon as the new life itself is known.
    const late = world.add();
    world.run(20_000);
    expect(toldOf(late, again, "k0")).toEqual([1]);
    expect(toldOf(late, again, "k1")).toEqual([]);
    expect(has()).toBe(true);
    quiet();
  });

  test("row 23: a member that left or was forgotten leaves no state, and nobody brings it back", () => {
    const { world, quiet } = grow(seed, 10);
    const [leaver, crasher, away] = world.live() as [SimMember, SimMember, SimMember];
    for (const owner of [leaver, crasher]) set(world, owner, "k", 1);
    world.run(3_000);
    // Who is away still has all of it.
    world.partition(new Map([[away, 1]]));
    world.command(leaver, { type: "leave" });
    world.crash(crasher);
    world.run(30_000);
    world.heal();
    world.run(700_000);
    const late = world.add();
    world.run(20_000);
    for (const member of world.live()) {
      for (const owner of [leaver, crasher]) {
        expect(member.core.layers.state.store.replicaOf(owner.config.id)).toBeUndefined();
        if (member === late) expect(toldOf(member, owner, "k")).toEqual([]);
        else expect(toldOf(member, owner, "k")).toEqual([1, "gone"]);
      }
    }
    quiet();
  });
});

test("the oracle of replication goes by what is held: two deletions in quick succession look alike", () => {
  const { world, quiet } = grow(1, 2);
  const [owner] = world.live() as [SimMember];
  for (const number of [1, 2, 3]) {
    set(world, owner, "k", number);
    world.command(owner, { type: "delete", key: "k" });
  }
  world.run(5_000);
  quiet();
});
