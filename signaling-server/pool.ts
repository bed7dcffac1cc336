/**
 * Several servers that share their rooms through a bus of channels, each of which holds all of a room that has a
 * member of its own. Nothing is stored in the bus: what a server knows of others it was told by them, so a bus that
 * dies and comes back empty loses nothing. Then each forgets what it knew of the others, and all tell all again.
 *
 * Three kinds of channels: all servers' (`servers`: who lives), a room's (`room:CLUSTER`: who comes and goes; heard by
 * servers with members in it) and a server's own (`server:ID`: packets, answers). A server that has not been heard for
 * `ghostMs` is gone, with its members; one that hears of another which it does not know asks it for everything.
 *
 * Pure: the time is an argument, the bus is given.
 */

import { encodePoolMessage, type PoolMessage, parsePoolMessage } from "./pool-messages.ts";
import type { Effect, Forward, Presence, Rooms, RoomsWatch } from "./rooms.ts";

/** The bus. It forgets its subscriptions when it is lost. */
export interface Bus {
  publish(channel: string, message: Uint8Array): void;
  /** Calls back once all that is published from now on will be heard. */
  subscribe(channels: readonly string[], done: () => void): void;
  unsubscribe(channel: string): void;
  /** It has gone deaf: connect anew. */
  restart(): void;
}

export interface PoolOptions<Session> {
  /** This server's id for this start, 32 hex digits. */
  readonly self: string;
  readonly rooms: Rooms<Session>;
  readonly bus: Bus;
  readonly ghostMs: number;
  /** Told of each other server that comes or goes. */
  readonly onServer?: (event: "server joined" | "server gone") => void;
  /** Does what a message from another server leads to. */
  readonly perform: (effects: readonly Effect<Session>[]) => void;
}

/** More than anybody runs; whoever is beyond is not heard. */
const SERVERS_MAX = 1_000;

const ALL_SERVERS = "servers";
const roomOf = (cluster: string): string => `room:${cluster}`;
const ownOf = (server: string): string => `server:${server}`;

export class Pool<Session> implements RoomsWatch {
  readonly #options: PoolOptions<Session>;
  /** When each other server was heard. */
  readonly #heardAt = new Map<string, number>();
  readonly #open = new Set<string>();
  /** Rooms whose channel we hear. */
  readonly #shared = new Set<string>();
  #up = false;
  #saidAt = 0;
  /** When we have heard ourselves: the bus works both ways. */
  #echoAt = 0;

  constructor(options: PoolOptions<Session>) {
    this.#options = options;
  }

  get up(): boolean {
    return this.#up;
  }

