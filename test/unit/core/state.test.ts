import { beforeEach, describe, expect, test } from "vitest";
import { PARAMETERS } from "../../../src/core/config.ts";
import type { MemberId } from "../../../src/core/machine.ts";
import { Ranges } from "../../../src/core/state/ranges.ts";
import type { StateDelta } from "../../../src/core/state/replica.ts";
import { StateStore } from "../../../src/core/state/store.ts";
import { frameCodec } from "../../../src/core/wire/codec.ts";
import { MESSAGE_BYTES_MAX } from "../../../src/core/wire/messages.ts";
import { configOf, deltasFor, memberId, PLAIN } from "./support.ts";

/** The clock of all stores, ms. */
const now = 0;

const A = memberId(1);
const B = memberId(2);
const C = memberId(3);
/** Holds nothing: what is served to it is all there is. */
const NOBODY = storeOf(C);

function storeOf(id: MemberId, overrides = {}): StateStore {
  return new StateStore(configOf(overrides, { id }), () => now);
}

const value = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

function written(delta: ReturnType<StateStore["write"]>): StateDelta {
  if (typeof delta === "string") throw new Error(delta);
  return delta;
}

const fingerprint = ({ hash }: StateStore): number[] => [hash.high, hash.low];

describe("writes", () => {
  let store: StateStore;
  beforeEach(() => {
    store = storeOf(A, { stateKeysMax: 2, stateBytesMax: 1_024 });
  });

  test("are numbered one by one", () => {
    expect(store.write("k", value(1))).toMatchObject({ from: 0, to: 1 });
    expect(store.write("k", value(2))).toMatchObject({ from: 1, to: 2 });
    expect(store.write("k", undefined)).toMatchObject({
      from: 2,
      to: 3,
      entries: [{ key: "k", version: 3, value: undefined }],
    });
  });

  test("deleting what is not there changes nothing", () => {
    expect(store.write("k", undefined)).toBe("unchanged");
    store.write("k", value(1));
    store.write("k", undefined);
    expect(store.write("k", undefined)).toBe("unchanged");
    expect(store.digest()).toEqual([{ owner: A, generation: 1, maxVersion: 2 }]);
  });

  test("keys are bounded, and one that was deleted takes its place again like any other", () => {
    store.write("a", value(1));
    store.write("b", value(1));
    expect(store.write("c", value(1))).toBe("full");
    store.write("a", undefined);
    written(store.write("c", value(1)));
    expect(store.write("a", value(1))).toBe("full");
    written(store.write("c", value(2)));
  });

  test("bytes are bounded exactly: key, value and 16 more", () => {
    expect(store.write("k", new Uint8Array(1_024 - 16))).toBe("full");
    written(store.write("k", new Uint8Array(1_024 - 17)));
    expect(store.write("l", value())).toBe("full");
    // What replaces is counted in place of what it replaces.
    written(store.write("k", new Uint8Array(1_024 - 17)));
    written(store.write("k", undefined));
    written(store.write("l", new Uint8Array(512)));
  });
});

