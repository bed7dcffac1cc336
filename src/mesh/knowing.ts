/** Who wants to know which keys of others' state. */

import { Listeners, type ListenOptions, type Unlisten } from "./listeners.ts";
import { matcherOf } from "./pattern.ts";
import type { Peer } from "./peers.ts";

/** A change in a member's state; `value` is undefined when the key was deleted. */
export type KnowHandler<T = unknown> = (peer: Peer, value: T | undefined, key: string) => unknown;

export class Knowing {
  readonly #listeners: Listeners<[peer: Peer, value: unknown, key: string]>;
  readonly #peers: () => readonly Peer[];
  readonly #report: (error: unknown) => void;

  /** @param peers whose values are told to who begins to listen */
  constructor(peers: () => readonly Peer[], report: (error: unknown) => void) {
    this.#listeners = new Listeners(report);
    this.#peers = peers;
    this.#report = report;
  }

  add(pattern: string, handler: KnowHandler, options?: ListenOptions): Unlisten {
    const matches = matcherOf(pattern);
    if (typeof handler !== "function") throw new TypeError("a handler must be a function");
    const end = this.#listeners.add((peer, value, key) => {
      return matches(key) ? handler(peer, value, key) : undefined;
    }, options);
    let ended = false;
    const known = this.#peers().flatMap((peer) =>
      peer.entries().flatMap(([key, value]) => (matches(key) ? [{ peer, key, value }] : [])),
    );
    queueMicrotask(() => {
      const first = new Listeners<[peer: Peer, value: unknown, key: string]>(this.#report);
      first.add(handler, options);
      for (const { peer, key, value } of known) {
        // What changed meanwhile has been told already.
        if (!ended && peer.get(key) === value) first.tell(peer, value, key);
      }
    });
    return () => {
      ended = true;
      end();
    };
  }

  tell(peer: Peer, value: unknown, key: string): void {
    this.#listeners.tell(peer, value, key);
  }
}
