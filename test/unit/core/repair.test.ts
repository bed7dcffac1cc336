import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { Rng } from "../../../src/core/lib/rng.ts";
import type { MemberId } from "../../../src/core/machine.ts";
import { Repair } from "../../../src/core/membership/repair.ts";
import { MemberTable } from "../../../src/core/membership/table.ts";
import { frameCodec } from "../../../src/core/wire/codec.ts";
import type { Message, MessageOf } from "../../../src/core/wire/messages.ts";
import { configOf, memberId, recordOf } from "./support.ts";

const codec = frameCodec(7);
const ids = idsOf(12_000);

function idsOf(count: number): MemberId[] {
  const rng = Rng.fromSeed(1);
  const word = (): string => rng.uint32().toString(16).padStart(8, "0");
  return Array.from({ length: count }, () => `8${word().slice(1)}${word()}${word()}${word()}`);
}

/** One end: a table, and what it sends. */
class End {
  readonly table: MemberTable;
  readonly repair: Repair;
  readonly sent: { to: MemberId; message: Message }[] = [];
  bytes = 0;
  readonly id: MemberId;

  constructor(id: MemberId) {
    this.id = id;
    const config = configOf({}, { id });
    this.table = new MemberTable(config, 0);
    this.repair = new Repair(config, this.table, (to, message) => {
      this.bytes += codec.encode(message).length;
      this.sent.push({ to, message });
    });
  }

  know(count: number, version = 1): this {
    for (const id of ids.slice(0, count)) {
      this.table.applyRecord(recordOf(id, { version, name: "some member" }), 0);
    }
    return this;
  }

  /** Takes what `from` has sent to it; gives whether there was anything. */
  take(from: End, now = 0): boolean {
    const some = from.sent.splice(0);
    for (const { message } of some) this.#on(from.id, message, now);
    return some.length > 0;
  }

  #on(from: MemberId, message: Message, now: number): void {
    if (message.type === "memberParts") this.repair.onParts(from, message.hashes, now);
    if (message.type === "memberDigest") this.repair.onDigest(from, message, now);
    if (message.type !== "memberDelta") return;
    this.repair.isFilledBy(from, message.more, now);
    for (const one of message.updates) {
      if (one.type === "record" && one.record.id !== this.id)
        this.table.applyRecord(one.record, now);
      if (one.type === "claim") this.table.applyClaim(one, now);
    }
  }

  types(): string[] {
    return this.sent.map(({ message }) => message.type);
  }
}

function fingerprint({ table: { hash } }: End): number[] {
  return [hash.high, hash.low];
}

function linked(a: End, b: End): void {
  a.table.applyRecord(b.table.own, 0);
  b.table.applyRecord(a.table.own, 0);
  a.repair.onLinkUp(b.id, 0);
  b.repair.onLinkUp(a.id, 0);
}

/** Lets both talk until they are silent. */
function talk(a: End, b: End, now = 0): void {
  for (let round = 0; round < 20; round++) {
    const heard = b.take(a, now);
    if (!a.take(b, now) && !heard) return;
  }
  throw new Error("they never stop");
}

let low: End;
let high: End;
beforeEach(() => {
  low = new End(memberId(1));
  high = new End(memberId(2));
});

describe("row 50: neighbours compare the parts of their tables that differ", () => {
  for (const [members, bytesMax] of [
    [100, 3_500],
    [1_000, 3_500],
    [10_000, 5_500],
  ] as const) {
    test(`one difference among ${members} members costs at most ${bytesMax} bytes`, () => {
      low.know(members);
      high.know(members);
      linked(low, high);
      low.table.applyRecord(recordOf(ids[7] as MemberId, { version: 2 }), 0);
      high.table.applyRecord(recordOf(ids[9] as MemberId, { version: 2 }), 0);
      low.repair.differs(high.id, 0);
      talk(low, high);
      expect(fingerprint(low)).toEqual(fingerprint(high));
      expect(low.bytes + high.bytes).toBeLessThan(bytesMax);
    });
  }

  test("whatever both know, they know the same when they have compared", () => {
    const states = fc.constantFrom("suspect" as const, "down" as const, undefined);
    const entry = fc.tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 2 }),
      fc.nat({ max: 1 }),
      states,
    );
    const known = fc.array(fc.option(entry), { maxLength: 150, size: "max" });
    fc.assert(
      fc.property(known, known, (atLow, atHigh) => {
        const ends: [End, End] = [new End(memberId(1)), new End(memberId(2))];
        for (const [i, some] of [atLow, atHigh].entries()) {
          for (const [n, one] of some.entries()) {
            if (one === null) continue;
            const [version, generation, incarnation, state] = one;
            // Versions and incarnations rise together at their owner.
            const record = { version: version + 3 * incarnation, generation, incarnation };
            const id = ids[n] as MemberId;
            ends[i]?.table.applyRecord(recordOf(id, record), 0);
            if (state) ends[i]?.table.applyClaim({ id, generation, incarnation, state }, 0);
          }
        }
        linked(...ends);
        for (const end of ends) end.sent.length = 0;
        ends[0].repair.compare(ends[1].id, 2_000);
        talk(...ends, 2_000);
        expect(fingerprint(ends[0])).toEqual(fingerprint(ends[1]));
      }),
      { numRuns: 100 },
    );
  });

  test("the higher id begins where the lower one does not: it may be taken for asleep there", () => {
    low.know(20);
    high.know(10);
    linked(low, high);
    for (let now = 0; now < 5_000; now += 1_000) high.repair.differs(low.id, now);
    expect(high.sent).toEqual([]);
    high.repair.differs(low.id, 5_000);
    expect(high.sent).not.toEqual([]);
  });

  test("only the lower id begins, once in a period, and seldom while there is news", () => {
    low.know(20);
    high.know(10);
    linked(low, high);
    high.repair.differs(low.id, 0);
    expect(high.sent).toEqual([]);
    const begins = (now: number): boolean => {
      low.sent.length = 0;
      low.repair.differs(high.id, now);
      return low.sent.length > 0;
    };
    expect([begins(0), begins(999), begins(1_000)]).toEqual([true, false, true]);
    low.repair.onNews(1_900);
    expect([begins(2_000), begins(2_399), begins(2_400)]).toEqual([false, false, true]);
    for (let now = 2_500; now < 6_400; now += 100) {
      low.repair.onNews(now);
      expect(begins(now)).toBe(false);
    }
    low.repair.onNews(6_400);
    expect(begins(6_400)).toBe(true);
  });
});

