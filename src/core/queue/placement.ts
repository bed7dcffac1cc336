/**
 * Who has which store, takes jobs of which channel, and wants some; and on which stores a job belongs: those with the
 * highest weights for it (rendezvous hashing: Thaler and Ravishankar, 1998). A store with weight w draws w times.
 *
 * Members announce it: under "" their stores, under "c" and a channel's name what they do in it.
 */

import { BoundedMap } from "../lib/bounded-map.ts";
import { Reader, Writer } from "../lib/bytes.ts";
import { hashOfText, weightOf } from "../lib/hash.ts";
import type { MemberId } from "../lib/ids.ts";
import { boolean, type Codec, type Infer, id, optional, struct, uint8 } from "../wire/schema.ts";
import type { StoreId } from "./contract.ts";
import { CHANNEL_BYTES_MAX, CHANNELS_MAX, WEIGHT_MAX } from "./limits.ts";

const stores = struct({
  /** The durable one. */
  disk: optional(id),
  /** For what need not be durable: another one in each life. */
  memory: id,
  weight: uint8,
});
/** What a member does in a channel: its stores take jobs, and it wants to be given some. */
const conduct = struct({ takes: boolean, consumes: boolean });

type Stores = Infer<typeof stores>;
export type Conduct = Infer<typeof conduct>;

/** Stores that are remembered to be lost. Guess, unmeasured. */
const GONE_MAX = 4_096;

const CHANNEL_KEY = "c";

interface Known {
  generation: number;
  isLive: boolean;
  stores: Stores | undefined;
  readonly channels: Map<string, Conduct>;
}

export class Holders {
  readonly #known = new Map<MemberId, Known>();
  /** By whom a store is held. Who was first keeps it while it lives: nobody takes another's. */
  readonly #owners = new Map<StoreId, MemberId>();
  /** Since when a store that is not there is away, ms. */
  readonly #away = new Map<StoreId, number>();
  /** Those that will not come back: their member has another one in the same place. */
  readonly #gone = new BoundedMap<StoreId, true>(GONE_MAX);
  readonly #consumers = new Map<string, Set<MemberId>>();
  /** Rises whenever who holds what may have changed. */
  version = 0;

  constructor(self: MemberId, generation: number) {
    const own = this.#of(self);
    own.isLive = true;
    own.generation = generation;
  }

  /** True: something is different now. */
  onMember(id: MemberId, generation: number, isLive: boolean, now: number): boolean {
    const known = this.#of(id);
    if (known.generation === generation && known.isLive === isLive) return false;
    known.generation = generation;
    known.isLive = isLive;
    this.#mark(known.stores, isLive, now);
    this.version++;
    return true;
  }

  /** True: something is different now. Bytes that cannot be read are as none. */
  onAnnounced(by: MemberId, key: string, value: Uint8Array | undefined, now: number): boolean {
    const known = this.#of(by);
    if (key === "") {
      const next = value && decode(stores, value);
      this.#mark(known.stores, false, now);
      this.#disown(by, known.stores);
      this.#replace(known.stores, next);
      known.stores = next;
      this.#own(by, next);
      this.#mark(next, known.isLive, now);
    } else {
      const channel = key.slice(CHANNEL_KEY.length);
      const next = value && decode(conduct, value);
      if (!key.startsWith(CHANNEL_KEY)) return false;
      if (next === undefined) known.channels.delete(channel);
      else if (known.channels.size < CHANNELS_MAX) known.channels.set(channel, next);
      this.#note(by, channel, next?.consumes === true);
    }
    this.version++;
    return true;
  }

  /** The live member that has this store. */
  memberOf(store: StoreId): MemberId | undefined {
    const owner = this.#owners.get(store);
    return owner !== undefined && this.isLive(owner) ? owner : undefined;
  }

  isLive(member: MemberId): boolean {
    return this.#known.get(member)?.isLive === true;
  }

