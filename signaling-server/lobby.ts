/** Joins sockets to rooms: what a session says goes to the rooms, what the rooms decide is done to sessions. */

import type { WebSocket } from "ws";
import {
  CloseCode,
  encodeMessage,
  encodeRelay,
  type IceServer,
  parseClientMessage,
  parseRelay,
  type Refusal,
  type ServerMessage,
} from "../src/signaling/protocol.ts";
import type { Budget } from "./budgets.ts";
import type { Ice } from "./ice.ts";
import type { Metrics } from "./metrics.ts";
import type { LogEntry, SignalingLimits } from "./options.ts";
import type { Pool } from "./pool.ts";
import { type Effect, Rooms } from "./rooms.ts";
import { Session } from "./session.ts";

const PING = encodeMessage({ type: "ping" });

export interface LobbyOptions {
  readonly limits: SignalingLimits;
  readonly ice: Ice;
  readonly metrics: Metrics;
  readonly now: () => number;
  readonly wallNow: () => number;
  readonly log: (entry: LogEntry) => void;
}

type Perform = (effects: readonly Effect<Session>[]) => void;

export class Lobby {
  readonly #options: LobbyOptions;
  readonly #rooms: Rooms<Session>;
  readonly #sessions = new Set<Session>();
  #counted = 0;
  #pool: Pool<Session> | undefined;

  constructor(options: LobbyOptions) {
    this.#options = options;
    this.#rooms = new Rooms(options.limits);
  }

  get size(): { readonly rooms: number; readonly members: number } {
    return this.#rooms.size;
  }

  /** Members of other servers that are known of here. */
  get remote(): number {
    return this.#rooms.remote;
  }

  /** Undefined where rooms are not shared. */
  get pool(): Pool<Session> | undefined {
    return this.#pool;
  }

  /** Shares the rooms from now on. */
  join(make: (rooms: Rooms<Session>, perform: Perform) => Pool<Session>): void {
    this.#pool = make(this.#rooms, (effects) => this.#perform(effects));
    this.#rooms.watch = this.#pool;
  }

  membersOf(cluster: string): number {
    return this.#rooms.membersOf(cluster);
  }

  /** Takes a socket over, until it ends. */
  admit(socket: WebSocket, cluster: string, budget: Budget): void {
    const number = ++this.#counted;
    const { limits, now } = this.#options;
    const session = new Session(number, cluster, socket, budget, limits, now, (session) => ({
      text: (text) => this.#onText(session, text),
      frame: (frame) => this.#onFrame(session, frame),
      end: (refusal) => this.#onEnd(session, refusal),
    }));
    this.#sessions.add(session);
    this.#options.log({ level: "info", event: "opened", socket: number });
  }

  /** To be called about once a second. */
  tick(): void {
    const now = this.#options.now();
    const { renewMs = Number.POSITIVE_INFINITY } = this.#options.ice;
    for (const session of this.#sessions) {
      session.tick(PING);
      if (session.member === undefined || now - session.iceAt < renewMs) continue;
      session.send(encodeMessage({ type: "ping", ...this.#ice(session) }));
    }
    this.#pool?.tick(now);
    this.#perform(this.#rooms.tick(now));
  }

  /** Ends so many sessions, those first that have been here longest, with the same word. */
  cut(count: number, refusal: Refusal): void {
    for (const session of [...this.#sessions].slice(0, count)) session.cut(refusal);
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  #onText(session: Session, text: string): void {
    const parsed = parseClientMessage(text);
    if (!parsed.ok) return session.cut(parsed.refusal);
    const now = this.#options.now();
    const message = parsed.value;
    this.#rooms.seen(session, now);
    switch (message.type) {
      case "hello":
        session.member = message.id;
        return this.#perform(
          this.#rooms.hello(session, session.cluster, message.id, message.island, now),
        );
      case "island":
        return this.#perform(this.#rooms.island(session, message.id, now));
      case "pong":
        if (session.member === undefined) session.cut(HELLO_FIRST);
    }
  }

  #onFrame(session: Session, frame: Uint8Array): void {
    const parsed = parseRelay(frame);
    if (!parsed.ok) return session.cut(parsed.refusal);
    this.#rooms.seen(session, this.#options.now());
    this.#perform(this.#rooms.relay(session, parsed.value.id, parsed.value.packet));
  }

  #onEnd(session: Session, refusal: Refusal | undefined): void {
    this.#sessions.delete(session);
    this.#rooms.leave(session);
    const { number: socket, budget } = session;
    const { log, metrics } = this.#options;
    if (refusal) metrics.count("cut_total", `code="${refusal.code}"`);
    if (!refusal) log({ level: "info", event: "closed", socket });
    else if (refusal.code === CloseCode.goingAway)
      log({ level: "info", event: "sent away", socket });
    else log({ level: "warn", event: "cut", socket, ...refusal, address: budget.address });
  }

  /** The part of a message that names ICE servers, where there are any. */
  #ice(session: Session): { iceServers?: readonly IceServer[] } {
    const { ice, now, wallNow } = this.#options;
    session.iceAt = now();
    const iceServers = ice.serversFor(session.member ?? "", wallNow());
    return iceServers.length > 0 ? { iceServers } : {};
  }

  #perform(effects: readonly Effect<Session>[]): void {
    const { metrics } = this.#options;
    for (const effect of effects) {
      switch (effect.type) {
        case "send":
          this.#send(effect.to, effect.message);
          break;
        case "relay": {
          const frame = encodeRelay(effect.from, effect.packet);
          if (!frame.ok) break;
          metrics.relayed += 1;
          metrics.relayedBytes += frame.value.length;
          effect.to.send(frame.value);
          break;
        }
        case "forward":
          if (this.#pool?.forward(effect.forward)) break;
          this.#send(effect.sender, { type: "gone", id: effect.forward.to });
          break;
        case "close":
          effect.session.cut(effect.refusal);
      }
    }
  }

  #send(session: Session, message: ServerMessage): void {
    if (message.type === "gone") this.#options.metrics.count("gone_total");
    const welcome = message.type === "welcome";
    session.send(encodeMessage(welcome ? { ...message, ...this.#ice(session) } : message));
  }
}

const HELLO_FIRST: Refusal = { code: CloseCode.malformed, reason: "say hello first" };
