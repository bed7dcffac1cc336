import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import {
  Detector,
  missesToGiveUp,
  type ProbeAction,
} from "../../../src/core/membership/detector.ts";
import { configOf, memberId } from "./support.ts";

const config = configOf();
const X = memberId(9);

let detector: Detector;
beforeEach(() => {
  detector = new Detector(config);
  detector.add(X, 0);
});

const check = (now: number, { reports = 1, bulk = false, lateMs = 0 } = {}): ProbeAction =>
  detector.check(X, now, reports, bulk, lateMs);

/** Checks whenever one is due and pings when told, without any answer; gives what came and when it gave up. */
function silence(
  from: number,
  until: number,
  options = {},
): { pings: number[]; gaveUpAt: number | undefined } {
  const pings: number[] = [];
  for (let now = detector.nextCheck(X, from); now <= until; now = detector.nextCheck(X, now)) {
    const action = check(now, options);
    if (action === "giveUp") return { pings, gaveUpAt: now };
    if (action !== "ping") continue;
    pings.push(now);
    detector.nextPing(X, now);
  }
  return { pings, gaveUpAt: undefined };
}

describe("misses to give up: loss alone deceives all observers with a chance below 10⁻¹⁰", () => {
  const rows: [lossShare: number, reports: number, misses: number][] = [
    [0.02, 1, 6],
    [0.02, 6, 1],
    [0.2, 1, 15],
    [0.2, 2, 8],
    [0.2, 6, 3],
    [0.5, 1, 34],
    [0.9, 1, 34],
    [0.2, 0, 15],
  ];
  for (const [lossShare, reports, misses] of rows) {
    test(`${100 * lossShare} % lost, ${reports} reports needed: ${misses}`, () => {
      expect(missesToGiveUp(lossShare, reports)).toBe(misses);
      const loss = Math.min(Math.max(lossShare, 0.01), 0.5);
      expect(loss ** (misses * Math.max(1, reports))).toBeLessThanOrEqual(1e-10 * 1.000001);
    });
  }
});

test("no link is taken to be better than 1 % loss", () => {
  expect(missesToGiveUp(0, 1)).toBe(missesToGiveUp(0.01, 1));
  expect(missesToGiveUp(0, 1)).toBeGreaterThanOrEqual(5);
});

