/** Everybody's state as decoded values. A value is decoded when it is first asked for. */

import type { MemberId } from "../core/machine.ts";
import { decodeValue } from "./values.ts";

interface Held {
  readonly bytes: Uint8Array;
  decoded?: { readonly value: unknown };
}

export class StateView {
  readonly #owners = new Map<MemberId, Map<string, Held>>();
  readonly #log: (owner: MemberId, key: string) => readonly Uint8Array[];

  /** @param log the changes of a key whose changes are all kept */
  constructor(log: (owner: MemberId, key: string) => readonly Uint8Array[]) {
    this.#log = log;
  }

  put(owner: MemberId, key: string, bytes: Uint8Array | undefined): void {
    const entries = this.#owners.get(owner) ?? new Map<string, Held>();
    this.#owners.set(owner, entries);
    if (bytes !== undefined) entries.set(key, { bytes });
    else if (entries.delete(key) && entries.size === 0) this.#owners.delete(owner);
  }

  get(owner: MemberId, key: string): unknown {
    const held = this.#owners.get(owner)?.get(key);
    return held === undefined ? undefined : decodedOf(held);
  }

  keys(owner: MemberId): string[] {
    return [...(this.#owners.get(owner)?.keys() ?? [])];
  }

  entries(owner: MemberId): [string, unknown][] {
    const entries = this.#owners.get(owner) ?? [];
    return [...entries].map(([key, held]) => [key, decodedOf(held)]);
  }

  /** Oldest first. */
  log(owner: MemberId, key: string): unknown[] {
    return this.#log(owner, key).map((bytes) => decodedOf({ bytes }));
  }

  owners(): MemberId[] {
    return [...this.#owners.keys()];
  }

  clear(): void {
    this.#owners.clear();
  }
}

function decodedOf(held: Held): unknown {
  if (held.decoded === undefined) {
    const decoded = decodeValue(held.bytes);
    held.decoded = { value: decoded.ok ? decoded.value : undefined };
  }
  return held.decoded.value;
}
