import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import {
  Detector,
  missesToGiveUp,
  type ProbeAction,
  type Terms,
} from "../../../src/core/membership/detector.ts";
import { configOf, memberId } from "./support.ts";

const config = configOf();
const X = memberId(9);

let detector: Detector;
beforeEach(() => {
  detector = new Detector(config);
  detector.add(X, 0);
});

const terms = (change: Partial<Terms> = {}): Terms => {
  return { reports: 1, bulk: false, stretch: 1, void: false, ...change };
};
const check = (now: number, change: Partial<Terms> = {}): ProbeAction =>
  detector.check(X, now, () => terms(change));
const ack = (sequence = 0, now = 0, mayFreeze = false): boolean | undefined =>
  detector.onAck(X, { sequence, mayFreeze }, now);

/** Checks whenever one is due and pings when told, without any answer; gives what came and when it ended. */
function silence(
  from: number,
  until: number,
  options: Partial<Terms> = {},
): { pings: number[]; reportedAt: number | undefined; gaveUpAt: number | undefined } {
  const pings: number[] = [];
  let reportedAt: number | undefined;
  for (let now = detector.nextCheck(X, from); now <= until; now = detector.nextCheck(X, now)) {
    const action = check(now, options);
    if (action === "giveUp") return { pings, reportedAt, gaveUpAt: now };
    if (action === "report") reportedAt = now;
    if (action === "wait") continue;
    pings.push(now);
    detector.nextPing(X, now);
  }
  return { pings, reportedAt, gaveUpAt: undefined };
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
      ack(ping?.sequence ?? 0, now + 20);
    }
    expect(pings).toEqual([1, 1_021, 2_041, 3_061, 4_081]);
    expect(detector.health(X)).toMatchObject({ rttMs: 20, misses: 0, lossShare: 0.01 });
  });

  test("how long a frame takes is half of the shortest round trip: a stall does not lengthen it", () => {
    const answer = (now: number, rttMs: number): number | undefined => {
      const ping = detector.nextPing(X, now);
      ack(ping?.sequence ?? 0, now + rttMs);
      return detector.health(X)?.wayMs;
    };
    expect(answer(0, 100)).toBe(50);
    expect(answer(1_000, 60)).toBe(30);
    expect(answer(2_000, 3_000)).toBeLessThan(31);
    expect(answer(6_000, 60)).toBe(30);
    for (let i = 0; i < 100; i++) answer(10_000 + 1_000 * i, 200);
    expect(detector.health(X)?.wayMs).toBe(100);
  });

  test("the end with the higher id leaves it to the other, for 300 ms more", () => {
    const lower = memberId(0);
    detector.add(lower, 0);
    detector.nextPing(lower, 0);
    detector.onAck(lower, { sequence: 1, mayFreeze: false }, 100);
    expect(detector.nextCheck(lower, 100)).toBe(1_400);
    detector.onPing(lower, { sequence: 2, echo: 1, mayFreeze: false }, 1_200);
    expect(detector.nextCheck(lower, 1_200)).toBe(2_500);
  });

  test("after a miss every 150 ms, reported at 3 s of silence and not before, given up when all could have decided", () => {
    const { pings, reportedAt, gaveUpAt = 0 } = silence(0, 60_000);
    expect(pings.slice(0, 4)).toEqual([1, 151, 301, 451]);
    expect(reportedAt).toBeGreaterThanOrEqual(config.giveUpMinMs);
    expect(reportedAt).toBeLessThan(config.giveUpMinMs + config.reprobeMs);
    // Of a sole observer, which waits longest.
    const decidedMs = config.downMinMs + 1.5 * config.probePeriodMs;
    expect(gaveUpAt).toBeGreaterThanOrEqual(decidedMs);
    expect(gaveUpAt).toBeLessThan(decidedMs + 2 * config.reprobeMs);
  });

  test("not before 10 s while bulk stands on the link", () => {
    const { reportedAt } = silence(0, 60_000, { bulk: true });
    expect(reportedAt).toBeGreaterThanOrEqual(config.giveUpBulkMs);
    expect(reportedAt).toBeLessThan(config.giveUpBulkMs + config.reprobeMs);
  });

  test.each([
    [2, 6_000],
    [3, 9_000],
    [9, 10_000],
  ])("later when times are stretched: %i times, at %i ms", (stretch, atMs) => {
    const { reportedAt } = silence(0, 60_000, { stretch });
    expect(reportedAt).toBeGreaterThanOrEqual(atMs);
    expect(reportedAt).toBeLessThan(atMs + config.reprobeMs);
  });

  test("later when signs of life were always far apart: φ must reach 0.7", () => {
    let now = 0;
    for (; now < 200_000; now += 4_000) {
      detector.nextPing(X, now);
      ack(now / 4_000 + 1, now + 50);
    }
    expect(detector.phi(X, now + 50)).toBeCloseTo(Math.LOG10E, 2);
    const { reportedAt = 0 } = silence(now, now + 60_000);
    expect(detector.phi(X, reportedAt)).toBeGreaterThan(0.7);
    expect(reportedAt - (now - 3_950)).toBeGreaterThan(6_400);
    expect(reportedAt - (now - 3_950)).toBeLessThan(6_700);
  });

  test("on a link that loses half, later: every probe is needed", () => {
    for (let i = 0; i < 40; i++) {
      // One probe in two is answered.
      detector.nextPing(X, i * 1_000);
      check(i * 1_000 + 500);
      const ping = detector.nextPing(X, i * 1_000 + 500);
      ack(ping?.sequence ?? 0, i * 1_000 + 520);
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
      ack(ping?.sequence ?? 0, now + 400);
    }
    detector.nextPing(X, 20_000);
    const waits = detector.nextCheck(X, 20_000) - 20_000;
    expect(waits).toBeGreaterThan(399);
    expect(waits).toBeLessThan(500);
    const slow = detector.nextPing(X, 20_500);
    ack(slow?.sequence ?? 0, 25_500);
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
            const action = detector.check(X, now, () => terms({ reports }));
            if (action === "report" || action === "giveUp") {
              expect(now - alive).toBeGreaterThanOrEqual(config.giveUpMinMs);
              return;
            }
            if (action !== "ping") continue;
            const ping = detector.nextPing(X, now);
            if (!answered) continue;
            detector.onAck(X, { sequence: ping?.sequence ?? 0, mayFreeze: false }, now);
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
    ack(1, 4_000);
    expect(detector.health(X)).toMatchObject({ misses: 0, heardAt: 4_000 });
  });

  test("an answer to a probe that was never sent is no answer", () => {
    const first = detector.nextPing(X, 0);
    ack((first?.sequence ?? 0) + 1, 10);
    expect(detector.health(X)).toMatchObject({ heardAt: 0, rttMs: undefined });
    expect(detector.nextPing(X, 20)).toEqual({ sequence: 2, echo: 0 });
  });

  test("the next ping shows the last answer that was heard", () => {
    detector.nextPing(X, 0);
    detector.nextPing(X, 100);
    ack(2, 110);
    ack(1, 120);
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
      detector.onPing(X, { sequence, echo, mayFreeze: false }, 500);
      expect(detector.health(X)?.heardAt).toBe(alive ? 500 : 0);
    });
  }

  test("a deaf member is reported although its probes go on coming", () => {
    let reportedAt: number | undefined;
    let sequence = 50;
    for (let now = 1; now < 10_000 && reportedAt === undefined; now += 150) {
      detector.onPing(X, { sequence: ++sequence, echo: 50, mayFreeze: false }, now);
      const action = check(now);
      if (action === "report") reportedAt = now;
      else if (action === "ping") detector.nextPing(X, now);
    }
    expect(reportedAt).toBeLessThan(4_500);
  });

  test("one that also talks is reported when it has not answered for 10 s", () => {
    let reportedAt: number | undefined;
    for (let now = 100; now < 20_000 && reportedAt === undefined; now += 100) {
      detector.onFrame(X, now);
      if (now < detector.nextCheck(X, now - 1)) continue;
      const action = check(now);
      if (action === "report") reportedAt = now;
      else if (action === "ping") detector.nextPing(X, now);
    }
    expect(reportedAt).toBeGreaterThan(8_000);
    expect(reportedAt).toBeLessThan(10_500);
  });

  test("a link that is gone has nothing to say", () => {
    detector.remove(X);
    detector.onFrame(X, 5);
    detector.onPing(X, { sequence: 2, echo: 1, mayFreeze: false }, 5);
    ack(0, 5);
    expect([detector.health(X), detector.nextPing(X, 5), check(5)]).toEqual([
      undefined,
      undefined,
      "wait",
    ]);
    expect(detector.nextCheck(X, 5)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("what we see is void", () => {
  /** Silent for so long that the next check reports. */
  beforeEach(() => {
    silence(0, config.giveUpMinMs - 1);
  });

  test("while we were late: everybody is probed on, and reported afterwards", () => {
    const now = config.giveUpMinMs + 5_000;
    expect(check(now, { void: true })).toBe("ping");
    detector.nextPing(X, now);
    expect(check(now + config.reprobeMs)).toBe("report");
  });

  test("after a standstill the silence so far is forgiven, and everybody is asked at once", () => {
    detector.forgive(60_000);
    expect(check(60_001)).toBe("ping");
    expect(silence(60_001, 60_000 + config.giveUpMinMs - 1).reportedAt).toBeUndefined();
  });
});

test("whom others miss is taken for silent after 1.5 s without an answer", () => {
  silence(0, 1_400);
  expect(detector.silentMs(X, 1_400)).toBeUndefined();
  silence(1_400, 1_600);
  expect(detector.silentMs(X, 1_600)).toBe(1_600);
  expect(detector.health(X)).toMatchObject({ unansweredAt: 1 });
  ack(3, 1_600);
  expect(detector.silentMs(X, 1_600)).toBeUndefined();
  expect(detector.health(X)).toMatchObject({ unansweredAt: undefined });
});

test("answers tell whether they came in time, and whether the member may be frozen", () => {
  for (let n = 1; n <= 20; n++) {
    detector.nextPing(X, n * 1_000);
    expect(ack(n, n * 1_000 + 100)).toBe(true);
  }
  detector.nextPing(X, 30_000);
  expect(ack(21, 30_400, true)).toBe(false);
  expect(detector.health(X)?.mayFreeze).toBe(true);
  expect(ack(99, 30_500)).toBeUndefined();
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
        const action = detector.check(X, now, () => terms({ reports: 2 }));
        if (action === "giveUp") return;
        expect(["ping", "report"]).toContain(action);
        const ping = detector.nextPing(X, now);
        last = now;
        if (answerMs === null || now + answerMs > detector.nextCheck(X, now)) continue;
        last = now + answerMs;
        detector.onAck(X, { sequence: ping?.sequence ?? 0, mayFreeze: false }, last);
      }
    }),
    { numRuns: 1_000 },
  );
});
