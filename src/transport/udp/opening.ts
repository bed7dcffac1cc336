/**
 * A link on its way, like a small ICE: each end tells the other its addresses and a token by signals, both dial all of
 * the other's addresses with the other's token, and of the connections that come about the initiator names one. Who
 * dials an end that expects nobody is the initiator, and there is no token.
 */

import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { ENDPOINTS_MAX, type Endpoint, plain } from "./address.ts";
import {
  encodeHello,
  type Greeted,
  type Hello,
  ID_BYTES,
  readReply,
  readUse,
  USE,
} from "./greeting.ts";
import type { UdpLink } from "./link.ts";
import { decodeSignal, encodeSignal, TOKEN_BYTES } from "./signal.ts";

export interface OpeningHost {
  /** The port of our sockets and where others may reach them, once they are there. */
  listening(): Promise<Listening>;
  /** A socket that is to end with the transport. */
  track(socket: Socket): void;
  /** Both ends have settled on this connection. */
  opened(link: UdpLink, greeted: Greeted): void;
}

/** Both ends may dial each of the other's addresses. */
const CONNECTIONS_MAX = 2 * ENDPOINTS_MAX;

interface Listening {
  /** What our sockets are bound to; undefined: all addresses. */
  readonly localAddress: string | undefined;
  readonly port: number;
  readonly endpoints: readonly Endpoint[];
}

export class Opening {
  readonly link: UdpLink;
  /** Who dials us for this link says it. */
  readonly token = randomBytes(TOKEN_BYTES);
  readonly #host: OpeningHost;
  readonly #sockets = new Set<Socket>();
  #heard = false;
  #dialling = 0;
  #lastProblem = "no address to dial";

  constructor(link: UdpLink, host: OpeningHost) {
    this.link = link;
    this.#host = host;
  }

  /** Opens it by signals. @param heard the other end has said where it is */
  bySignals(heard: () => void): void {
    this.link.onSignal((payload) => {
      if (this.#onSignal(payload)) heard();
    });
    if (this.link.initiator) this.#say("offer");
  }

  /** Opens it with whoever is there: `self` says who we are. */
  byDialling(endpoints: readonly Endpoint[], self: Buffer): void {
    // It listens too, though nobody needs to know where: datagrams come to the same port.
    this.#whenListening((own) => {
      for (const endpoint of endpoints) this.#dial(endpoint, own, "open", self);
      this.#failWithoutDial();
    });
  }

  /** Why it is not open yet. */
  why(): string {
    if (this.#heard) return `no address of the other end answers (${this.#lastProblem})`;
    return "the other end did not answer";
  }

  /** The other end has dialled us. */
  onDialled(greeted: Greeted): void {
    if (this.#sockets.size >= CONNECTIONS_MAX) return void greeted.socket.destroy();
    this.#sockets.add(greeted.socket);
    this.#settle(greeted);
  }

  /** It is open, or never will be: what is not `used` ends. */
  end(used?: Socket): void {
    for (const socket of this.#sockets) if (socket !== used) socket.destroy();
    this.#sockets.clear();
  }

  /** False for what was not awaited. */
  #onSignal(payload: Uint8Array): boolean {
    const signal = decodeSignal(payload);
    const awaited = this.link.initiator ? "answer" : "offer";
    if (this.#heard || signal?.role !== awaited) return false;
    this.#heard = true;
    if (!this.link.initiator) this.#say("answer");
    this.#whenListening((own) => {
      const token = Buffer.from(signal.token);
      for (const endpoint of signal.endpoints) this.#dial(endpoint, own, "attempt", token);
    });
    return true;
  }

  #say(role: "offer" | "answer"): void {
    this.#whenListening(({ endpoints }) => {
      this.link.say(encodeSignal({ role, token: this.token, endpoints }));
    });
  }

  #whenListening(then: (listening: Listening) => void): void {
    this.#host
      .listening()
      .then((listening) => this.link.state === "opening" && then(listening))
      .catch((error: Error) => this.link.fail("unsupported", error.message));
  }

  #dial(
    endpoint: Endpoint,
    { localAddress, port }: Listening,
    purpose: Hello["purpose"],
    name: Buffer,
  ): void {
    const from = localAddress === undefined ? {} : { localAddress };
    const socket = connect({ ...endpoint, ...from, noDelay: true });
    const id = randomBytes(ID_BYTES);
    this.#sockets.add(socket);
    this.#dialling++;
    this.#host.track(socket);
    socket.on("error", ({ message }) => {
      this.#lastProblem = message;
    });
    socket.on("connect", () => {
      socket.write(encodeHello({ purpose, name, id, port }));
    });
    readReply(socket, (reply, rest) => {
      this.#dialling--;
      if (this.link.state !== "opening") return;
      if (reply?.answer !== "welcome") {
        socket.destroy();
        if (reply?.answer === "self") return this.link.fail("self", "this address is our own");
        if (reply !== undefined) this.#lastProblem = "the other end takes no links now";
        return this.#failWithoutDial();
      }
      // Its UDP socket has the same port number, and so it has behind a NAT.
      const place = { host: plain(socket.remoteAddress ?? ""), port: endpoint.port };
      this.#settle({ socket, ids: [id, reply.id], place, rest });
    });
  }

  /** Nobody will dial us for a link without signals. */
  #failWithoutDial(): void {
    if (this.#dialling > 0 || this.#heard || this.link.state !== "opening") return;
    this.link.fail("failed", this.#lastProblem);
  }

  #settle(greeted: Greeted): void {
    const { socket } = greeted;
    if (this.link.initiator) {
      socket.write(USE);
      return this.#host.opened(this.link, greeted);
    }
    const begin = (rest: Buffer | undefined): void => {
      if (rest === undefined) socket.destroy();
      else this.#host.opened(this.link, { ...greeted, rest });
    };
    readUse(socket, begin, greeted.rest);
  }
}
