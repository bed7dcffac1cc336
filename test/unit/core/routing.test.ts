import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { MemberId } from "../../../src/core/machine.ts";
import { MemberTable } from "../../../src/core/membership/table.ts";
import { Router } from "../../../src/core/routing/router.ts";
import { Routes } from "../../../src/core/routing/routes.ts";
import { HOPS_MAX, type Inner, type MessageOf } from "../../../src/core/wire/messages.ts";
import { configOf, memberId, recordOf } from "./support.ts";

const m = memberId;
const OWN = m(1);
const inner: Inner = { type: "linkAccept", attempt: 1, flags: 0 };

let table: MemberTable;
let links: MemberId[];
let routes: Routes;
let versions: number;
let now: number;
beforeEach(() => {
  table = new MemberTable(configOf({}, { id: OWN }), 0);
  links = [];
  routes = newRoutes();
  versions = 0;
  now = 0;
});

function newRoutes(): Routes {
  return new Routes(table, { links: () => links, linked: (peer) => links.includes(peer) });
}

/** Announces who is linked with whom, as "n: its neighbours". */
function announce(lists: Record<number, number[]>): void {
  versions++;
  for (const [n, neighbours] of Object.entries(lists)) {
    if (Number(n) === 1) links = neighbours.map(m);
    else {
      const change = { version: versions, neighbours: neighbours.map(m) };
      table.applyRecord(recordOf(m(Number(n)), change), 0);
    }
  }
}

const path = (to: number): number[] | undefined =>
  routes.path(m(to), now)?.map((id) => Number.parseInt(id, 16));

/** 1 – 2 – 3 – … – n */
function chain(n: number): void {
  const lists: Record<number, number[]> = {};
  for (let i = 1; i <= n; i++) lists[i] = [i - 1, i + 1].filter((j) => j >= 1 && j <= n);
  announce(lists);
}

