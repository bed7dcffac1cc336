import { CHUNK_BYTES_MAX, FrameReader, FrameWriter } from "./framing.ts";
import {
  type CloseReason,
  type ConnectOptions,
  DATAGRAM_BYTES_MAX,
  FRAME_BYTES_MAX,
  type Lane,
  type Link,
  type LinkHandlers,
  type LinkStats,
} from "./transport.ts";
import { Negotiation } from "./webrtc-negotiation.ts";
import { Outlet } from "./webrtc-outlet.ts";
import type {
  DataChannel,
  SimplePeer,
  SimplePeerConstructor,
  WebRtcImplementation,
} from "./webrtc-shapes.ts";

/**
 * Bytes that the reliable channel may hold. Above 16 MiB implementations throw or lose messages. In Node the
 * layer below takes 2 MB more that no counter shows: `drain` bounds memory, not what is under way.
 */
const CHANNEL_BYTES_MAX = 262_144;
/** Where a browser tells that the channel wants more. */
const CHANNEL_BYTES_LOW = 131_072;
/** A datagram that would wait behind more than this is dropped: it would come too late to mean anything. */
const DATAGRAM_CHANNEL_BYTES_MAX = 65_536;
/**
 * What a closing link still hands over at most, and how long it then waits for the other end to have it and to close.
 * Patiently: sending into a channel that is being closed from afar can crash WebRTC in Node, and who is busy may not
 * have read yet that it is to send no more.
 */
const FLUSH_BYTES_MAX = 1_048_576;
const FLUSH_MS = 10_000;

/**
 * Ends the reliable lane, for chunks are never empty. The other end closes when it has come this far. Closing
 * the channel would not do: what SCTP still holds is dropped then.
 */
const FAREWELL = new Uint8Array();

const OPEN_TIMEOUT_MS = 15_000;

/** Both channels are agreed on beforehand, so a stranger cannot slip in one of its own. */
const RELIABLE_CHANNEL = { negotiated: true, id: 2, ordered: true };
const DATAGRAM_CHANNEL = { negotiated: true, id: 3, ordered: false, maxRetransmits: 0 };

/** What links of one transport share. */
export interface LinkHost {
  readonly wrtc: WebRtcImplementation;
  readonly configuration: object;
  simplePeer(): Promise<SimplePeerConstructor>;
  /** Calls `look` every few ms until it returns false. */
  poll(look: () => boolean): void;
  /** The link holds no connection any more. */
  released(link: WebRtcLink): void;
}

/** One connection with its two channels. */
export class WebRtcLink implements Link {
  readonly #host: LinkHost;
  readonly #handlers: LinkHandlers;
  readonly #negotiation: Negotiation;
  readonly #initiator: boolean;
  readonly #trickle: boolean;
  readonly #writer = new FrameWriter();
  readonly #reader = new FrameReader((frame) => this.#deliver("reliable", frame));
  #state: Link["state"] = "opening";
  #peer: SimplePeer | undefined;
  #reliable: Outlet | undefined;
  #datagram: Outlet | undefined;
  #openTimer: ReturnType<typeof setTimeout> | undefined;
  #flushMs = Number.POSITIVE_INFINITY;
  #flushTimer: ReturnType<typeof setTimeout> | undefined;
  #pumpDue = false;
  #waiting = false;
  #sentBytes = 0;
  #receivedBytes = 0;
  #sentFrames = 0;
  #receivedFrames = 0;
  #droppedDatagrams = 0;