describe("timing", () => {
  test("the first probe goes at once, then one a period as long as answers come", () => {
    const pings: number[] = [];
    for (let now = detector.nextCheck(X, 0); now <= 5_000; now = detector.nextCheck(X, now)) {
      if (check(now) !== "ping") continue;
      pings.push(now);
      const ping = detector.nextPing(X, now);
      detector.onAck(X, ping?.sequence ?? 0, now + 20);
    }
    expect(pings).toEqual([1, 1_021, 2_041, 3_061, 4_081]);
    expect(detector.health(X)).toMatchObject({ rttMs: 20, misses: 0, lossShare: 0.01 });
  });

  test("the end with the higher id leaves it to the other, for 300 ms more", () => {
    const lower = memberId(0);
    detector.add(lower, 0);
    detector.nextPing(lower, 0);
    detector.onAck(lower, 1, 100);
    expect(detector.nextCheck(lower, 100)).toBe(1_400);
    detector.onPing(lower, 2, 1, 1_200);
    expect(detector.nextCheck(lower, 1_200)).toBe(2_500);
  });

  test("after a miss every 150 ms, and given up at 3.4 s of silence and not before", () => {
    const { pings, gaveUpAt } = silence(0, 60_000);
    expect(pings.slice(0, 4)).toEqual([1, 151, 301, 451]);
    expect(gaveUpAt).toBeGreaterThanOrEqual(config.giveUpMinMs);
    expect(gaveUpAt).toBeLessThan(config.giveUpMinMs + config.reprobeMs);
  });

  test("not before 10 s while bulk stands on the link", () => {
    const { gaveUpAt } = silence(0, 60_000, { bulk: true });
    expect(gaveUpAt).toBeGreaterThanOrEqual(config.giveUpBulkMs);
    expect(gaveUpAt).toBeLessThan(config.giveUpBulkMs + config.reprobeMs);
  });

  test("on a link that loses half, later: every probe is needed", () => {
    for (let i = 0; i < 40; i++) {
      // One probe in two is answered.
      detector.nextPing(X, i * 1_000);
      check(i * 1_000 + 500);
      const ping = detector.nextPing(X, i * 1_000 + 500);
      detector.onAck(X, ping?.sequence ?? 0, i * 1_000 + 520);
    }
    const lossShare = detector.health(X)?.lossShare ?? 0;
    expect(lossShare).toBeGreaterThan(0.2);
    const { pings, gaveUpAt } = silence(39_520, 100_000);
    expect(pings.length).toBeGreaterThanOrEqual(missesToGiveUp(lossShare, 1));
    expect(gaveUpAt).toBeGreaterThan(39_520 + config.giveUpMinMs);
  });

  test("the answer is waited for as long as the round trip varies, up to a period", () => {
    for (let now = 0; now < 20_000; now += 1_000) {
      const ping = detector.nextPing(X, now);
      detector.onAck(X, ping?.sequence ?? 0, now + 400);
    }
    detector.nextPing(X, 20_000);
    const waits = detector.nextCheck(X, 20_000) - 20_000;
    expect(waits).toBeGreaterThan(399);
    expect(waits).toBeLessThan(500);
    const slow = detector.nextPing(X, 20_500);
    detector.onAck(X, slow?.sequence ?? 0, 25_500);
    detector.nextPing(X, 26_000);
    expect(detector.nextCheck(X, 26_000)).toBe(26_000 + config.probePeriodMs);
  });

  test("never given up within 3.4 s of the last sign of life, whatever the times and loss were", () => {
    const step = fc.record({
      afterMs: fc.double({ min: 0, max: 2_000, noNaN: true }),
      answered: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60, size: "max" }),
        fc.integer({ min: 1, max: 8 }),
        (steps, reports) => {
          const detector = new Detector(config);
          detector.add(X, 0);
          let now = 0;
          let alive = 0;
          for (const { afterMs, answered } of steps) {
            now += afterMs;
            const action = detector.check(X, now, reports, false, 0);
            if (action === "giveUp") {
              expect(now - alive).toBeGreaterThanOrEqual(config.giveUpMinMs);
              return;
            }
            if (action !== "ping") continue;
            const ping = detector.nextPing(X, now);
            if (!answered) continue;
            detector.onAck(X, ping?.sequence ?? 0, now);
            alive = now;
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("signs of life", () => {
  test("any frame ends the misses, as does an answer to an earlier probe", () => {
    silence(0, 2_000);
    expect(detector.health(X)?.misses).toBeGreaterThan(5);
    detector.onFrame(X, 2_000);
    expect(detector.health(X)).toMatchObject({ misses: 0, heardAt: 2_000 });
    expect(silence(2_000, 4_000).gaveUpAt).toBeUndefined();
    detector.onAck(X, 1, 4_000);
    expect(detector.health(X)).toMatchObject({ misses: 0, heardAt: 4_000 });
  });

  test("an answer to a probe that was never sent is no answer", () => {
    const first = detector.nextPing(X, 0);
    detector.onAck(X, (first?.sequence ?? 0) + 1, 10);
    expect(detector.health(X)).toMatchObject({ heardAt: 0, rttMs: undefined });
    expect(detector.nextPing(X, 20)).toEqual({ sequence: 2, echo: 0 });
  });

  test("the next ping shows the last answer that was heard", () => {
    detector.nextPing(X, 0);
    detector.nextPing(X, 100);
    detector.onAck(X, 2, 110);
    detector.onAck(X, 1, 120);
    expect(detector.nextPing(X, 200)).toEqual({ sequence: 3, echo: 2 });
  });

  const echoes: [what: string, sequence: number, echo: number, alive: boolean][] = [
    ["its last probe was answered", 10, 9, true],
    ["the one before it", 10, 8, true],
    ["only an older one: it is deaf by now", 10, 7, false],
    ["none yet", 1, 0, false],
    ["one that it has not sent yet", 10, 10, false],
    ["one of the future", 10, 11, false],
  ];
  for (const [what, sequence, echo, alive] of echoes) {
    test(`a probe that shows: ${what}`, () => {
      detector.onPing(X, sequence, echo, 500);
      expect(detector.health(X)?.heardAt).toBe(alive ? 500 : 0);
    });
  }

  test("a deaf member is given up although its probes go on coming", () => {
    let gaveUpAt: number | undefined;
    let sequence = 50;
    for (let now = 1; now < 10_000 && gaveUpAt === undefined; now += 150) {
      detector.onPing(X, ++sequence, 50, now);
      const action = check(now);
      if (action === "giveUp") gaveUpAt = now;
      else if (action === "ping") detector.nextPing(X, now);
    }
    expect(gaveUpAt).toBeLessThan(4_500);
  });

  test("a link that is gone has nothing to say", () => {
    detector.remove(X);
    detector.onFrame(X, 5);
    detector.onPing(X, 2, 1, 5);
    detector.onAck(X, 0, 5);
    expect([detector.health(X), detector.nextPing(X, 5), check(5)]).toEqual([
      undefined,
      undefined,
      "wait",
    ]);
    expect(detector.nextCheck(X, 5)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("a step that comes late says nothing of others", () => {
  /** Silent for so long that the next check gives up. */
  beforeEach(() => {
    silence(0, config.giveUpMinMs - 1);
  });

  test("250 ms late is not late", () => {
    expect(check(config.giveUpMinMs + 300, { lateMs: 250 })).toBe("giveUp");
  });

  test("a late one asks once more, the one after it may give up, late or not", () => {
    const now = config.giveUpMinMs + 5_000;
    expect(check(now, { lateMs: 251 })).toBe("ping");
    detector.nextPing(X, now);
    expect(check(now + config.reprobeMs, { lateMs: 10_000 })).toBe("giveUp");
  });

  test("a frame between the two clears the doubt", () => {
    expect(check(10_000, { lateMs: 6_000 })).toBe("ping");
    detector.nextPing(X, 10_000);
    detector.onFrame(X, 10_001);
    silence(10_001, 10_001 + config.giveUpMinMs - 1);
    expect(check(20_000, { lateMs: 6_000 })).toBe("ping");
  });

  test("after a standstill the silence so far is forgiven", () => {
    detector.forgive(60_000);
    expect(check(60_000)).toBe("wait");
    expect(silence(60_000, 60_000 + config.giveUpMinMs - 1).gaveUpAt).toBeUndefined();
  });
});

test("a check that is due always does something: no time makes it spin", () => {
  const step = fc.record({
    /** How late the check comes. */
    lateMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 3_000, noNaN: true })),
    /** After how long the answer comes, if it does. */
    answerMs: fc.option(fc.double({ min: 0, max: 1_500, noNaN: true })),
  });
  const start = fc.double({ min: 0, max: 1e12, noNaN: true });
  fc.assert(
    fc.property(start, fc.array(step, { maxLength: 40, size: "max" }), (start, steps) => {
      const detector = new Detector(config);
      detector.add(X, start);
      let last = start;
      for (const { lateMs, answerMs } of steps) {
        const due = detector.nextCheck(X, last);
        expect(due).toBeGreaterThan(last);
        const now = due + lateMs;
        const action = detector.check(X, now, 2, false, lateMs);
        if (action === "giveUp") return;
        expect(action).toBe("ping");
        const ping = detector.nextPing(X, now);
        last = now;
        if (answerMs === null || now + answerMs > detector.nextCheck(X, now)) continue;
        last = now + answerMs;
        detector.onAck(X, ping?.sequence ?? 0, last);
      }
    }),
    { numRuns: 1_000 },
  );
});
