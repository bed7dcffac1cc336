import { beforeEach, expect, test } from "vitest";
import type { MemberId } from "../../../src/core/machine.ts";
import { Reach } from "../../../src/core/membership/reach.ts";
import type { Member } from "../../../src/core/membership/table.ts";
import { memberId as m, recordOf } from "./support.ts";

/** 1 is us; 2 is our neighbour, 3 its neighbour, 4 that one's: a chain. */
const CHAIN: Readonly<Record<number, readonly number[]>> = { 1: [2], 2: [1, 3], 3: [2, 4], 4: [3] };

let neighbours: MemberId[];
let reported: string[];
let reach: Reach;

beforeEach(() => {
  neighbours = [m(2)];
  reported = [];
  const members = new Map(
    Object.entries(CHAIN).map(([n, linked]): [MemberId, Member] => {
      const record = recordOf(m(Number(n)), { neighbours: linked.map(m) });
      return [record.id, { record, state: "alive", since: 0, part: 0 }];
    }),
  );
  const own = recordOf(m(1), { neighbours: [m(2)] });
  const table = {
    own,
    liveCount: 4,
    get: (id: MemberId) => members.get(id),
    island: () => m(1),
    others: () => [...members.values()].filter(({ record }) => record.id !== m(1)),
  };
  reach = new Reach(
    table,
    () => neighbours,
    (target, observer) => reported.includes(observer + target),
  );
});

const cutAt = (...times: number[]): MemberId[] => {
  for (const now of times) reach.find(now);
  return [...reach.cut(times.at(-1) ?? 0)];
};

test("who is linked with who is linked with us is within reach", () => {
  expect(cutAt(0, 1_000)).toEqual([]);
});

test("who is behind a member that its observer reports is cut off, once it has been so for a while", () => {
  reported = [m(2) + m(3)];
  expect(cutAt(0)).toEqual([]);
  expect(cutAt(1_000)).toEqual([m(3), m(4)]);
  reported = [];
  expect(cutAt(2_000)).toEqual([]);
});

test("without any link we are cut off, and nobody else is", () => {
  neighbours = [];
  expect(cutAt(0, 1_000)).toEqual([]);
  expect(reach.anyCut).toBe(false);
});

test("a neighbour that we report ourselves leads nowhere", () => {
  neighbours = [m(2), m(4)];
  reported = [m(1) + m(2), m(3) + m(2)];
  expect(cutAt(0, 1_000)).toEqual([m(2)]);
});
