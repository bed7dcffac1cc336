/**
 * The seeds of a member: connections with signaling servers as inputs of the core, members at known addresses, and
 * their state for the user. The client of servers is loaded with the first of them: a mesh that is joined by invitation
 * does not pay for it.
 */

import type { Input, MemberId, SeedId } from "../core/machine.ts";
import { HearsayError } from "../errors.ts";
import type { Backoff } from "../signaling/backoff.ts";
import type { SignalingClient, signalingClient } from "../signaling/client.ts";
import type { IceServer } from "../signaling/protocol.ts";
import type { WebSocketConstructor } from "../signaling/websocket.ts";
import type { ChannelConstructor } from "./tabs.ts";

export type MakeClient = typeof signalingClient;

/** The client of signaling servers. */
export async function loadClient(): Promise<MakeClient> {
  return (await import("../signaling/client.ts")).signalingClient;
}

export interface SeedsOptions {
  /** What {@link loadClient} gave; without it, it is loaded with the first seed. */
  readonly makeClient?: MakeClient | undefined;
  readonly id: MemberId;
  readonly WebSocket: WebSocketConstructor;
  readonly backoff?: Partial<Backoff> | undefined;
  /** Gives the access token of the servers. */
  readonly token?: (() => string | Promise<string>) | undefined;
  readonly input: (input: Input) => void;
  /** The host has said that it stands still. */
  readonly isSuspended: () => boolean;
  /** A seed whose URL is an address; undefined when no transport dials it. */
  readonly dialSeed?: ((url: string) => ManagedSeed | undefined) | undefined;
  /** A seed's state changed. */
  readonly onSeed: (seed: Seed) => void;
  /** A server names STUN and TURN servers, in place of those it named before. */
  readonly onIce?: ((url: string, servers: readonly IceServer[]) => void) | undefined;
}

/** A signaling server, or who is at an address, and what became of the connection with it. */
export interface Seed {
  readonly url: string;
  /** `self`: the address is our own. */
  readonly state: SignalingClient["state"] | "self";
  /** Why the last connection ended; undefined while it is up. */
  readonly reason: string | undefined;
  /** Drops the connection and stays away until `resume`. The mesh goes on without it. */
  pause(): void;
  resume(): void;
}

export interface ManagedSeed extends Seed {
  /** Tries now, instead of at the end of the wait. */
  retry(): void;
  close(): void;
}

/** A way for members that have no link to reach each other. */
interface Introducer {
  send(to: MemberId, bytes: Uint8Array): void;
  /** Says which island we are on. */
  island(id: MemberId): void;
  close(): void;
}

class SeedConnection implements ManagedSeed, Introducer {
  readonly url: string;
  reason: string | undefined;
  readonly #id: SeedId;
  readonly #options: SeedsOptions;
  #client: SignalingClient | undefined;
  /** What to be until there is a client. */
  #state: SignalingClient["state"] = "connecting";
  #island: MemberId;

  constructor(url: string, id: SeedId, island: MemberId, options: SeedsOptions) {
    this.url = url;
    this.#id = id;
    this.#island = island;
    this.#options = options;
  }

  get state(): SignalingClient["state"] {
    return this.#client?.state ?? this.#state;
  }

  /** @throws HearsayError for a URL that can never work */
  connect(make: MakeClient): void {
    if (this.#state === "closed") return;
    const { id, WebSocket, backoff, token } = this.#options;
    this.#client = make({
      url: this.url,
      token,
      id,
      WebSocket,
      ...(backoff !== undefined && { backoff }),
      handlers: this.#handlers(),
    });
    this.#client.island(this.#island);
    if (this.#state === "paused") this.#client.pause();
  }

  /** There is no client for it. */
  refuse(reason: string): void {
    this.#state = "refused";
    this.#changed(reason);
  }

  send(to: MemberId, bytes: Uint8Array): void {
    this.#client?.send(to, bytes);
  }

  island(id: MemberId): void {
    this.#island = id;
    this.#client?.island(id);
  }

