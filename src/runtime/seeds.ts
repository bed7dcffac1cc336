/** The signaling servers of a member: their connections as inputs of the core, and their state for the user. */

import type { Input, MemberId, SeedId } from "../core/machine.ts";
import type { Backoff } from "../signaling/backoff.ts";
import { type SignalingClient, signalingClient } from "../signaling/client.ts";
import type { WebSocketConstructor } from "../signaling/websocket.ts";

export interface SeedsOptions {
  readonly id: MemberId;
  readonly WebSocket: WebSocketConstructor;
  readonly backoff?: Partial<Backoff> | undefined;
  readonly input: (input: Input) => void;
  /** A seed's state changed. */
  readonly onSeed: (seed: Seed) => void;
}

/** A signaling server and what became of the connection with it. */
export interface Seed {
  readonly url: string;
  readonly state: SignalingClient["state"];
  /** Why the last connection ended; undefined while it is up. */
  readonly reason: string | undefined;
  /** Drops the connection and stays away until `resume`. The mesh goes on without it. */
  pause(): void;
  resume(): void;
}

class SeedConnection implements Seed {
  readonly url: string;
  readonly client: SignalingClient;
  reason: string | undefined;
  readonly #changed: () => void;

  constructor(url: string, id: SeedId, options: SeedsOptions) {
    this.url = url;
    const changed = (reason?: string): void => {
      this.reason = reason;
      options.onSeed(this);
    };
    this.#changed = () => options.onSeed(this);
    const seedUp = (introduced: readonly string[]): void =>
      options.input({ type: "seedUp", seed: id, introduced });
    this.client = signalingClient({
      url,
      id: options.id,
      WebSocket: options.WebSocket,
      ...(options.backoff !== undefined && { backoff: options.backoff }),
      handlers: {
        up: (peers) => {
          seedUp(peers);
          changed();
        },
        introduce: seedUp,
        packet: (from, bytes) => options.input({ type: "seedPacket", seed: id, from, bytes }),
        gone: (gone) => options.input({ type: "seedGone", seed: id, id: gone }),
        down: ({ reason }) => {
          options.input({ type: "seedDown", seed: id });
          changed(reason);
        },
      },
    });
  }

  get state(): SignalingClient["state"] {
    return this.client.state;
  }

  pause(): void {
    this.client.pause();
  }

  resume(): void {
    this.client.resume();
    this.#changed();
  }
}

export class Seeds {
  readonly #options: SeedsOptions;
  readonly #seeds = new Map<SeedId, SeedConnection>();
  #lastId = 0;
  #island: MemberId;

  constructor(options: SeedsOptions) {
    this.#options = options;
    this.#island = options.id;
  }

  all(): readonly Seed[] {
    return [...this.#seeds.values()];
  }

  /** False when it is there already. @throws HearsayError for a URL that can never work */
  add(url: string): boolean {
    for (const seed of this.#seeds.values()) if (seed.url === url) return false;
    const id = ++this.#lastId;
    const seed = new SeedConnection(url, id, this.#options);
    this.#seeds.set(id, seed);
    seed.client.island(this.#island);
    return true;
  }

  send(seed: SeedId, to: MemberId, bytes: Uint8Array): void {
    // What the connection does not take is lost; the attempt it belongs to is repeated.
    this.#seeds.get(seed)?.client.send(to, bytes);
  }

  island(id: MemberId): void {
    this.#island = id;
    for (const seed of this.#seeds.values()) seed.client.island(id);
  }

  /** Tries now, instead of at the end of the wait, what waits. */
  retry(): void {
    for (const { client } of this.#seeds.values()) {
      if (client.state === "waiting") client.reconnect();
    }
  }

  close(): void {
    for (const seed of this.#seeds.values()) seed.client.close();
  }
}
