/**
 * What goes from member to member over others is sealed with keys that only those two can make: from their X25519 keys,
 * which stand in their records, made at each start and apart from the handshake's. So there is nothing to agree on, and
 * no message is lost for want of a session. Who gets hold of the secret half can read what was sealed in that life of
 * its owner: forward secrecy is by start, not by message.
 *
 *     keys = HKDF(SHA-256("hearsay pair 1: " ‖ lower key ‖ higher key), DH)     the first: from the lower key's owner
 *
 * ChaCha20-Poly1305, with the core's number as nonce.
 */

import { BoundedMap } from "../core/lib/bounded-map.ts";
import { concat } from "../core/lib/bytes.ts";
import type { Sealing } from "../core/routing/seals.ts";
import { hkdf, nonce } from "./noise.ts";
import type { DhKey, Primitives } from "./primitives.ts";

const LABEL = new TextEncoder().encode("hearsay pair 1: ");

/** Pairs whose keys are kept: those of others are made again. */
const PAIRS_MAX = 1_024;

interface Keys {
  readonly send: Uint8Array;
  readonly receive: Uint8Array;
}

export class PairKeys implements Sealing {
  readonly #primitives: Primitives;
  readonly #own: DhKey;
  readonly #keys = new BoundedMap<string, Keys | undefined>(PAIRS_MAX);

  constructor(primitives: Primitives) {
    this.#primitives = primitives;
    this.#own = primitives.dhKey();
  }

  get publicKey(): Uint8Array {
    return this.#own.publicKey;
  }

  seal(
    theirs: Uint8Array,
    number: number,
    associated: Uint8Array,
    plaintext: Uint8Array,
  ): Uint8Array | undefined {
    const keys = this.#keysWith(theirs);
    return keys && this.#primitives.seal(keys.send, nonce(number), associated, plaintext);
  }

  open(
    theirs: Uint8Array,
    number: number,
    associated: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array | undefined {
    const keys = this.#keysWith(theirs);
    return keys && this.#primitives.open(keys.receive, nonce(number), associated, sealed);
  }

  /** Undefined for what is no key, and for our own, which both directions would share. */
  #keysWith(theirs: Uint8Array): Keys | undefined {
    const name = String.fromCharCode(...theirs);
    if (!this.#keys.has(name)) this.#keys.set(name, this.#derive(theirs));
    return this.#keys.get(name);
  }

  #derive(theirs: Uint8Array): Keys | undefined {
    const ours = this.#own.publicKey;
    const at = ours.findIndex((byte, i) => byte !== theirs[i]);
    const secret = at < 0 ? undefined : this.#own.shared(theirs);
    if (secret === undefined) return undefined;
    const isLower = (ours[at] as number) < (theirs[at] as number);
    const ends = isLower ? concat(LABEL, ours, theirs) : concat(LABEL, theirs, ours);
    const salt = this.#primitives.sha256(ends);
    const [low, high] = hkdf(this.#primitives, salt, secret, 2) as [Uint8Array, Uint8Array];
    return isLower ? { send: low, receive: high } : { send: high, receive: low };
  }
}
