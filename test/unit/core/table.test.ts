import { beforeEach, describe, expect, test } from "vitest";
import { type MemberState, MemberTable } from "../../../src/core/membership/table.ts";
import type { Claim, MemberDigestEntry, MemberRecord } from "../../../src/core/wire/messages.ts";
import { configOf, memberId, recordOf } from "./support.ts";

const OWN = memberId(5);
const X = memberId(9);

let table: MemberTable;
beforeEach(() => {
  table = new MemberTable(configOf({ membersMax: 10 }, { id: OWN, generation: 3 }), 0);
});

const claimOf = (state: Claim["state"], incarnation = 0, generation = 1, id = X): Claim => ({
  id,
  generation,
  incarnation,
  state,
});
const put = (change: Partial<MemberRecord> = {}, now = 0): boolean =>
  table.applyRecord(recordOf(X, change), now) !== undefined;
const hold = (state: Claim["state"], incarnation = 0, generation = 1): boolean =>
  table.applyClaim(claimOf(state, incarnation, generation), 0) !== undefined;
const stateOf = (id = X): MemberState | undefined => table.get(id)?.state;

describe("what others say of a member", () => {
  test("alive < suspect < down at the same incarnation, and never back", () => {
    put();
    expect([hold("suspect"), stateOf()]).toEqual([true, "suspect"]);
    expect([hold("suspect"), stateOf()]).toEqual([false, "suspect"]);
    expect([hold("down"), stateOf()]).toEqual([true, "down"]);
    expect([hold("suspect"), stateOf()]).toEqual([false, "down"]);
  });

  test("a claim about another incarnation or generation than the owner's is refused, higher ones too", () => {
    put({ incarnation: 2, version: 4 });
    expect([hold("down", 1), hold("down", 3), hold("down", 2, 2), hold("down", 2, 0)]).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(stateOf()).toBe("alive");
  });

  test("nobody is known by a claim alone, and no claim makes us anything", () => {
    expect(hold("down")).toBe(false);
    expect(table.get(X)).toBeUndefined();
    expect(table.applyClaim(claimOf("down", 0, 3, OWN), 0)).toBeUndefined();
    expect(stateOf(OWN)).toBe("alive");
  });
});

describe("what a member says of itself", () => {
  test("the higher version wins, and news of names does not undo news of life", () => {
    put({ version: 2, name: "second" });
    hold("down");
    expect(put({ version: 1, name: "first" })).toBe(false);
    expect(put({ version: 2, name: "again" })).toBe(false);
    expect(put({ version: 3, name: "third" })).toBe(true);
    expect(table.get(X)).toMatchObject({ state: "down", record: { name: "third" } });
  });

  test("down(i) is overwritten by alive(i + 1) and by nothing less", () => {
    put({ incarnation: 4, version: 5 });
    hold("down", 4);
    put({ incarnation: 4, version: 6 });
    expect(stateOf()).toBe("down");
    put({ incarnation: 5, version: 7 });
    expect(stateOf()).toBe("alive");
  });

  test("left is the last word of a generation", () => {
    put({ version: 2 });
    put({ version: 3, state: "left" });
    expect(put({ version: 4, incarnation: 9 })).toBe(false);
    expect(hold("down")).toBe(false);
    expect(stateOf()).toBe("left");
    expect(put({ generation: 2, version: 1 })).toBe(true);
    expect(stateOf()).toBe("alive");
  });

  test("a higher generation beats everything of a lower one, and the lower one nothing", () => {
    put({ version: 100, incarnation: 50 });
    hold("down", 50);
    expect(put({ generation: 2 })).toBe(true);
    expect(table.get(X)).toMatchObject({
      state: "alive",
      record: { generation: 2, incarnation: 0 },
    });
    expect(put({ generation: 1, version: 1_000, incarnation: 99 })).toBe(false);
  });

  test("since tells when a state began, whatever else is said meanwhile", () => {
    put({}, 10);
    put({ version: 2 }, 20);
    expect(table.get(X)?.since).toBe(10);
    put({ version: 3, state: "left" }, 30);
    expect(table.get(X)?.since).toBe(30);
  });

  test("members are bounded; those that are known are still heard", () => {
    for (let i = 0; i < 20; i++) table.applyRecord(recordOf(memberId(100 + i)), 0);
    expect([...table.others()].length).toBe(9);
    expect(table.applyRecord(recordOf(memberId(100), { version: 2 }), 0)).toBeDefined();
  });
});

