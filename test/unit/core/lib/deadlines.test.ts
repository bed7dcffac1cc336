import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Deadline, Deadlines } from "../../../../src/core/lib/deadlines.ts";

function takeAll(deadlines: Deadlines, now: number): string[] {
  const taken: string[] = [];
  for (let key = deadlines.take(now); key !== undefined; key = deadlines.take(now)) taken.push(key);
  return taken;
}

describe("deadlines", () => {
  test("the earliest comes first, and only when it is due", () => {
    const deadlines = new Deadlines();
    deadlines.set("late", 30);
    deadlines.set("early", 10);
    deadlines.set("middle", 20);
    expect(deadlines.next).toBe(10);
    expect(deadlines.take(9.999)).toBeUndefined();
    expect(takeAll(deadlines, 20)).toEqual(["early", "middle"]);
    expect(deadlines.next).toBe(30);
    expect(takeAll(deadlines, 1e9)).toEqual(["late"]);
    expect(deadlines.next).toBe(Number.POSITIVE_INFINITY);
  });

  test("those due at the same time come in the order in which they were set", () => {
    const deadlines = new Deadlines();
    const keys = Array.from({ length: 50 }, (_, i) => `${i}`);
    for (const key of keys) deadlines.set(key, 5);
    deadlines.set("0", 5);
    expect(takeAll(deadlines, 5)).toEqual([...keys.slice(1), "0"]);
  });

  test("setting again moves, ensuring does not", () => {
    const deadlines = new Deadlines();
    deadlines.set("a", 10);
    deadlines.set("a", 30);
    deadlines.ensure("a", 5);
    deadlines.ensure("b", 20);
    expect(takeAll(deadlines, 29)).toEqual(["b"]);
    deadlines.set("a", 1);
    expect(deadlines.next).toBe(1);
    expect(takeAll(deadlines, 29)).toEqual(["a"]);
    expect(deadlines.has("a")).toBe(false);
  });

  test("what is cleared never comes, and may be set again", () => {
    const deadlines = new Deadlines();
    deadlines.set("a", 10);
    deadlines.clear("a");
    deadlines.clear("nothing");
    expect(deadlines.has("a")).toBe(false);
    expect(deadlines.next).toBe(Number.POSITIVE_INFINITY);
    deadlines.set("a", 20);
    expect(deadlines.take(10)).toBeUndefined();
    expect(deadlines.take(20)).toBe("a");
  });
});

test("who holds a deadline moves it as if by its key", () => {
  const deadlines = new Deadlines();
  const held = new Deadline("probe", "b");
  deadlines.move(held, 5);
  deadlines.set("probe:a", 10);
  deadlines.move(held, 20);
  expect(deadlines.next).toBe(10);
  expect(deadlines.due(10)).toMatchObject({ scope: "probe", subject: "a" });
  expect(deadlines.due(20)).toBe(held);
  expect(deadlines.size).toBe(0);
  deadlines.move(held, 30);
  deadlines.stop(held);
  expect(deadlines.next).toBe(Number.POSITIVE_INFINITY);
});

test("against the plain model: a list that is searched", () => {
  const key = fc.constantFrom(..."abcdefgh");
  const at = fc.oneof(fc.nat({ max: 20 }), fc.double({ min: 0, max: 20, noNaN: true }));
  const step = fc.oneof(
    fc.record({ do: fc.constantFrom("set" as const, "ensure" as const), key, at }),
    fc.record({ do: fc.constant("clear" as const), key, at }),
    fc.record({ do: fc.constant("take" as const), key, at }),
    // By who holds them.
    fc.record({ do: fc.constantFrom("move" as const, "stop" as const), key, at }),
    // Far more moves than deadlines.
    fc.record({ do: fc.constant("shuffle" as const), key, at }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const deadlines = new Deadlines();
      const held = new Map<string, Deadline>();
      const holdersOf = (key: string): Deadline => {
        const one = held.get(key) ?? new Deadline("held", key);
        held.set(key, one);
        return one;
      };
      const model: { key: string; at: number }[] = [];
      const remove = (key: string): void => {
        const i = model.findIndex((one) => one.key === key);
        if (i >= 0) model.splice(i, 1);
      };
      const set = (key: string, at: number): void => {
        remove(key);
        model.push({ key, at });
        deadlines.set(key, at);
      };
      for (const { do: what, key, at } of steps) {
        const first = model.toSorted((a, b) => a.at - b.at)[0];
        if (what === "set") set(key, at);
        else if (what === "ensure") {
          if (!model.some((one) => one.key === key)) model.push({ key, at });
          deadlines.ensure(key, at);
        } else if (what === "clear") {
          remove(key);
          deadlines.clear(key);
        } else if (what === "shuffle") {
          for (let i = 0; i < 40; i++) set(key, (at * (i + 7)) % 20);
        } else if (what === "move") {
          remove(`held:${key}`);
          model.push({ key: `held:${key}`, at });
          deadlines.move(holdersOf(key), at);
        } else if (what === "stop") {
          remove(`held:${key}`);
          deadlines.stop(holdersOf(key));
        } else {
          const due = first !== undefined && first.at <= at ? first.key : undefined;
          expect(deadlines.take(at)).toBe(due);
          if (due !== undefined) remove(due);
        }
        const next = Math.min(...model.map((one) => one.at));
        expect(deadlines.next).toBe(next);
        expect(deadlines.size).toBe(model.length);
        for (const { key } of model) expect(deadlines.has(key)).toBe(!key.startsWith("held:"));
      }
      const rest = model.toSorted((a, b) => a.at - b.at).map((one) => one.key);
      expect(takeAll(deadlines, Number.POSITIVE_INFINITY)).toEqual(rest);
    }),
    { numRuns: 300 },
  );
});
