import { beforeEach, expect, test } from "vitest";
import { Demand } from "../../../src/core/routing/demand.ts";
import { configOf, memberId } from "./support.ts";

const A = memberId(2);
const config = configOf({ demandBytes: 10_000, demandMessages: 5, demandWindowMs: 1_000 });

let demand: Demand;
beforeEach(() => {
  demand = new Demand(config);
});

test("a few messages want no link; many do, and so do large ones", () => {
  expect([0, 1, 2, 3, 4].map((now) => demand.note(A, 10, now))).toEqual([
    ...[false, false, false, false, true],
  ]);
  expect(demand.note(memberId(3), 10_000, 0)).toBe(true);
});

test("slow traffic never adds up", () => {
  for (let now = 0; now < 100_000; now += 1_000) expect(demand.note(A, 9_000, now)).toBe(false);
});

test("a link is busy while it is used, then idle; a link that nobody wanted is neither", () => {
  demand.note(A, 10_000, 0);
  expect(demand.of(A, 0)).toBeUndefined();
  demand.want(A);
  expect(demand.of(A, config.demandIdleMs - 1)).toBe("busy");
  expect(demand.of(A, config.demandIdleMs)).toBe("idle");
  demand.note(A, 1, config.demandIdleMs + 5_000);
  expect(demand.of(A, config.demandIdleMs + 5_000)).toBe("busy");
});

test("members that are counted are bounded", () => {
  for (let n = 0; n < 1_000; n++) demand.note(memberId(10 + n), 9_000, 0);
  expect(demand.note(memberId(10), 9_000, 0), "forgotten meanwhile").toBe(false);
  expect(demand.note(memberId(1_009), 9_000, 0), "still counted").toBe(true);
});
