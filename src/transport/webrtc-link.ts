import { FrameReader } from "./framing.ts";
import { Traffic } from "./traffic.ts";
import {
  type CloseReason,
  type ConnectOptions,
  checkSize,
  DATAGRAM_BYTES_MAX,
  type Lane,
  type Link,
  type LinkHandlers,
  type LinkStats,
} from "./transport.ts";
import { Negotiation } from "./webrtc-negotiation.ts";
import { Outlet, Queue } from "./webrtc-outlet.ts";
import type {
  DataChannel,
  SimplePeer,
  SimplePeerConstructor,
  WebRtcImplementation,
} from "./webrtc-shapes.ts";

/**
 * Bytes that a channel which loses nothing may hold. Above 16 MiB implementations throw or lose messages. In Node the
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
 * Ends the reliable lane: a text, for chunks are binary, that says how many chunks went on the unordered one. The other
 * end closes when it has all. Closing the channels would not do: what SCTP still holds is dropped then.
 */
const FAREWELL = /^\d{1,15}$/;

const OPEN_TIMEOUT_MS = 15_000;

/** The channels are agreed on beforehand, so a stranger cannot slip in one of its own. */
const RELIABLE_CHANNEL = { negotiated: true, id: 2, ordered: true };
const UNORDERED_CHANNEL = { negotiated: true, id: 4, ordered: false };
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

/** One connection with its three channels. */
export class WebRtcLink implements Link {
  readonly #host: LinkHost;
  readonly #handlers: LinkHandlers;
  readonly #negotiation: Negotiation;
  readonly #initiator: boolean;
  readonly #trickle: boolean;
  readonly #queues = { reliable: new Queue(false), unordered: new Queue(true) };
  readonly #reader = new FrameReader((frame) => this.#deliver("reliable", frame));
  readonly #wholeReader = new FrameReader((frame) => this.#deliver("unordered", frame));
  /** Chunks that came on the unordered lane, and how many there are once the other end has said farewell. */
  #wholeCount = 0;
  #wholeTotal = Number.POSITIVE_INFINITY;
  #state: Link["state"] = "opening";
  #peer: SimplePeer | undefined;
  #datagram: Outlet | undefined;
  #openTimer: ReturnType<typeof setTimeout> | undefined;
  #flushMs = Number.POSITIVE_INFINITY;
  #flushTimer: ReturnType<typeof setTimeout> | undefined;
  #pumpDue = false;
  #polling = false;
  readonly #traffic = new Traffic();

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
    checkSize(lane, frame);
    if (this.#state !== "open") return;
    if (lane === "datagram" && !this.#datagram?.send(frame)) {
      this.#traffic.droppedDatagrams++;
      return;
    }
    this.#traffic.sent(frame);
    if (lane === "datagram") return;
    this.#queues[lane].push(frame);
    if (!this.#queues[lane].isWaiting) this.#pumpSoon();
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
    return this.#traffic.stats(this.#queues.reliable.bytes + this.#queues.unordered.bytes);
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
      const unordered = peer._pc?.createDataChannel("unordered", UNORDERED_CHANNEL);
      if (!peer._channel || !datagram || !unordered) return; // its error is on the way
      this.#setUpChannels(peer._channel, unordered, datagram);
      this.#negotiation.attach(peer);
    } catch (error) {
      this.#fail("unsupported", `no WebRTC connection can be made: ${error}`);
    }
  }

  /** simple-peer would pass messages through a stream; taking its handlers' place spares that. */
  #setUpChannels(reliable: DataChannel, unordered: DataChannel, datagram: DataChannel): void {
    this.#queues.reliable.outlet = new Outlet(reliable, CHANNEL_BYTES_MAX);
    this.#queues.unordered.outlet = new Outlet(unordered, CHANNEL_BYTES_MAX);
    this.#datagram = new Outlet(datagram, DATAGRAM_CHANNEL_BYTES_MAX);
    reliable.onmessage = ({ data }) => this.#onChunk(data);
    unordered.onmessage = ({ data }) => this.#onWholeChunk(data);
    datagram.onmessage = ({ data }) => this.#onDatagram(data);
    for (const channel of [reliable, unordered]) {
      if (typeof channel.bufferedAmountLowThreshold !== "number") continue;
      channel.bufferedAmountLowThreshold = CHANNEL_BYTES_LOW;
      channel.onbufferedamountlow = () => {
        if (this.#state === "open") this.#pump();
      };
    }
    const all = [reliable, unordered, datagram];
    const openWhenAllAre = () => {
      if (all.every(({ readyState }) => readyState === "open")) this.#open();
    };
    for (const channel of all) {
      channel.binaryType = "arraybuffer";
      channel.onopen = openWhenAllAre;
    }
    openWhenAllAre();
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
    if (typeof data === "string" && FAREWELL.test(data)) {
      this.#wholeTotal = Number(data);
      this.#endWhenAllHasCome();
    } else if (this.#state === "open") this.#read(this.#reader, data);
  }

  #onWholeChunk(data: unknown): void {
    this.#open();
    this.#wholeCount++;
    if (this.#state === "open") this.#read(this.#wholeReader, data);
    if (!this.#wholeReader.isBetween) this.#fail("protocol", "a chunk ended within a frame");
    this.#endWhenAllHasCome();
  }

  #read(reader: FrameReader, data: unknown): void {
    const broken =
      data instanceof ArrayBuffer
        ? reader.push(new Uint8Array(data))
        : "a text message came, frames are binary";
    if (broken !== undefined) this.#fail("protocol", broken);
  }

  #endWhenAllHasCome(): void {
    if (this.#wholeCount < this.#wholeTotal) return;
    this.#fail("remote", "the other end closed the link");
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
    this.#traffic.received(frame);
    this.#handlers.frame(lane, frame);
  }

  /** After the current tick, so that what it still sends goes out in the same chunk. */
  #pumpSoon(): void {
    if (this.#pumpDue) return;
    this.#pumpDue = true;
    queueMicrotask(() => {
      this.#pumpDue = false;
      if (this.#state === "open") this.#pump();
    });
  }

  #pump(): void {
    const { reliable, unordered } = this.#queues;
    const drained = reliable.handOver() + unordered.handOver();
    const isWaiting = reliable.isWaiting || unordered.isWaiting;
    if (isWaiting && !this.#polling && !reliable.outlet?.tellsWhenLow) {
      this.#polling = true;
      this.#host.poll(() => this.#state === "open" && this.#pumpAgain());
    }
    if (drained > 0) this.#handlers.drain(drained);
  }

  #pumpAgain(): boolean {
    this.#pump();
    this.#polling = this.#queues.reliable.isWaiting || this.#queues.unordered.isWaiting;
    return this.#polling;
  }

  #sayFarewell(): void {
    const { reliable, unordered } = this.#queues;
    for (const queue of [unordered, reliable]) {
      queue.outlet?.widen(FLUSH_BYTES_MAX);
      queue.handOver(FLUSH_BYTES_MAX);
    }
    reliable.outlet?.send(`${unordered.chunkCount}`);
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
    for (const queue of Object.values(this.#queues)) queue.clear();
    this.#peer = undefined;
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
