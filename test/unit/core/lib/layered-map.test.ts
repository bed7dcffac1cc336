import fc from "fast-check";
import { expect, test } from "vitest";
import { LayeredMap } from "../../../../src/core/lib/layered-map.ts";

type Step = { key: number; value: number | undefined };
const steps = fc.array(
  fc.record({ key: fc.nat({ max: 6 }), value: fc.option(fc.nat(), { nil: undefined }) }),
);

function change(
  map: { set(key: number, value: number): unknown; delete(key: number): unknown },
  all: readonly Step[],
): void {
  for (const { key, value } of all) value === undefined ? map.delete(key) : map.set(key, value);
}

test("against the plain model, and what is beneath never changes", () => {
  fc.assert(
    fc.property(steps, steps, steps, (beneath, mine, others) => {
      const base = new LayeredMap<number, number>();
      const baseModel = new Map<number, number>();
      change(base, beneath);
      change(baseModel, beneath);
      for (const own of [mine, others]) {
        const map = new LayeredMap(base);
        const model = new Map(baseModel);
        change(map, own);
        change(model, own);
        expect(new Map(map.entries())).toEqual(model);
        expect([...map.values()].sort()).toEqual([...model.values()].sort());
        expect(map.size).toBe(model.size);
        for (let key = 0; key <= 6; key++) expect(map.get(key)).toBe(model.get(key));
      }
      expect(new Map(base.entries())).toEqual(baseModel);
    }),
  );
});
