/**
 * Connections that others begin, until it is known what they are for. They are strangers' until then: few at a time,
 * and briefly; when all places are taken the oldest goes. Who means nothing here hears nothing.
 */

import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { plain } from "./address.ts";
import { encodeReply, type Greeted, type Hello, ID_BYTES, readHello, readUse } from "./greeting.ts";
import type { Opening } from "./opening.ts";

/** Strangers' connections at a time, and from one address. */
const PENDING_MAX = 128;
const PENDING_PER_HOST_MAX = 32;

export interface IncomingHost {
  /** Names this end to itself. */
  readonly self: Buffer;
  /** The link in the making that has this token. */
  opening(token: Buffer): Opening | undefined;
  /** Whether links are taken that nobody has announced. */
  accepts(): boolean;
  /** Such a one has come about. */
  accepted(greeted: Greeted): void;
}

export class Incoming {
  readonly #host: IncomingHost;
  /** The oldest first. */
  readonly #pending = new Map<Socket, string>();

  constructor(host: IncomingHost) {
    this.#host = host;
  }

  onConnection(socket: Socket): void {
    const from = plain(socket.remoteAddress ?? "");
    const [oldest] = this.#pending.keys();
    const fromThere = [...this.#pending.values()].filter((one) => one === from);
    socket.on("error", () => {});
    if (fromThere.length >= PENDING_PER_HOST_MAX) return void socket.destroy();
    if (this.#pending.size >= PENDING_MAX) oldest?.destroy();
    this.#pending.set(socket, from);
    socket.on("close", () => this.#pending.delete(socket));
    readHello(socket, (hello, rest) => {
      if (hello === undefined) socket.destroy();
      else if (hello.purpose === "open") this.#onOpen(socket, hello, from, rest);
      else this.#onAttempt(socket, hello, from, rest);
    });
  }

  close(): void {
    for (const socket of this.#pending.keys()) socket.destroy();
  }

  #onAttempt(socket: Socket, hello: Hello, host: string, rest: Buffer): void {
    const opening = this.#host.opening(hello.name);
    if (opening === undefined) return void socket.destroy();
    this.#pending.delete(socket);
    opening.onDialled(this.#welcome(socket, hello, host, rest));
  }

  #onOpen(socket: Socket, hello: Hello, host: string, rest: Buffer): void {
    const isSelf = hello.name.equals(this.#host.self);
    if (isSelf || !this.#host.accepts()) {
      const answer = isSelf ? "self" : "full";
      socket.write(encodeReply({ answer, id: Buffer.alloc(ID_BYTES) }));
      // It keeps no place here by not ending its side.
      return socket.destroySoon();
    }
    const greeted = this.#welcome(socket, hello, host, rest);
    readUse(
      socket,
      (after) => {
        if (after === undefined) return void socket.destroy();
        this.#pending.delete(socket);
        this.#host.accepted({ ...greeted, rest: after });
      },
      rest,
    );
  }

  #welcome(socket: Socket, hello: Hello, host: string, rest: Buffer): Greeted {
    const id = randomBytes(ID_BYTES);
    socket.write(encodeReply({ answer: "welcome", id }));
    return { socket, ids: [id, hello.id], place: { host, port: hello.port }, rest };
  }
}
