/**
 * Proofs without cryptography, as they ought to be: who asks for one gets it for itself alone, and nobody makes one
 * otherwise. As long as a real one, and as late.
 */

import type { Rng } from "../core/lib/rng.ts";
import type { Claimed, Effect, Input, MemberId } from "../core/machine.ts";

/** A key, a signature, and what tells them apart. */
const PROOF_BYTES = 98;

const DIGEST_BYTES = 16;

export class Notary {
  /** The longest that a proof or a check of one takes, ms. */
  slowMs = 0;
  readonly #rng: Rng;

  constructor(rng: Rng) {
    this.#rng = rng;
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

/** For members of a simulation, in place of a real hash. */
export function digest(bytes: Uint8Array): Uint8Array {
  return hash(bytes, 0x9e3779b9);
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
