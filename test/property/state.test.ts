// A few replicas that write, push, compare digests, lose, repeat and reorder. After every step each replica is
// held to what scuttlebutt promises, against the histories that only the test knows.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { MemberId } from "../../src/core/machine.ts";
import type { StateDelta } from "../../src/core/state/replica.ts";
import { type StateChange, StateStore, type WriteOptions } from "../../src/core/state/store.ts";
import { frameCodec } from "../../src/core/wire/codec.ts";
import { configOf, deltasFor, memberId } from "../unit/core/support.ts";

const REPLICAS = 3;
const KEYS = ["a", "b", "c", "d"];
/** A key whose changes are all kept. */
const LOG = "log";
const codec = frameCodec(7);

/** A write's value says which it was, so that what a replica shows tells the version it holds. */
function valueOfWrite(write: number, length: number): Uint8Array {
  const value = new Uint8Array(Math.max(4, length));
  new DataView(value.buffer).setUint32(0, write);
  return value;
}

class Replica {
  readonly id: MemberId;
  readonly store: StateStore;
  /** Per key of its own: the versions at which it was set, with their values' numbers, and deleted. */
  readonly history = new Map<string, { version: number; write: number | undefined }[]>();
  /** What an application sees: the number of the write, by "owner key". */
  readonly view = new Map<string, number>();
  /** The number of the change of a log that was seen last, by "owner key". */
  readonly numbers = new Map<string, number>();
  /** The highest write ever seen, by "owner key". */
  readonly seen = new Map<string, number>();
  readonly #maxVersions = new Map<MemberId, number>();
  version = 0;

  constructor(n: number) {
    this.id = memberId(n + 1);
    this.store = new StateStore(configOf({}, { id: this.id }), () => 0);
  }

  write(
    key: string,
    write: number | undefined,
    length: number,
    options: WriteOptions = {},
  ): StateDelta | undefined {
    const value = write === undefined ? undefined : valueOfWrite(write, length);
    const delta = this.store.write(key, value, options);
    if (typeof delta === "string") return undefined;
    this.version++;
    const history = this.history.get(key) ?? [];
    if (KEYS.includes(key)) this.history.set(key, history);
    history.push({ version: this.version, write });
    if (delta.from !== this.version - 1 || delta.to !== this.version)
      expect.fail("a version left out");
    if (write === undefined) this.view.delete(`${this.id} ${key}`);
    else this.view.set(`${this.id} ${key}`, write);
    return delta;
  }

  apply(delta: StateDelta): void {
    for (const change of this.store.apply(overTheWire(delta)) ?? []) this.#show(change);
  }

  /** What it tells others lies within what it holds completely. */
  answersFor({ owner, from, to, entries }: StateDelta): void {
    const held = this.store.digest().find((one) => one.owner === owner)?.maxVersion ?? 0;
    const versions = [from, ...entries.map(({ version }) => version)];
    expect(to).toBeLessThanOrEqual(held);
    expect(Math.max(...versions)).toBeLessThanOrEqual(to);
    expect(versions.every((version, i) => i === 0 || version > (versions[i - 1] ?? 0))).toBe(true);
  }

  #show({ owner, key, value, log }: StateChange): void {
    expect(owner).not.toBe(this.id);
    const place = `${owner} ${key}`;
    if (log !== undefined) {
      // In order, or with a gap; or from the start, where the log was deleted.
      const from = log.number - log.missed;
      expect([1, (this.numbers.get(place) ?? 0) + 1]).toContain(from);
      this.numbers.set(place, log.number);
    }
    if (value === undefined) {
      expect(this.view.has(place), "what is deleted was there").toBe(true);
      this.view.delete(place);
      return;
    }
    const write = new DataView(value.buffer, value.byteOffset).getUint32(0);
    if (write <= (this.seen.get(place) ?? 0)) {
      expect.fail(`${place} went back to ${write}, or returned after it was deleted`);
    }
    this.seen.set(place, write);
    this.view.set(place, write);
  }

  /** Scuttlebutt: of what `owner` last wrote, all up to our version of it is here. */
  check(owner: Replica): void {
    const entry = this.store.digest().find((one) => one.owner === owner.id);
    const version = entry?.maxVersion ?? 0;
    expect(version).toBeGreaterThanOrEqual(this.#maxVersions.get(owner.id) ?? 0);
    expect(version).toBeLessThanOrEqual(owner.version);
    this.#maxVersions.set(owner.id, version);
    for (const [key, history] of owner.history) {
      const last = history[history.length - 1];
      const shown = this.view.get(`${owner.id} ${key}`);
      if (last !== undefined && last.version <= version && shown !== last.write) {
        expect.fail(`version ${version} is held, and of ${key} ${shown} in place of ${last.write}`);
      }
      // Nothing is taken for deleted that its owner never deleted.
      const isGone = shown === undefined && this.seen.has(`${owner.id} ${key}`);
      if (isGone && history.every(({ write }) => write !== undefined)) {
        expect.fail(`${key} is shown as deleted and never was`);
      }
    }
  }
}

