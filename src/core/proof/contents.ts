/**
 * What a proof stands for: the bytes of what somebody makes and others pass on. Nothing is in them that changes on the
 * way (hops, what is left of a life), and of a value only its hash, so that what is over can still be told.
 */

import { Writer } from "../lib/bytes.ts";
import type { Claimed, MemberId } from "../machine.ts";
import { PARTS, type PartName } from "../part.ts";
import {
  type MemberRecord,
  type MessageOf,
  payloadBody,
  recordBody,
  type SharedEntry,
  type StateEntry,
  sharedBody,
  stateBody,
  type Vouched,
} from "../wire/messages.ts";

/** The first 16 bytes of SHA-256, or what stands for it in a simulation. */
export type Digest = (bytes: Uint8Array) => Uint8Array;

/** The first byte tells what it is, so that no proof serves for something else. */
const KINDS = { record: 1, state: 2, payload: 3, shared: 4, part: 5 } as const;

export type Owned = Omit<MessageOf<"payload">, "type" | "proof" | "hop" | "flood">;

/** What is known of a write when its value is here, or only its hash. */
type Written = Pick<StateEntry, "value"> & { readonly vouched?: Vouched | undefined };

export class Contents {
  readonly #digest: Digest;
  readonly #writer = new Writer();

  constructor(digest: Digest) {
    this.#digest = digest;
  }

  record(record: Omit<MemberRecord, "proof">): Uint8Array {
    return this.#encode(KINDS.record, (w) => recordBody.write(w, record));
  }

  payload({ id, name, value }: Owned): Uint8Array {
    const digest = this.#digest(value);
    return this.#encode(KINDS.payload, (w) => payloadBody.write(w, { id, name, digest }));
  }

  state(owner: MemberId, generation: number, entry: StateEntry, ttlMs: number): Uint8Array {
    const { key, version, log } = entry;
    const body = { owner, generation, key, version, digest: this.#digestOf(entry), ttlMs, log };
    return this.#encode(KINDS.state, (w) => stateBody.write(w, body));
  }

  shared(entry: SharedEntry, ttlMs: number): Uint8Array {
    const { key, ms, counter, writer } = entry;
    const body = { key, ms, counter, writer, digest: this.#digestOf(entry), ttlMs };
    return this.#encode(KINDS.shared, (w) => sharedBody.write(w, body));
  }

  part(name: PartName, content: Uint8Array): Uint8Array {
    return this.#encode(KINDS.part, (w) => {
      w.uint8(PARTS.indexOf(name));
      w.raw(this.#digest(content));
    });
  }

  /** These give undefined for what has no proof, or cannot be true whatever the proof says. */
  ofRecord(record: MemberRecord): Claimed | undefined {
    const { id: by, proof } = record;
    return proof && { by, content: this.record(record), proof };
  }

  ofPayload(payload: MessageOf<"payload">): Claimed | undefined {
    const { proof } = payload;
    return proof && { by: payload.id.origin, content: this.payload(payload), proof };
  }

  ofState(owner: MemberId, generation: number, entry: StateEntry): Claimed | undefined {
    const { vouched } = entry;
    if (vouched === undefined || !isWithinLife(entry, vouched)) return undefined;
    const content = this.state(owner, generation, entry, vouched.ttlMs);
    return { by: owner, content, proof: vouched.proof };
  }

  ofShared(entry: SharedEntry): Claimed | undefined {
    const { vouched } = entry;
    // What is over is remembered by nobody here: its hash has no place.
    if (vouched === undefined || vouched.digest !== undefined) return undefined;
    if (!isWithinLife(entry, vouched)) return undefined;
    const content = this.shared(entry, vouched.ttlMs);
    return { by: entry.writer, content, proof: vouched.proof };
  }

  #digestOf({ value, vouched }: Written): Uint8Array | undefined {
    return value === undefined ? vouched?.digest : this.#digest(value);
  }

  #encode(kind: number, write: (w: Writer) => void): Uint8Array {
    this.#writer.clear();
    this.#writer.uint8(kind);
    write(this.#writer);
    return this.#writer.take();
  }
}

/** A life is never longer than its owner gave it, and what has none is not given one. */
function isWithinLife({ lifeMs, value }: StateEntry | SharedEntry, vouched: Vouched): boolean {
  const { ttlMs, digest } = vouched;
  if (digest !== undefined) return ttlMs > 0 && lifeMs === 0 && value === undefined;
  return ttlMs === 0 ? lifeMs === 0 : lifeMs > 0 && lifeMs <= ttlMs;
}