  retry(): void {
    if (this.#client?.state === "waiting") this.#client.reconnect();
  }

  pause(): void {
    this.#state = "paused";
    this.#client?.pause();
  }

  resume(): void {
    this.#state = "connecting";
    this.#client?.resume();
    this.#changed(this.reason);
  }

  close(): void {
    this.#state = "closed";
    this.#client?.close();
  }

  #handlers(): Parameters<MakeClient>[0]["handlers"] {
    const seed = this.#id;
    const { input, onIce } = this.#options;
    const introduce = (introduced: readonly string[]): void =>
      input({ type: "seedUp", seed, introduced, knowsAll: true });
    return {
      up: (peers) => {
        introduce(peers);
        this.#changed(undefined);
      },
      introduce,
      packet: (from, bytes) => input({ type: "seedPacket", seed, from, bytes }),
      gone: (id) => input({ type: "seedGone", seed, id }),
      ice: (servers) => onIce?.(this.url, servers),
      down: ({ reason }) => {
        input({ type: "seedDown", seed });
        this.#changed(reason);
      },
    };
  }

  #changed(reason: string | undefined): void {
    this.reason = reason;
    this.#options.onSeed(this);
  }
}

export class Seeds {
  readonly #options: SeedsOptions;
  readonly #seeds: ManagedSeed[] = [];
  readonly #introducers = new Map<SeedId, Introducer>();
  #makeClient: MakeClient | undefined;
  #lastId = 0;
  #island: MemberId;
  #closed = false;

  constructor(options: SeedsOptions) {
    this.#options = options;
    this.#makeClient = options.makeClient;
    this.#island = options.id;
  }

  all(): readonly Seed[] {
    return [...this.#seeds];
  }

  /** False when it is there already. @throws HearsayError for a URL that can never work */
  add(url: string): boolean {
    if (this.#seeds.some((seed) => seed.url === url)) return false;
    if (!/^(ws|http)s?:/.test(url)) return this.#addDialled(url);
    const id = ++this.#lastId;
    const seed = new SeedConnection(url, id, this.#island, this.#options);
    if (this.#makeClient === undefined) this.#connectLater(seed);
    else seed.connect(this.#makeClient);
    this.#seeds.push(seed);
    this.#introducers.set(id, seed);
    return true;
  }

  #addDialled(url: string): boolean {
    const seed = this.#options.dialSeed?.(url);
    if (seed === undefined) {
      const remedy = "udp:// and dns:// need Node, its udpTransport, and udp not to be false";
      throw new HearsayError("options:seed", `nothing here dials ${url}: ${remedy}`);
    }
    this.#seeds.push(seed);
    return true;
  }

  /** Other tabs of this browser, if there are any: nobody gave them as a seed, so nothing is told of them. */
  addTabs(cluster: string, Channel: ChannelConstructor): void {
    const seed = ++this.#lastId;
    const { id, input, isSuspended } = this.#options;
    import("./tabs.ts")
      .then(({ Tabs }) => {
        if (this.#closed) return;
        const island = this.#island;
        const tabs = new Tabs({ cluster, id, seed, island, Channel, input, isSuspended });
        this.#introducers.set(seed, tabs);
      })
      // A page that may not talk to others has none to meet.
      .catch(() => undefined);
  }

  send(seed: SeedId, to: MemberId, bytes: Uint8Array): void {
    // What the connection does not take is lost; the attempt it belongs to is repeated.
    this.#introducers.get(seed)?.send(to, bytes);
  }

  island(id: MemberId): void {
    this.#island = id;
    for (const introducer of this.#introducers.values()) introducer.island(id);
  }

  /** Tries now, instead of at the end of the wait, what waits. */
  retry(): void {
    for (const seed of this.#seeds) seed.retry();
  }

  close(): void {
    this.#closed = true;
    const all = [...this.#introducers.values(), ...this.#seeds];
    for (const one of new Set<{ close(): void }>(all)) one.close();
  }

  #connectLater(seed: SeedConnection): void {
    loadClient()
      .then((make) => {
        this.#makeClient = make;
        seed.connect(make);
      })
      .catch((error: Error) => seed.refuse(error.message));
  }
}