describe("news of ourselves", () => {
  const own = (change: Partial<MemberRecord> = {}): MemberRecord =>
    recordOf(OWN, { generation: 3, ...change });

  test("a claim of our present life is refuted by a higher incarnation", () => {
    expect(table.applyOwn(claimOf("suspect", 0, 3, OWN), 0)).toBe("refuted");
    expect(table.own).toMatchObject({ incarnation: 1, version: 2 });
    expect(table.applyOwn(claimOf("down", 0, 3, OWN), 0)).toBe("none");
    expect(table.applyOwn(claimOf("down", 1, 3, OWN), 0)).toBe("refuted");
    expect(table.own).toMatchObject({ incarnation: 2, generation: 3 });
    expect(stateOf(OWN)).toBe("alive");
  });

  test("what was said of a former life is nothing to us", () => {
    expect(table.applyOwn(claimOf("down", 7, 2, OWN), 0)).toBe("none");
    expect(table.applyOwn(own({ generation: 2, version: 99, state: "left" }), 0)).toBe("none");
    expect(table.own).toMatchObject({ generation: 3, incarnation: 0, version: 1 });
  });

  test("our own record coming back is no news", () => {
    table.describe({ name: "new" });
    expect(table.applyOwn(own({ version: 1 }), 0)).toBe("none");
    expect(table.applyOwn(own({ version: 2, name: "new" }), 0)).toBe("none");
  });

  test("only a record shows another life of ours: others can claim anything", () => {
    const clone = new MemberTable(configOf({}, { id: OWN, generation: 3 }), 0);
    clone.announced(100);
    expect(clone.applyOwn(claimOf("down", 0, 4, OWN), 1e9)).toBe("none");
    expect(table.applyOwn(claimOf("down", 0, 4, OWN), 0)).toBe("none");
    expect(table.own).toMatchObject({ generation: 3, incarnation: 0, version: 1 });
  });

  const foreign: [what: string, news: MemberRecord][] = [
    ["a record of a higher generation", own({ generation: 4 })],
    ["a version that we never made", own({ version: 2 })],
    ["a good-bye that we never said", own({ state: "left" })],
  ];
  for (const [what, news] of foreign) {
    test(`${what}: a former life before we are settled, a clone later`, () => {
      const clone = new MemberTable(configOf({}, { id: OWN, generation: 3 }), 0);
      clone.announced(100);
      expect(clone.applyOwn(news, 1e9)).toBe("taken");
      expect(table.applyOwn(news, 0)).toBe("reborn");
      expect(table.own).toMatchObject({
        generation: news.generation + 1,
        incarnation: 0,
        state: "alive",
      });
    });
  }

  test("a first link later does not unsettle us", () => {
    table.announced(0);
    table.announced(1e6);
    expect(table.applyOwn(own({ generation: 4 }), 1e6)).toBe("taken");
  });
});

describe("what is kept", () => {
  test("ended members are forgotten after their time, live ones never", () => {
    const { tombstoneMs } = configOf();
    put({}, 0);
    table.applyRecord(recordOf(memberId(7)), 0);
    table.applyClaim(claimOf("down", 0, 1, memberId(7)), 100);
    expect(table.reap(99 + tombstoneMs)).toEqual([]);
    expect(table.reap(100 + tombstoneMs)).toEqual([memberId(7)]);
    expect([...table.others()].map(({ record }) => record.id)).toEqual([X]);
  });

  test("the fingerprint and the count are of live members; ended ones leave no trace", () => {
    const before = [table.hash.high, table.hash.low, table.liveCount];
    put();
    expect(table.liveCount).toBe(2);
    const alive = [table.hash.high, table.hash.low];
    hold("suspect");
    expect([table.hash.high, table.hash.low]).not.toEqual(alive);
    expect(table.liveCount).toBe(2);
    hold("down");
    expect([table.hash.high, table.hash.low, table.liveCount]).toEqual(before);
  });

  test("the island is named by the lowest live id", () => {
    expect(table.island()).toBe(OWN);
    table.applyRecord(recordOf(memberId(2)), 0);
    expect(table.island()).toBe(memberId(2));
    table.applyClaim(claimOf("down", 0, 1, memberId(2)), 0);
    expect(table.island()).toBe(OWN);
  });

  test("any change raises the revision, and nothing else does", () => {
    const before = table.revision;
    put();
    expect(table.revision).toBeGreaterThan(before);
    const after = table.revision;
    put();
    hold("down", 8);
    expect(table.revision).toBe(after);
  });
});

