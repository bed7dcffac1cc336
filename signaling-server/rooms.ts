/**
 * Who is in which cluster, who introduces whom, and where a relayed packet goes: the server without its sockets.
 *
 * Pure: the time is an argument, what is to be done is returned, and `Session` is whatever the caller names its
 * sockets by. Every map is bounded by the caps, and a room without members of this server is forgotten. Where several
 * servers share their rooms, a room knows the members of the others too: they are named and reached like its own.
 */

import { CloseCode, type Refusal, type ServerMessage } from "../src/signaling/protocol.ts";
import { Islands, type IslandsOptions } from "./islands.ts";
import { type Turn, takeTurns } from "./turns.ts";

export interface RoomsOptions extends IslandsOptions {
  /** Clusters at a time. */
  readonly roomsMax: number;
  /** Members of one cluster at a time. */
  readonly membersMax: number;
  /** Members that a newcomer is told of, at most `SIGNALING_PEERS_MAX`. */
  readonly introducersMax: number;
}

/** What the caller has to do, in this order. */
export type Effect<Session> =
  | { readonly type: "send"; readonly to: Session; readonly message: ServerMessage }
  | {
      readonly type: "relay";
      readonly to: Session;
      readonly from: string;
      readonly packet: Uint8Array;
    }
  | { readonly type: "forward"; readonly sender: Session; readonly forward: Forward }
  | { readonly type: "close"; readonly session: Session; readonly refusal: Refusal };

/** A packet for a member of another server. */
export interface Forward {
  readonly server: string;
  readonly cluster: string;
  readonly from: string;
  readonly to: string;
  readonly packet: Uint8Array;
}

/** A member and the island that it has reported. */
export interface Presence {
  readonly id: string;
  readonly island: string | undefined;
}

/** Told what members of this server do, where other servers want to know. */
export interface RoomsWatch {
  /** A room has its first member here. */
  opened(cluster: string): void;
  /** A room has lost its last member here. */
  emptied(cluster: string): void;
  /** A member is here, or on another island. */
  here(cluster: string, presence: Presence): void;
  left(cluster: string, id: string): void;
}

interface Room<Session> {
  readonly name: string;
  readonly members: Map<string, Member<Session>>;
  readonly islands: Islands<Member<Session>>;
  /** Members of this server that were told of nobody, and of whom nobody was told. */
  readonly lonely: Set<Member<Session>>;
  /** How many members are at this server. */
  here: number;
}

interface Member<Session> extends Turn {
  /** Undefined for a member of other servers alone. */
  session: Session | undefined;
  readonly room: Room<Session>;
  /** The other servers that it is at; the one that has told of it last at the end. */
  servers: readonly string[];
}

/** Other servers find out by themselves who has fallen silent there. */
const ALWAYS_FRESH = Number.POSITIVE_INFINITY;

const NOWHERE: readonly string[] = [];

export class Rooms<Session> {
  readonly #options: RoomsOptions;
  readonly #rooms = new Map<string, Room<Session>>();
  readonly #members = new Map<Session, Member<Session>>();
  watch: RoomsWatch | undefined;

  constructor(options: RoomsOptions) {
    this.#options = options;
  }

