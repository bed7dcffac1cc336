/**
 * What we make waits here for its proof, in its order. One request is under way at a time, and what is made meanwhile
 * goes together with the next: so an isolated write is proven at once, and many share a signature.
 */

import type { Effect } from "../machine.ts";

/** Writes of one signature: what a proof then holds beside it is six hashes. Source: design. */
const BATCH_MAX = 64;

interface Waiting {
  readonly content: () => Uint8Array;
  readonly then: (proof: Uint8Array) => void;
}

export class Prover {
  readonly #apart: boolean;
  readonly #ticket: number;
  readonly #effect: (effect: Effect) => void;
  #waiting: Waiting[] = [];
  #underway: readonly Waiting[] = [];

  /**
   * @param ticket names what is asked for here
   * @param apart what is made here travels alone
   */
  constructor(ticket: number, apart: boolean, effect: (effect: Effect) => void) {
    this.#ticket = ticket;
    this.#apart = apart;
    this.#effect = effect;
  }

  prove(content: () => Uint8Array, then: (proof: Uint8Array) => void): void {
    this.#waiting.push({ content, then });
  }

  /** At the end of a step. */
  flush(): void {
    if (this.#underway.length > 0 || this.#waiting.length === 0) return;
    this.#underway = this.#waiting.splice(0, BATCH_MAX);
    const contents = this.#underway.map(({ content }) => content());
    this.#effect({ type: "sign", ticket: this.#ticket, contents, apart: this.#apart });
  }

  onSigned(proofs: readonly Uint8Array[]): void {
    const proven = this.#underway;
    this.#underway = [];
    for (const [i, proof] of proofs.entries()) proven[i]?.then(proof);
  }
}
