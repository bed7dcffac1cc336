/**
 * What all members hold in common, by kind: configuration, which the application reads and writes by key, and what
 * was said to those who come later too.
 */

import {
  decodeWords,
  encodeWords,
  idOf,
  keyOf,
  LASTING,
  LASTING_BYTES_MAX,
  type Words,
} from "../broadcast/lasting.ts";
import type { Config } from "../config.ts";
import { Reader, Writer } from "../lib/bytes.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { Effect, MemberId } from "../machine.ts";
import type { SharedStats } from "../view.ts";
import {
  type MessageOf,
  type PayloadId,
  SHARED_VALUE_BYTES_MAX,
  type SharedEntry,
  sharedEntry,
} from "../wire/messages.ts";
import type { Held } from "./register.ts";
import { Sharing, type SharingOut } from "./sharing.ts";

/** Keys of the configuration begin with it. */
const CONFIG = "c";

/** Up to where deletions are remembered no more: the key of that among what is kept, and what it is kept as. */
const FLOOR = "f";
const FLOOR_KEPT_AS = "";

type SharedMessage = MessageOf<
  "shared" | "sharedParts" | "sharedDigest" | "sharedWant" | "sharedRefused"
>;

export interface CommonOut extends Omit<SharingOut, "changed" | "keep" | "forgot"> {
  effect(effect: Effect): void;
  /** Something that was said to those who come later, within `lifeMs` from now. */
  lasting(id: PayloadId, words: Words, lifeMs: number): void;
}

export class Common {
  readonly sharing: Sharing;
  readonly #out: CommonOut;

  constructor(config: Config, deadlines: Deadlines, out: CommonOut) {
    this.#out = out;
    this.sharing = new Sharing(config, deadlines, {
      ...out,
      changed: (held) => this.#onChanged(held),
      keep: (held) => this.#keep(held),
      forgot: (keys) => this.#forget(keys),
    });
  }

  /** Writes a key of the configuration; undefined deletes it. */
  configure(key: string, value: Uint8Array | undefined): void {
    const held = this.sharing.registers.get(CONFIG + key);
    if (value === undefined && held?.value === undefined) return;
    const fits = (value?.length ?? 0) <= SHARED_VALUE_BYTES_MAX;
    if (!fits || this.sharing.write(CONFIG + key, value, 0) === "full") this.#refuse(key);
  }

  /** Whether this can be kept for those who come later; tells when it cannot. */
  mayKeep(words: Words): boolean {
    const fits =
      words.value.length <= LASTING_BYTES_MAX && this.sharing.mayKeep(encodeWords(words));
    if (!fits) this.#refuse(words.name);
    return fits;
  }

  keep(id: PayloadId, words: Words, forMs: number): void {
    this.sharing.write(keyOf(id), encodeWords(words), forMs);
  }

  /** What `keep` effects gave to the store in a former life. What cannot be read is left out. */
  restore(kept: readonly Uint8Array[]): void {
    const entries: SharedEntry[] = [];
    const floors: SharedEntry[] = [];
    for (const bytes of kept) {
      const reader = new Reader(bytes);
      const entry = sharedEntry.read(reader);
      if (reader.failed) continue;
      if (entry.key.startsWith(CONFIG)) entries.push(entry);
      else if (entry.key === FLOOR) floors.push(entry);
    }
    this.sharing.restore(entries);
    for (const floor of floors) this.sharing.registers.restoreFloor(floor);
  }

  onMessage(from: MemberId, message: SharedMessage): void {
    switch (message.type) {
      case "shared":
        return this.sharing.onEntries(from, message.entries);
      case "sharedParts":
        return this.sharing.onParts(from, message);
      case "sharedDigest":
        return this.sharing.onDigest(from, message);
      case "sharedWant":
        return this.sharing.onWant(from, message.keys);
      case "sharedRefused":
        return this.sharing.onRefused(from, message);
    }
  }

  stats(): SharedStats {
    const { registers, stats } = this.sharing;
    return { ...stats, entries: registers.size, bytes: registers.bytes };
  }

  #onChanged(held: Held): void {
    if (held.key.startsWith(LASTING)) {
      const id = idOf(held.key);
      const words = held.value && decodeWords(held.value);
      // Nobody says anything in another's name.
      if (id?.origin === held.writer && words !== undefined) {
        this.#out.lasting(id, words, held.endsAt - this.#out.now());
      }
      return;
    }
    if (!held.key.startsWith(CONFIG)) return;
    const { value, writer, ms: atMs } = held;
    const key = held.key.slice(CONFIG.length);
    this.#out.effect({ type: "emit", event: { type: "shared", key, value, writer, atMs } });
  }

  #keep(held: Held): void {
    const key = keptAs(held.key);
    if (key !== undefined) this.#out.effect({ type: "keep", key, entry: encodeEntry(held) });
  }

  #forget(keys: readonly string[]): void {
    const kept = keys.flatMap((key) => keptAs(key) ?? []);
    if (kept.length === 0) return;
    const { floor } = this.sharing.registers;
    // First the floor: a store that lasts to between the two knows too much, and not too little.
    const entry = encodeEntry({ ...floor, key: FLOOR, value: undefined, vouched: undefined });
    this.#out.effect({ type: "keep", key: FLOOR_KEPT_AS, entry });
    for (const key of kept) this.#out.effect({ type: "keep", key, entry: undefined });
  }

  #refuse(key: string): void {
    this.#out.effect({ type: "emit", event: { type: "writeRefused", key, why: "full" } });
  }
}

/** Under which key a register is kept; undefined: it is not. */
function keptAs(key: string): string | undefined {
  return key.startsWith(CONFIG) && key.length > CONFIG.length
    ? key.slice(CONFIG.length)
    : undefined;
}

function encodeEntry(entry: Omit<SharedEntry, "lifeMs">): Uint8Array {
  const { key, ms, counter, writer, value, vouched } = entry;
  const bytes = new Writer();
  sharedEntry.write(bytes, { key, ms, counter, writer, value, lifeMs: 0, vouched });
  return bytes.take();
}
