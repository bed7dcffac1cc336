/**
 * Who is in which cluster, who introduces whom, and where a relayed packet goes: the server without its sockets.
 *
 * Pure: the time is an argument, what is to be done is returned, and `Session` is whatever the caller names its
 * sockets by. Every map is bounded by the caps, and a room without members is forgotten.
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
  | { readonly type: "close"; readonly session: Session; readonly refusal: Refusal };

interface Room<Session> {
  readonly name: string;
  readonly members: Map<string, Member<Session>>;
  readonly islands: Islands<Member<Session>>;
}

interface Member<Session> extends Turn {
  readonly session: Session;
  readonly room: Room<Session>;
}

export class Rooms<Session> {
  readonly #options: RoomsOptions;
  readonly #rooms = new Map<string, Room<Session>>();
  readonly #members = new Map<Session, Member<Session>>();

  constructor(options: RoomsOptions) {
    this.#options = options;
  }

  get size(): { readonly rooms: number; readonly members: number } {
    return { rooms: this.#rooms.size, members: this.#members.size };
  }

  membersOf(cluster: string): number {
    return this.#rooms.get(cluster)?.members.size ?? 0;
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
    const older = this.#rooms.get(cluster)?.members.get(id);
    if (older) {
      effects.push(
        this.#close(older.session, CloseCode.replaced, "the same id joined on a newer socket"),
      );
    }
    const room = this.#rooms.get(cluster) ?? this.#open(cluster);
    if (!room) return [...effects, this.#close(session, CloseCode.full, "the server is full")];
    if (room.members.size >= this.#options.membersMax) {
      return [...effects, this.#close(session, CloseCode.full, "the cluster is full here")];
    }
    const introducers = takeTurns(room.members, this.#options.introducersMax, now);
    const member = { id, session, room, seenAt: now };
    room.members.set(id, member);
    this.#members.set(session, member);
    if (island !== undefined) room.islands.report(member, island, now);
    const peers = introducers.map((introducer) => introducer.id);
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
    return receiver
      ? [{ type: "relay", to: receiver.session, from: member.id, packet }]
      : [{ type: "send", to: session, message: { type: "gone", id: to } }];
  }

  /** A session says which island it is on. */
  island(session: Session, island: string, now: number): Effect<Session>[] {
    const member = this.#members.get(session);
    if (!member) return [this.#close(session, CloseCode.malformed, "say hello first")];
    member.room.islands.report(member, island, now);
    return [];
  }

  /** A session ended, for whatever reason. */
  leave(session: Session): void {
    const member = this.#members.get(session);
    if (!member) return;
    const { room } = member;
    this.#members.delete(session);
    room.members.delete(member.id);
    room.islands.leave(member);
    if (room.members.size === 0) this.#rooms.delete(room.name);
  }

  /** To be called about once a second: introduces islands to each other. */
  tick(now: number): Effect<Session>[] {
    const effects: Effect<Session>[] = [];
    for (const room of this.#rooms.values()) {
      for (const { member, peers } of room.islands.introductions(now)) {
        const message: ServerMessage = { type: "introduce", peers: peers.map((peer) => peer.id) };
        effects.push({ type: "send", to: member.session, message });
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
    };
    this.#rooms.set(name, room);
    return room;
  }

  #close(session: Session, code: number, reason: string): Effect<Session> {
    this.leave(session);
    return { type: "close", session, refusal: { code, reason } };
  }
}