describe("deltas", () => {
  let a: StateStore;
  let b: StateStore;
  beforeEach(() => {
    a = storeOf(A);
    b = storeOf(B);
  });

  test("one in order is applied, and is no news the second time", () => {
    const delta = written(a.write("k", value(1)));
    expect(b.apply(delta)).toEqual([{ owner: A, key: "k", value: value(1) }]);
    expect(b.apply(delta)).toBeUndefined();
    expect(fingerprint(b)).toEqual(fingerprint(a));
  });

  test("one from beyond a hole is shown at once and counts only when the hole is closed", () => {
    const first = written(a.write("k", value(1)));
    const second = written(a.write("l", value(2)));
    expect(b.apply(second)).toEqual([{ owner: A, key: "l", value: value(2) }]);
    expect(b.apply(second)).toBeUndefined();
    expect(b.digest()).toEqual([]);
    expect(b.apply(first)).toEqual([{ owner: A, key: "k", value: value(1) }]);
    expect(b.digest()).toMatchObject([{ maxVersion: 2 }]);
    expect(fingerprint(b)).toEqual(fingerprint(a));
  });

  test("who has a hole answers for what lies around it, and for all when it is closed", () => {
    b.apply(written(a.write("k", value(1))));
    a.write("l", value(2));
    b.apply(written(a.write("m", value(3))));
    expect(b.digest()).toMatchObject([{ maxVersion: 1 }]);
    expect(deltasFor(b, NOBODY)).toMatchObject([{ from: 0, to: 1, last: 3 }]);
    const sent = new Ranges();
    expect(b.nextFor(A, 1, sent)).toEqual([2, 3]);
    sent.add(2, 3);
    expect(b.nextFor(A, 1, sent)).toBeUndefined();
    for (const delta of deltasFor(a, b)) b.apply(delta);
    expect(b.nextFor(A, 1, sent)).toEqual([1, 2]);
    expect(deltasFor(b, NOBODY)).toEqual(deltasFor(a, NOBODY));
  });

  test("an older value never comes after a newer one", () => {
    const old = written(a.write("k", value(1)));
    const gone = written(a.write("k", undefined));
    expect(b.apply(gone)).toEqual([]);
    expect(b.apply(old)).toEqual([]);
    expect(b.digest()).toMatchObject([{ maxVersion: 2 }]);
  });

  test("our own state is not taken from others", () => {
    const forged: StateDelta = { ...written(a.write("k", value(1))), owner: B };
    expect(b.apply(forged)).toBeUndefined();
    expect(b.digest()).toEqual([]);
  });

  test("versions outside of (from, to] or out of order are refused as a whole", () => {
    const sound = written(a.write("k", value(1)));
    const entry = { key: "k", value: value(1), ...PLAIN };
    const unsound: Partial<StateDelta>[] = [
      { from: 3, to: 3, entries: [] },
      { from: 3, to: 2, entries: [] },
      { from: 3, to: 5, entries: [{ ...entry, version: 3 }] },
      { from: 3, to: 5, entries: [{ ...entry, version: 6 }] },
      { from: 3, to: 5, entries: [5, 4].map((version) => ({ ...entry, version })) },
      { from: 3, to: 5, entries: [4, 4].map((version) => ({ ...entry, version })) },
      { last: 0 },
      { floor: 2 },
      { from: 3, to: 5, last: 5, entries: [], kept: [4] },
      { from: 3, to: 5, last: 5, entries: [], kept: [1, 0, 1] },
    ];
    for (const change of unsound) {
      expect(b.apply({ ...sound, last: change.to ?? 1, ...change })).toBeUndefined();
    }
    expect(b.digest()).toEqual([]);
  });

  test("an owner's state is bounded here too, whatever it sends", () => {
    const small = storeOf(B, { stateBytesMax: 1_024 });
    for (let i = 0; i < 10; i++) small.apply(written(a.write(`${i}`, new Uint8Array(483))));
    const held = deltasFor(small, NOBODY).flatMap(({ entries }) => entries);
    expect(held.length).toBe(Math.floor((2 * 1_024) / (1 + 483 + 16)));
  });

  test("large answers come in parts, ascending and without a hole", () => {
    b.apply(written(a.write("first", value(1))));
    for (let i = 0; i < 10; i++) a.write(`${i}`, new Uint8Array(20_000));
    const parts = deltasFor(a, b);
    expect(parts.length).toBe(4);
    expect(parts.map(({ from }) => from)).toEqual([1, ...parts.slice(0, -1).map(({ to }) => to)]);
    for (const part of parts) b.apply(part);
    expect(fingerprint(b)).toEqual(fingerprint(a));
  });
});

