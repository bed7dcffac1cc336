// What all share, as a map: whatever order writes come in, the same holds everywhere.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HybridClock, isLater, NEVER } from "../../../src/core/shared/clock.ts";
import { Registers } from "../../../src/core/shared/register.ts";
import type { SharedEntry } from "../../../src/core/wire/messages.ts";

const A = "a".repeat(32);
const B = "b".repeat(32);

function entry(key: string, ms: number, value: number | undefined, more = {}): SharedEntry {
  const bytes = value === undefined ? undefined : Uint8Array.of(value);
  return { key, ms, counter: 0, writer: A, value: bytes, lifeMs: 0, ...more };
}

/** Takes what is news, as a member does. */
function take(registers: Registers, one: SharedEntry, now = 0): boolean {
  const news = registers.isNews(one);
  if (news) registers.put(one, now);
  return news;
}

const content = (registers: Registers): unknown[] =>
  [...registers.all()]
    .map(({ key, ms, counter, writer, value }) => [key, ms, counter, writer, value?.[0]])
    .sort();

describe("row 27: of all writes to a key the latest holds", () => {
  const write = fc.record({
    key: fc.constantFrom("x", "y", "z"),
    ms: fc.integer({ min: 1, max: 4 }),
    counter: fc.integer({ min: 0, max: 1 }),
    writer: fc.constantFrom(A, B),
    lifeMs: fc.constant(0),
  });
  // One stamp is one write: its value follows from it.
  const writes = fc.array(write).map((all) =>
    all.map((one) => ({
      ...one,
      value:
        one.ms === 2
          ? undefined
          : Uint8Array.of(one.ms * 4 + one.counter * 2 + Number(one.writer === A)),
    })),
  );

  test("in whatever order and however often they come", () => {
    fc.assert(
      fc.property(writes, fc.infiniteStream(fc.nat()), (all, order) => {
        const one = new Registers();
        for (const write of all) take(one, write);
        const shuffled = [...all, ...all]
          .map((write) => ({ write, at: order.next().value as number }))
          .sort((a, b) => a.at - b.at);
        const other = new Registers();
        for (const { write } of shuffled) take(other, write);
        expect(content(other)).toEqual(content(one));
        expect([other.hash.high, other.hash.low]).toEqual([one.hash.high, one.hash.low]);
        expect(other.bytes).toBe(one.bytes);
        for (const { key } of all) {
          const latest = all
            .filter((write) => write.key === key)
            .reduce((a, b) => (isLater(b, a) ? b : a));
          expect(one.get(key)).toMatchObject({ ms: latest.ms, writer: latest.writer });
        }
      }),
    );
  });

  test("different maps have different hashes", () => {
    const hashes = new Set<string>();
    for (const one of [
      entry("a", 1, 1),
      entry("b", 1, 1),
      entry("a", 2, 1),
      entry("a", 1, 1, { writer: B }),
    ]) {
      const registers = new Registers();
      registers.put(one, 0);
      hashes.add(`${registers.hash.high} ${registers.hash.low}`);
    }
    expect(hashes.size).toBe(4);
  });
});

describe("row 32: what has a life", () => {
  test("ends by itself, is told once, and a late copy does not bring it back", () => {
    const registers = new Registers();
    const one = entry("k", 1, 7, { lifeMs: 1_000 });
    take(registers, one, 500);
    expect(registers.nextEnd).toBe(1_500);
    expect(registers.takeEnded(1_499)).toEqual([]);
    expect(registers.takeEnded(1_500).map(({ key }) => key)).toEqual(["k"]);
    expect(registers.takeEnded(9_999)).toEqual([]);
    expect([registers.size, registers.bytes, registers.hash.low]).toEqual([0, 0, 0]);
    expect(take(registers, one, 1_600)).toBe(false);
    expect(take(registers, entry("k", 2, 8), 1_700)).toBe(true);
  });

  test("ends sooner by what the clock did not count", () => {
    const registers = new Registers();
    take(registers, entry("k", 1, 7, { lifeMs: 1_000 }), 0);
    take(registers, entry("for ever", 1, 7), 0);
    registers.age(900);
    expect(registers.takeEnded(100).map(({ key }) => key)).toEqual(["k"]);
    expect(registers.size).toBe(1);
  });
});

