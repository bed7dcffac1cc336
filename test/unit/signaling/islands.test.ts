import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Islands } from "../../../signaling-server/islands.ts";

const grace = { islandGraceMs: 10_000, introduceEveryMs: 10_000 };

interface Member {
  readonly session: string;
  readonly id: string;
  seenAt: number;
}

const memberOf = (id: string): Member => ({ id, session: id, seenAt: 0 });

/** Introductions as text: who is asked to meet whom. */
function meetings(islands: Islands<Member>, now: number): string[] {
  return islands
    .introductions(now)
    .map(({ member, peers }) => `${member.id}→${peers.map((peer) => peer.id).join(",")}`);
}

function world(parts: Record<string, readonly string[]>, now = 0): Islands<Member> {
  const islands = new Islands<Member>(grace);
  for (const [island, ids] of Object.entries(parts)) {
    for (const id of ids) islands.report(memberOf(id), island, now);
  }
  return islands;
}

describe("islands", () => {
  test("two that differ for 10 s are introduced, the smaller one asks", () => {
    const islands = world({ a: ["a", "b", "c", "d"], x: ["x", "y"] });
    expect(meetings(islands, 9_999)).toEqual([]);
    expect(meetings(islands, 10_000)).toEqual(["x→a,b,c"]);
  });

  test("once per 10 s while they still differ, each time by other members", () => {
    const islands = world({ a: ["a", "b", "c", "d"], x: ["x", "y"] });
    expect(meetings(islands, 10_000)).toEqual(["x→a,b,c"]);
    expect(meetings(islands, 10_001)).toEqual([]);
    expect(meetings(islands, 19_999)).toEqual([]);
    expect(meetings(islands, 20_000)).toEqual(["y→d,a,b"]);
    expect(meetings(islands, 30_000)).toEqual(["x→c,d,a"]);
  });

  test("one island has nobody to meet, and merged islands are left in peace", () => {
    const islands = world({ a: ["a", "b"], x: ["x"] });
    const x = memberOf("x");
    islands.report(x, "a", 5_000);
    expect(meetings(islands, 60_000)).toEqual([]);
  });

  test("members that hear of a lower id one after another are no islands", () => {
    const ids = Array.from({ length: 20 }, (_, n) => `m${n}`);
    const islands = world({ old: ids });
    // The lowest member left an hour later, and the news takes some seconds to spread.
    const start = 3_600_000;
    ids.forEach((id, n) => {
      islands.report(memberOf(id), "new", start + n * 400);
      expect(meetings(islands, start + n * 400)).toEqual([]);
    });
    expect(meetings(islands, start + 60_000)).toEqual([]);
  });

  test("a third island does not wait for the round of the other two", () => {
    const islands = world({ a: ["a"], b: ["b"] });
    expect(meetings(islands, 10_000)).toHaveLength(1);
    islands.report(memberOf("c"), "c", 12_000);
    expect(meetings(islands, 20_000)).toHaveLength(1);
    expect(meetings(islands, 22_000)).toHaveLength(1);
  });

  test("two whose turns come at different times go on meeting every 10 s", () => {
    const islands = world({ a: ["a"], b: ["b"] });
    islands.report(memberOf("c"), "c", 5_000);
    const met: string[] = [];
    for (let now = 10_000; now <= 50_000; now += 1_000) {
      if (now === 16_000) islands.leave(memberOf("b"));
      met.push(...meetings(islands, now).map((text) => `${now / 1_000}: ${text}`));
    }
    expect(met).toEqual(["10: a→b", "15: a→c", "25: a→c", "35: a→c", "45: a→c"]);
  });

  test("with a pair that never meets, the others of that round still join", () => {
    const islands = world({ a: ["a"], b: ["b"], c: ["c"], d: ["d"] });
    const rounds = [1, 2, 3].flatMap((round) => meetings(islands, round * 10_000));
    const pairs = new Set(rounds.map((text) => text.split("→").sort().join("")));
    // In three rounds each of the six pairs had its turn.
    expect(pairs).toEqual(new Set(["ab", "ac", "ad", "bc", "bd", "cd"]));
  });

  test("one round joins any number of islands, and no pair meets twice in 10 s", () => {
    const counts = fc.tuple(fc.integer({ min: 2, max: 40 }), fc.integer({ min: 1, max: 5 }));
    fc.assert(
      fc.property(counts, ([count, size]) => {
        const parts: Record<string, string[]> = {};
        for (let n = 0; n < count; n++) {
          parts[`i${n}`] = Array.from({ length: size }, (_, m) => `i${n}.${m}`);
        }
        const islands = world(parts);
        const last = new Map<string, number>();
        for (let now = 10_000; now < 100_000; now += 1_000) {
          const met = islands.introductions(now).map(({ member, peers }) => {
            const [one, other] = [member, peers[0] as Member].map((m) => m.id.split(".")[0]);
            return [one, other] as [string, string];
          });
          if (now === 10_000) expect(reached(met)).toBe(count);
          for (const pair of met) {
            const key = pair.sort().join();
            expect(now - (last.get(key) ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(
              10_000,
            );
            last.set(key, now);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  test("under any reports no pair of islands meets twice in 10 s, and none before it has stood 10 s", () => {
    const change = fc.tuple(fc.nat(5), fc.option(fc.nat(3), { nil: undefined }), fc.nat(4_000));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 80 }), (changes) => {
        const islands = new Islands<Member>(grace);
        const on = new Map<string, string>();
        const since = new Map<string, number>();
        const last = new Map<string, number>();
        let now = 0;
        for (const [who, where, ms] of changes) {
          now += ms;
          const member = memberOf(`m${who}`);
          const island = where === undefined ? undefined : `i${where}`;
          if (island === undefined) {
            islands.leave(member);
            on.delete(member.id);
          } else {
            islands.report(member, island, now);
            on.set(member.id, island);
          }
          const standing = new Set(on.values());
          for (const one of since.keys()) if (!standing.has(one)) since.delete(one);
          for (const one of standing) if (!since.has(one)) since.set(one, now);
          for (const { member, peers } of islands.introductions(now)) {
            const pair = [member, peers[0] as Member].map((one) => on.get(one.id) as string).sort();
            expect(new Set(pair).size).toBe(2);
            for (const one of pair)
              expect(now - (since.get(one) as number)).toBeGreaterThanOrEqual(10_000);
            const key = pair.join();
            expect(now - (last.get(key) ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(
              10_000,
            );
            last.set(key, now);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

/** How many islands hang together by these pairs, counted from one of them. */
function reached(pairs: readonly (readonly [string, string])[]): number {
  const found = new Set<string>(pairs.slice(0, 1).flat());
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const [one, other] of pairs) {
      if (found.has(one) || found.has(other)) found.add(one).add(other);
    }
  }
  return found.size;
}
