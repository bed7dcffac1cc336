// State that ends by itself, and keys whose changes are all kept, at the store.
import { beforeEach, describe, expect, test } from "vitest";
import type { StateDelta } from "../../../src/core/state/replica.ts";
import { type StateChange, StateStore } from "../../../src/core/state/store.ts";
import { configOf, deltasFor, memberId } from "./support.ts";

const [A, B, C] = [memberId(1), memberId(2), memberId(3)] as [string, string, string];

/** The clock of all stores, ms. */
let now = 0;
beforeEach(() => {
  now = 1_000;
});

const storeOf = (id: string, overrides = {}): StateStore =>
  new StateStore(configOf(overrides, { id }), () => now);
const value = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
const hashOf = ({ hash }: StateStore): number[] => [hash.high, hash.low];

function written(delta: ReturnType<StateStore["write"]>): StateDelta {
  if (typeof delta === "string") throw new Error(delta);
  return delta;
}

/** Brings `to` up to `from`, and gives what it shows. */
const bring = (from: StateStore, to: StateStore): StateChange[] =>
  deltasFor(from, to).flatMap((delta) => [...(to.apply(delta) ?? [])]);

const valueAt = (store: StateStore, key: string): Uint8Array | undefined =>
  store.replicaOf(A)?.get(key)?.value;

