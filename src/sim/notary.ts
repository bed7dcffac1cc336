/**
 * Proofs and seals without cryptography, as they ought to be: who asks for a proof gets it for itself alone, and nobody
 * makes one otherwise; what is sealed for one member is opened by that one alone, as it was. As long as real ones, and
 * as late.
 */

import type { Given } from "../core/composition.ts";
import type { Config } from "../core/config.ts";
import type { Rng } from "../core/lib/rng.ts";
import type { Claimed, Effect, Input, MemberId } from "../core/machine.ts";
import type { Sealing } from "../core/routing/seals.ts";
import { SEAL_KEY_BYTES } from "../core/wire/messages.ts";

/** A key, a signature, and what tells them apart. */
const PROOF_BYTES = 98;

const DIGEST_BYTES = 16;

export class Notary {
  /** The longest that a proof or a check of one takes, ms. */
  slowMs = 0;
  readonly #rng: Rng;
  readonly #keys: Rng;

  constructor(rng: Rng) {
    this.#rng = rng;
    this.#keys = rng.fork("keys");
  }

  /** The key of a life. */
  sealKey(): Uint8Array {
    return Uint8Array.from({ length: SEAL_KEY_BYTES }, () => this.#keys.below(256));
  }

  /** How long the next answer takes, ms. */
  delayMs(): number {
    return this.slowMs === 0 ? 0 : this.#rng.float() * this.slowMs;
  }

  /** The answer to a `sign` or `verify` of a member. */
  answer(by: MemberId, effect: Extract<Effect, { type: "sign" | "verify" }>): Input {
    const { ticket } = effect;
    if (effect.type === "verify") {
      return { type: "verified", ticket, good: effect.claims.map(isTrue) };
    }
    const proofs = effect.contents.map((content) => proofOf(by, content));
    return { type: "signed", ticket, proofs };
  }
}

/** In place of real cryptography. */
export function givenTo({ sealKey }: Config): Pick<Given, "digest" | "sealing"> {
  return { digest, sealing: sealKey && sealingOf(sealKey) };
}

function digest(bytes: Uint8Array): Uint8Array {
  return hash(bytes, 0x9e3779b9);
}

const TAG_BYTES = 16;

/** For the member that has this key. Its other half is nowhere: only the simulated member is given this. */
function sealingOf(ours: Uint8Array): Sealing {
  const stream = (from: Uint8Array, to: Uint8Array, number: number): (() => number) => {
    let state = wordOf(hash(Uint8Array.of(...from, ...to), number));
    return () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    };
  };
  return {
    seal(theirs, number, associated, plaintext) {
      const next = stream(ours, theirs, number);
      const sealed = new Uint8Array(plaintext.length + TAG_BYTES);
      for (let i = 0; i < plaintext.length; i++) sealed[i] = (plaintext[i] as number) ^ next();
      const tag = tagOf(sealed.subarray(0, plaintext.length), associated, next());
      sealed.set(tag, plaintext.length);
      return sealed;
    },
    open(theirs, number, associated, sealed) {
      const length = sealed.length - TAG_BYTES;
      if (length < 0) return undefined;
      const next = stream(theirs, ours, number);
      const plaintext = sealed.slice(0, length).map((byte) => byte ^ next());
      const tag = tagOf(sealed.subarray(0, length), associated, next());
      return tag.every((byte, i) => byte === sealed[length + i]) ? plaintext : undefined;
    },
  };
}

/** One pass over what may be large. */
function tagOf(sealed: Uint8Array, associated: Uint8Array, key: number): Uint8Array {
  let state = 0x811c9dc5 ^ key;
  for (const byte of sealed) state = Math.imul(state ^ byte, 0x01000193);
  return hash(associated, state);
}

function wordOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer).getUint32(0);
}

function proofOf(by: MemberId, content: Uint8Array): Uint8Array {
  const proof = new Uint8Array(PROOF_BYTES);
  proof.set(hash(content, Number.parseInt(by.slice(0, 8), 16)));
  for (let i = 0; i < by.length; i++) proof[DIGEST_BYTES + i] = by.charCodeAt(i);
  return proof;
}

function isTrue({ by, content, proof }: Claimed): boolean {
  const expected = proofOf(by, content);
  return expected.length === proof.length && expected.every((byte, i) => byte === proof[i]);
}

/** Four rounds of FNV-1a, each from another start. */
function hash(bytes: Uint8Array, seed: number): Uint8Array {
  const result = new Uint8Array(DIGEST_BYTES);
  const view = new DataView(result.buffer);
  for (let word = 0; word < DIGEST_BYTES / 4; word++) {
    let state = (0x811c9dc5 ^ Math.imul(seed + word, 0x85ebca6b)) >>> 0;
    for (const byte of bytes) state = Math.imul(state ^ byte, 0x01000193) >>> 0;
    view.setUint32(4 * word, state);
  }
  return result;
}
