/**
 * The contract between the runtime and anything that can carry frames between two members.
 *
 * A transport makes links. Every link has the same three lanes, whatever carries it:
 *
 * | lane      | order        | loss    | size of one frame                 |
 * |-----------|--------------|---------|-----------------------------------|
 * | reliable  | kept         | none    | up to {@link FRAME_BYTES_MAX}     |
 * | unordered | not promised | none    | up to {@link UNORDERED_BYTES_MAX} |
 * | datagram  | not promised | allowed | up to {@link DATAGRAM_BYTES_MAX}  |
 *
 * On the unordered lane a frame that has to be sent again holds up no other. What has no such lane (a stream) may
 * carry its frames with the reliable ones.
 *
 * A transport that does not encrypt by itself is given frames that are sealed: it carries {@link SEAL_BYTES} more than
 * that on each lane, and the sizes above are what its user has of them.
 *
 * Frames keep their boundaries: what is one `send` here is one `frame` there.
 * An adapter never throws for what the network or the other end does: that becomes `close(reason)`.
 * It throws `RangeError` for a frame over the lane's size, because that is the caller's bug.
 * Handlers are never called from inside `connect`, `signal`, `send` or `close`: a caller need not fear
 * to be entered twice.
 */

export type Lane = "reliable" | "unordered" | "datagram";

/** The largest frame of the reliable lane, in bytes. An adapter may cut it for the wire. */
export const FRAME_BYTES_MAX = 65_536;

/** The largest frame of the unordered lane, in bytes. */
export const UNORDERED_BYTES_MAX = 16_384;

/** The largest frame of the datagram lane, in bytes: fits one UDP packet of a 1,280-byte path. */
export const DATAGRAM_BYTES_MAX = 1_100;

/** What the seal of a session adds to a frame, in bytes. */
export const SEAL_BYTES = 24;

const BYTES_MAX: Readonly<Record<Lane, number>> = {
  reliable: FRAME_BYTES_MAX,
  unordered: UNORDERED_BYTES_MAX,
  datagram: DATAGRAM_BYTES_MAX,
};

/**
 * @param sealBytes what a frame may have beyond: {@link SEAL_BYTES} where the transport does not encrypt
 * @throws RangeError for a frame over the size of its lane
 */
export function checkSize(lane: Lane, frame: Uint8Array, sealBytes = 0): void {
  if (fits(lane, frame, sealBytes)) return;
  const bytesMax = BYTES_MAX[lane] + sealBytes;
  throw new RangeError(
    `a frame of the ${lane} lane has at most ${bytesMax} bytes, this one has ${frame.length}: cut it up`,
  );
}

/** Whether a frame is not over the size of its lane. */
export function fits(lane: Lane, { length }: Uint8Array, sealBytes = 0): boolean {
  return length <= BYTES_MAX[lane] + sealBytes;
}

/** Why a link ended, or never opened. `code` is stable; `message` is for people. */
export interface CloseReason {
  readonly code: /** We closed it. */
    | "local"
    /** The other end closed it. */
    | "remote"
    /** It did not open within its time. */
    | "timeout"
    /** The connection broke, or never could be made (ICE failed, socket error). */
    | "failed"
    /** The other end sent what this transport cannot mean: bad framing, oversized frame. */
    | "protocol"
    /** The handshake of the session failed: the message says what to look at. */
    | "refused"
    /** This runtime cannot open links of this kind (no WebRTC here, dials exhausted). */
    | "unsupported"
    /** The address that was dialled is our own. */
    | "self";
  readonly message: string;
}

export interface LinkHandlers {
  /** Signalling for the other end. Opaque, ≤ 16 KiB each; the carrier may delay, reorder or lose it. */
  signal(payload: Uint8Array): void;
  /** All lanes can carry frames. Called once, before any `frame`. */
  open(): void;
  /** A whole frame came in. The bytes belong to the receiver: the adapter never touches them again. */
  frame(lane: Lane, bytes: Uint8Array): void;
  /**
   * `bytes` of frames handed to `send`, datagrams not counted, have left the local buffer since the last call.
   * Over the life of an open link the sum equals all bytes sent on the reliable and the unordered lane.
   */
  drain(bytes: number): void;
  /** The end, called exactly once; nothing is called after it. */
  close(reason: CloseReason): void;
}