  /** Its life is over: it has begun another. */
  hasRestarted(member: MemberId, generation: number): boolean {
    return (this.#known.get(member)?.generation ?? generation) > generation;
  }

  /** Whether `member` has any of these stores. */
  hasOne(member: MemberId, among: readonly StoreId[]): boolean {
    const held = this.#known.get(member)?.stores;
    return (
      held !== undefined &&
      among.some(
        (store) =>
          (store === held.disk || store === held.memory) && this.#owners.get(store) === member,
      )
    );
  }

  /** For how long a store has been away, as far as we have seen. */
  awayMs(store: StoreId, now: number): number {
    if (this.memberOf(store) !== undefined) return 0;
    let since = this.#away.get(store);
    if (since === undefined) {
      since = now;
      this.#away.set(store, since);
    }
    return now - since;
  }

  /** Live members that want jobs of the channel. */
  consumers(channel: string): MemberId[] {
    return [...(this.#consumers.get(channel) ?? [])].filter((member) => this.isLive(member));
  }

  /** Live members that use the channel or hold its jobs. */
  users(channel: string): MemberId[] {
    const users: MemberId[] = [];
    for (const [member, { isLive, channels }] of this.#known) {
      if (isLive && channels.has(channel)) users.push(member);
    }
    return users;
  }

  /** The stores on which a job belongs, the first one first. */
  place(channel: string, durable: boolean, subject: string, count: number): StoreId[] {
    const hash = hashOfText(subject);
    const drawn: { readonly store: StoreId; readonly draw: number }[] = [];
    for (const [member, { isLive, stores: held, channels }] of this.#known) {
      if (!isLive || held === undefined || channels.get(channel)?.takes !== true) continue;
      const store = durable ? held.disk : held.memory;
      if (store === undefined || this.#owners.get(store) !== member) continue;
      drawn.push({ store, draw: drawOf(store, hash, held.weight) });
    }
    drawn.sort((a, b) => b.draw - a.draw || (a.store < b.store ? -1 : 1));
    return drawn.slice(0, count).map(({ store }) => store);
  }

  /** What it held is lost, as far as we have seen. */
  isGone(store: StoreId): boolean {
    return this.#gone.has(store);
  }

  /** What is in memory ends with a life; a member has one disk, and who has another has lost the first. */
  #replace(before: Stores | undefined, after: Stores | undefined): void {
    if (before === undefined || after === undefined) return;
    if (before.memory !== after.memory) this.#gone.set(before.memory, true);
    const isWiped = after.disk !== undefined && before.disk !== after.disk;
    if (isWiped && before.disk !== undefined) this.#gone.set(before.disk, true);
    for (const store of idsOf(after)) this.#gone.delete(store);
  }

  #of(member: MemberId): Known {
    let known = this.#known.get(member);
    if (known === undefined) {
      known = { generation: 0, isLive: false, stores: undefined, channels: new Map() };
      this.#known.set(member, known);
    }
    return known;
  }

  #own(by: MemberId, held: Stores | undefined): void {
    for (const store of idsOf(held)) {
      const owner = this.#owners.get(store);
      if (owner === undefined || !this.isLive(owner)) this.#owners.set(store, by);
    }
  }

  #disown(by: MemberId, held: Stores | undefined): void {
    for (const store of idsOf(held)) {
      if (this.#owners.get(store) === by) this.#owners.delete(store);
    }
  }

  #mark(held: Stores | undefined, isThere: boolean, now: number): void {
    for (const store of idsOf(held)) {
      if (isThere) this.#away.delete(store);
      else if (!this.#away.has(store)) this.#away.set(store, now);
    }
  }

  #note(member: MemberId, channel: string, consumes: boolean): void {
    const consumers = this.#consumers.get(channel) ?? new Set();
    if (consumes) consumers.add(member);
    else consumers.delete(member);
    if (consumers.size > 0) this.#consumers.set(channel, consumers);
    else this.#consumers.delete(channel);
  }
}

function idsOf(held: Stores | undefined): StoreId[] {
  if (held === undefined) return [];
  return held.disk === undefined ? [held.memory] : [held.disk, held.memory];
}

/** The highest of as many draws as its weight says. */
function drawOf(store: StoreId, hash: string, weight: number): number {
  const first = weightOf(store, hash);
  let highest = first;
  for (let i = 1; i < Math.min(weight, WEIGHT_MAX); i++) {
    const mixed = Math.imul(first ^ (first >>> 15) ^ i, 0x9e3779b1);
    highest = Math.max(highest, Math.imul(mixed ^ (mixed >>> 13), 0x85ebca6b) >>> 0);
  }
  return highest;
}

export function encodeStores(held: Stores): Uint8Array {
  return encode(stores, held);
}

export function encodeConduct(what: Conduct): Uint8Array {
  return encode(conduct, what);
}

export function channelKey(channel: string): string {
  return CHANNEL_KEY + channel;
}

/** Names of channels: short, and not empty. */
export function isChannel(name: string): boolean {
  return name.length > 0 && name.length <= CHANNEL_BYTES_MAX / 4;
}

function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer();
  codec.write(writer, value);
  return writer.take();
}

function decode<T>(codec: Codec<T>, value: Uint8Array): T | undefined {
  const reader = new Reader(value);
  const read = codec.read(reader);
  return reader.failed || reader.remaining > 0 ? undefined : read;
}
