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
beforeEach(() => {
  table = new MemberTable(configOf({}, { id: OWN }), 0);
  links = [];
  routes = new Routes(table, () => links);
  versions = 0;
});

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
  routes.changed();
}

const path = (to: number): number[] | undefined =>
  routes.path(m(to))?.map((id) => Number.parseInt(id, 16));

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

  test("a hop that broke is avoided in its direction, until it is forgotten", () => {
    announce({ 1: [2, 3], 2: [1, 4], 3: [1, 5], 4: [2, 6], 5: [3, 6], 6: [4, 5] });
    routes.markBroken(m(2), m(4), 100);
    expect(path(4)).toEqual([3, 5, 6, 4]);
    routes.markBroken(m(5), m(6), 200);
    expect(path(4)).toBeUndefined();
    routes.forgetBroken(100);
    expect(path(6)).toEqual([2, 4, 6]);
    routes.forgetBroken(199);
    expect(path(6)).toEqual([2, 4, 6]);
    routes.markBroken(m(4), m(6), 300);
    expect(path(6)).toBeUndefined();
    routes.forgetBroken(300);
    expect(path(6)?.length).toBe(3);
  });

  test("broken hops are bounded: the oldest is tried again", () => {
    chain(3);
    routes.markBroken(m(2), m(3), 0);
    for (let i = 0; i < 255; i++) routes.markBroken(m(100 + i), m(99), 1);
    expect(path(3)).toBeUndefined();
    routes.markBroken(m(99), m(98), 2);
    expect(path(3)).toEqual([2, 3]);
  });

  test("paths follow the table and our links", () => {
    chain(3);
    expect(path(3)).toEqual([2, 3]);
    announce({ 2: [1] });
    expect(path(3), "either end of a link is believed").toEqual([2, 3]);
    announce({ 3: [] });
    expect(path(3)).toBeUndefined();
    links = [m(3)];
    routes.changed();
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
        routes = new Routes(table, () => links);
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
      linked: (peer) => links.includes(peer),
      send: (peer, message) => {
        const n = Number.parseInt(peer, 16);
        if (!links.includes(peer) || full.has(n)) return false;
        sent.push({ peer: n, message });
        return true;
      },
      deliver: (from) => log.push(`deliver from ${Number.parseInt(from, 16)}`),
      broken: (to) => log.push(`broken to ${Number.parseInt(to, 16)}`),
    });
    announce({ 1: [2, 3], 2: [1], 3: [1, 4], 4: [3] });
  });

  const routed = (from: number, ...path: number[]): MessageOf<"routed"> => ({
    type: "routed",
    from: m(from),
    path: path.map(m),
    inner,
  });

  test("a neighbour is told directly, others along a path, and nobody without one", () => {
    expect([
      router.carry(m(2), inner),
      router.carry(m(4), inner),
      router.carry(m(9), inner),
    ]).toEqual([true, true, false]);
    expect(sent).toEqual([
      { peer: 2, message: { type: "local", inner } },
      { peer: 3, message: routed(1, 3, 4) },
    ]);
    full.add(3);
    expect(router.carry(m(4), inner)).toBe(false);
  });

  test("the last of a path delivers, the others take themselves off it and pass on", () => {
    router.onRouted(m(2), routed(2, 1));
    expect(log).toEqual(["deliver from 2"]);
    router.onRouted(m(2), routed(2, 1, 3, 4));
    expect(sent).toEqual([{ peer: 3, message: routed(2, 3, 4) }]);
    expect(router.relayed).toBe(1);
  });

  const refused: [what: string, message: MessageOf<"routed">][] = [
    ["a path that does not begin with us", routed(2, 3, 4)],
    ["an empty path", routed(2)],
    ["our own message", routed(1, 1, 3)],
    ["back to where it came from", routed(4, 1, 2)],
    ["a loop through us", routed(2, 1, 3, 1)],
    ["a loop further on", routed(2, 1, 3, 4, 3)],
  ];
  for (const [what, message] of refused) {
    test(`dropped: ${what}`, () => {
      router.onRouted(m(2), message);
      expect([sent, log, router.relayed]).toEqual([[], [], 0]);
    });
  }

  test("a break is told to the sender: which hop, and how far it may go", () => {
    router.onRouted(m(2), routed(2, 1, 9, 8));
    const broken = { from: m(2), target: m(8), to: m(9), brokenAt: OWN };
    const noRoute = { type: "noRoute", ...broken, hops: HOPS_MAX };
    expect(sent).toEqual([{ peer: 2, message: noRoute }]);
    full.add(3);
    router.onRouted(m(2), routed(2, 1, 3));
    expect(sent[1]?.message).toMatchObject({ type: "noRoute", to: m(3) });
  });

  test("noRoute goes on towards the sender, a hop fewer each time, and ends", () => {
    const broken = { from: m(4), target: m(7), to: m(9), brokenAt: m(8) };
    const noRoute = { type: "noRoute", ...broken } as const;
    router.onNoRoute({ ...noRoute, hops: 2 }, 0);
    expect(sent).toEqual([{ peer: 3, message: { ...noRoute, hops: 1 } }]);
    router.onNoRoute({ ...noRoute, hops: 0 }, 0);
    router.onNoRoute({ ...noRoute, from: m(77), hops: 5 }, 0);
    expect(sent.length).toBe(1);
  });

  test("at the sender it marks the hop, so that the next try goes another way", () => {
    const broken = { from: OWN, target: m(5), to: m(4), brokenAt: m(3) };
    router.onNoRoute({ type: "noRoute", ...broken, hops: 3 }, 0);
    expect(log).toEqual(["broken to 5"]);
    expect(router.carry(m(4), inner)).toBe(false);
    announce({ 2: [1, 4] });
    expect(router.carry(m(4), inner)).toBe(true);
    expect(sent).toEqual([{ peer: 2, message: routed(1, 2, 4) }]);
  });
});
