import fc from "fast-check";
import { expect, test } from "vitest";
import { BoundedMap } from "../../../../src/core/lib/bounded-map.ts";

test("the entry that was set longest ago makes room", () => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  map.set("c", 4);
  expect([...map.entries()]).toEqual([
    ["a", 3],
    ["c", 4],
  ]);
  expect([map.has("b"), map.get("b"), map.delete("b"), map.delete("c"), map.size]).toEqual([
    false,
    undefined,
    false,
    true,
    1,
  ]);
});

test("against the plain model: the last so many different keys that were set", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.record({ key: fc.nat({ max: 8 }), isDelete: fc.boolean() })),
      (sizeMax, steps) => {
        const map = new BoundedMap<number, number>(sizeMax);
        let model: [number, number][] = [];
        steps.forEach(({ key, isDelete }, value) => {
          model = model.filter(([other]) => other !== key);
          if (isDelete) map.delete(key);
          else {
            map.set(key, value);
            model = [...model, [key, value] as [number, number]].slice(-sizeMax);
          }
          expect([...map.entries()]).toEqual(model);
          expect(map.size).toBe(model.length);
        });
      },
    ),
  );
});
