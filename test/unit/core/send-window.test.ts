import { expect, test } from "vitest";
import { SendWindow } from "../../../src/core/links/send-window.ts";
import { configOf } from "./support.ts";

const KIB = 1_024;

/** Always full, over a path of this round trip and bandwidth; gives the window after so many rounds. */
function settle(rttMs: number, bytesPerMs: number, rounds = 50, window = newWindow()): SendWindow {
  let now = 0;
  for (let total = 1; total <= rounds; total++) {
    window.onFull(total, now);
    now += Math.max(rttMs, window.bytes / bytesPerMs);
    window.onAcknowledged(total, now);
  }
  return window;
}

function newWindow(): SendWindow {
  return new SendWindow(configOf({ windowBytes: 128 * KIB, windowBytesMax: 4_096 * KIB }));
}

test("it opens for a long path, up to its limit", () => {
  expect(settle(300, Number.POSITIVE_INFINITY).bytes).toBe(4_096 * KIB);
});

test("it stays closed where more of it would only wait", () => {
  for (const [rttMs, bytesPerMs] of [
    [1, 20_000],
    [100, 1_000],
    [300, 2_000],
  ] as const) {
    const { bytes } = settle(rttMs, bytesPerMs);
    const path = Math.max(128 * KIB, rttMs * bytesPerMs);
    expect(bytes).toBeGreaterThanOrEqual(Math.min(path, 128 * KIB));
    expect(bytes).toBeLessThanOrEqual(2.5 * path);
  }
});

test("it closes again when the path becomes slow", () => {
  const window = settle(100, Number.POSITIVE_INFINITY);
  expect(settle(100, 1_000, 50, window).bytes).toBeLessThanOrEqual(250 * KIB);
});

test("a round ends with what it began with", () => {
  const window = newWindow();
  window.onFull(1_000, 0);
  window.onFull(2_000, 50);
  window.onAcknowledged(999, 60);
  expect(window.bytes).toBe(128 * KIB);
  window.onAcknowledged(1_000, 100);
  expect(window.bytes).toBe(256 * KIB);
  window.onAcknowledged(2_000, 101);
  expect(window.bytes).toBe(256 * KIB);
});
