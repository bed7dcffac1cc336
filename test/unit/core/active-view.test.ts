import { beforeEach, describe, expect, test } from "vitest";
import { ActiveView } from "../../../src/core/overlay/active-view.ts";
import { FLAG_NODE, type LinkRequest, type MemberRecord } from "../../../src/core/wire/messages.ts";
import { configOf, memberId, recordOf } from "./support.ts";

let view: ActiveView;
beforeEach(() => {
  view = new ActiveView(configOf());
});

const asker = (links: number): LinkRequest => ({ attempt: 1, generation: 1, flags: 0, links });
const withLinks = (n: number, count: number, flags = 0): MemberRecord =>
  recordOf(memberId(n), {
    flags,
    neighbours: Array.from({ length: count }, (_, i) => memberId(100 + i)),
  });

/** What it says, live members going up and down. */
const fullAt = (...counts: number[]): boolean[] =>
  counts.map((count) => {
    view.resize(count);
    return view.isFull;
  });

describe("row 4: full or bounded", () => {
  test("full up to 13 on the way up, bounded from 14, and full again from 10 down", () => {
    expect(fullAt(1, 10, 11, 13, 14, 13, 11, 10, 13)).toEqual([
      ...[true, true, true, true, false],
      ...[false, false, true, true],
    ]);
  });

  test("no way between the edges is taken twice without a change of more than three members", () => {
    let turns = 0;
    for (let i = 0; i < 100; i++) {
      const before = view.isFull;
      view.resize(11 + (i % 3));
      if (view.isFull !== before) turns++;
    }
    expect(turns).toBe(0);
  });

  test("a full mesh grants everyone, and ends nothing", () => {
    expect(view.grants(asker(9), 13, true)).toBe(true);
    expect(view.surplus(13)).toBeUndefined();
    expect(view.spares(13, false)).toBe(false);
  });
});

describe("row 4: bounded", () => {
  beforeEach(() => view.resize(100));

  test("takes what is missing at once, and slack only when nobody else is asked", () => {
    expect([7, 8, 9].map((used) => view.grants(asker(7), used, false))).toEqual([
      true,
      false,
      false,
    ]);
    expect([8, 9, 10].map((used) => view.grants(asker(7), used, true))).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("makes room for who has few links, and more for who has none, within a bound", () => {
    expect([5, 6].map((links) => view.grants(asker(links), 11, true))).toEqual([true, false]);
    expect(view.grants(asker(5), 12, true)).toBe(false);
    expect(view.grants(asker(0), 12, false)).toBe(true);
    expect(view.grants(asker(0), 1_000, false)).toBe(false);
  });

  test("would end links above the target, and must above the slack", () => {
    expect([8, 9, 10, 11].map((links) => view.surplus(links))).toEqual([
      undefined,
      "soft",
      "soft",
      "hard",
    ]);
  });

  test("spares a link above the target when asked nicely, down to half of it when it must", () => {
    expect([8, 9].map((links) => view.spares(links, false))).toEqual([false, true]);
    expect([1, 4, 5].map((links) => view.spares(links, true))).toEqual([false, false, true]);
  });

  test("never spares the last link, however few are wanted", () => {
    view = new ActiveView(configOf({ linksTarget: 2 }));
    view.resize(100);
    expect([1, 2].map((links) => view.spares(links, true))).toEqual([false, true]);
  });

  test("parts from who has most links above what its kind seeks", () => {
    const tab = withLinks(2, 10);
    const node = withLinks(3, 11, FLAG_NODE);
    expect(view.mostSpare([withLinks(4, 3), node, tab])).toBe(tab.id);
    expect(view.mostSpare([node, withLinks(5, 8)])).toBe(node.id);
    expect(view.mostSpare([])).toBeUndefined();
    expect([tab, node, withLinks(6, 8)].map((one) => view.seemsToSpare(one))).toEqual([
      true,
      true,
      false,
    ]);
  });
});
