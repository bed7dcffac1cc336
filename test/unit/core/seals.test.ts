import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { Config } from "../../../src/core/config.ts";
import type { MemberId } from "../../../src/core/machine.ts";
import { MemberTable } from "../../../src/core/membership/table.ts";
import { Seals } from "../../../src/core/routing/seals.ts";
import { frameCodec } from "../../../src/core/wire/codec.ts";
import type { Enclosed, Inner, Sealed } from "../../../src/core/wire/messages.ts";
import { givenTo } from "../../../src/sim/notary.ts";
import { messages } from "../../support/any-messages.ts";
import { configOf, memberId, recordOf } from "./support.ts";

const [A, B, C] = [memberId(1), memberId(2), memberId(3)];
const inner: Inner = { type: "directAck", generation: 1, sequence: 7 };
const piece: Inner = {
  type: "streamData",
  generation: 1,
  number: 1,
  ours: true,
  offset: 0,
  kind: "more",
  bytes: new Uint8Array(100).fill(77),
};

let now: number;
beforeEach(() => {
  now = 0;
});

/** One end, with what it knows of others. */
class End {
  forged = 0;
  readonly config: Config;
  readonly table: MemberTable;
  readonly seals: Seals;

  constructor(id: MemberId, fill: number, proofs: "all" | "none" = "all") {
    this.config = configOf({}, { id, proofs, sealKey: new Uint8Array(32).fill(fill) });
    this.table = new MemberTable(this.config, 0);
    const { sealing } = givenTo(this.config);
    this.seals = new Seals(this.config, this.table, frameCodec(7), sealing, {
      now: () => now,
      forged: () => this.forged++,
    });
  }

  knows(...others: readonly End[]): this {
    for (const { table } of others) this.learn(table.own);
    return this;
  }

  learn(record: MemberTable["own"]): void {
    this.table.applyRecord(record, now);
    this.seals.onRecord(record.id);
  }

  open(from: MemberId, enclosed: Enclosed | undefined, again = () => {}): Inner | undefined {
    return this.seals.open(from, enclosed as Enclosed, again);
  }
}

function pair(): [End, End] {
  const [a, b] = [new End(A, 1), new End(B, 2)];
  return [a.knows(b), b.knows(a)];
}

