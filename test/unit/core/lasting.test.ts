// What was said to those who come later, by the way of what all share, beside what comes by the tree.
import { beforeEach, describe, expect, test } from "vitest";
import { Broadcast } from "../../../src/core/broadcast/broadcast.ts";
import type { Payload } from "../../../src/core/broadcast/cache.ts";
import { decodeWords, encodeWords, idOf, keyOf } from "../../../src/core/broadcast/lasting.ts";
import { Deadlines } from "../../../src/core/lib/deadlines.ts";
import { configOf, memberId } from "./support.ts";

const [OWN, A, B, O] = [memberId(1), memberId(2), memberId(3), memberId(9)];
const config = configOf({}, { id: OWN });
const words = { name: "n", value: Uint8Array.of(1) };

let broadcast: Broadcast;
let heard: string[];
let pruned: string[];

beforeEach(() => {
  heard = [];
  pruned = [];
  broadcast = new Broadcast(config, new Deadlines(), {
    neighbours: () => [A, B],
    reaches: () => false,
    push: () => [],
    tell: (to, { type }) => {
      if (type === "prune") pruned.push(to);
    },
    deliver: ({ id }, late) => heard.push(`${id.sequence}${late === undefined ? "" : " late"}`),
    gap: () => {},
    bulkProgressAt: () => Number.NEGATIVE_INFINITY,
    bringsBulk: () => false,
  });
});

function payload(from: string, sequence: number, generation = 1): void {
  const id = { origin: O, generation, sequence };
  const one: Payload = { type: "payload", id, hop: 0, flood: false, ...words };
  broadcast.onPayload(from, one, 0);
}

function lasting(sequence: number, isHere = true, generation = 1): void {
  broadcast.onLasting({ origin: O, generation, sequence }, words, isHere, 1_000, 0);
}

describe("row 33: what was said to those who come later", () => {
  test("is late for a newcomer, and the tree does not bring it again", () => {
    lasting(2);
    broadcast.onBaselines(A, [], 0);
    for (const sequence of [1, 2, 3]) payload(A, sequence);
    expect(heard).toEqual(["2 late", "1", "3"]);
  });

  test("takes its turn among what comes by the tree, which still grows by it", () => {
    broadcast.onBaselines(A, [], 0);
    payload(A, 1);
    lasting(3);
    lasting(2);
    payload(B, 2);
    payload(B, 3);
    expect(pruned).toEqual([]);
    payload(A, 3);
    expect(heard).toEqual(["1", "2", "3"]);
    expect(pruned).toEqual([A]);
  });

  test("is heard late of a gap that was given up, and of a life that is over", () => {
    broadcast.onBaselines(A, [], 0);
    payload(A, 1, 2);
    payload(A, 4, 2);
    broadcast.onMissingDeadline(O, config.gapMs);
    expect(heard).toEqual(["1", "4"]);
    lasting(2, true, 2);
    lasting(4, true, 2);
    lasting(7, false, 1);
    expect(heard).toEqual(["1", "4", "2 late", "7 late"]);
  });

  test("is not heard by who said it", () => {
    broadcast.onLasting({ origin: OWN, generation: 1, sequence: 1 }, words, true, 1_000, 0);
    expect(heard).toEqual([]);
  });
});

test("keys and words come back as they were, and anything else is none", () => {
  const id = { origin: O, generation: 1_700_000_000_000, sequence: 42 };
  expect(idOf(keyOf(id))).toEqual(id);
  for (const key of [
    "",
    "e",
    `e${O}.1`,
    `e${O}.1.99999999999999999999`,
    `c${O}.1.1`,
    "e__proto__.1.1",
  ]) {
    expect(idOf(key)).toBeUndefined();
  }
  expect(decodeWords(encodeWords(words))).toEqual(words);
  expect(decodeWords(encodeWords({ name: "", value: new Uint8Array(0) }))?.name).toBe("");
  expect(decodeWords(new Uint8Array(0))).toBeUndefined();
  expect(decodeWords(Uint8Array.of(200, 1))).toBeUndefined();
});
