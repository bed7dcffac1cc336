import { beforeEach, describe, expect, test } from "vitest";
import { Deadlines } from "../../../src/core/lib/deadlines.ts";
import { RouteSearch } from "../../../src/core/routing/search.ts";
import { HOPS_MAX, type MessageOf } from "../../../src/core/wire/messages.ts";
import { memberId } from "./support.ts";

const m = memberId;
const OWN = m(1);

let search: RouteSearch;
let deadlines: Deadlines;
let links: number[];
let gone: Set<number>;
let sent: { to: number; question: MessageOf<"routeSearch"> }[];
let asked: string[];

beforeEach(() => {
  deadlines = new Deadlines();
  links = [2, 3, 4];
  gone = new Set();
  sent = [];
  asked = [];
  search = new RouteSearch(OWN, deadlines, 0, {
    neighbours: () => links.map(m),
    linked: (peer) => links.includes(Number.parseInt(peer, 16)),
    isLive: (id) => !gone.has(Number.parseInt(id, 16)),
    send: (to, question) => sent.push({ to: Number.parseInt(to, 16), question }),
    asked: (origin, path) => asked.push(`${Number.parseInt(origin, 16)}: ${path.length}`),
  });
});

const question = (target: number, hops: number, ...path: number[]): MessageOf<"routeSearch"> => ({
  type: "routeSearch",
  path: path.map(m),
  target: m(target),
  number: 7,
  hops,
});

/** Performs deadlines up to `until`. */
function pass(until: number): void {
  for (let now = deadlines.next; now <= until; now = deadlines.next) {
    search.onDeadline((deadlines.take(now) ?? "").slice("search:".length), now);
  }
}

const rings = (): number[] => [...new Set(sent.map(({ question: { hops } }) => hops))];

describe("the asker", () => {
  test("asks all neighbours, then wider rings, and ends", () => {
    search.find(m(9), 0);
    expect(sent.map(({ to }) => to)).toEqual([2, 3, 4]);
    search.find(m(9), 10);
    expect(sent).toHaveLength(3);
    pass(60_000);
    expect(rings()).toEqual([2, 4, 6]);
    expect(sent).toHaveLength(9);
  });

  test("stops when a way is known, or the member is gone", () => {
    search.find(m(9), 0);
    search.end(m(9));
    pass(60_000);
    expect(rings()).toEqual([2]);
    search.find(m(8), 0);
    gone.add(8);
    pass(60_000);
    expect(rings()).toEqual([2]);
    search.find(m(8), 0);
    expect(sent).toHaveLength(6);
  });

  test("asks no more than its bucket holds, whatever it is asked for", () => {
    for (let n = 100; n < 200; n++) {
      search.find(m(n), 0);
      search.end(m(n));
    }
    expect(sent.length).toBe(8 * 3);
  });
});

describe("a relay", () => {
  test("passes a question on once, with itself on the path, and not back", () => {
    search.onQuestion(m(2), question(9, 3, 8, 2), 0);
    search.onQuestion(m(3), question(9, 3, 8, 3), 0);
    expect(sent.map(({ to }) => to)).toEqual([3, 4]);
    expect(sent[0]?.question).toEqual(question(9, 2, 8, 2, 1));
  });

  test("asks only the target when it is a neighbour", () => {
    search.onQuestion(m(2), question(4, 3, 8, 2), 0);
    expect(sent.map(({ to }) => to)).toEqual([4]);
  });

  test("ends a question whose hops or path are used up, and for a member it does not know", () => {
    search.onQuestion(m(2), question(9, 1, 8, 2), 0);
    const long = Array.from({ length: HOPS_MAX - 1 }, (_, i) => 20 + i);
    search.onQuestion(m(2), question(9, 100, ...long, 2), 0);
    gone.add(10);
    search.onQuestion(m(2), question(10, 3, 8, 2), 0);
    expect(sent).toEqual([]);
  });

  test("is not fooled by a false path, and bounds what one neighbour can cause", () => {
    search.onQuestion(m(2), question(9, 3, 8, 3), 0);
    search.onQuestion(m(2), question(9, 3, 1, 2), 0);
    search.onQuestion(m(2), question(9, 3, 8, 2, 8, 2), 0);
    search.onQuestion(m(2), question(9, 3), 0);
    expect(sent).toEqual([]);
    for (let n = 0; n < 1_000; n++) {
      search.onQuestion(m(2), { ...question(9, 6, 1_000 + n, 2), number: n }, 0);
    }
    expect(sent.length).toBe(30 * 2);
  });
});

test("who is looked for answers the first question that comes, along its path", () => {
  search.onQuestion(m(2), question(1, 3, 8, 2), 0);
  search.onQuestion(m(3), question(1, 3, 8, 7, 3), 0);
  expect(asked).toEqual(["8: 2"]);
  expect(sent).toEqual([]);
});