describe("between two that know each other", () => {
  test("what is sealed at one end is read at the other, both ways, and nothing of it is seen between", () => {
    const [a, b] = pair();
    const there = a.seals.seal(B, piece) as Sealed;
    expect(there).toMatchObject({ type: "sealed", turn: "piece" });
    expect(Buffer.from(there.bytes).includes(Buffer.alloc(4, 77))).toBe(false);
    expect(b.open(A, there)).toEqual(piece);
    expect(a.open(B, b.seals.seal(A, inner))).toEqual(inner);
    expect([a.forged, b.forged]).toEqual([0, 0]);
  });

  const changes: [what: string, change: (sealed: Sealed) => Enclosed][] = [
    ["another turn", (sealed) => ({ ...sealed, turn: "ahead" })],
    ["another number", (sealed) => ({ ...sealed, number: sealed.number + 1 })],
    ["a bit of its content", ({ bytes, ...rest }) => ({ ...rest, bytes: flipped(bytes, 0) })],
    ["a bit of its tag", ({ bytes, ...rest }) => ({ ...rest, bytes: flipped(bytes, -1) })],
    ["its end", ({ bytes, ...rest }) => ({ ...rest, bytes: bytes.subarray(0, -1) })],
    ["all of it", (sealed) => ({ ...sealed, bytes: new Uint8Array(0) })],
    ["open instead", () => inner],
  ];
  test.each(changes)("changed on its way: %s", (_, change) => {
    const [a, b] = pair();
    const sealed = a.seals.seal(B, inner) as Sealed;
    expect(b.open(A, change(sealed))).toBeUndefined();
    expect(b.forged).toBe(1);
    expect(b.open(A, sealed), "nor does it spoil what was not changed").toEqual(inner);
  });

  test("repeated, in whatever order it comes, and from long ago", () => {
    const [a, b] = pair();
    const sealed = Array.from({ length: 5_000 }, () => a.seals.seal(B, inner) as Sealed);
    const [first, second, third] = sealed as [Sealed, Sealed, Sealed];
    expect([third, first, third, first].map((one) => b.open(A, one) !== undefined)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(b.open(A, sealed.at(-1))).toEqual(inner);
    expect(b.open(A, second), "too old to know").toBeUndefined();
    expect(b.forged).toBe(3);
  });

  test("sent back to who has sent it, or on in another's name", () => {
    const [a, b] = pair();
    const c = new End(C, 3).knows(a, b);
    const sealed = a.seals.seal(B, inner) as Sealed;
    expect(a.open(B, { ...sealed, from: sealed.to, to: sealed.from })).toBeUndefined();
    expect(a.forged).toBe(1);
    expect(c.open(A, sealed), "for somebody else").toBeUndefined();
    expect(c.open(A, { ...sealed, to: 0x03030303 })).toBeUndefined();
    expect(b.knows(c).open(C, { ...sealed, from: 0x03030303 })).toBeUndefined();
    expect([b.forged, c.forged]).toEqual([1, 1]);
  });

  test("a member that shows another's key as its own takes nothing from it", () => {
    const [a, b] = pair();
    const thief = new End(C, 1);
    const sealed = a.seals.seal(B, inner) as Sealed;
    expect(b.knows(thief).open(C, sealed)).toBeUndefined();
    expect(b.forged).toBe(1);
    expect(b.open(A, sealed)).toEqual(inner);
  });
});

describe("another life", () => {
  test("what was sealed for a former one is dropped, and what is from a new one waits for its record", () => {
    const [a, b] = pair();
    const old = a.seals.seal(B, inner);
    const again = new End(B, 4).knows(a);
    expect(again.open(A, old)).toBeUndefined();
    expect(again.forged).toBe(0);

    const early = again.seals.seal(A, inner);
    let read: Inner | undefined;
    const take = () => {
      read = a.open(B, early, take);
    };
    take();
    a.learn({ ...b.table.own, version: 2 });
    expect(read, "the old life's record changes nothing").toBeUndefined();
    a.learn({ ...again.table.own, generation: 2 });
    expect(read).toEqual(inner);
    expect(a.forged).toBe(0);
    expect(again.open(A, a.seals.seal(B, piece))).toEqual(piece);
    expect(a.open(B, b.seals.seal(A, inner)), "nor from the old one any more").toBeUndefined();
  });
});

describe("before a record has come", () => {
  test("nothing is sealed, and what waits for it goes then, once", () => {
    const [a, b] = [new End(A, 1), new End(B, 2)];
    let ran = 0;
    expect(a.seals.seal(B, inner)).toBeUndefined();
    expect(a.seals.waitFor(B, 10, () => ran++)).toBe(true);
    a.knows(b);
    a.learn({ ...b.table.own, version: 2 });
    expect(ran).toBe(1);
    expect(a.seals.waitFor(B, 10, () => ran++)).toBe(false);
  });

  test("it waits for a moment only", () => {
    const [a, b] = [new End(A, 1), new End(B, 2)];
    let ran = 0;
    a.seals.waitFor(B, 10, () => ran++);
    now = 5_001;
    a.knows(b);
    expect(ran).toBe(0);
  });

  test.each([
    ["messages", 1_000, 1, 256],
    ["bytes", 20, 100_000, 10],
  ])("no more than so many %s wait: the oldest make room", (_, count, bytes, kept) => {
    const [a, b] = [new End(A, 1), new End(B, 2)];
    const ran: number[] = [];
    for (let i = 0; i < count; i++) a.seals.waitFor(B, bytes, () => ran.push(i));
    a.seals.waitFor(B, 2_000_000, () => ran.push(-1));
    a.knows(b);
    expect(ran).toEqual(Array.from({ length: kept }, (_one, i) => count - kept + i));
  });
});

test("a record without a key, or with a short one: nothing is sealed for it, and nothing taken from it", () => {
  for (const sealKey of [undefined, new Uint8Array(31)]) {
    const [a] = pair();
    a.learn(recordOf(C, { sealKey }));
    expect(a.seals.seal(C, inner)).toBeUndefined();
    expect(a.open(C, inner)).toBeUndefined();
    expect(a.forged).toBe(1);
  }
});

test("whatever comes from whomever is dropped, and opens nothing", () => {
  const [, b] = pair();
  fc.assert(
    fc.property(messages.routed, ({ inner: any, from }) => {
      const enclosed = any.type === "sealed" ? { ...any, from: 0x01010101, to: 0x02020202 } : any;
      for (const id of [A, from])
        for (const one of [any, enclosed]) expect(b.open(id, one)).toBeUndefined();
    }),
  );
});

test("members that trust each other seal nothing, and say no key", () => {
  const [a, b] = [new End(A, 1, "none"), new End(B, 2, "none")];
  expect(a.table.own.sealKey).toBeUndefined();
  expect(a.seals.seal(B, inner)).toBe(inner);
  expect(b.open(A, inner)).toBe(inner);
  expect(b.seals.waitFor(C, 1, () => {})).toBe(false);
  expect(b.open(A, pair()[0].seals.seal(B, inner))).toBeUndefined();
});

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const index = at < 0 ? bytes.length + at : at;
  return bytes.map((byte, i) => (i === index ? byte ^ 1 : byte));
}