  get size(): { readonly rooms: number; readonly members: number } {
    return { rooms: this.#rooms.size, members: this.#members.size };
  }

  /** Members of other servers alone. */
  get remote(): number {
    let count = 0;
    for (const { members, here } of this.#rooms.values()) count += members.size - here;
    return count;
  }

  /** Those of all servers. */
  membersOf(cluster: string): number {
    return this.#rooms.get(cluster)?.members.size ?? 0;
  }

  /** Those of this server. */
  presences(cluster: string): Presence[] {
    const { members, islands } = this.#rooms.get(cluster) ?? {};
    return [...(members?.values() ?? [])]
      .filter(({ session }) => session !== undefined)
      .map(({ id }) => ({ id, island: islands?.of(id) }));
  }

  /** A session names itself. A newer session of the same id takes the place of the older one. */
  hello(
    session: Session,
    cluster: string,
    id: string,
    island: string | undefined,
    now: number,
  ): Effect<Session>[] {
    if (this.#members.has(session)) {
      return [this.#close(session, CloseCode.malformed, "hello is said once")];
    }
    const effects: Effect<Session>[] = [];
    const older = this.#rooms.get(cluster)?.members.get(id)?.session;
    if (older !== undefined) {
      effects.push(this.#close(older, CloseCode.replaced, "the same id joined on a newer socket"));
    }
    const room = this.#rooms.get(cluster) ?? this.#open(cluster);
    if (!room) return [...effects, this.#close(session, CloseCode.full, "the server is full")];
    const elsewhere = room.members.get(id);
    if (!elsewhere && room.members.size >= this.#options.membersMax) {
      return [...effects, this.#close(session, CloseCode.full, "the cluster is full here")];
    }
    const peers = this.#introducers(room, id, now);
    const member = elsewhere ?? { id, session, room, seenAt: now, servers: NOWHERE };
    member.session = session;
    member.seenAt = now;
    room.members.set(id, member);
    room.here += 1;
    this.#members.set(session, member);
    if (island !== undefined) room.islands.report(member, island, now);
    if (peers.length === 0) room.lonely.add(member);
    else room.lonely.clear();
    this.watch?.here(cluster, { id, island });
    effects.push({ type: "send", to: session, message: { type: "welcome", peers } });
    return effects;
  }

  /** Anything at all came from a session: it is alive. */
  seen(session: Session, now: number): void {
    const member = this.#members.get(session);
    if (member) member.seenAt = now;
  }

  /** A packet for another member of the same cluster. */
  relay(session: Session, to: string, packet: Uint8Array): Effect<Session>[] {
    const member = this.#members.get(session);
    if (!member) return [this.#close(session, CloseCode.malformed, "say hello first")];
    const receiver = member.room.members.get(to);
    if (receiver?.session !== undefined) {
      return [{ type: "relay", to: receiver.session, from: member.id, packet }];
    }
    const server = receiver?.servers.at(-1);
    if (server === undefined) return [gone(session, to)];
    const { name: cluster } = member.room;
    const forward = { server, cluster, from: member.id, to, packet };
    return [{ type: "forward", sender: session, forward }];
  }

  /** A session says which island it is on. */
  island(session: Session, island: string, now: number): Effect<Session>[] {
    const member = this.#members.get(session);
    if (!member) return [this.#close(session, CloseCode.malformed, "say hello first")];
    member.room.islands.report(member, island, now);
    this.watch?.here(member.room.name, { id: member.id, island });
    return [];
  }

  /** A session ended, for whatever reason. */
  leave(session: Session): void {
    const member = this.#members.get(session);
    if (!member) return;
    const { room, id } = member;
    this.#members.delete(session);
    member.session = undefined;
    member.seenAt = ALWAYS_FRESH;
    room.here -= 1;
    room.lonely.delete(member);
    forgetIfNowhere(member);
    this.watch?.left(room.name, id);
    if (room.here > 0) return;
    this.#rooms.delete(room.name);
    this.watch?.emptied(room.name);
  }

  /** Another server tells of a member, or of its new island. Of clusters without a member here nothing is kept. */
  hereAtServer(
    server: string,
    cluster: string,
    presence: Presence,
    now: number,
  ): Effect<Session>[] {
    const room = this.#rooms.get(cluster);
    if (!room) return [];
    this.#place(room, server, presence, now);
    return this.#introduceLonely(room, now);
  }

  leftServer(server: string, cluster: string, id: string): void {
    const member = this.#rooms.get(cluster)?.members.get(id);
    if (member) remove(member, server);
  }

  /** All members that another server has in this cluster. */
  allAtServer(
    server: string,
    cluster: string,
    presences: readonly Presence[],
    now: number,
  ): Effect<Session>[] {
    const room = this.#rooms.get(cluster);
    if (!room) return [];
    const ids = new Set(presences.map(({ id }) => id));
    for (const member of room.members.values()) if (!ids.has(member.id)) remove(member, server);
    for (const presence of presences) this.#place(room, server, presence, now);
    return this.#introduceLonely(room, now);
  }

  /** Another server is gone, and all that were there alone. */
  serverGone(server: string): void {
    for (const { members } of this.#rooms.values()) {
      for (const member of members.values()) remove(member, server);
    }
  }

  /** A packet from a member of another server. Undefined when its receiver is not here. */
  arrived({ cluster, from, to, packet }: Omit<Forward, "server">): Effect<Session>[] | undefined {
    const session = this.#rooms.get(cluster)?.members.get(to)?.session;
    return session === undefined ? undefined : [{ type: "relay", to: session, from, packet }];
  }

  /** What a member here has sent to another server did not reach its receiver. */
  unreached(cluster: string, sender: string, to: string): Effect<Session>[] {
    const session = this.#rooms.get(cluster)?.members.get(sender)?.session;
    return session === undefined ? [] : [gone(session, to)];
  }

  /** To be called about once a second: introduces islands to each other. */
  tick(now: number): Effect<Session>[] {
    const effects: Effect<Session>[] = [];
    for (const room of this.#rooms.values()) {
      for (const { member, peers } of room.islands.introductions(now)) {
        effects.push(...introduce(member, ids(peers)));
      }
    }
    return effects;
  }

  #open(name: string): Room<Session> | undefined {
    if (this.#rooms.size >= this.#options.roomsMax) return undefined;
    const room: Room<Session> = {
      name,
      members: new Map(),
      islands: new Islands(this.#options),
      lonely: new Set(),
      here: 0,
    };
    this.#rooms.set(name, room);
    this.watch?.opened(name);
    return room;
  }

  #introducers(room: Room<Session>, newcomer: string, now: number): string[] {
    const { introducersMax } = this.#options;
    return ids(takeTurns(room.members, introducersMax, now, ({ id }) => id !== newcomer));
  }

  #place(room: Room<Session>, server: string, { id, island }: Presence, now: number): void {
    let member = room.members.get(id);
    if (!member) {
      if (room.members.size >= this.#options.membersMax) return;
      member = { id, session: undefined, room, seenAt: ALWAYS_FRESH, servers: NOWHERE };
      room.members.set(id, member);
    }
    if (member.servers.at(-1) !== server) {
      member.servers = [...member.servers.filter((one) => one !== server), server];
    }
    if (island !== undefined) room.islands.report(member, island, now);
  }

  /** Who was alone here learns that there are others elsewhere. */
  #introduceLonely(room: Room<Session>, now: number): Effect<Session>[] {
    if (room.lonely.size === 0 || room.members.size === room.here) return [];
    const lonely = [...room.lonely];
    room.lonely.clear();
    return lonely.flatMap((member) => introduce(member, this.#introducers(room, member.id, now)));
  }

  #close(session: Session, code: number, reason: string): Effect<Session> {
    this.leave(session);
    return { type: "close", session, refusal: { code, reason } };
  }
}

const ids = (members: readonly Turn[]): string[] => members.map(({ id }) => id);

function gone<Session>(to: Session, id: string): Effect<Session> {
  return { type: "send", to, message: { type: "gone", id } };
}

function introduce<Session>(
  { session }: Member<Session>,
  peers: readonly string[],
): Effect<Session>[] {
  if (session === undefined) return [];
  return [{ type: "send", to: session, message: { type: "introduce", peers } }];
}

function remove<Session>(member: Member<Session>, server: string): void {
  if (!member.servers.includes(server)) return;
  member.servers = member.servers.filter((one) => one !== server);
  forgetIfNowhere(member);
}

function forgetIfNowhere<Session>(member: Member<Session>): void {
  if (member.session !== undefined || member.servers.length > 0) return;
  member.room.members.delete(member.id);
  member.room.islands.leave(member);
}
