/** Joins sockets to rooms: what a session says goes to the rooms, what the rooms decide is done to sessions. */

import type { WebSocket } from "ws";
import {
  CloseCode,
  encodeMessage,
  encodeRelay,
  parseClientMessage,
  parseRelay,
  type Refusal,
} from "../src/signaling/protocol.ts";
import type { LogEntry, SignalingLimits } from "./options.ts";
import { type Effect, Rooms } from "./rooms.ts";
import { Session } from "./session.ts";

const PING = encodeMessage({ type: "ping" });

export class Lobby {
  readonly #limits: SignalingLimits;
  readonly #now: () => number;
  readonly #log: (entry: LogEntry) => void;
  readonly #rooms: Rooms<Session>;
  readonly #sessions = new Set<Session>();
  #counted = 0;

  constructor(limits: SignalingLimits, now: () => number, log: (entry: LogEntry) => void) {
    this.#limits = limits;
    this.#now = now;
    this.#log = log;
    this.#rooms = new Rooms(limits);
  }

  get size(): { readonly rooms: number; readonly members: number } {
    return this.#rooms.size;
  }

  /** Takes a socket over, until it ends. */
  admit(socket: WebSocket, cluster: string): void {
    const number = ++this.#counted;
    const session = new Session(number, cluster, socket, this.#limits, this.#now, (session) => ({
      text: (text) => this.#onText(session, text),
      frame: (frame) => this.#onFrame(session, frame),
      end: (refusal) => this.#onEnd(session, refusal),
    }));
    this.#sessions.add(session);
    this.#log({ level: "info", event: "opened", socket: number });
  }

  /** To be called about once a second. */
  tick(): void {
    for (const session of this.#sessions) session.tick(PING);
    this.#perform(this.#rooms.tick(this.#now()));
  }

  /** Ends all sessions with the same word. */
  cutAll(refusal: Refusal): void {
    for (const session of this.#sessions) session.cut(refusal);
  }

  #onText(session: Session, text: string): void {
    const parsed = parseClientMessage(text);
    if (!parsed.ok) return session.cut(parsed.refusal);
    const now = this.#now();
    const message = parsed.value;
    this.#rooms.seen(session, now);
    switch (message.type) {
      case "hello":
        session.joined = true;
        return this.#perform(
          this.#rooms.hello(session, session.cluster, message.id, message.island, now),
        );
      case "island":
        return this.#perform(this.#rooms.island(session, message.id, now));
      case "pong":
        if (!session.joined) session.cut(HELLO_FIRST);
    }
  }

  #onFrame(session: Session, frame: Uint8Array): void {
    const parsed = parseRelay(frame);
    if (!parsed.ok) return session.cut(parsed.refusal);
    this.#rooms.seen(session, this.#now());
    this.#perform(this.#rooms.relay(session, parsed.value.id, parsed.value.packet));
  }

  #onEnd(session: Session, refusal: Refusal | undefined): void {
    this.#sessions.delete(session);
    this.#rooms.leave(session);
    const socket = session.number;
    if (!refusal) this.#log({ level: "info", event: "closed", socket });
    else if (refusal.code === CloseCode.goingAway)
      this.#log({ level: "info", event: "sent away", socket });
    else this.#log({ level: "warn", event: "cut", socket, ...refusal });
  }

  #perform(effects: readonly Effect<Session>[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "send":
          effect.to.send(encodeMessage(effect.message));
          break;
        case "relay": {
          const frame = encodeRelay(effect.from, effect.packet);
          if (frame.ok) effect.to.send(frame.value);
          break;
        }
        case "close":
          effect.session.cut(effect.refusal);
      }
    }
  }
}

const HELLO_FIRST: Refusal = { code: CloseCode.malformed, reason: "say hello first" };
