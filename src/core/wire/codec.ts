/**
 * Frames: one version byte, four bytes of the cluster's hash, the message. Decoding is total: any bytes give
 * a message or the reason for their rejection, and nothing else happens.
 */

import { Reader, Writer } from "../lib/bytes.ts";
import { type Inner, type Message, message, seedMessage } from "./messages.ts";

/** The wire's major version. Members of different ones refuse each other. */
export const WIRE_VERSION = 1;

export type RejectReason =
  /** Another major version of the protocol. */
  | "version"
  /** A member of another cluster. */
  | "cluster"
  /** No message of this version, or one that breaks a limit. */
  | "malformed";

export type Decoded<T> =
  | { readonly ok: true; readonly message: T }
  | { readonly ok: false; readonly reason: RejectReason };

export interface FrameCodec {
  encode(value: Message): Uint8Array;
  decode(frame: Uint8Array): Decoded<Message>;
  /** For what passes through a seed. */
  encodeInner(value: Inner): Uint8Array;
  decodeInner(frame: Uint8Array): Decoded<Inner>;
}

/** @param clusterHash the first 32 bits of the hash of the cluster's name */
export function frameCodec(clusterHash: number): FrameCodec {
  const w = new Writer();
  const start = (): void => {
    w.clear();
    w.uint8(WIRE_VERSION);
    w.uint32(clusterHash);
  };
  let last: Message | undefined;
  let lastBytes: Uint8Array = new Uint8Array(0);
  return {
    encode(value) {
      // What goes to many is encoded once. Messages are never changed once they are made.
      if (value === last) return lastBytes;
      start();
      message.write(w, value);
      last = value;
      lastBytes = w.take();
      return lastBytes;
    },
    decode: (frame) => decodeFrame(frame, clusterHash, (r) => message.read(r)),
    encodeInner(value) {
      start();
      seedMessage.write(w, { inner: value });
      return w.take();
    },
    decodeInner: (frame) => decodeFrame(frame, clusterHash, (r) => seedMessage.read(r).inner),
  };
}

function decodeFrame<T>(
  frame: Uint8Array,
  clusterHash: number,
  read: (r: Reader) => T,
): Decoded<T> {
  const r = new Reader(frame);
  const version = r.uint8();
  if (r.failed) return { ok: false, reason: "malformed" };
  if (version !== WIRE_VERSION) return { ok: false, reason: "version" };
  const cluster = r.uint32();
  if (r.failed) return { ok: false, reason: "malformed" };
  if (cluster !== clusterHash >>> 0) return { ok: false, reason: "cluster" };
  const value = read(r);
  return r.failed || r.remaining > 0
    ? { ok: false, reason: "malformed" }
    : { ok: true, message: value };
}
