import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { Clock } from "../../../src/runtime/clock.ts";

/** No timer of these tests is due while they run. */
const LATER_MS = 1_000_000;

afterEach(() => {
  vi.restoreAllMocks();
});

function clock(standstillMs = 2_000) {
  const gaps: number[] = [];
  const made = new Clock(
    standstillMs,
    () => {},
    (gapMs) => gaps.push(Math.round(gapMs / 100) * 100),
  );
  onTestFinished(() => made.wakeAt(Number.POSITIVE_INFINITY));
  return { clock: made, gaps };
}

/** Lets `ms` pass on one of the two clocks. */
function passes(which: "wall" | "monotonic", ms: number): void {
  const target = which === "wall" ? Date : performance;
  const { now } = target;
  vi.spyOn(target, "now").mockImplementation(() => now.call(target) + ms);
}

test("tells when its time has come", async () => {
  await new Promise<void>((resolve) => {
    const made = new Clock(2_000, resolve, () => {});
    made.wakeAt(made.now() + 5);
  });
});

test.each(["wall", "monotonic"] as const)("sees a standstill by the %s clock, once", (which) => {
  const { clock: one, gaps } = clock();
  one.wakeAt(one.now() + LATER_MS);
  passes(which, LATER_MS + 5_000);
  one.look();
  expect(gaps).toEqual([5_000]);
  one.look();
  expect(gaps).toEqual([5_000]);
});

test("a timer that is late by less is none, nor is a wall clock that was set back", () => {
  const { clock: one, gaps } = clock();
  one.wakeAt(one.now() + LATER_MS);
  passes("monotonic", LATER_MS + 1_900);
  one.look();
  passes("wall", -3_600_000);
  one.look();
  expect(gaps).toEqual([]);
});

test("the timer itself sees a standstill before it tells that its time has come", async () => {
  const told: string[] = [];
  await new Promise<void>((resolve) => {
    const one = new Clock(
      2_000,
      () => {
        told.push("due");
        resolve();
      },
      () => told.push("standstill"),
    );
    one.wakeAt(one.now() + 5);
    passes("wall", 60_000);
  });
  expect(told).toEqual(["standstill", "due"]);
});

test("a standstill that the host tells of is told on, and not seen a second time", () => {
  const { clock: one, gaps } = clock();
  one.wakeAt(one.now() + 100);
  passes("monotonic", 30_100);
  one.standstill();
  one.look();
  expect(gaps).toEqual([30_000]);
});
