/** Who wants to know which keys of whose state. */

import { Listeners, type ListenOptions, type Unlisten } from "./listeners.ts";
import { matcherOf } from "./pattern.ts";
import type { Peer } from "./peers.ts";

/** A change in a member's state; `value` is undefined when the key was deleted. */
export type KnowHandler<T = unknown> = (peer: Peer, value: T | undefined, key: string) => unknown;

/** The same, as an async iterator gives it. */
export interface Known<T = unknown> {
  readonly peer: Peer;
  readonly key: string;
  readonly value: T | undefined;
}

export interface KnowOptions extends ListenOptions {
  /** Also what this member sets itself. Default false. */
  readonly own?: boolean;
}

export class Knowing {
  readonly #listeners: Listeners<[peer: Peer, value: unknown, key: string]>;
  readonly #peers: () => readonly Peer[];
  readonly #self: () => Peer;

  /**
   * @param peers whose values are told to who begins to listen
   * @param self whose are told to who asks for them
   */
  constructor(peers: () => readonly Peer[], self: () => Peer, report: (error: unknown) => void) {
    this.#listeners = new Listeners(report);
    this.#peers = peers;
    this.#self = self;
  }

  add(pattern: string, handler: KnowHandler, options: KnowOptions = {}): Unlisten {
    const matches = matcherOf(pattern);
    if (typeof handler !== "function") throw new TypeError("a handler must be a function");
    const self = this.#self();
    const { own = false } = options;
    const end = this.#listeners.add((peer, value, key) => {
      return matches(key) && (own || peer !== self) ? handler(peer, value, key) : undefined;
    }, options);
    let ended = false;
    const peers = own ? [self, ...this.#peers()] : this.#peers();
    const known = peers.flatMap((peer) =>
      peer.entries().flatMap(([key, value]) => (matches(key) ? [{ peer, key, value }] : [])),
    );
    queueMicrotask(() => {
      this.#listeners.call(known, ({ peer, key, value }) => {
        // What changed meanwhile has been told already.
        const isDue = !ended && !options.signal?.aborted && peer.get(key) === value;
        return isDue ? handler(peer, value, key) : undefined;
      });
    });
    return () => {
      ended = true;
      end();
    };
  }

  tell(peer: Peer, key: string): void {
    // A value is decoded when it is asked for.
    if (this.#listeners.size > 0) this.#listeners.tell(peer, peer.get(key), key);
  }
}
