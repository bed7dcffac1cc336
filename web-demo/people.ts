/** Everybody as the panels show them: ourselves, who is here, and for a moment who has just gone. */

import type { Peer, PeerState } from "../src/index.browser.ts";
import { type Profile, profileOf } from "./profile.ts";
import type { Session } from "./session.ts";

export interface Person extends Profile {
  readonly id: string;
  readonly peer: Peer;
  readonly self: boolean;
  readonly state: PeerState;
  /** Ids of those that it has links with. */
  readonly links: readonly string[];
}

/** How long the parted stay in sight, ms. Who fell silent stays longer: that is news. */
const LEFT_MS = 4_000;
const DOWN_MS = 20_000;

/** More than anybody can take in. The rest is counted. */
const SHOWN_MAX = 100;

export class People {
  readonly #session: Session;
  readonly #goneAt = new Map<string, number>();
  readonly #order = new Map<string, number>();

  constructor(session: Session, changed: () => void) {
    this.#session = session;
    const { mesh } = session;
    const gone = (peer: Peer): void => {
      this.#goneAt.set(peer.id, performance.now());
      changed();
      setTimeout(changed, (peer.state === "left" ? LEFT_MS : DOWN_MS) + 50);
    };
    mesh.on("peer:leave", gone);
    mesh.on("peer:down", gone);
    const events = ["peer:join", "peer:up", "peer:suspect", "peer:asleep", "peer:update"] as const;
    for (const event of events) {
      mesh.on(event, changed);
    }
    mesh.on("link:up", changed);
    mesh.on("link:down", changed);
  }

  get self(): Person {
    const { mesh, profile } = this.#session;
    const links = mesh.peers.all.filter(({ linked }) => linked).map(({ id }) => id);
    return { ...profile, id: mesh.self.id, peer: mesh.self, self: true, state: "alive", links };
  }

  /** Others that are here, awake or asleep, as many as can be shown. */
  get here(): readonly Person[] {
    const { live, asleep } = this.#session.mesh.peers;
    return [...live, ...asleep].slice(0, SHOWN_MAX).map((peer) => this.of(peer));
  }

  /** Ourselves first, then in the order in which we met them. */
  get shown(): readonly Person[] {
    const now = performance.now();
    const others = this.#session.mesh.peers.all.filter((peer) => this.#isShown(peer, now));
    for (const { id } of others) {
      if (!this.#order.has(id)) this.#order.set(id, this.#order.size);
    }
    others.sort((a, b) => (this.#order.get(a.id) ?? 0) - (this.#order.get(b.id) ?? 0));
    return [this.self, ...others.slice(0, SHOWN_MAX).map((peer) => this.of(peer))];
  }

  of(peer: Peer): Person {
    if (peer.id === this.#session.mesh.self.id) return this.self;
    const { id, state, links } = peer;
    return { ...profileOf(peer), id, peer, self: false, state, links };
  }

  #isShown({ id, state }: Peer, now: number): boolean {
    if (isHere(state)) return true;
    const goneAt = this.#goneAt.get(id);
    return goneAt !== undefined && now - goneAt < (state === "left" ? LEFT_MS : DOWN_MS);
  }
}

/** Not gone, as far as anybody knows. */
export function isHere(state: PeerState): boolean {
  return state === "alive" || state === "suspect" || state === "asleep";
}