describe("routes", () => {
  test("a neighbour is one hop away, known or not", () => {
    announce({ 1: [2] });
    expect(path(2)).toEqual([2]);
    expect(path(3)).toBeUndefined();
    expect(path(1)).toBeUndefined();
  });

  test("the shortest way is taken", () => {
    announce({ 1: [2, 3], 2: [1, 4], 3: [1, 5], 4: [2, 6], 5: [3, 4, 6], 6: [4, 5] });
    expect(path(6)?.length).toBe(3);
    expect(path(4)).toEqual([2, 4]);
  });

  test("so many hops as a message may have, and not one more", () => {
    chain(12);
    expect(path(1 + HOPS_MAX)?.length).toBe(HOPS_MAX);
    expect(path(2 + HOPS_MAX)).toBeUndefined();
  });

  test("nothing goes through a member that has ended", () => {
    announce({ 1: [2, 3], 2: [1, 4], 3: [1, 5], 4: [2, 6], 5: [3, 6], 6: [4, 5] });
    table.applyClaim({ id: m(4), generation: 1, incarnation: 0, state: "down" }, 0);
    expect(path(6)).toEqual([3, 5, 6]);
    expect(path(4)).toBeUndefined();
  });

  /** The hop from `a` to `b` is said to have broken on the way that is used to `to`. */
  const broken = (to: number, a: number, b: number): boolean =>
    routes.broken(m(to), m(a), m(b), now);

  test("a hop that broke is avoided in its direction, for a while", () => {
    announce({ 1: [2, 3], 2: [1, 4], 3: [1, 5], 4: [2, 6], 5: [3, 6], 6: [4, 5] });
    expect(path(4)).toEqual([2, 4]);
    expect(broken(4, 2, 4)).toBe(true);
    expect(path(4)).toEqual([3, 5, 6, 4]);
    now = 1_000;
    expect(broken(4, 5, 6)).toBe(true);
    expect(path(4)).toBeUndefined();
    now = 5_000;
    expect(path(4), "the first one is believed again").toEqual([2, 4]);
    now = 6_000;
    expect(path(5)).toEqual([3, 5]);
    expect(path(6)?.length).toBe(3);
  });

  test("a break is only believed of the way that is used", () => {
    announce({ 1: [2, 3], 2: [1, 4], 3: [1, 5], 4: [2, 6], 5: [3, 6], 6: [4, 5] });
    expect(broken(4, 2, 4), "not in use yet").toBe(false);
    expect(path(4)).toEqual([2, 4]);
    expect([broken(4, 4, 2), broken(4, 5, 6), broken(6, 2, 4)]).toEqual([false, false, false]);
    expect(path(4)).toEqual([2, 4]);
  });

  test("what is not answered is tried another way", () => {
    announce({ 1: [2, 3], 2: [1, 4], 3: [1, 5], 4: [2, 6], 5: [3, 6], 6: [4, 5] });
    expect(path(4)).toEqual([2, 4]);
    routes.unanswered(m(4), now);
    expect(path(4)).toEqual([3, 5, 6, 4]);
    now = 5_000;
    routes.unanswered(m(4), now);
    expect(path(4)).toEqual([2, 4]);
    routes.unanswered(m(2), now);
    expect(path(2)).toEqual([2]);
  });

  test("avoided hops are bounded: the oldest is tried again", () => {
    const all = Array.from({ length: 257 }, (_, i) => 10 + i);
    announce({ 1: [2], 2: [1, ...all], ...Object.fromEntries(all.map((n) => [n, [2]])) });
    for (const n of all.slice(0, 256)) {
      expect(path(n)).toEqual([2, n]);
      expect(broken(n, 2, n)).toBe(true);
    }
    expect(path(10)).toBeUndefined();
    expect(path(266)).toEqual([2, 266]);
    expect(broken(266, 2, 266)).toBe(true);
    expect(path(10)).toEqual([2, 10]);
    expect(path(11)).toBeUndefined();
  });

  test("a way that something came along is believed without lists, for a while", () => {
    announce({ 1: [2, 3], 2: [1], 3: [1] });
    expect(path(9)).toBeUndefined();
    routes.learn(m(9), [2, 8, 9].map(m), now);
    expect(path(9)).toEqual([2, 8, 9]);
    routes.learn(m(9), [3, 7, 8, 9].map(m), now);
    expect(path(9), "the shorter one stays").toEqual([2, 8, 9]);
    expect(broken(9, 8, 9)).toBe(true);
    routes.learn(m(9), [3, 7, 6, 9].map(m), now);
    expect(path(9)).toEqual([3, 7, 6, 9]);
    now = 30_000;
    expect(path(9)).toBeUndefined();
  });

  test("a learned way ends with its first link, and with a member on it", () => {
    announce({ 1: [2, 3], 2: [1], 3: [1], 8: [] });
    routes.learn(m(9), [2, 8, 9].map(m), now);
    routes.learn(m(7), [3, 8, 7].map(m), now);
    links = [m(3)];
    expect([path(9), path(7)]).toEqual([undefined, [3, 8, 7]]);
    table.applyClaim({ id: m(8), generation: 1, incarnation: 0, state: "down" }, 0);
    expect(path(7)).toBeUndefined();
  });

  test("paths follow the table and our links", () => {
    chain(3);
    expect(path(3)).toEqual([2, 3]);
    announce({ 2: [1] });
    expect(path(3), "either end of a link is believed").toEqual([2, 3]);
    announce({ 3: [] });
    expect(path(3)).toBeUndefined();
    links = [m(3)];
    expect(path(3)).toEqual([3]);
  });

  test("against plain distances: every path is real, without a loop, and the shortest", () => {
    const graph = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 14 }), fc.integer({ min: 1, max: 14 })),
      {
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(graph, (edges) => {
        table = new MemberTable(configOf({}, { id: OWN }), 0);
        routes = newRoutes();
        const lists: Record<number, number[]> = Object.fromEntries(
          Array.from({ length: 14 }, (_, i) => [i + 1, [] as number[]]),
        );
        for (const [a, b] of edges) {
          if (a === b || lists[a]?.includes(b)) continue;
          lists[a]?.push(b);
          lists[b]?.push(a);
        }
        announce(lists);
        const distance = new Map([[1, 0]]);
        for (const n of distance.keys()) {
          for (const next of lists[n] ?? []) {
            if (!distance.has(next)) distance.set(next, (distance.get(n) ?? 0) + 1);
          }
        }
        for (let to = 2; to <= 14; to++) {
          const hops = distance.get(to) ?? Number.POSITIVE_INFINITY;
          const found = path(to);
          expect(found?.length).toBe(hops <= HOPS_MAX ? hops : undefined);
          if (found === undefined) continue;
          expect(new Set([1, ...found]).size).toBe(found.length + 1);
          found.forEach((id, i) => {
            expect(lists[found[i - 1] ?? 1]).toContain(id);
          });
        }
      }),
    );
  });
});