describe("a newcomer", () => {
  test("asks its first neighbour for everything, and the others when it has it", () => {
    high.know(600);
    linked(low, high);
    expect(low.types()).toEqual(["memberDigest"]);
    high.sent.length = 0;
    high.take(low);
    expect(high.types()).toEqual(["memberDelta", "memberDelta", "memberDelta"]);
    const other = new End(memberId(3)).know(600);
    linked(low, other);
    other.sent.length = 0;
    low.repair.differs(other.id, 10);
    low.repair.onParts(other.id, other.table.hash.parts(8), 10);
    expect(low.sent).toEqual([]);
    low.take(high, 20);
    low.repair.differs(other.id, 30);
    expect(low.types()).toEqual(["memberParts"]);
  });

  test("waits neither for ever, nor for one whose link is gone", () => {
    linked(low, high);
    const other = new End(memberId(3)).know(600);
    linked(low, other);
    low.sent.length = 0;
    low.repair.differs(other.id, 1_001);
    expect(low.types()).toEqual(["memberDigest"]);
    const next = new End(memberId(1));
    linked(next, high);
    linked(next, other);
    next.sent.length = 0;
    next.repair.onLinkDown(high.id);
    next.repair.differs(other.id, 10);
    expect(next.types()).toEqual(["memberDigest"]);
  });
});

describe("a hostile neighbour", () => {
  const digest = (change: Partial<MessageOf<"memberDigest">>): MessageOf<"memberDigest"> => ({
    type: "memberDigest",
    count: 1,
    parts: [0],
    entries: [],
    answer: true,
    ...change,
  });

  test("gets nothing for parts that are none, or from afar", () => {
    low.know(300);
    linked(low, high);
    low.sent.length = 0;
    for (const count of [0, 3, 513, 1_024, 2 ** 40])
      low.repair.onDigest(high.id, digest({ count }), 0);
    for (const length of [0, 3, 511]) low.repair.onParts(high.id, new Array(length).fill(0), 0);
    low.repair.onDigest(memberId(77), digest({}), 0);
    expect(low.sent).toEqual([]);
    low.repair.onDigest(high.id, digest({ count: 4, parts: [9, 2 ** 50] }), 0);
    expect(low.sent.map(({ message }) => message)).toEqual([
      { type: "memberDelta", updates: [], more: false },
    ]);
  });

  test("gets the whole table only so often, however often it asks", () => {
    low.know(4_000);
    linked(low, high);
    low.sent.length = 0;
    low.bytes = 0;
    const seconds = 60;
    for (let now = 0; now < seconds * 1_000; now += 100) {
      low.repair.onDigest(high.id, digest({}), now);
      low.repair.onParts(high.id, new Array(128).fill(now), now);
      low.sent.length = 0;
    }
    expect(low.bytes).toBeLessThan(seconds * 64_000 + 2_000_000);
  });

  test("an invented table that all falls into one part is answered in messages that decode", () => {
    low.know(12_000);
    linked(low, high);
    low.sent.length = 0;
    low.repair.onParts(high.id, [1], 0);
    const [first] = low.sent;
    expect(first?.message).toMatchObject({ type: "memberDigest", count: 1 });
    expect(codec.decode(codec.encode(first?.message as Message)).ok).toBe(true);
  });
});