describe("what we know that the sender of a digest does not", () => {
  const entry = (change: Partial<MemberDigestEntry> = {}): MemberDigestEntry => ({
    id: X,
    generation: 1,
    version: 2,
    incarnation: 1,
    state: "alive",
    ...change,
  });
  const ownEntry = entry({ id: OWN, generation: 3, version: 1, incarnation: 0 });
  const news = (...entries: MemberDigestEntry[]): string[] =>
    table.newerThan([ownEntry, ...entries]).map((one) => {
      return one.type === "claim" ? one.state : one.type;
    });

  beforeEach(() => {
    put({ version: 2, incarnation: 1 });
  });

  test("a member that is missing there", () => {
    expect(news()).toEqual(["record"]);
    hold("suspect", 1);
    expect(news()).toEqual(["record", "suspect"]);
  });

  test("nothing when it knows the same, or better", () => {
    expect(news(entry())).toEqual([]);
    expect(news(entry({ version: 3 }))).toEqual([]);
    expect(news(entry({ generation: 2, version: 1 }))).toEqual([]);
    expect(news(entry({ state: "down" }))).toEqual([]);
    expect(news(entry({ state: "asleep" }))).toEqual([]);
  });

  test("an older record", () => {
    expect(news(entry({ version: 1 }))).toEqual(["record"]);
    expect(news(entry({ generation: 0, version: 9 }))).toEqual(["record"]);
  });

  test("a worse state, also for those who know a newer record", () => {
    hold("down", 1);
    expect(news(entry())).toEqual(["down"]);
    expect(news(entry({ version: 3 }))).toEqual(["down"]);
    expect(news(entry({ state: "suspect" }))).toEqual(["down"]);
    expect(news(entry({ version: 1, incarnation: 0 }))).toEqual(["record", "down"]);
    expect(news(entry({ version: 3, incarnation: 2 }))).toEqual([]);
  });

  test("the end of a member only for those who still hold it for alive", () => {
    hold("down", 1);
    expect(news()).toEqual([]);
    put({ version: 3, incarnation: 1, state: "left" });
    expect(news()).toEqual([]);
    expect(news(entry())).toEqual(["record"]);
  });

  test("ourselves", () => {
    expect(table.newerThan([entry()]).map((one) => one.type)).toEqual(["record"]);
    expect(table.digest().map(({ id }) => id)).toEqual([OWN, X]);
  });
});

describe("tables of one process that begin alike", () => {
  test("each begins with what the first holds and goes its own way", () => {
    const first = new MemberTable(configOf({}, { id: memberId(1) }), 0);
    for (const n of [2, 3, 4]) first.applyRecord(recordOf(memberId(n)), 0);
    const second = new MemberTable(configOf({}, { id: memberId(2) }), 0, first);
    expect(second.own).toBe(first.get(memberId(2))?.record);
    expect([second.liveCount, second.island()]).toEqual([4, memberId(1)]);
    expect([second.hash.high, second.hash.low]).toEqual([first.hash.high, first.hash.low]);
    const claim = { id: memberId(1), generation: 1, incarnation: 0, state: "down" } as const;
    second.applyClaim(claim, 5);
    expect([second.liveCount, second.island()]).toEqual([3, memberId(2)]);
    expect([first.liveCount, first.island(), first.isLive(memberId(1))]).toEqual([
      4,
      memberId(1),
      true,
    ]);
  });
});
