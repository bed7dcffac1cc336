/** A stream as the application has it, and what its makers share. */

import type { Command, MemberId, MeshEvent } from "../core/machine.ts";
import type { ListenOptions, Unlisten } from "./listeners.ts";
import type { Peer } from "./peers.ts";
import type { Reading, ReadOptions } from "./reading.ts";

/** How far a stream has come, in bytes from its beginning. */
export interface StreamProgress {
  /** Given to a link. */
  readonly sentBytes: number;
  /** Arrived at the other end. */
  readonly acknowledgedBytes: number;
  readonly receivedBytes: number;
}

/** Bytes both ways between two peers. Each end ends its own direction by closing `writable`. */
export interface MeshStream {
  /** The other end. */
  readonly peer: Peer;
  readonly name: string;
  /** What the other end writes. Cancelling it aborts the stream. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Takes Uint8Arrays. Closing it resolves when the other end has everything; aborting it aborts the stream. */
  readonly writable: WritableStream<Uint8Array>;
  readonly progress: StreamProgress;
  /** Calls `handler` as it goes on. Without a handler: an async iterator, which skips to the latest. */
  onProgress(handler: (progress: StreamProgress) => unknown, options?: ListenOptions): Unlisten;
  onProgress(options?: ReadOptions): Reading<StreamProgress>;
  /** Resolves when both directions have ended, all of them having arrived. @throws HearsayError `stream:…` */
  readonly closed: Promise<void>;
  /** Ends it both ways, at once. The other end gets `stream:aborted`, with the message of `reason`. */
  abort(reason?: unknown): void;
}

export type StreamCommand = Extract<Command, { type: `stream${string}` }>;
export type StreamNews = Extract<MeshEvent, { type: "stream" }>;

export type StreamHandler = (stream: MeshStream, from: Peer, name: string) => unknown;

export interface StreamingContext {
  /** @throws HearsayError `mesh:left` */
  command(command: StreamCommand): void;
  peer(id: MemberId): Peer | undefined;
  report(error: unknown): void;
}

/** A stream that another peer has opened, and nobody has taken yet. */
export interface Offer {
  readonly from: Peer;
  readonly name: string;
  /** Undefined when it is over. */
  take(): MeshStream | undefined;
}

/** Who takes streams of some names. */
export interface Taker {
  readonly matches: (name: string) => boolean;
  readonly take: (offer: Offer) => void;
}
