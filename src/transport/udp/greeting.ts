/**
 * The first bytes on a TCP connection: who is meant, and where each end takes datagrams.
 *
 * ```
 * dialler                                          acceptor
 *   │ magic, purpose, name, id, UDP port ──────────▶ │   name: the token of its attempt, or of the dialler itself
 *   │ ◀─────────────────── magic, answer, id         │   or nothing at all, and the end
 *   │ ◀ ─ ─ ─ ─ ─ ─ ─ ─  use  ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ▶ │   from the initiator: this connection becomes the link
 * ```
 */

import type { Socket } from "node:net";
import type { Endpoint } from "./address.ts";
import { TOKEN_BYTES } from "./signal.ts";

/** A connection id is what lets a datagram in: random, given by its receiver. */
export const ID_BYTES = 8;

/** How long the other end may take to say its part, ms. */
const GREETING_MS = 5_000;

/** Its last byte is the version. */
const MAGIC = Buffer.from("hearsay\x01", "latin1");
const PORT_BYTES = 2;
const HELLO_BYTES = MAGIC.length + 1 + TOKEN_BYTES + ID_BYTES + PORT_BYTES;
const REPLY_BYTES = MAGIC.length + 1 + ID_BYTES;

const PURPOSES = ["attempt", "open"] as const;
const ANSWERS = ["welcome", "self", "full"] as const;

export interface Hello {
  /** `attempt`: both ends know of it by signals. `open`: whoever is there. */
  readonly purpose: (typeof PURPOSES)[number];
  readonly name: Buffer;
  /** Lets datagrams in to the dialler. */
  readonly id: Buffer;
  readonly port: number;
}

export interface Reply {
  readonly answer: (typeof ANSWERS)[number];
  readonly id: Buffer;
}

/** A connection whose ends have greeted each other. */
export interface Greeted {
  readonly socket: Socket;
  /** For datagrams to us, and to the other end. */
  readonly ids: readonly [own: Buffer, theirs: Buffer];
  /** Where the other end says that it takes datagrams. */
  readonly place: Endpoint;
  /** What came right behind the greeting. */
  readonly rest: Buffer;
}

/** The initiator's word that this connection becomes the link: the first frame on it (`frame-stream.ts`). */
export const USE = Buffer.of(0, 0, 1, 0);

export function encodeHello({ purpose, name, id, port }: Hello): Buffer {
  const at = Buffer.of(port >> 8, port & 0xff);
  return Buffer.concat([MAGIC, Buffer.of(PURPOSES.indexOf(purpose)), name, id, at]);
}

export function encodeReply({ answer, id }: Reply): Buffer {
  return Buffer.concat([MAGIC, Buffer.of(ANSWERS.indexOf(answer)), id]);
}

/** Calls `then` with the hello and what came behind it; undefined when none comes in time. */
export function readHello(
  socket: Socket,
  then: (hello: Hello | undefined, rest: Buffer) => void,
): void {
  readStart(socket, MAGIC, HELLO_BYTES, (bytes, rest) => {
    const purpose = PURPOSES[bytes?.[MAGIC.length] ?? -1];
    if (bytes === undefined || purpose === undefined) return then(undefined, rest);
    const idAt = MAGIC.length + 1 + TOKEN_BYTES;
    const name = bytes.subarray(MAGIC.length + 1, idAt);
    const id = bytes.subarray(idAt, idAt + ID_BYTES);
    then({ purpose, name, id, port: bytes.readUInt16BE(idAt + ID_BYTES) }, rest);
  });
}

export function readReply(
  socket: Socket,
  then: (reply: Reply | undefined, rest: Buffer) => void,
): void {
  readStart(socket, MAGIC, REPLY_BYTES, (bytes, rest) => {
    const answer = ANSWERS[bytes?.[MAGIC.length] ?? -1];
    if (bytes === undefined || answer === undefined) return then(undefined, rest);
    then({ answer, id: bytes.subarray(MAGIC.length + 1) }, rest);
  });
}

/** Waits for the initiator's word, which may have come already; gives what came behind it, undefined without it. */
export function readUse(
  socket: Socket,
  then: (rest: Buffer | undefined) => void,
  already: Buffer,
): void {
  const finish = (bytes: Buffer | undefined, rest: Buffer): void => then(bytes && rest);
  readStart(socket, USE, USE.length, finish, already);
}

/** Nothing but these bytes is held, and not for long; a wrong beginning ends it at once. */
function readStart(
  socket: Socket,
  magic: Buffer,
  length: number,
  then: (bytes: Buffer | undefined, rest: Buffer) => void,
  already: Buffer = Buffer.alloc(0),
): void {
  let start = Buffer.alloc(0);
  const finish = (bytes: Buffer | undefined, rest: Buffer): void => {
    clearTimeout(timer);
    socket.off("data", onData);
    socket.off("close", onClose);
    then(bytes, rest);
  };
  const onClose = (): void => finish(undefined, Buffer.alloc(0));
  const onData = (chunk: Buffer): void => {
    const missing = length - start.length;
    start = Buffer.concat([start, chunk.subarray(0, missing)]);
    const same = Math.min(start.length, magic.length);
    if (start.compare(magic, 0, same, 0, same) !== 0) return onClose();
    if (start.length === length) finish(start, chunk.subarray(missing));
  };
  const timer = setTimeout(onClose, GREETING_MS);
  socket.on("data", onData);
  socket.on("close", onClose);
  if (already.length > 0) onData(already);
}
