/**
 * What we say of ourselves: it is shown to others once it is proven. A host that stops us waits for no proof, so the
 * two last words (`asleep`, `left`) that could follow are proven in advance.
 */

import type { MemberRecord } from "../wire/messages.ts";
import type { MemberTable } from "./table.ts";

type LastWord = "asleep" | "left";

export interface OwnRecordOut {
  now(): number;
  /** `then` comes at once where nothing needs a proof. */
  prove(record: MemberRecord, then: (proof: Uint8Array | undefined) => void): void;
  /** Others may greet us from now on. */
  ready(): void;
  /** Others are to hear this of us. */
  shown(record: MemberRecord): void;
}

export class OwnRecord {
  /** What others may know of us; undefined until it is proven for the first time. */
  shown: MemberRecord | undefined;
  readonly #table: MemberTable;
  readonly #out: OwnRecordOut;
  /** Last words, and what they can follow. */
  readonly #ready = new Map<
    LastWord,
    { readonly base: MemberRecord; readonly proof: Uint8Array | undefined }
  >();

  constructor(table: MemberTable, out: OwnRecordOut) {
    this.#table = table;
    this.#out = out;
  }

  /** What the life begins with. */
  begin(): void {
    const { own } = this.#table;
    this.#out.prove(own, (proof) => {
      if (this.#table.own === own) this.#show(own, proof);
      else this.changed();
      this.#out.ready();
    });
  }

  /** The table's own record is another. */
  changed(): void {
    const { own } = this.#table;
    this.#out.prove(own, (proof) => {
      // By now there may be a later one.
      if (this.#table.own === own) this.#tell(own, proof);
    });
  }

  /** Changes the own record to a last word, and shows it at once if that can be. */
  end(state: LastWord): void {
    const ready = this.#ready.get(state);
    const isReady = ready?.base === this.#table.own;
    this.#table.describe({ state });
    if (isReady) this.#tell(this.#table.own, ready.proof);
    else this.changed();
  }

  #tell(own: MemberRecord, proof: Uint8Array | undefined): void {
    this.#out.shown(this.#show(own, proof));
  }

  #show(own: MemberRecord, proof: Uint8Array | undefined): MemberRecord {
    this.shown = this.#table.show({ ...own, proof }, this.#out.now());
    if (proof !== undefined && own.state !== "left") this.#prepare(this.shown);
    return this.shown;
  }

  #prepare(base: MemberRecord): void {
    for (const state of ["asleep", "left"] as const) {
      const last = this.#table.next({ state });
      this.#out.prove(last, (lastProof) => this.#ready.set(state, { base, proof: lastProof }));
    }
  }
}
