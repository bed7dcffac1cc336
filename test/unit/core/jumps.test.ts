// What one neighbour may make up about where an origin stands.
import { beforeEach, describe, expect, test } from "vitest";
import { Broadcast } from "../../../src/core/broadcast/broadcast.ts";
import type { Payload } from "../../../src/core/broadcast/cache.ts";
import { Deadlines } from "../../../src/core/lib/deadlines.ts";
import type { MemberId } from "../../../src/core/machine.ts";
import { configOf, memberId } from "./support.ts";

const [A, B, C, O] = [2, 3, 4, 9].map(memberId) as [MemberId, MemberId, MemberId, MemberId];

let broadcast: Broadcast;
let neighbours: MemberId[];
let log: string[];

beforeEach(() => {
  log = [];
  neighbours = [A, B, C];
  broadcast = new Broadcast(configOf(), new Deadlines(), {
    neighbours: () => neighbours,
    reaches: () => false,
    push: (to, { id }) => {
      log.push(`push ${id.sequence}`);
      return to.slice(to.length);
    },
    tell: () => undefined,
    deliver: ({ id }) => log.push(`deliver ${id.sequence}`),
    gap: (_origin, { from, to }) => log.push(`gap ${from}-${to}`),
    bulkProgressAt: () => Number.NEGATIVE_INFINITY,
    bringsBulk: () => false,
  });
});

function payload(sequence: number, change: Partial<Payload["id"]> = {}): Payload {
  const id = { origin: O, generation: 1, sequence, ...change };
  return { type: "payload", id, hop: 2, flood: false, name: "n", value: new Uint8Array(1) };
}

const taken = (): string[] => log.splice(0);

describe("a sequence far ahead", () => {
  const FAR = 1_000_000;
  const heard = (from: MemberId, sequence: number, now: number): boolean => {
    broadcast.onPayload(from, payload(sequence), now);
    return taken().includes(`deliver ${sequence}`);
  };
  const announced = (from: MemberId, sequence: number, now: number): void =>
    broadcast.onIHave(from, [payload(sequence).id], now);

  beforeEach(() => {
    expect(heard(A, 1, 0)).toBe(true);
  });

  test("is not believed of one neighbour, and what the origin says next is heard", () => {
    broadcast.onPayload(B, payload(FAR), 100);
    announced(B, 2 * FAR, 200);
    broadcast.onBaselines(B, [payload(3 * FAR).id], 300);
    expect(taken().filter((one) => /gap|push|deliver/.test(one))).toEqual([]);
    expect(heard(A, 2, 1_000)).toBe(true);
  });

  test("is never believed of one neighbour while the origin is heard of elsewhere", () => {
    for (let sequence = 2; sequence < 20; sequence++) {
      announced(B, FAR + sequence, 1_000 * sequence);
      expect(heard(A, sequence, 1_000 * sequence + 500)).toBe(true);
    }
  });

  test("is believed of the origin itself, of two that agree, and of one after 5 s of silence", () => {
    neighbours = [A, B, C, O];
    broadcast.onPayload(O, payload(5_000), 100);
    expect(taken()).toContain("gap 2-3976");
    announced(B, 10_000, 200);
    announced(C, FAR, 300);
    expect(taken()).toEqual([]);
    broadcast.onPayload(C, payload(10_001), 400);
    expect(taken()).toContain("gap 3977-8977");
    announced(B, 20_000, 1_000);
    announced(B, 20_001, 5_999);
    expect(taken().filter((one) => one === "gap 8978-18977")).toEqual([]);
    announced(B, 20_002, 6_000);
    expect(taken().filter((one) => /^gap .*-18978$/.test(one)).length).toBe(1);
  });

  test("is believed of the only neighbour, and an origin that is new begins there", () => {
    neighbours = [A];
    const other = memberId(55);
    broadcast.onPayload(A, payload(FAR, { origin: other }), 100);
    expect(taken().filter((one) => /gap|deliver/.test(one))).toEqual([`deliver ${FAR}`]);
  });
});