describe("what was deleted", () => {
  test("leaves a tombstone that keeps older writes out", () => {
    const registers = new Registers();
    take(registers, entry("k", 5, undefined));
    expect(take(registers, entry("k", 4, 1))).toBe(false);
    expect(take(registers, entry("k", 6, 1))).toBe(true);
  });

  test("is forgotten when there is much of it, and stays away by the floor", () => {
    const forgotten: string[] = [];
    const registers = new Registers((keys) => forgotten.push(...keys));
    for (let i = 1; i <= 1_001; i++) take(registers, entry(`k${i}`, i, undefined));
    expect(registers.size).toBe(501);
    expect(forgotten).toEqual(Array.from({ length: 500 }, (_, i) => `k${i + 1}`));
    expect(registers.floor.ms).toBe(500);
    expect(take(registers, entry("k1", 1, 1))).toBe(false);
    expect(take(registers, entry("new", 500, 1))).toBe(false);
    expect(take(registers, entry("new", 501, 1))).toBe(true);
  });

  test("goes from a member that was away, by the floor of another", () => {
    const away = new Registers();
    for (const one of [entry("old", 3, 1), entry("listed", 3, 1), entry("young", 9, 1)])
      take(away, one);
    const gone = away.raiseFloor({ ...NEVER, ms: 5 }, new Set(["listed"]), () => true);
    expect(gone.map(({ key }) => key)).toEqual(["old"]);
    expect(content(away)).toHaveLength(2);
  });
});

test("there is a bound on keys and on bytes, and what is no larger replaces", () => {
  const registers = new Registers();
  const limits = { keysMax: 2, bytesMax: 1_000 };
  const large = (key: string, length: number) => ({
    ...entry(key, 1, 1),
    value: new Uint8Array(length),
  });
  expect(registers.hasRoom(large("a", 1_000), limits)).toBe(false);
  registers.put(large("a", 400), 0);
  registers.put(large("b", 400), 0);
  expect(registers.hasRoom(large("c", 1), limits)).toBe(false);
  expect(registers.hasRoom(large("a", 400), limits)).toBe(true);
  expect(registers.hasRoom(large("a", 600), limits)).toBe(false);
  registers.put(entry("b", 2, undefined), 0);
  expect(registers.hasRoom(large("c", 300), limits)).toBe(true);
});

describe("the clock", () => {
  test("gives stamps that rise, though time stands still or is behind what was seen", () => {
    const clock = new HybridClock(A);
    clock.set(1_000, 0);
    const stamps = [clock.next(0), clock.next(0), clock.next(5)];
    clock.saw({ ms: 5_000, counter: 3, writer: B });
    stamps.push(clock.next(6), clock.next(5_000));
    expect(stamps.map(({ ms, counter }) => [ms, counter])).toEqual([
      [1_000, 0],
      [1_000, 1],
      [1_005, 0],
      [5_000, 4],
      [6_000, 0],
    ]);
  });

  test("gives later ones above a count that has no next: they could not be told", () => {
    const clock = new HybridClock(A);
    clock.set(1_000, 0);
    const seen = { ms: 5_000, counter: Number.MAX_SAFE_INTEGER, writer: B };
    clock.saw(seen);
    const next = clock.next(0);
    expect(isLater(next, seen)).toBe(true);
    expect(next).toEqual({ ms: 5_001, counter: 0, writer: A });
  });

  test("ties go to the writer's id, the same for all", () => {
    const a = { ms: 1, counter: 1, writer: A };
    const b = { ms: 1, counter: 1, writer: B };
    expect([isLater(a, b), isLater(b, a), isLater(a, a)]).toEqual([false, true, false]);
  });
});