describe("a state of any size travels in parts that fit into a message", () => {
  const codec = frameCodec(7);

  function carry(from: StateStore, to: StateStore): StateDelta[] {
    const parts = deltasFor(from, to);
    for (const part of parts) {
      const encoded = codec.encode(part);
      expect(encoded.length).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
      const decoded = codec.decode(encoded);
      to.apply(decoded.ok ? (decoded.message as StateDelta) : expect.fail("it did not arrive"));
    }
    return parts;
  }

  test("in keys, tombstones among them", () => {
    const a = storeOf(A, { stateKeysMax: PARAMETERS.stateKeysMax.max });
    const b = storeOf(B);
    for (let i = 0; i < 1_000; i++) {
      a.write(`gone ${i}`, value(1));
      a.write(`gone ${i}`, undefined);
    }
    for (let i = 0; i < PARAMETERS.stateKeysMax.max; i++) written(a.write(`${i}`, value(1)));
    expect(carry(a, b).length).toBeGreaterThan(20);
    expect(fingerprint(b)).toEqual(fingerprint(a));
    // Behind the floor, with everything in doubt: still one message.
    for (let i = 0; i < 1_001; i++) written(a.write(`${i}`, undefined));
    const [first] = carry(a, b);
    expect(first?.kept?.length).toBe(PARAMETERS.stateKeysMax.max - 1_001);
    expect(fingerprint(b)).toEqual(fingerprint(a));
    const values = (store: StateStore) =>
      deltasFor(store, NOBODY).flatMap((part) => part.entries.filter((one) => one.value));
    expect(values(b)).toEqual(values(a));
  });

  test("in bytes", () => {
    const limit = { stateBytesMax: PARAMETERS.stateBytesMax.max };
    const a = storeOf(A, limit);
    const size = PARAMETERS.valueBytesMax.max;
    let count = 0;
    while (a.write(`${count}`, new Uint8Array(size - 17)) !== "full") count++;
    expect(count).toBe(Math.floor(PARAMETERS.stateBytesMax.max / size));
    const b = storeOf(B, limit);
    expect(carry(a, b)).toHaveLength(count);
    expect(fingerprint(b)).toEqual(fingerprint(a));
  });
});

describe("tombstones", () => {
  /** `count` keys come and go at `store`. */
  function churn(store: StateStore, count: number, name = "churn"): StateDelta[] {
    return Array.from({ length: count }, (_, i) => [
      written(store.write(`${name} ${i}`, value(1))),
      written(store.write(`${name} ${i}`, undefined)),
    ]).flat();
  }

  test("a thousand are kept; above it the oldest half goes, and who is behind hears what still holds", () => {
    const a = storeOf(A);
    const b = storeOf(B);
    const deltas = churn(a, 1_000);
    b.apply(deltas[0] as StateDelta);
    expect(deltasFor(a, b)).toMatchObject([{ from: 1, to: 2_000, floor: 0, kept: undefined }]);
    deltas.push(...churn(a, 1, "last"));
    const parts = deltasFor(a, b);
    expect(parts).toMatchObject([{ from: 1, to: 2_002, floor: 1_002, kept: [] }]);
    expect(parts[0]?.entries.length).toBe(500);
    expect(b.apply(parts[0] as StateDelta)).toEqual([
      { owner: A, key: "churn 0", value: undefined },
    ]);
    // Nothing of the past comes back.
    for (const delta of deltas) expect(b.apply(delta)).toBeUndefined();
  });

  test("what is in doubt goes only when nothing newer of it came, and is not passed on before", () => {
    const a = storeOf(A);
    const b = storeOf(B);
    written(a.write("kept", value(1)));
    written(a.write("changed", value(1)));
    written(a.write("dropped", value(1)));
    for (const delta of deltasFor(a, b)) b.apply(delta);
    written(a.write("dropped", undefined));
    churn(a, 1_000);
    for (let i = 0; i < 4; i++) written(a.write(`large ${i}`, new Uint8Array(50_000)));
    written(a.write("changed", value(2)));
    const parts = deltasFor(a, b);
    expect(parts.length).toBeGreaterThan(2);
    expect(parts[0]).toMatchObject({ from: 3, kept: [1] });
    expect(parts[1]?.kept).toBeUndefined();
    const shown = parts.slice(0, -1).flatMap((part) => b.apply(part) ?? []);
    expect(shown.filter(({ key }) => !key.startsWith("large"))).toEqual([]);
    expect(deltasFor(b, NOBODY)).toEqual([]);
    expect(b.apply(parts.at(-1) as StateDelta)?.slice(-2)).toEqual([
      { owner: A, key: "changed", value: value(2) },
      { owner: A, key: "dropped", value: undefined },
    ]);
    expect(deltasFor(b, NOBODY).length).toBeGreaterThan(0);
  });

  test("tombstones that the other end has forgotten stay, for who is behind here needs them", () => {
    const a = storeOf(A);
    const b = storeOf(B);
    const early = [written(a.write("old", value(1))), written(a.write("old", undefined))];
    const c = storeOf(C);
    c.apply(early[0] as StateDelta);
    for (const delta of early) b.apply(delta);
    const deltas = churn(a, 1_001);
    // B holds more than A knew when it began to serve it, and something from beyond a hole.
    const [part] = deltasFor(a, b) as [StateDelta];
    for (const delta of deltas.slice(0, 1_500)) b.apply(delta);
    b.apply(deltas.at(-2) as StateDelta);
    expect(part.kept).toEqual([]);
    b.apply(part);
    expect(deltasFor(b, c).flatMap((delta) => c.apply(delta) ?? [])).toContainEqual({
      owner: A,
      key: "old",
      value: undefined,
    });
    expect(fingerprint(c)).toEqual(fingerprint(a));
  });

  test("what came early and was deleted since goes too, though its tombstone was forgotten", () => {
    const a = storeOf(A);
    const b = storeOf(B);
    written(a.write("first", value(1)));
    b.apply(written(a.write("early", value(1))));
    written(a.write("early", undefined));
    churn(a, 1_000);
    const shown = deltasFor(a, b).flatMap((part) => b.apply(part) ?? []);
    expect(shown).toEqual([
      { owner: A, key: "first", value: value(1) },
      { owner: A, key: "early", value: undefined },
    ]);
  });

  test("one from beyond a hole is not forgotten: what it deleted is still to come", () => {
    const a = storeOf(A);
    const b = storeOf(B);
    const deltas = churn(a, 1_200);
    for (const { entries, ...delta } of deltas.slice(1)) {
      if (entries[0]?.value === undefined) b.apply({ ...delta, entries });
    }
    const shown = deltas.flatMap((delta) => b.apply(delta) ?? []);
    expect(shown).toEqual([]);
  });
});

