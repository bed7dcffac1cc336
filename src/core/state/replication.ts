/**
 * How state travels: a write is pushed at once to every neighbour, and on to those that its owner does not reach
 * itself; neighbours whose fingerprints differ exchange digests, and each sends what is newer there.
 */

import type { Config } from "../config.ts";
import type { MemberId } from "../machine.ts";
import type { MessageOf } from "../wire/messages.ts";
import { type StateChange, type StateDelta, StateStore } from "./state.ts";

export interface ReplicationOut {
  neighbours(): readonly MemberId[];
  /** Whether `owner` announces a link with `neighbour`. */
  reaches(owner: MemberId, neighbour: MemberId): boolean;
  /** The generation of a member, or undefined for a stranger. */
  generationOf(owner: MemberId): number | undefined;
  /** Sends one delta to some neighbours, behind other bulk. */
  push(to: readonly MemberId[], delta: StateDelta): void;
  tell(to: MemberId, digest: MessageOf<"stateDigest">): void;
  changed(changes: readonly StateChange[]): void;
  /** Our own write does not fit. */
  refused(key: string): void;
}

export class Replication {
  readonly store: StateStore;
  readonly #own: MemberId;
  readonly #out: ReplicationOut;

  constructor(config: Config, out: ReplicationOut) {
    this.store = new StateStore(config);
    this.#own = config.id;
    this.#out = out;
  }

  /** Our own write; undefined `value` deletes. */
  write(key: string, value: Uint8Array | undefined): void {
    const delta = this.store.write(key, value);
    if (delta === "full") this.#out.refused(key);
    else if (delta !== "unchanged") this.#spread(delta, undefined);
  }

  onDigest(from: MemberId, digest: MessageOf<"stateDigest">): void {
    for (const delta of this.store.newerThan(digest.entries)) this.#out.push([from], delta);
    if (digest.answer) this.sendDigest(from, false);
  }

  onDelta(from: MemberId, delta: StateDelta): void {
    if (this.#out.generationOf(delta.owner) !== delta.generation) return;
    const changes = this.store.apply(delta);
    if (changes === undefined) return;
    this.#out.changed(changes);
    this.#spread(delta, from);
  }

  /** @param answer whether the other end is to send its own digest back */
  sendDigest(to: MemberId, answer: boolean): void {
    this.#out.tell(to, { type: "stateDigest", entries: this.store.digest(), answer });
  }

  #spread(delta: StateDelta, from: MemberId | undefined): void {
    const { owner } = delta;
    const to = this.#out
      .neighbours()
      .filter((peer) => peer !== from && peer !== owner)
      .filter((peer) => owner === this.#own || !this.#out.reaches(owner, peer));
    if (to.length > 0) this.#out.push(to, delta);
  }
}
