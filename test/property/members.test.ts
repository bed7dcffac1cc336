// The merge of member tables: in whatever order and however often news comes, all end with the same.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemberTable } from "../../src/core/membership/table.ts";
import type { MemberRecord, Update } from "../../src/core/wire/messages.ts";
import { configOf, memberId, recordOf } from "../unit/core/support.ts";

const OWN = memberId(1);
const X = memberId(2);
const RANK = { alive: 0, suspect: 1, asleep: 2, down: 3, left: 4 };

/** What an owner may honestly have said in one or two lives: versions rise, incarnations with them, left is last. */
const history = fc
  .array(
    fc.record({
      refutes: fc.boolean(),
      sleeps: fc.constantFrom(false, false, true),
      name: fc.constantFrom("a", "b"),
      restarts: fc.constantFrom(false, false, false, true),
      leaves: fc.constantFrom(false, false, false, false, true),
    }),
    { minLength: 1, maxLength: 10 },
  )
  .map((changes) => {
    const records: MemberRecord[] = [];
    let last = recordOf(X);
    for (const { refutes, sleeps, name, restarts, leaves } of changes) {
      if (restarts || last.state === "left") {
        last = recordOf(X, { generation: last.generation + 1, name });
      } else {
        const wakes = last.state === "asleep" && !sleeps;
        const incarnation = last.incarnation + Number(refutes || wakes);
        last = {
          ...last,
          version: last.version + 1,
          incarnation,
          name,
          state: leaves ? "left" : sleeps ? "asleep" : "alive",
        };
      }
      records.push(last);
    }
    return records;
  });

/** The news of a history: its records, and claims about lives and incarnations of it. */
const news: fc.Arbitrary<Update[]> = history.chain((records) =>
  fc
    .array(
      fc.record({
        about: fc.nat(),
        state: fc.constantFrom("suspect" as const, "asleep" as const, "down" as const),
      }),
      {
        maxLength: 8,
      },
    )
    .map((claims) => [
      ...records.map((record) => ({ type: "record" as const, record })),
      ...claims.map(({ about, state }) => {
        const { id, generation, incarnation } = records[about % records.length] as MemberRecord;
        return { type: "claim" as const, id, generation, incarnation, state };
      }),
    ]),
);
/** The same news in two orders. */
const twoOrders = news.chain((all) =>
  fc.tuple(
    fc.shuffledSubarray(all, { minLength: all.length }),
    fc.shuffledSubarray(all, { minLength: all.length }),
  ),
);

function apply(table: MemberTable, one: Update): void {
  if (one.type === "record") table.applyRecord(one.record, 0);
  else if (one.type === "claim") table.applyClaim(one, 0);
}

function newTable(id = OWN): MemberTable {
  return new MemberTable(configOf({}, { id }), 0);
}

/** Claims that come before the record they are about are refused, and are repeated: until nothing changes. */
function tableOf(updates: readonly Update[]): MemberTable {
  const table = newTable();
  let revision = -1;
  while (revision !== table.revision) {
    revision = table.revision;
    for (const one of updates) apply(table, one);
  }
  return table;
}

function shown(table: MemberTable): unknown {
  const { record, state } = table.get(X) ?? {};
  return { record, state, high: table.hash.high, low: table.hash.low, live: table.liveCount };
}

describe("the merge", () => {
  test("the order of the news makes no difference", () => {
    fc.assert(
      fc.property(twoOrders, ([a, b]) => {
        expect(shown(tableOf(b))).toEqual(shown(tableOf(a)));
      }),
      { numRuns: 1_000 },
    );
  });

  test("news that is known changes nothing", () => {
    fc.assert(
      fc.property(news, (updates) => {
        const table = tableOf(updates);
        const before = shown(table);
        for (const one of updates) apply(table, one);
        expect(shown(table)).toEqual(before);
      }),
      { numRuns: 500 },
    );
  });

  test("after every piece of news nothing has gone back, and down(i) is not undone by alive(i)", () => {
    fc.assert(
      fc.property(twoOrders, ([updates]) => {
        const table = newTable();
        for (const one of updates) {
          const before = table.get(X);
          apply(table, one);
          const after = table.get(X);
          if (before === undefined || after === undefined) continue;
          const rank = ({ record, state }: typeof before): number[] => [
            record.generation,
            record.incarnation,
            RANK[state],
          ];
          const [g, i, s] = rank(before) as [number, number, number];
          const [g2, i2, s2] = rank(after) as [number, number, number];
          const ordered =
            g2 !== g ? g2 > g : before.state === "left" ? s2 === s : i2 !== i ? i2 > i : s2 >= s;
          if (!ordered) expect.fail(`from ${[g, i, s]} to ${[g2, i2, s2]}`);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("two that know different parts know the same after both digests are answered", () => {
    fc.assert(
      fc.property(
        news,
        fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }),
        (updates, sides) => {
          const a = tableOf(updates.filter((_, i) => sides[i]));
          const b = new MemberTable(configOf({}, { id: memberId(3) }), 0);
          updates.forEach((one, i) => {
            if (!sides[i]) apply(b, one);
          });
          for (const own of [a.own, b.own]) {
            if (own.id !== OWN) a.applyRecord(own, 0);
            else b.applyRecord(own, 0);
          }
          // A claim may wait for a record that comes with the first answer.
          for (let round = 0; round < 2; round++) {
            for (const one of a.newerThan(b.digest())) if (isOf(one, X)) apply(b, one);
            for (const one of b.newerThan(a.digest())) if (isOf(one, X)) apply(a, one);
          }
          const [x, y] = [a.get(X), b.get(X)];
          expect([a.hash.high, a.hash.low]).toEqual([b.hash.high, b.hash.low]);
          // Who never knew a member need not learn of its end.
          if (x !== undefined && y !== undefined)
            expect([y.record, y.state]).toEqual([x.record, x.state]);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

function isOf(one: Update, id: string): boolean {
  return (one.type === "record" ? one.record.id : one.type === "claim" && one.id) === id;
}