describe("row 32: a life", () => {
  test("travels as what is left of it, and ends at everyone at the same version", () => {
    const [a, b, c] = [storeOf(A), storeOf(B), storeOf(C)];
    const delta = written(a.write("k", value(1), { lifeMs: 100 }));
    expect(delta.entries[0]?.lifeMs).toBe(100);
    now += 40;
    b.apply(delta);
    expect(b.nextEnd).toBe(1_140);
    now += 30;
    expect(bring(b, c)).toEqual([{ owner: A, key: "k", value: value(1) }]);
    // It came to B 40 ms late: so it does at who got it from B.
    expect(c.nextEnd).toBe(1_140);
    now = 1_100;
    const ended = [{ owner: A, key: "k", value: undefined, expired: true }];
    expect([a, b, c].map((store) => store.takeEnded())).toEqual([ended, [], []]);
    now = 1_140;
    expect([a, b, c].map((store) => store.takeEnded())).toEqual([[], ended, ended]);
    expect([a, b, c].map((store) => valueAt(store, "k"))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(hashOf(b)).toEqual(hashOf(a));
    expect(b.nextEnd).toBe(Number.POSITIVE_INFINITY);
  });

  test("that is over is never seen by who comes later, and a late copy does not bring it back", () => {
    const [a, b, c] = [storeOf(A), storeOf(B), storeOf(C)];
    const delta = written(a.write("k", value(1), { lifeMs: 100 }));
    b.apply(delta);
    now += 100;
    for (const store of [a, b]) store.takeEnded();
    expect(bring(b, c)).toEqual([]);
    expect(c.apply(delta)).toBeUndefined();
    expect(b.apply(delta)).toBeUndefined();
    expect(valueAt(c, "k")).toBeUndefined();
    expect(hashOf(c)).toEqual(hashOf(a));
  });

  test("goes on while the clock stands still", () => {
    const b = storeOf(B);
    b.apply(written(storeOf(A).write("k", value(1), { lifeMs: 100 })));
    b.age(60);
    expect(b.nextEnd).toBe(1_040);
    b.age(60);
    expect(b.takeEnded()).toHaveLength(1);
  });

  test("ends when it is set again: lasting, or for another life", () => {
    const [a, b] = [storeOf(A), storeOf(B)];
    for (const key of ["lasts", "renewed", "deleted"]) a.write(key, value(1), { lifeMs: 100 });
    bring(a, b);
    now += 50;
    a.write("lasts", value(2));
    a.write("renewed", value(2), { lifeMs: 100 });
    a.write("deleted", undefined);
    bring(a, b);
    now += 60;
    for (const store of [a, b]) expect(store.takeEnded()).toEqual([]);
    now += 40;
    for (const store of [a, b]) expect(store.takeEnded()).toMatchObject([{ key: "renewed" }]);
    now += 1_000_000;
    for (const store of [a, b]) expect(store.nextEnd).toBe(Number.POSITIVE_INFINITY);
    expect(valueAt(b, "lasts")).toEqual(value(2));
  });

  test("goes with its owner, also with the former life of an owner", () => {
    const [a, b] = [storeOf(A), storeOf(B)];
    a.write("k", value(1), { lifeMs: 100 });
    bring(a, b);
    b.drop(A);
    expect(b.nextEnd).toBe(Number.POSITIVE_INFINITY);
    bring(a, b);
    const again = new StateStore(configOf({}, { id: A, generation: 2 }), () => now);
    again.write("k", value(2));
    bring(again, b);
    now += 1_000;
    expect(b.takeEnded()).toEqual([]);
    expect(valueAt(b, "k")).toEqual(value(2));
  });

  test("is repeated with what is left of it, and what lasts as it is", () => {
    const [a, b] = [storeOf(A), storeOf(B)];
    a.write("lasts", value(1));
    a.write("ends", value(2), { lifeMs: 100 });
    a.write("log", value(3), { log: 5 });
    now += 60;
    const deltas = a.repeat();
    expect(deltas.map(({ entries }) => entries[0])).toMatchObject([
      { key: "lasts", lifeMs: 0, version: 4 },
      { key: "ends", lifeMs: 40, version: 5 },
    ]);
    bring(a, b);
    now += 40;
    expect(a.takeEnded()).toHaveLength(1);
    expect(b.takeEnded()).toHaveLength(1);
    expect(a.repeat()).toHaveLength(1);
  });
});

describe("row 29: a log", () => {
  const logOf = (store: StateStore, key = "log"): number[] =>
    store
      .replicaOf(A)
      ?.log(key)
      .flatMap(({ value: bytes }) => bytes?.[0] ?? []) ?? [];
  const append = (store: StateStore, number: number, max = 3): StateDelta =>
    written(store.write("log", value(number), { log: max }));

  test("keeps all changes in order, the latest `max` of them, and drops the same everywhere", () => {
    const [a, b] = [storeOf(A), storeOf(B)];
    const shown: StateChange[] = [];
    for (let i = 1; i <= 5; i++) shown.push(...(b.apply(append(a, i)) ?? []));
    expect(shown).toEqual(
      [1, 2, 3, 4, 5].map((number) => ({
        owner: A,
        key: "log",
        value: value(number),
        log: { number, missed: 0 },
      })),
    );
    for (const store of [a, b]) {
      expect(logOf(store)).toEqual([3, 4, 5]);
      expect(valueAt(store, "log")).toEqual(value(5));
      expect(store.replicaOf(A)?.count).toBe(3);
      expect(store.replicaOf(A)?.keys()).toEqual(["log"]);
    }
    expect(hashOf(b)).toEqual(hashOf(a));
  });

  test("shows nothing out of order: what comes early waits for what is missing", () => {
    const [a, b] = [storeOf(A), storeOf(B)];
    const [one, two, three] = [1, 2, 3].map((number) => append(a, number)) as [
      StateDelta,
      StateDelta,
      StateDelta,
    ];
    expect(b.apply(one)).toHaveLength(1);
    expect(b.apply(three)).toEqual([]);
    expect(logOf(b)).toEqual([1]);
    expect(b.apply(two)?.map(({ log }) => log?.number)).toEqual([2, 3]);
    expect(logOf(b)).toEqual([1, 2, 3]);
  });

  test("tells who was away for longer what it missed, and gives the rest", () => {
    const [a, b, c] = [storeOf(A), storeOf(B), storeOf(C)];
    bring(a, b);
    b.apply(append(a, 1));
    for (let i = 2; i <= 9; i++) append(a, i);
    expect(bring(a, b).map(({ log }) => log)).toEqual([
      { number: 7, missed: 5 },
      { number: 8, missed: 0 },
      { number: 9, missed: 0 },
    ]);
    // A newcomer gets the rest too, from whomever.
    expect(bring(b, c).map(({ log }) => log?.missed)).toEqual([6, 0, 0]);
    expect(logOf(c)).toEqual([7, 8, 9]);
  });

  test("goes when its key is deleted, or set to one value, and begins anew", () => {
    const [a, b, c] = [storeOf(A), storeOf(B), storeOf(C)];
    for (let i = 1; i <= 3; i++) append(a, i);
    const late = deltasFor(a, b);
    bring(a, c);
    a.write("log", undefined);
    expect(bring(a, c)).toEqual([{ owner: A, key: "log", value: undefined }]);
    append(a, 4);
    a.write("plain", value(1), { log: 3 });
    a.write("plain", value(2));
    bring(a, b);
    for (const delta of late) b.apply(delta);
    expect(bring(a, c).map(({ key, log }) => [key, log])).toEqual([
      ["plain", undefined],
      ["log", { number: 1, missed: 0 }],
    ]);
    for (const store of [a, b, c]) {
      expect(logOf(store)).toEqual([4]);
      expect(logOf(store, "plain")).toEqual([]);
      expect(valueAt(store, "plain")).toEqual(value(2));
      expect(store.replicaOf(A)?.count).toBe(2);
    }
  });

  test("that lost all that was shown is gone all the same when its key is deleted", () => {
    const [a, b] = [storeOf(A), storeOf(B)];
    b.apply(append(a, 1));
    const early = [2, 3, 4].map((number) => append(a, number)).at(-1) as StateDelta;
    const deletion = written(a.write("log", undefined));
    expect(b.apply(early)).toEqual([]);
    expect(b.apply(deletion)).toEqual([{ owner: A, key: "log", value: undefined }]);
  });

  test("gives up its oldest where there is no room, and its writes are refused when there is none at all", () => {
    const a = storeOf(A, { stateBytesMax: 1_024, stateKeysMax: 3 });
    const large = new Uint8Array(400);
    for (let i = 1; i <= 3; i++) written(a.write("log", large, { log: 100 }));
    expect(a.replicaOf(A)?.log("log")).toHaveLength(2);
    written(a.write("log", value(4), { log: 100 }));
    expect(a.replicaOf(A)?.log("log")).toHaveLength(3);
    expect(a.write("other", value(1))).toBe("full");
    expect(a.write("log", new Uint8Array(1_024), { log: 100 })).toBe("full");
    expect(a.replicaOf(A)?.log("log")).toHaveLength(3);
    // What takes the place of all of it has its room.
    written(a.write("log", new Uint8Array(1_000)));
    a.write("log", undefined);
    written(a.write("other", value(1)));
  });

  test("that is no honest one is refused as a whole", () => {
    const [a, b] = [storeOf(A), storeOf(B)];
    append(a, 1);
    const sound = append(a, 2);
    const [entry] = sound.entries as [StateDelta["entries"][0]];
    for (const log of [
      { begun: 0, number: 2, first: 1 },
      { begun: 3, number: 2, first: 1 },
      { begun: 1, number: 3, first: 1 },
      { begun: 1, number: 2, first: 3 },
      { begun: 1, number: 2, first: 0 },
    ]) {
      expect(
        b.apply({ ...sound, entries: [{ ...entry, log }] }),
        JSON.stringify(log),
      ).toBeUndefined();
    }
    const log = { begun: 1, number: 2, first: 1 };
    expect(b.apply({ ...sound, entries: [{ ...entry, value: undefined, log }] })).toBeUndefined();
    expect(b.apply({ ...sound, entries: [{ ...entry, lifeMs: 1, log }] })).toBeUndefined();
    expect(b.apply(sound)).toEqual([]);
  });
});