describe("lives", () => {
  test("a new generation begins with nothing, and its first delta says what is gone", () => {
    const b = storeOf(B);
    b.apply(written(storeOf(A).write("old", value(1))));
    const reborn = new StateStore(configOf({}, { id: A, generation: 2 }), () => now);
    const changes = b.apply(written(reborn.write("new", value(2))));
    expect(changes).toEqual([
      { owner: A, key: "old", value: undefined },
      { owner: A, key: "new", value: value(2) },
    ]);
    expect(b.apply(written(storeOf(A).write("old", value(1))))).toBeUndefined();
  });

  test("knowing of the new life is enough: the state of the former one is gone", () => {
    const b = storeOf(B);
    b.apply(written(storeOf(A).write("old", value(1))));
    expect(b.setLive(A, 2, true)).toEqual([{ owner: A, key: "old", value: undefined }]);
    expect(b.digest()).toEqual([]);
    expect(fingerprint(b)).toEqual([0, 0]);
  });

  test("who is not live is in no digest, no answer and no fingerprint, and comes back as it was", () => {
    const b = storeOf(B);
    b.apply(written(storeOf(A).write("k", value(1))));
    const before = fingerprint(b);
    b.setLive(A, 1, false);
    expect([b.digest(), deltasFor(b, NOBODY), fingerprint(b)]).toEqual([[], [], [0, 0]]);
    b.setLive(A, 1, true);
    expect(fingerprint(b)).toEqual(before);
  });

  test("a dropped owner leaves nothing behind", () => {
    const b = storeOf(B);
    b.apply(written(storeOf(A).write("k", value(1))));
    expect(b.drop(A)).toEqual([{ owner: A, key: "k", value: undefined }]);
    expect(b.drop(A)).toEqual([]);
    expect(fingerprint(b)).toEqual([0, 0]);
  });

  test("renumbered, our own state is the same under the new generation", () => {
    const a = storeOf(A);
    a.write("k", value(1));
    a.renumber(5);
    const b = storeOf(B);
    b.setLive(A, 5, true);
    for (const delta of deltasFor(a, b)) b.apply(delta);
    expect(b.digest()).toEqual([{ owner: A, generation: 5, maxVersion: 1 }]);
    expect(fingerprint(b)).toEqual(fingerprint(a));
  });
});
