import { beforeEach, describe, expect, test } from "vitest";
import { Rng } from "../../../src/core/lib/rng.ts";
import type { MemberId } from "../../../src/core/machine.ts";
import { Walks } from "../../../src/core/overlay/walk.ts";
import { HOPS_MAX, type LinkRequest, type MessageOf } from "../../../src/core/wire/messages.ts";
import { configOf, memberId } from "./support.ts";

const m = memberId;
const OWN = m(1);
const request: LinkRequest = { attempt: 5, generation: 1, flags: 0, links: 2 };

let walks: Walks;
let fresh: number[];
let sent: { to: number; message: MessageOf<"forwardJoin"> }[];
let log: string[];
/** Who takes a walk: nobody, whoever is asked, or only as the last. */
let room: "none" | "some" | "last";

beforeEach(() => {
  fresh = [2, 3];
  sent = [];
  log = [];
  room = "none";
  walks = new Walks(configOf({}, { id: OWN }), Rng.fromSeed(1), {
    fresh: () => fresh.map(m),
    send: (to, message) => sent.push({ to: Number.parseInt(to, 16), message }),
    learn: (origin, path) => log.push(`learn ${short(origin)} by ${path.map(short).join(" ")}`),
    take: (origin, { attempt }, last) => {
      const taken = room === "some" || (room === "last" && last);
      if (taken) log.push(`take ${attempt} of ${short(origin)}`);
      return taken;
    },
    refuse: (origin, attempt) => log.push(`refuse ${attempt} of ${short(origin)}`),
  });
});

const short = (id: MemberId): number => Number.parseInt(id, 16);
const walk = (hops: number, ...path: number[]): MessageOf<"forwardJoin"> => ({
  type: "forwardJoin",
  path: path.map(m),
  hops,
  request,
});
const receive = (message: MessageOf<"forwardJoin">, from?: number, now = 0): void => {
  const last = message.path[message.path.length - 1];
  walks.onForwardJoin(from === undefined ? (last as MemberId) : m(from), message, now);
};

test("begins at a neighbour that has shown life lately, if there is one", () => {
  walks.begin(request, 0);
  expect(sent).toHaveLength(1);
  expect(sent[0]?.message).toEqual(walk(4, 1));
  fresh = [];
  walks.begin(request, 0);
  expect(sent).toHaveLength(1);
});

test("goes on at random to somebody who is not on it, one hop fewer", () => {
  receive(walk(3, 9, 2));
  expect(sent).toEqual([{ to: 3, message: walk(2, 9, 2, 1) }]);
  expect(log).toEqual([]);
});

test("both neighbours are chosen about equally often", () => {
  for (let i = 0; i < 90; i++) receive(walk(3, 9, 8), 8, i * 100);
  const toTwo = sent.filter(({ to }) => to === 2).length;
  expect(toTwo).toBeGreaterThan(30);
  expect(toTwo).toBeLessThan(60);
});

test("ends here when its steps are done and there is room: the way back is known", () => {
  room = "some";
  receive(walk(0, 9, 8, 2));
  expect(log).toEqual(["learn 9 by 2 8 9", "take 5 of 9"]);
  expect(sent).toEqual([]);
});

test("goes on without room, and is taken by the last ones if they have any", () => {
  room = "last";
  receive(walk(0, 9, 8, 2));
  expect(sent).toEqual([{ to: 3, message: walk(0, 9, 8, 2, 1) }]);
  receive(walk(0, 9, 8, 7, 6, 5, 2));
  expect(log.at(-1)).toBe("take 5 of 9");
});

test("is taken, or refused, where it can go no further", () => {
  fresh = [2];
  receive(walk(3, 9, 2));
  expect(log).toEqual(["learn 9 by 2 9", "refuse 5 of 9"]);
  room = "last";
  receive(walk(3, 8, 2));
  expect(log.at(-1)).toBe("take 5 of 8");
  expect(sent).toEqual([]);
});

test("the last of a full path refuses it", () => {
  receive(walk(0, ...Array.from({ length: HOPS_MAX - 1 }, (_, i) => 20 + i), 2));
  expect(sent).toEqual([]);
  expect(log.at(-1)).toBe("refuse 5 of 20");
});

describe("a hostile neighbour", () => {
  test.each([
    ["an empty path", walk(3), 2],
    ["a path that does not end with who brings it", walk(3, 9, 8), 2],
    ["a path with us on it", walk(3, 9, 1, 2), 2],
    ["our own", walk(3, 1, 2), 2],
    ["a loop", walk(3, 9, 2, 8, 2), 2],
  ])("is not followed: %s", (_, message, from) => {
    room = "some";
    receive(message, from);
    expect([sent, log]).toEqual([[], []]);
  });

  test("makes us pass on no more than a bound, whatever it sends", () => {
    for (let i = 0; i < 5_000; i++) receive(walk(1_000_000, 1_000 + i, 2), 2, i / 10);
    expect(sent.length).toBeLessThanOrEqual(100 + 20 * 0.5);
    receive(walk(3, 9, 3), 3, 500);
    expect(sent.at(-1)?.message.path, "another neighbour's are passed on").toContain(m(3));
  });
});
