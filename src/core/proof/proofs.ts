/**
 * Proofs of who has made what (design: "Authenticity"): what is passed on by others carries its owner's proof, so that
 * no member can write in another's name. The core neither signs nor checks: it asks its driver to (`sign`, `verify`),
 * and a proof is opaque to it. `gate.ts` keeps out what is not proven, `prover.ts` holds back what is ours until it
 * is; `contents.ts` says what a proof covers.
 *
 * Not proven: what members hold of each other (claims, opinions), which their subject refutes; and that nothing of a
 * state is kept back on its way.
 */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import { invariant } from "../lib/invariant.ts";
import type { MemberId } from "../machine.ts";
import type { PartName } from "../part.ts";
import type { MemberRecord, SharedEntry, StateEntry, Vouched } from "../wire/messages.ts";
import { Contents, type Digest, type Owned } from "./contents.ts";
import { Gate, type GateOut } from "./gate.ts";
import { Prover } from "./prover.ts";

const RECORDS = 0;
const WRITES = 1;

export class Proofs {
  readonly gate: Gate;
  readonly #contents: Contents | undefined;
  /** Undefined where writes need no proof. */
  readonly #ofWrites: Contents | undefined;
  readonly #records: Prover;
  readonly #writes: Prover;

  constructor({ proofs }: Config, deadlines: Deadlines, digest: Digest | undefined, out: GateOut) {
    const isOn = proofs !== "none";
    invariant(!isOn || digest !== undefined, "proofs need a hash function");
    this.#contents = isOn && digest !== undefined ? new Contents(digest) : undefined;
    this.#ofWrites = proofs === "all" ? this.#contents : undefined;
    this.#records = new Prover(RECORDS, true, deadlines, (effect) => out.effect(effect));
    this.#writes = new Prover(WRITES, false, deadlines, (effect) => out.effect(effect));
    this.gate = new Gate(this.#contents, proofs === "all", out);
  }

  record(record: MemberRecord, then: (proof: Uint8Array | undefined) => void): void {
    const contents = this.#contents;
    if (contents === undefined) return then(undefined);
    this.#records.prove(() => contents.record(record), then);
  }

  payload(payload: Owned, then: (proof: Uint8Array | undefined) => void): void {
    const contents = this.#ofWrites;
    if (contents === undefined) return then(undefined);
    this.#writes.prove(() => contents.payload(payload), then);
  }

  state(
    owner: MemberId,
    generation: number,
    entry: StateEntry,
    then: (vouched: Vouched | undefined) => void,
  ): void {
    const contents = this.#ofWrites;
    if (contents === undefined) return then(undefined);
    const ttlMs = Math.ceil(entry.lifeMs);
    this.#writes.prove(
      () => contents.state(owner, generation, entry, ttlMs),
      (proof) => then({ proof, ttlMs, digest: undefined }),
    );
  }

  shared(entry: SharedEntry, then: (vouched: Vouched | undefined) => void): void {
    const contents = this.#ofWrites;
    if (contents === undefined) return then(undefined);
    const ttlMs = Math.ceil(entry.lifeMs);
    this.#writes.prove(
      () => contents.shared(entry, ttlMs),
      (proof) => then({ proof, ttlMs, digest: undefined }),
    );
  }

  ofPart(name: PartName, content: Uint8Array, then: (proof: Uint8Array) => void): void {
    const contents = this.#ofWrites;
    if (contents === undefined) return then(new Uint8Array(0));
    this.#writes.prove(() => contents.part(name, content), then);
  }

  checkPart(
    name: PartName,
    by: MemberId,
    content: Uint8Array,
    proof: Uint8Array,
    then: (isGood: boolean) => void,
  ): void {
    const contents = this.#ofWrites;
    if (contents === undefined) return then(true);
    this.gate.check({ by, content: contents.part(name, content), proof, unasked: true }, then);
  }

  /** Something that we have written, or say of ourselves, waits for its proof, and is not told before. */
  get isBusy(): boolean {
    return this.#writes.isBusy || this.#records.isBusy;
  }

  /** At the end of a step. */
  flush(now: number): void {
    this.#records.flush(now);
    this.#writes.flush(now);
  }

  onSigned(ticket: number, proofs: readonly Uint8Array[]): void {
    (ticket === RECORDS ? this.#records : this.#writes).onSigned(proofs);
  }
}