function overTheWire(delta: StateDelta): StateDelta {
  const decoded = codec.decode(codec.encode(delta));
  if (!decoded.ok || decoded.message.type !== "stateDelta") throw new Error("it did not arrive");
  return decoded.message;
}

const replica = fc.nat({ max: REPLICAS - 1 });
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("set" as const),
      at: replica,
      key: fc.constantFrom(...KEYS),
      length: fc.constantFrom(4, 4, 4, 40_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("delete" as const),
      at: replica,
      key: fc.constantFrom(...KEYS, LOG),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("append" as const), at: replica }) },
  /** Many keys come and go, so that tombstones are forgotten. */
  { weight: 1, arbitrary: fc.record({ do: fc.constant("churn" as const), at: replica }) },
  /** Some delta on its way, new or old, reaches somebody. */
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("deliver" as const), at: replica, which: fc.nat() }),
  },
  /** `at` tells `from` what it knows; some of the answer is lost. */
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("compare" as const),
      at: replica,
      from: replica,
      lost: fc.nat({ max: 3 }),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class World {
  readonly replicas = Array.from({ length: REPLICAS }, (_, n) => new Replica(n));
  readonly #flying: StateDelta[] = [];
  #writes = 0;

  at(n: number): Replica {
    return this.replicas[n] as Replica;
  }

  #write(
    at: Replica,
    key: string,
    write: number | undefined,
    length = 4,
    options: WriteOptions = {},
  ): void {
    const delta = at.write(key, write, length, options);
    if (delta !== undefined) this.#flying.push(delta);
  }

  perform(one: Step): void {
    const at = this.at(one.at);
    switch (one.do) {
      case "set":
        return this.#write(at, one.key, ++this.#writes, one.length);
      case "append":
        return this.#write(at, LOG, ++this.#writes, 4, { log: 3 });
      case "delete":
        return this.#write(at, one.key, undefined);
      case "churn":
        for (let i = 0; i <= 1_000; i++) {
          at.write(`churn ${i}`, ++this.#writes, 4);
          at.write(`churn ${i}`, undefined, 4);
        }
        return;
      case "deliver": {
        const delta = this.#flying[one.which % Math.max(1, this.#flying.length)];
        if (delta !== undefined) at.apply(delta);
        return;
      }
      case "compare":
        return this.compare(at, this.at(one.from), one.lost);
    }
  }

  compare(at: Replica, from: Replica, lost = 0): void {
    const deltas = deltasFor(from.store, at.store);
    for (const delta of deltas) from.answersFor(delta);
    for (const delta of deltas.slice(0, Math.max(0, deltas.length - lost))) {
      this.#flying.push(delta);
      at.apply(delta);
    }
  }

  check(): void {
    for (const one of this.replicas) for (const owner of this.replicas) one.check(owner);
  }
}

test("scuttlebutt holds after every step, and a full exchange makes all equal", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: "max" }), (steps) => {
      const world = new World();
      for (const one of steps) {
        world.perform(one);
        world.check();
      }
      for (let round = 0; round < 2; round++) {
        for (const at of world.replicas) {
          for (const from of world.replicas) if (at !== from) world.compare(at, from);
        }
      }
      world.check();
      const [first, ...others] = world.replicas.map(({ store, view }) => ({
        hash: [store.hash.high, store.hash.low],
        view: [...view].sort(([a], [b]) => (a < b ? -1 : 1)),
        logs: world.replicas.map(({ id }) =>
          (store.replicaOf(id)?.log(LOG) ?? []).map(({ version }) => version),
        ),
      }));
      for (const other of others) expect(other).toEqual(first);
    }),
    { numRuns: 100 },
  );
});