describe("the router", () => {
  type Sent = MessageOf<"local"> | MessageOf<"routed"> | MessageOf<"noRoute">;
  let router: Router;
  let sent: { peer: number; message: Sent }[];
  let log: string[];
  let full: Set<number>;

  beforeEach(() => {
    sent = [];
    log = [];
    full = new Set();
    router = new Router(OWN, routes, {
      now: () => now,
      linked: (peer) => links.includes(peer),
      send: (peer, message) => {
        const n = Number.parseInt(peer, 16);
        if (!links.includes(peer) || full.has(n)) return false;
        sent.push({ peer: n, message });
        return true;
      },
      seal: (_to, whatever) => whatever,
      open: (_neighbour, message) => (message.inner.type === "sealed" ? undefined : message.inner),
      deliver: (from) => log.push(`deliver from ${Number.parseInt(from, 16)}`),
      broken: (to) => log.push(`broken to ${Number.parseInt(to, 16)}`),
    });
    announce({ 1: [2, 3], 2: [1], 3: [1, 4], 4: [3] });
  });

  const routed = (from: number, hop: number, ...path: number[]): MessageOf<"routed"> => ({
    type: "routed",
    from: m(from),
    path: path.map(m),
    hop,
    inner,
  });

  test("a neighbour is told directly, others along a path, and nobody without one", () => {
    expect([
      router.carry(m(2), inner),
      router.carry(m(4), inner),
      router.carry(m(9), inner),
    ]).toEqual([m(2), m(3), undefined]);
    expect(sent).toEqual([
      { peer: 2, message: { type: "local", inner } },
      { peer: 3, message: routed(1, 0, 3, 4) },
    ]);
    full.add(3);
    expect(router.carry(m(4), inner)).toBeUndefined();
  });

  test("the last of a path delivers and knows the way back, the others pass on", () => {
    router.onRouted(m(2), routed(9, 2, 8, 2, 1));
    expect(log).toEqual(["deliver from 9"]);
    expect(path(9)).toEqual([2, 8, 9]);
    router.onRouted(m(2), routed(2, 0, 1, 3, 4));
    expect(sent).toEqual([{ peer: 3, message: routed(2, 1, 1, 3, 4) }]);
    expect(router.relayed).toBe(1);
  });

  const refused: [what: string, message: MessageOf<"routed">][] = [
    ["it is not our turn", routed(2, 0, 3, 4)],
    ["an empty path", routed(2, 0)],
    ["a turn beyond the path", routed(2, 1, 1)],
    ["our own message", routed(1, 1, 2, 1, 3)],
    ["a hop before us that is not who brought it", routed(9, 1, 8, 1)],
    ["a sender that did not bring it", routed(9, 0, 1, 3)],
    ["back to where it came from", routed(4, 1, 2, 1, 2)],
    ["a loop through us", routed(2, 0, 1, 3, 1)],
    ["a loop further on", routed(2, 0, 1, 3, 4, 3)],
    ["a loop back to its sender", routed(2, 0, 1, 3, 2)],
  ];
  for (const [what, message] of refused) {
    test(`dropped: ${what}`, () => {
      router.onRouted(m(2), message);
      expect([sent, log, router.relayed]).toEqual([[], [], expect.any(Number)]);
    });
  }

  test("a break is told to the sender, back along the path: which hop it was", () => {
    router.onRouted(m(2), routed(5, 2, 6, 2, 1, 9, 8));
    const broken = { target: m(8), to: m(9), brokenAt: OWN };
    const noRoute = { type: "noRoute", path: [2, 6, 5].map(m), hop: 0, ...broken };
    expect(sent).toEqual([{ peer: 2, message: noRoute }]);
    full.add(3);
    router.onRouted(m(2), routed(2, 0, 1, 3));
    expect(sent[1]?.message).toMatchObject({ type: "noRoute", to: m(3), path: [m(2)] });
  });

  test("noRoute goes on along its path, and ends with it", () => {
    const broken = { target: m(7), to: m(9), brokenAt: m(8) };
    const noRoute = { type: "noRoute", path: [1, 3, 4].map(m), ...broken } as const;
    router.onNoRoute({ ...noRoute, hop: 0 });
    expect(sent).toEqual([{ peer: 3, message: { ...noRoute, hop: 1 } }]);
    for (const hop of [1, 2, 3]) router.onNoRoute({ ...noRoute, hop });
    router.onNoRoute({ ...noRoute, path: [m(1), m(77)], hop: 0 });
    expect([sent.length, log]).toEqual([1, []]);
  });

  test("at the sender it marks the hop, so that the next try goes another way", () => {
    expect(router.carry(m(4), inner)).toBe(m(3));
    const broken = { target: m(4), to: m(4), brokenAt: m(3) };
    router.onNoRoute({ type: "noRoute", path: [OWN], hop: 0, ...broken });
    expect(log).toEqual(["broken to 4"]);
    expect(router.carry(m(4), inner)).toBeUndefined();
    announce({ 2: [1, 4] });
    expect(router.carry(m(4), inner)).toBe(m(2));
    expect(sent[1]).toEqual({ peer: 2, message: routed(1, 0, 2, 4) });
  });
});
