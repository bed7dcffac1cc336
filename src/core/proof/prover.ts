/**
 * What we make waits here for its proof, in its order. One request is under way at a time, requests are `PACE_MS` apart,
 * and what is made meanwhile goes together with the next: so an isolated write is proven at once, and many share a
 * signature, which everybody has to check.
 */

import type { Deadlines } from "../lib/deadlines.ts";
import type { Effect } from "../machine.ts";

/** Writes of one signature: what a proof then holds beside it is six hashes. Source: design. */
const BATCH_MAX = 64;

/** Source: measured. At 200 checks a second a speaker costs each of the others 1 to 2 % of a processor. ms. */
const PACE_MS = 5;

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
  #mayAskAt = 0;
  readonly #deadlines: Deadlines;

  /**
   * @param ticket names what is asked for here
   * @param apart what is made here travels alone
   */
  constructor(
    ticket: number,
    apart: boolean,
    deadlines: Deadlines,
    effect: (effect: Effect) => void,
  ) {
    this.#deadlines = deadlines;
    this.#ticket = ticket;
    this.#apart = apart;
    this.#effect = effect;
  }

  prove(content: () => Uint8Array, then: (proof: Uint8Array) => void): void {
    this.#waiting.push({ content, then });
  }

  /** Something of ours waits for its proof. */
  get isBusy(): boolean {
    return this.#underway.length > 0 || this.#waiting.length > 0;
  }

  /** At the end of a step. */
  flush(now: number): void {
    if (this.#underway.length > 0 || this.#waiting.length === 0) return;
    if (now < this.#mayAskAt && !this.#apart && this.#waiting.length < BATCH_MAX) {
      return this.#deadlines.ensure("prove", this.#mayAskAt);
    }
    this.#mayAskAt = now + PACE_MS;
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