  constructor(host: LinkHost, options: ConnectOptions, handlers: LinkHandlers) {
    this.#host = host;
    this.#handlers = handlers;
    this.#initiator = options.initiator;
    this.#trickle = options.trickle ?? true;
    this.#negotiation = new Negotiation({
      initiator: options.initiator,
      trickle: this.#trickle,
      wrtc: host.wrtc,
      emit: (payload) => this.#state !== "closed" && handlers.signal(payload),
      fail: (message) => this.#fail("failed", message),
    });
    const openTimeoutMs = options.openTimeoutMs ?? (this.#trickle ? OPEN_TIMEOUT_MS : 0);
    if (openTimeoutMs > 0) {
      this.#openTimer = setTimeout(() => {
        const message = `no connection within ${openTimeoutMs} ms: ${this.#whyNotOpen()}`;
        this.#fail("timeout", message);
      }, openTimeoutMs);
    }
    void this.#start();
  }

  get state(): Link["state"] {
    return this.#state;
  }

  get binding(): Uint8Array {
    return this.#state === "opening" ? new Uint8Array() : this.#negotiation.binding;
  }

  signal(payload: Uint8Array): void {
    if (this.#state !== "closed") this.#negotiation.receive(payload);
  }

  send(lane: Lane, frame: Uint8Array): void {
    const bytesMax = lane === "reliable" ? FRAME_BYTES_MAX : DATAGRAM_BYTES_MAX;
    if (frame.length > bytesMax) {
      throw new RangeError(
        `a ${lane} frame has at most ${bytesMax} bytes, this one has ${frame.length}: cut it up`,
      );
    }
    if (this.#state !== "open") return;
    if (lane === "datagram" && !this.#datagram?.send(frame)) {
      this.#droppedDatagrams++;
      return;
    }
    this.#sentFrames++;
    this.#sentBytes += frame.length;
    if (lane === "reliable") {
      this.#writer.push(frame);
      this.#pumpSoon();
    }
  }

  /** @param flushMs how long what was sent may take to arrive; 0 where no timer will run any more */
  close(flushMs: number = FLUSH_MS): void {
    const message = "closed by this end";
    if (this.#state === "opening") this.#fail("local", message);
    if (this.#state === "open") this.#sayFarewell();
    this.#end({ code: "local", message });
    if (this.#peer === undefined || flushMs >= this.#flushMs) return;
    this.#flushMs = flushMs;
    clearTimeout(this.#flushTimer);
    if (flushMs > 0) this.#flushTimer = setTimeout(() => this.#release(), flushMs);
    else this.#release();
  }

  stats(): LinkStats {
    return {
      sentBytes: this.#sentBytes,
      receivedBytes: this.#receivedBytes,
      sentFrames: this.#sentFrames,
      receivedFrames: this.#receivedFrames,
      bufferedBytes: this.#writer.queuedBytes,
      droppedDatagrams: this.#droppedDatagrams,
    };
  }

  async #start(): Promise<void> {
    try {
      const Peer = await this.#host.simplePeer();
      if (this.#state === "closed") return;
      const peer = new Peer({
        initiator: this.#initiator,
        trickle: this.#trickle,
        wrtc: this.#host.wrtc,
        config: this.#host.configuration,
        channelConfig: RELIABLE_CHANNEL,
      });
      this.#peer = peer;
      peer.on("error", (error) => this.#fail(...reasonOf(error)));
      peer.on("close", () => this.#onPeerClose());
      const datagram = peer._pc?.createDataChannel("datagram", DATAGRAM_CHANNEL);
      if (peer._channel === undefined || datagram === undefined) return; // its error is on the way
      this.#setUpChannels(peer._channel, datagram);
      this.#negotiation.attach(peer);
    } catch (error) {
      this.#fail("unsupported", `no WebRTC connection can be made: ${error}`);
    }
  }

  /** simple-peer would pass messages through a stream; taking its handlers' place spares that. */
  #setUpChannels(reliable: DataChannel, datagram: DataChannel): void {
    this.#reliable = new Outlet(reliable, CHANNEL_BYTES_MAX);
    this.#datagram = new Outlet(datagram, DATAGRAM_CHANNEL_BYTES_MAX);
    reliable.onmessage = ({ data }) => this.#onChunk(data);
    datagram.binaryType = "arraybuffer";
    datagram.onmessage = ({ data }) => this.#onDatagram(data);
    if (typeof reliable.bufferedAmountLowThreshold === "number") {
      reliable.bufferedAmountLowThreshold = CHANNEL_BYTES_LOW;
      reliable.onbufferedamountlow = () => {
        if (this.#state === "open") this.#pump();
      };
    }
    const openWhenBothAre = () => {
      if (reliable.readyState === "open" && datagram.readyState === "open") this.#open();
    };
    reliable.onopen = openWhenBothAre;
    datagram.onopen = openWhenBothAre;
    openWhenBothAre();
  }

  #open(): void {
    if (this.#state !== "opening") return;
    this.#state = "open";
    clearTimeout(this.#openTimer);
    this.#handlers.open();
  }

  #onChunk(data: unknown): void {
    // A message can overtake the event that says its channel is open.
    this.#open();
    const chunk = data instanceof ArrayBuffer ? new Uint8Array(data) : undefined;
    if (chunk?.length === 0) {
      this.#fail("remote", "the other end closed the link");
    } else if (this.#state === "open") {
      const broken = chunk ? this.#reader.push(chunk) : "a text message came, frames are binary";
      if (broken !== undefined) this.#fail("protocol", broken);
    }
  }

  #onDatagram(data: unknown): void {
    if (!(data instanceof ArrayBuffer) || data.byteLength > DATAGRAM_BYTES_MAX) {
      this.#fail("protocol", "a datagram came that is text or too large");
    } else if (this.#state === "open") {
      this.#deliver("datagram", new Uint8Array(data));
    }
  }

  #deliver(lane: Lane, frame: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#receivedFrames++;
    this.#receivedBytes += frame.length;
    this.#handlers.frame(lane, frame);
  }

  /** After the current tick, so that what it still sends goes out in the same chunk. */
  #pumpSoon(): void {
    if (this.#pumpDue || this.#waiting) return;
    this.#pumpDue = true;
    queueMicrotask(() => {
      this.#pumpDue = false;
      if (this.#state === "open") this.#pump();
    });
  }

  #pump(): void {
    const drained = this.#handOver();
    const wasWaiting = this.#waiting;
    this.#waiting = !this.#writer.empty;
    if (this.#waiting && !wasWaiting && !this.#reliable?.tellsWhenLow) {
      this.#host.poll(() => this.#state === "open" && this.#pumpAgain());
    }
    if (drained > 0) this.#handlers.drain(drained);
  }

  #pumpAgain(): boolean {
    this.#pump();
    return this.#waiting;
  }

  #handOver(bytesMax: number = Number.POSITIVE_INFINITY): number {
    let drained = 0;
    while (drained < bytesMax && this.#reliable?.hasRoomFor(CHUNK_BYTES_MAX)) {
      const chunk = this.#writer.next();
      if (chunk === undefined) break;
      // When it fails the channel is closing, and the news of that is on the way.
      if (!this.#reliable.send(chunk.bytes)) break;
      drained += chunk.frameBytes;
    }
    return drained;
  }

  #sayFarewell(): void {
    this.#reliable?.widen(FLUSH_BYTES_MAX);
    this.#handOver(FLUSH_BYTES_MAX);
    this.#reliable?.send(FAREWELL);
  }

  #onPeerClose(): void {
    if (this.#state === "open") this.#fail("remote", "the other end closed the connection");
    else this.#fail("failed", "the connection ended before it was open");
  }

  #fail(code: CloseReason["code"], message: string): void {
    this.#end({ code, message });
    this.#release();
  }

  #end(reason: CloseReason): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#openTimer);
    this.#negotiation.stop();
    queueMicrotask(() => this.#handlers.close(reason));
  }

  #whyNotOpen(): string {
    if (!this.#negotiation.answered) return "the other end did not answer";
    const state = this.#peer?._pc?.iceConnectionState ?? "new";
    const remedy = "a TURN server in iceServers may give one";
    return `no path leads to the other end (ICE is ${state}): ${remedy}`;
  }

  /** Gives the connection up. simple-peer closes it in a microtask. */
  #release(): void {
    const peer = this.#peer;
    clearTimeout(this.#flushTimer);
    this.#writer.clear();
    this.#peer = undefined;
    this.#reliable = undefined;
    this.#datagram = undefined;
    if (peer?._iceCompleteTimer) clearTimeout(peer._iceCompleteTimer);
    peer?.destroy();
    this.#host.released(this);
  }
}

function reasonOf(error: Error & { readonly code?: string }): [CloseReason["code"], string] {
  const { code, message } = error;
  if (code === "ERR_PC_CONSTRUCTOR") {
    const remedy = "too many in this page's life? Reload it, or lower dialsPerMinuteMax";
    return ["unsupported", `no WebRTC connection can be made (${message}): ${remedy}`];
  }
  // Chromium calls it an abort when the other end closes.
  if (/user-initiated abort/i.test(message)) return ["remote", message];
  if (code === "ERR_SET_REMOTE_DESCRIPTION") return ["protocol", message];
  return ["failed", message];
}