export interface Link {
  readonly state: "opening" | "open" | "closed";
  /**
   * Names this very channel: the same bytes at both ends, and at no other pair of ends. Empty until open.
   * A handshake mixes it in, so that nobody can sit between two channels and pass it through.
   */
  readonly binding: Uint8Array;
  /** Feeds signalling from the other end. Malformed or late payloads change nothing and never throw. */
  signal(payload: Uint8Array): void;
  /**
   * Reliable and unordered: queued; the caller watches `drain` and bounds what is in flight.
   * Datagram: sent now or dropped when the lane is congested.
   * On a link that is not open the frame is dropped: a `close` has come or will come.
   * The bytes are the link's from then on: do not change them.
   * @throws RangeError for a frame over the size of its lane
   */
  send(lane: Lane, frame: Uint8Array): void;
  /** Ends the link. What was handed to `send` just before is still given a chance to leave. Idempotent. */
  close(): void;
  /** What has gone over the link so far. For diagnosis. */
  stats(): LinkStats;
}

export interface LinkStats {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly sentFrames: number;
  readonly receivedFrames: number;
  /** Bytes of the reliable and the unordered lane handed over and not yet drained. */
  readonly bufferedBytes: number;
  readonly droppedDatagrams: number;
}

export interface ConnectOptions {
  /** Exactly one end of a link initiates (makes the offer). */
  readonly initiator: boolean;
  /**
   * false: one single signal that carries everything (for invitations, which people carry by hand),
   * and no time-out for opening unless `openTimeoutMs` says one. Default true.
   */
  readonly trickle?: boolean;
  /** Gives the link up with `timeout` when it has not opened by then. Default 15,000; 0 means never. */
  readonly openTimeoutMs?: number;
}

export interface Transport {
  /** A short name, shown to users: `webrtc`, `udp`, `memory`. */
  readonly kind: string;
  /** True where making the offer is slow (Firefox takes a second): then the other side should offer. */
  readonly slowOfferer: boolean;
  /**
   * Whether what it carries is secret and whole by itself, and its links' `binding` names the ends of that encryption.
   * Otherwise every frame is sealed before it gets here.
   */
  readonly encrypted: boolean;
  connect(options: ConnectOptions, handlers: LinkHandlers): Link;
  /** Whether a first signal is of this kind of transport: an invitation does not say of which it is. */
  recognises?(signal: Uint8Array): boolean;
  /** Where ends have addresses: links that nobody introduces. */
  readonly dialling?: Dialling | undefined;
  /** Closes every link and frees everything, so that a process can exit. Idempotent. */
  close(): void;
}

/** What a transport can do whose ends have addresses. Its links are like any others, and nobody signals for them. */
export interface Dialling {
  /** Schemes of the URLs that it resolves: `udp`, `dns`. */
  readonly schemes: readonly string[];
  /** Where others reach this end, `udp://10.0.0.7:7946`, the best first. Empty until it listens. */
  readonly addresses: readonly string[];
  /**
   * Takes links that others dial from now on: `accept` gives what handles one, which opens then.
   * Rejects where it cannot listen: the port is in use.
   */
  listen(accept: (link: Link) => LinkHandlers): Promise<void>;
  /** The addresses that a URL stands for at this moment: a list for each end that may be there. */
  resolve(url: string): Promise<readonly (readonly string[])[]>;
  /**
   * Looks for ends of the same name on the local network, and lets itself be found. `found` may tell of one again and
   * again. Gives the end of it; rejects where that cannot be.
   */
  discover?(name: string, found: (addresses: readonly string[]) => void): Promise<() => void>;
  /** Begins a link with the one end that has these addresses. `self`: it is this end. */
  dial(addresses: readonly string[], handlers: LinkHandlers): Link;
}
