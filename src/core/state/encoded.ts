/** Neighbours that are served side by side get the same deltas: each is encoded once. */

import type { StateDelta } from "./replica.ts";

export class EncodedDeltas {
  readonly #encode: (delta: StateDelta) => Uint8Array;
  #last: { readonly key: string; readonly bytes: Uint8Array } | undefined;

  constructor(encode: (delta: StateDelta) => Uint8Array) {
    this.#encode = encode;
  }

  of(delta: StateDelta): Uint8Array {
    const { owner, generation, from, to, kept, entries } = delta;
    // What is left of a life is another each time.
    if (entries.some(({ lifeMs }) => lifeMs > 0)) return this.#encode(delta);
    const key = `${owner} ${generation} ${from} ${to} ${kept === undefined}`;
    if (this.#last?.key !== key) this.#last = { key, bytes: this.#encode(delta) };
    return this.#last.bytes;
  }
}