  /** The bus is there, for the first time or again. */
  connected(now: number): void {
    const { bus, self } = this.#options;
    this.#echoAt = now;
    this.#shared.clear();
    // Who left while the bus was away was told to nobody: what was known before is void, at both ends.
    for (const server of [...this.#heardAt.keys()]) this.#forget(server);
    bus.subscribe([ALL_SERVERS, ownOf(self)], () => {
      this.#up = true;
      this.#say(ALL_SERVERS, { type: "bye", server: self });
      this.#sayAlive(now);
      const rooms = [...this.#open];
      if (rooms.length === 0) return;
      bus.subscribe(rooms.map(roomOf), () => {
        for (const cluster of rooms) this.#share(cluster);
      });
    });
  }

  /** The bus is lost. Members here stay, and those of other servers until they are taken for gone. */
  disconnected(): void {
    this.#up = false;
    this.#shared.clear();
  }

  opened(cluster: string): void {
    this.#open.add(cluster);
    if (this.#up) {
      this.#options.bus.subscribe([roomOf(cluster)], () => this.#share(cluster));
    }
  }

  emptied(cluster: string): void {
    this.#open.delete(cluster);
    this.#shared.delete(cluster);
    if (this.#up) this.#options.bus.unsubscribe(roomOf(cluster));
  }

  here(cluster: string, presence: Presence): void {
    // Until the room is shared all of it is still to be told.
    if (!this.#shared.has(cluster)) return;
    this.#say(roomOf(cluster), { type: "here", server: this.#options.self, cluster, presence });
  }

  left(cluster: string, id: string): void {
    if (!this.#shared.has(cluster)) return;
    this.#say(roomOf(cluster), { type: "left", server: this.#options.self, cluster, id });
  }

  /** Hands a packet to the server of its receiver; false if there is no way there now. */
  forward({ server, ...packet }: Forward): boolean {
    if (!this.#up) return false;
    this.#say(ownOf(server), { type: "packet", ...packet, server: this.#options.self });
    return true;
  }

  /** Something came through the bus; false if it made no sense. */
  receive(bytes: Uint8Array, now: number): boolean {
    const message = parsePoolMessage(bytes);
    if (!message) return false;
    const { server } = message;
    if (server === this.#options.self) this.#echoAt = now;
    else if (message.type === "bye") this.#forget(server);
    else if (this.#heard(server, now)) this.#take(message, now);
    return true;
  }

  /** To be called about once a second. */
  tick(now: number): void {
    const { ghostMs, bus } = this.#options;
    for (const [server, heardAt] of this.#heardAt) {
      if (now - heardAt > ghostMs) this.#forget(server);
    }
    if (!this.#up) return;
    if (now - this.#echoAt > ghostMs) {
      this.disconnected();
      bus.restart();
    } else if (now - this.#saidAt >= ghostMs / 3) this.#sayAlive(now);
  }

  /** This server stops: the others need not wait until they miss it. */
  close(): void {
    if (this.#up) this.#say(ALL_SERVERS, { type: "bye", server: this.#options.self });
    this.disconnected();
  }

  /** False for one too many. */
  #heard(server: string, now: number): boolean {
    const isKnown = this.#heardAt.has(server);
    if (!isKnown && this.#heardAt.size >= SERVERS_MAX) return false;
    this.#heardAt.set(server, now);
    if (isKnown) return true;
    this.#options.onServer?.("server joined");
    this.#say(ownOf(server), { type: "who", server: this.#options.self });
    return true;
  }

  #forget(server: string): void {
    if (!this.#heardAt.delete(server)) return;
    this.#options.rooms.serverGone(server);
    this.#options.onServer?.("server gone");
  }

  #take(message: PoolMessage, now: number): void {
    const { rooms, perform } = this.#options;
    const { server } = message;
    switch (message.type) {
      case "who":
        for (const cluster of this.#shared) this.#tellAll(ownOf(server), cluster, false);
        break;
      case "all":
        perform(rooms.allAtServer(server, message.cluster, message.presences, now));
        if (message.ask && this.#shared.has(message.cluster)) {
          this.#tellAll(ownOf(server), message.cluster, false);
        }
        break;
      case "here":
        perform(rooms.hereAtServer(server, message.cluster, message.presence, now));
        break;
      case "left":
        rooms.leftServer(server, message.cluster, message.id);
        break;
      case "packet":
        this.#deliver(message);
        break;
      case "gone":
        rooms.leftServer(server, message.cluster, message.to);
        perform(rooms.unreached(message.cluster, message.from, message.to));
    }
  }

  #deliver(message: PoolMessage & { readonly type: "packet" }): void {
    const { rooms, perform, self } = this.#options;
    const effects = rooms.arrived(message);
    if (effects) return perform(effects);
    const { server, cluster, from, to } = message;
    this.#say(ownOf(server), { type: "gone", server: self, cluster, from, to });
  }

  /** The room's channel is heard: whoever else hears it is told of all, and asked. */
  #share(cluster: string): void {
    if (!this.#up || !this.#open.has(cluster)) return;
    this.#shared.add(cluster);
    this.#tellAll(roomOf(cluster), cluster, true);
  }

  #tellAll(channel: string, cluster: string, ask: boolean): void {
    const { rooms, self } = this.#options;
    const presences = rooms.presences(cluster);
    this.#say(channel, { type: "all", server: self, cluster, ask, presences });
  }

  #sayAlive(now: number): void {
    this.#saidAt = now;
    this.#say(ALL_SERVERS, { type: "alive", server: this.#options.self });
  }

  #say(channel: string, message: PoolMessage): void {
    this.#options.bus.publish(channel, encodePoolMessage(message));
  }
}
