import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { MemberId } from "../../../src/core/machine.ts";
import {
  type Standing,
  Suspicions,
  type Verdict,
  verdictOf,
} from "../../../src/core/membership/suspicion.ts";
import type { Member } from "../../../src/core/membership/table.ts";
import { configOf, memberId, opinionOf, recordOf } from "./support.ts";

const config = configOf();
const X = memberId(99);
const O = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(memberId) as [MemberId, ...MemberId[]];

describe("the rule of decision", () => {
  const rows: [observers: number, reports: number, vouched: boolean, verdict: Verdict][] = [
    [0, 0, false, "none"],
    [3, 0, false, "none"],
    [3, 0, true, "none"],
    [1, 1, false, "down"],
    [1, 1, true, "suspect"],
    [2, 1, false, "none"],
    [2, 2, false, "down"],
    [2, 2, true, "suspect"],
    [3, 1, false, "none"],
    [3, 2, false, "suspect"],
    [3, 3, false, "down"],
    [8, 5, false, "suspect"],
    [8, 6, false, "down"],
    [10, 6, false, "suspect"],
    [10, 7, false, "down"],
    [10, 10, true, "suspect"],
  ];
  for (const [observers, reports, vouched, verdict] of rows) {
    const word = vouched ? ", vouched for" : "";
    test(`${reports} reports of ${observers} observers${word}: ${verdict}`, () => {
      expect(verdictOf(observers, reports, vouched, 0.7)).toBe(verdict);
    });
  }

  test("0.7 of any number of observers is rounded up, and never by an error of floating point", () => {
    for (let n = 1; n <= 256; n++) {
      const needed = Math.ceil((7 * n) / 10);
      expect(verdictOf(n, needed, false, 0.7)).toBe("down");
      expect(verdictOf(n, needed - 1, false, 0.7)).not.toBe("down");
    }
  });
});

