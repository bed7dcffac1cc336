/** The other members as the application sees them. */

import type { MemberId, MemberView } from "../core/machine.ts";
import type { LinkView } from "../core/view.ts";
import type { StateView } from "./state-view.ts";
import type { NameOf, Values } from "./typed.ts";
import { decodeValue } from "./values.ts";

/**
 * alive; suspect: some of its neighbours miss it; asleep: its host has stopped it, and it may come back; down: its
 * neighbours agree that it is gone; left: it said good-bye.
 */
export type PeerState = "alive" | "suspect" | "asleep" | "down" | "left";

/** A member of the mesh, ourselves included. One object for each, kept up to date. */
export interface Peer<S = Values> {
  /** 32 hex digits, derived from the member's public key. */
  readonly id: string;
  /** The name it gave itself, or the first eight digits of its id. */
  readonly name: string;
  readonly role: string;
  /** What it said about itself with `meta`. */
  readonly meta: unknown;
  readonly state: PeerState;
  /** Counts its starts. */
  readonly generation: number;
  /** It is a Node process. */
  readonly node: boolean;
  /** Where it can be dialled directly; none for browsers. */
  readonly addresses: readonly string[];
  /** Ids of the members that it announces links with. */
  readonly links: readonly string[];
  /** We have a link with it ourselves. */
  readonly linked: boolean;
  /** The round trip on our link with it, ms. */
  readonly rttMs: number | undefined;
  /**
   * φ of our link with it: how unlikely its silence is by now, 1 for one chance in 10, 2 for one in 100. Undefined
   * without a link.
   */
  readonly suspicion: number | undefined;
  /** Its page is hidden, so that its browser may freeze it. Known of those that we have a link with. */
  readonly mayFreeze: boolean;
  /** A value of its state; undefined when it has none of that key. */
  get<K extends NameOf<S>>(key: K): S[K] | undefined;
  /** What is kept of a key that is set with `log`, oldest first. */
  log<K extends NameOf<S>>(key: K): S[K][];
  keys(): NameOf<S>[];
  entries(): [NameOf<S>, S[NameOf<S>]][];
}

export class PeerObject implements Peer {
  #view: MemberView;
  readonly #state: StateView;
  readonly #link: (id: MemberId) => LinkView | undefined;

  constructor(view: MemberView, state: StateView, link: (id: MemberId) => LinkView | undefined) {
    this.#view = view;
    this.#state = state;
    this.#link = link;
  }

  update(view: MemberView): void {
    this.#view = view;
  }

  get id(): string {
    return this.#view.id;
  }

  get name(): string {
    return this.#view.name || this.#view.id.slice(0, 8);
  }

  get role(): string {
    return this.#view.role;
  }

  get meta(): unknown {
    const decoded = decodeValue(this.#view.meta);
    return decoded.ok ? decoded.value : undefined;
  }

  get state(): PeerState {
    return this.#view.state;
  }

  get generation(): number {
    return this.#view.generation;
  }

  get node(): boolean {
    return this.#view.node;
  }

  get addresses(): readonly string[] {
    return this.#view.addresses;
  }

  get links(): readonly string[] {
    return this.#view.neighbours;
  }

  get linked(): boolean {
    return this.#link(this.#view.id) !== undefined;
  }

  get rttMs(): number | undefined {
    return this.#link(this.#view.id)?.health?.rttMs;
  }

  get suspicion(): number | undefined {
    return this.#link(this.#view.id)?.phi;
  }

  get mayFreeze(): boolean {
    return this.#link(this.#view.id)?.health?.mayFreeze ?? false;
  }

  get(key: string): unknown {
    return this.#state.get(this.#view.id, key);
  }

  log(key: string): never[] {
    return this.#state.log(this.#view.id, key) as never[];
  }

  keys(): string[] {
    return this.#state.keys(this.#view.id);
  }

  entries(): [string, unknown][] {
    return this.#state.entries(this.#view.id);
  }

  toJSON(): object {
    const { id, name, role, meta, state, node, links, linked, rttMs, suspicion } = this;
    return { id, name, role, meta, state, node, links, linked, rttMs, suspicion };
  }
}

/** The other members, ourselves excluded. */
export class Peers<S = Values> implements Iterable<Peer<S>> {
  readonly #peers = new Map<MemberId, PeerObject>();

  /** Alive or suspect. */
  get live(): readonly Peer<S>[] {
    return this.all.filter(({ state }) => state === "alive" || state === "suspect");
  }

  /** Stopped by their hosts; they may come back. */
  get asleep(): readonly Peer<S>[] {
    return this.all.filter(({ state }) => state === "asleep");
  }

  /** Gone without a word. */
  get down(): readonly Peer<S>[] {
    return this.all.filter(({ state }) => state === "down");
  }

  /** Everyone known, also who is down or has left, until it is forgotten. */
  get all(): readonly Peer<S>[] {
    return [...this.#peers.values()] as readonly Peer[] as readonly Peer<S>[];
  }

  get(id: string): Peer<S> | undefined {
    return this.#peers.get(id) as Peer | undefined as Peer<S> | undefined;
  }

  /** The live members of one role. */
  byRole(role: string): readonly Peer<S>[] {
    return this.live.filter((peer) => peer.role === role);
  }

  [Symbol.iterator](): Iterator<Peer<S>> {
    return this.live[Symbol.iterator]();
  }

  /** @internal */
  put(view: MemberView, make: () => PeerObject): PeerObject {
    const known = this.#peers.get(view.id);
    if (known !== undefined) {
      known.update(view);
      return known;
    }
    const peer = make();
    this.#peers.set(view.id, peer);
    return peer;
  }

  /** @internal */
  forget(id: MemberId): void {
    this.#peers.delete(id);
  }

  /** @internal */
  clear(): void {
    this.#peers.clear();
  }
}
