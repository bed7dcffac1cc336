/**
 * One member's socket, from the server's side: how much it has sent, when it was last heard, and its end.
 * It is cut off once, with a reason, and nothing it sends after that is looked at.
 */

import { type RawData, WebSocket } from "ws";
import {
  CloseCode,
  type Refusal,
  SIGNALING_FRAME_BYTES_MAX,
  spend,
} from "../src/signaling/protocol.ts";
import type { Budget } from "./budgets.ts";
import type { SignalingLimits } from "./options.ts";

/** ws ends a connection by itself for broken frames. It says so in our codes, and says why. */
export class MemberSocket extends WebSocket {
  override close(code?: number, reason?: string | Buffer): void {
    if (code === 1009) {
      super.close(CloseCode.tooLarge, `a message has at most ${SIGNALING_FRAME_BYTES_MAX} bytes`);
    } else if (code !== undefined && reason === undefined) {
      super.close(CloseCode.malformed, "not a valid WebSocket message");
    } else {
      super.close(code, reason);
    }
  }
}

export interface SessionHandlers {
  text(text: string): void;
  frame(frame: Uint8Array): void;
  /** Called once. The refusal is ours, if we cut it off. */
  end(refusal: Refusal | undefined): void;
}

export class Session {
  readonly number: number;
  readonly cluster: string;
  /** Who it is, once it has said hello. */
  member: string | undefined;
  /** When it was told of ICE servers. */
  iceAt = 0;
  readonly budget: Budget;
  readonly #socket: WebSocket;
  readonly #limits: SignalingLimits;
  readonly #handlers: SessionHandlers;
  readonly #now: () => number;
  readonly #openedAt: number;
  #heardAt: number;
  #pingedAt: number;
  #messagesFullAt = 0;
  #bytesFullAt = 0;
  #ended = false;

  constructor(
    number: number,
    cluster: string,
    socket: WebSocket,
    budget: Budget,
    limits: SignalingLimits,
    now: () => number,
    handlers: (session: Session) => SessionHandlers,
  ) {
    this.number = number;
    this.cluster = cluster;
    this.#socket = socket;
    this.budget = budget;
    budget.sockets++;
    this.#limits = limits;
    this.#now = now;
    this.#openedAt = this.#heardAt = this.#pingedAt = now();
    this.#handlers = handlers(this);
    // An error is followed by close, which is where the session ends; unheard it would end the process.
    socket.on("error", () => {});
    socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    // WebSocket's own pings cost as much as messages.
    socket.on("ping", () => this.#charge(0));
    socket.on("pong", () => this.#charge(0));
    socket.on("close", () => {
      budget.sockets--;
      this.#end(undefined);
    });
  }

  send(data: string | Uint8Array): void {
    if (this.#ended || this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(data, ignore);
    if (this.#socket.bufferedAmount > this.#limits.bufferedBytesMax) {
      this.cut({ code: CloseCode.timeout, reason: "too slow to read what it is sent" });
    }
  }

  /** Ends the connection and says why; a client that does not take its leave is torn down. */
  cut(refusal: Refusal): void {
    if (this.#ended) return;
    this.#end(refusal);
    this.#socket.close(refusal.code, refusal.reason);
  }

  /** To be called about once a second: pings, and finds who is late. */
  tick(ping: string): void {
    const now = this.#now();
    if (this.member === undefined) {
      if (now - this.#openedAt >= this.#limits.helloMs) {
        this.cut({ code: CloseCode.timeout, reason: "no hello in time" });
      }
    } else if (now - this.#pingedAt >= this.#limits.pingMs) {
      if (this.#heardAt < this.#pingedAt) {
        this.cut({ code: CloseCode.timeout, reason: "no answer to a ping" });
      } else {
        this.#pingedAt = now;
        this.send(ping);
      }
    }
  }

  #receive(data: RawData, isBinary: boolean): void {
    const bytes = data as Buffer;
    if (!this.#charge(isBinary ? bytes.length : 0)) return;
    if (isBinary) this.#handlers.frame(bytes);
    else this.#handlers.text(bytes.toString());
  }

  /** Takes a message from the budgets; false when the session is over, or now is because of it. */
  #charge(bytes: number): boolean {
    if (this.#ended) return false;
    const now = this.#now();
    const { messageRate, byteRate, addressMessageRate } = this.#limits;
    const messagesFullAt = spend(this.#messagesFullAt, now, messageRate);
    const bytesFullAt = spend(this.#bytesFullAt, now, byteRate, bytes);
    if (messagesFullAt === undefined || bytesFullAt === undefined) {
      const unit = messagesFullAt === undefined ? "messages" : "bytes";
      const { perSecond, burst } = messagesFullAt === undefined ? messageRate : byteRate;
      const reason = `more than ${perSecond} ${unit} per second after a burst of ${burst}`;
      this.cut({ code: CloseCode.flood, reason });
      return false;
    }
    if (!this.budget.messages.take(now, addressMessageRate)) {
      this.cut({ code: CloseCode.flood, reason: "too many messages from this address" });
      return false;
    }
    this.#messagesFullAt = messagesFullAt;
    this.#bytesFullAt = bytesFullAt;
    this.#heardAt = now;
    return true;
  }

  #end(refusal: Refusal | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#handlers.end(refusal);
  }
}

/** A failed send is followed by close. */
function ignore(): void {}