describe("suspicions", () => {
  let members: Map<MemberId, Member>;
  let suspicions: Suspicions;

  const put = (id: MemberId, change: Partial<Member> = {}): void => {
    members.set(id, { record: recordOf(id), state: "alive", since: 0, part: 0, ...change });
  };
  const report = (observer: MemberId, change = {}): ReturnType<typeof opinionOf> =>
    opinionOf("report", observer, X, change);
  const unreachable = (observer: MemberId, change = {}): ReturnType<typeof opinionOf> =>
    opinionOf("unreachable", observer, X, change);
  const judge = (now: number, standing: Partial<Standing> = {}): Verdict =>
    suspicions.judge(X, now, { isCut: () => false, alone: false, others: () => O, ...standing });
  const vouch = (observer: MemberId, change = {}): ReturnType<typeof opinionOf> =>
    opinionOf("vouch", observer, X, change);

  beforeEach(() => {
    members = new Map();
    suspicions = new Suspicions(config, {
      get: (id) => members.get(id),
      others: () => members.values(),
    });
    for (const id of O) put(id);
    put(X, { record: recordOf(X, { neighbours: O.slice(0, 3) }) });
  });

  test("two of three observers suspect, the third decides", () => {
    expect(suspicions.add(report(O[0]), 0)).toBe(true);
    expect(judge(0)).toBe("none");
    expect(suspicions.add(report(O[1] as MemberId), 0)).toBe(true);
    expect(judge(0)).toBe("suspect");
    expect(suspicions.add(report(O[2] as MemberId), 0)).toBe(true);
    expect(judge(0)).toBe("down");
  });

  test("an opinion is news once, and an older one of the same observer never", () => {
    expect(suspicions.add(report(O[0], { sequence: 5 }), 0)).toBe(true);
    expect(suspicions.add(report(O[0], { sequence: 5 }), 0)).toBe(false);
    expect(suspicions.add(vouch(O[0], { sequence: 4 }), 0)).toBe(false);
    expect(suspicions.add(vouch(O[0], { sequence: 6 }), 0)).toBe(true);
  });

  test("a vouch opens nothing", () => {
    expect(suspicions.add(vouch(O[0]), 0)).toBe(false);
    expect(suspicions.has(X)).toBe(false);
  });

  test("opinions of another life, of an unknown member, or of one that is gone are refused", () => {
    expect(suspicions.add(report(O[0], { generation: 2 }), 0)).toBe(false);
    expect(suspicions.add(report(O[0], { incarnation: 1 }), 0)).toBe(false);
    members.delete(X);
    expect(suspicions.add(report(O[0]), 0)).toBe(false);
    put(X, { state: "down" });
    expect(suspicions.add(report(O[0]), 0)).toBe(false);
    put(X, { state: "left" });
    expect(suspicions.add(report(O[0]), 0)).toBe(false);
    expect(suspicions.size).toBe(0);
  });

  test("strangers and observers of another generation open no suspicion", () => {
    expect(suspicions.add(report(memberId(12345)), 0)).toBe(false);
    expect(suspicions.add(report(O[0], { observerGeneration: 2 }), 0)).toBe(false);
    expect(suspicions.has(X)).toBe(false);
    // So the clock of the real one starts with the real report.
    suspicions.add(report(O[0]), config.suspicionMaxMs);
    expect(judge(config.suspicionMaxMs)).toBe("none");
  });

  test("the observers are those that were announced when the suspicion began", () => {
    suspicions.add(report(O[0]), 0);
    suspicions.add(report(O[1] as MemberId), 0);
    put(X, { record: recordOf(X, { version: 2, neighbours: O.slice(0, 2) }) });
    expect(judge(0)).toBe("suspect");
  });

  test("observers that are suspect, down or gone do not count", () => {
    suspicions.add(report(O[0]), 0);
    put(O[1] as MemberId, { state: "down" });
    members.delete(O[2] as MemberId);
    expect(judge(0)).toBe("down");
    put(O[1] as MemberId, { state: "suspect" });
    expect(judge(0)).toBe("down");
    put(O[1] as MemberId);
    expect(judge(0)).toBe("none");
  });

  test("anybody who has an answer may vouch, for as long as silence may last", () => {
    suspicions.add(report(O[0]), 0);
    suspicions.add(report(O[1] as MemberId), 0);
    suspicions.add(report(O[2] as MemberId), 0);
    suspicions.add(vouch(O[8] as MemberId), 0);
    expect(judge(config.giveUpMinMs - 1)).toBe("suspect");
    expect(judge(config.giveUpMinMs)).toBe("down");
  });

  test("opinions are bounded by the links that a member can have", () => {
    const many = Array.from({ length: 100 }, (_, i) => memberId(1000 + i));
    for (const id of many) put(id);
    const taken = many.filter((id) => suspicions.add(report(id), 0));
    expect(taken.length).toBe(3 + config.fullMeshMax + config.linksTarget + config.linksSlack);
    // Its own observers are heard all the same.
    expect(suspicions.add(report(O[0]), 0)).toBe(true);
  });

  test("a refuted incarnation begins anew", () => {
    for (const id of O.slice(0, 2)) suspicions.add(report(id), 0);
    put(X, { record: recordOf(X, { incarnation: 1, version: 2, neighbours: O.slice(0, 3) }) });
    suspicions.add(report(O[2] as MemberId, { incarnation: 1 }), 5);
    expect(judge(5)).toBe("none");
    expect(suspicions.overdueAt(X)).toBe(5 + config.suspicionMaxMs);
  });

  test("a suspicion that stays undecided is audited, and ends in down if nobody finds out anything", () => {
    suspicions.add(report(O[0]), 100);
    expect(suspicions.endsAt(X)).toBe(100 + 1.5 * config.suspicionMaxMs);
    expect(judge(99 + config.suspicionMaxMs)).toBe("none");
    expect(judge(100 + config.suspicionMaxMs)).toBe("audit");
    expect(judge(99 + 1.5 * config.suspicionMaxMs)).toBe("audit");
    expect(judge(100 + 1.5 * config.suspicionMaxMs)).toBe("down");
    expect(suspicions.has(X)).toBe(false);
  });

  test("… unless an observer vouched: then it is cleared", () => {
    suspicions.add(report(O[0]), 100);
    suspicions.add(vouch(O[1] as MemberId), 9_000);
    expect(judge(100 + config.suspicionMaxMs)).toBe("cleared");
    expect(suspicions.has(X)).toBe(false);
  });

  test("whenever it began, it has ended at its end: nobody waits for ever", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e10, noNaN: true }), (startedAt) => {
        suspicions.close(X);
        suspicions.add(report(O[0]), startedAt);
        judge(suspicions.endsAt(X));
        expect(suspicions.has(X)).toBe(false);
      }),
      { numRuns: 10_000, examples: [[32_537.7]] },
    );
  });

  test("a latecomer is told all that was said in open suspicions", () => {
    suspicions.add(report(O[0]), 0);
    suspicions.add(vouch(O[1] as MemberId), 0);
    expect(suspicions.opinions(500)).toEqual([
      report(O[0], { agoMs: 60_500, heardAgoMs: 60_500 }),
      vouch(O[1] as MemberId, { agoMs: 60_500, heardAgoMs: 60_500 }),
    ]);
    suspicions.close(X);
    expect(suspicions.opinions(500)).toEqual([]);
    expect(judge(1e9)).toBe("none");
    expect(suspicions.endsAt(X)).toBe(Number.POSITIVE_INFINITY);
  });

  test("it is not down before two observers have waited for its answer for 3.4 s", () => {
    put(X, { record: recordOf(X, { neighbours: O.slice(0, 4) }) });
    for (const [i, id] of O.slice(0, 4).entries()) {
      suspicions.add(report(id, { agoMs: 3_000 - 1_000 * i }), 0);
    }
    const ripeAt = config.downMinMs - 2_000;
    expect(judge(ripeAt - 1)).toBe("suspect");
    expect(suspicions.nextLook(X, ripeAt - 1)).toBe(ripeAt);
    expect(judge(ripeAt)).toBe("down");
  });

  test("who began to miss answers before another heard of it does not count in that", () => {
    put(X, { record: recordOf(X, { neighbours: O.slice(0, 4) }) });
    const waits = [3_000, 2_900, 1_000, 500];
    for (const [i, agoMs] of waits.entries()) {
      suspicions.add(report(O[i] as MemberId, { agoMs, heardAgoMs: i === 3 ? 1_200 : 4_000 }), 0);
    }
    const ripeAt = config.downMinMs - 500;
    expect(judge(ripeAt - 1)).toBe("suspect");
    expect(judge(ripeAt)).toBe("down");
  });

  test.each([
    [1, 1.5],
    [2, 1],
    [3, 1],
  ])("… and less than four observers a little longer: %i by %f periods", (count, periods) => {
    const observers = O.slice(0, count);
    put(X, { record: recordOf(X, { neighbours: observers }) });
    for (const observer of observers) suspicions.add(report(observer, { agoMs: 3_000 }), 0);
    const ripeAt = config.downMinMs + periods * config.probePeriodMs - 3_000;
    expect(judge(ripeAt - 1)).toBe("suspect");
    expect(judge(ripeAt)).toBe("down");
  });

  test("silence after it said that it may be frozen is sleep", () => {
    suspicions.add(report(O[0]), 0);
    suspicions.add(report(O[1] as MemberId), 0);
    suspicions.add(report(O[2] as MemberId, { kind: "asleep" }), 0);
    expect(judge(0)).toBe("asleep");
  });

  test("an observer that says it has no link does not count; one that we do not reach neither", () => {
    suspicions.add(report(O[0]), 0);
    expect(judge(0)).toBe("none");
    suspicions.add(opinionOf("abstain", O[1] as MemberId, X), 0);
    expect(judge(0)).toBe("none");
    expect(judge(0, { isCut: (id) => id === O[2] })).toBe("down");
  });

  test("an observer that was started anew is heard at once, and its former life no more", () => {
    suspicions.add(report(O[0], { sequence: 9 }), 0);
    suspicions.add(report(O[1] as MemberId), 0);
    suspicions.add(report(O[2] as MemberId), 0);
    put(O[0], { record: recordOf(O[0], { generation: 2 }) });
    expect(judge(0)).toBe("suspect");
    expect(suspicions.add(report(O[0], { observerGeneration: 2, sequence: 1 }), 0)).toBe(true);
    expect(suspicions.add(report(O[0], { sequence: 10 }), 0)).toBe(false);
    expect(judge(0)).toBe("down");
  });

  test("without observers one report decides nothing: two auditors do", () => {
    put(X, { record: recordOf(X) });
    suspicions.add(report(O[4] as MemberId), 0);
    expect(judge(0)).toBe("audit");
    suspicions.add(unreachable(O[5] as MemberId), 3_000);
    expect(judge(3_000)).toBe("audit");
    expect(judge(3_000, { others: () => O.slice(0, 1) })).toBe("down");
    suspicions.add(unreachable(O[6] as MemberId), 3_000);
    expect(judge(3_000)).toBe("down");
  });

  test("those that announce a link with a newcomer are its observers until it announces its own", () => {
    put(X, { record: recordOf(X) });
    put(O[4] as MemberId, { record: recordOf(O[4] as MemberId, { neighbours: [X] }) });
    suspicions.add(report(O[4] as MemberId), 0);
    expect(judge(0)).toBe("down");
  });

  test("auditors decide nothing while observers can, unless it takes too long", () => {
    suspicions.add(unreachable(O[5] as MemberId), 0);
    suspicions.add(unreachable(O[6] as MemberId), 0);
    expect(judge(0)).toBe("none");
    expect(judge(config.suspicionMaxMs)).toBe("down");
  });

  test("who has no link itself asks nobody", () => {
    suspicions.add(report(O[0]), 0);
    expect(judge(config.suspicionMaxMs - 1, { alone: true })).toBe("none");
    expect(judge(config.suspicionMaxMs, { alone: true })).toBe("down");
  });

  test("a vouch is wanted after each accusation, and again when it gets old", () => {
    expect(suspicions.wantsVouch(X, O[0], 0)).toBe(false);
    suspicions.add(report(O[1] as MemberId), 0);
    expect(suspicions.wantsVouch(X, O[0], 0)).toBe(true);
    suspicions.add(vouch(O[0]), 100);
    expect(suspicions.wantsVouch(X, O[0], 200)).toBe(false);
    expect(suspicions.wantsVouch(X, O[0], 101 + config.giveUpMinMs / 2)).toBe(true);
    suspicions.add(report(O[2] as MemberId), 200);
    expect(suspicions.wantsVouch(X, O[0], 200)).toBe(true);
  });

  test("reports needed follow the observers that are alive", () => {
    const x = members.get(X) as Member;
    expect(suspicions.reportsNeeded(x)).toBe(3);
    put(O[0], { state: "suspect" });
    expect(suspicions.reportsNeeded(x)).toBe(2);
    members.clear();
    expect(suspicions.reportsNeeded(x)).toBe(1);
  });
});
