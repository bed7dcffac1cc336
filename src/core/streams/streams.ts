/**
 * Streams between two members: bytes both ways, end to end, over their link or whatever way there is.
 *
 * The opener says its `streamOpen` again until the other end's application has taken the stream. Then both send
 * pieces, within what the other end grants (`sending.ts`, `receiving.ts`). A piece is made when the link that it goes
 * by has room for it, and the streams take turns: so nothing of them waits in a queue here, and what is urgent, said
 * or set does not wait behind them.
 *
 * A way that breaks costs what was on it once more. An idle stream asks its other end now and then; one whose other
 * end is gone, unheard of for `streamSilenceMs`, or says that it has no such stream, is over. What is over is
 * remembered for a while by its last word, so that the other end learns it whatever was lost.
 */

import type { Config } from "../config.ts";
import { BoundedMap } from "../lib/bounded-map.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { MemberId, StreamEvent, StreamOutcome } from "../machine.ts";
import type { Inner } from "../wire/messages.ts";
import { ACK_BYTES } from "./sending.ts";
import { keyOf, Stream } from "./stream.ts";

type Of<T extends Inner["type"]> = Extract<Inner, { type: T }>;
export type StreamMessage = Of<"streamOpen" | "streamData" | "streamAck" | "streamAbort">;

export function isOfStream(inner: Inner): inner is StreamMessage {
  return inner.type.startsWith("stream");
}

/** Streams that are over and remembered. */
const FINISHED_MAX = 1_024;

/** An open is said again after this, and then after twice that. Guess, unmeasured. */
const OPEN_MS = 1_000;
const OPEN_MS_MAX = 8_000;

/** A stream without any sign of the other end for so long asks for one. Guess, unmeasured. */
const ASK_MS = 5_000;

/** A way that broke is not believed more often. Bounds what a relay that always says so can cause, ms. */
const AGAIN_MS = 100;

/** A word of an application about why it ended a stream is cut to so many characters. */
const WORDS_MAX = 64;

/** The least that is granted, whatever else is open. */
const GRANT_BYTES_MIN = 65_536;

const NOTHING = new Uint8Array(0);

export interface StreamsOut {
  now(): number;
  generation(): number;
  /** Not behind what is queued: small, and the other end waits for it. False when there is no way now. */
  tell(to: MemberId, inner: StreamMessage): boolean;
  /** The neighbour that what goes to `to` is given to, where a way is known. */
  hop(to: MemberId): MemberId | undefined;
  /** Looks for a way to `to`. */
  search(to: MemberId): void;
  /** There is a piece for this neighbour. */
  wake(neighbour: MemberId): void;
  /** What was sent to `to` was not answered: another way is tried, if there is one. */
  unanswered(to: MemberId): void;
  event(id: number, event: StreamEvent): void;
}

export class Streams {
  readonly stats = {
    opened: 0,
    taken: 0,
    rejected: 0,
    sentBytes: 0,
    resentBytes: 0,
    receivedBytes: 0,
  };
  readonly #config: Config;
  readonly #deadlines: Deadlines;
  readonly #out: StreamsOut;
  readonly #byId = new Map<number, Stream>();
  readonly #byKey = new Map<string, Stream>();
  /** Those with a piece to send; the next one is whose turn is longest ago. */
  readonly #ready = new Set<Stream>();
  readonly #finished = new BoundedMap<string, Of<"streamAck" | "streamAbort">>(FINISHED_MAX);
  #lastTaken = 0;

  constructor(config: Config, deadlines: Deadlines, out: StreamsOut) {
    this.#config = config;
    this.#deadlines = deadlines;
    this.#out = out;
  }

  /** How many there are. */
  get count(): number {
    return this.#byId.size;
  }

  /** @param id above any that was opened here before */
  open(id: number, to: MemberId, name: string): void {
    if (this.count >= this.#config.streamsMax) {
      return this.#out.event(id, { what: "closed", outcome: "full", message: "" });
    }
    const wire = { generation: this.#out.generation(), number: id, ours: true };
    const stream = this.#add(to, wire, id, name);
    this.stats.opened++;
    this.#ask(stream);
    this.#arm(stream);
  }

  /** The application takes a stream that was offered. */
  take(id: number): void {
    const stream = this.#byId.get(id);
    if (stream === undefined || stream.open) return;
    stream.open = true;
    this.stats.taken++;
    this.#acknowledge(stream);
    this.#arm(stream);
  }

  write(id: number, bytes: Uint8Array): void {
    const stream = this.#byId.get(id);
    stream?.sending.write(bytes);
    if (stream !== undefined) this.#wake(stream);
  }

  end(id: number): void {
    const stream = this.#byId.get(id);
    stream?.sending.end();
    if (stream !== undefined) this.#wake(stream);
  }

  /** The application has taken so many bytes more. */
  read(id: number, count: number): void {
    const stream = this.#byId.get(id);
    if (stream === undefined) return;
    stream.receiving.consume(count);
    if (stream.receiving.consumed - stream.ackedConsumed >= ACK_BYTES) this.#acknowledge(stream);
  }

  /** The application ends it, both ways. */
  abort(id: number, message: string, reason: "aborted" | "refused" = "aborted"): void {
    const stream = this.#byId.get(id);
    if (stream === undefined) return;
    const words = message.slice(0, WORDS_MAX);
    const abort = { type: "streamAbort", ...stream.wire, reason, message: words } as const;
    this.#out.tell(stream.peer, abort);
    this.#remove(stream, abort);
  }

  /** The next piece for those whom this neighbour leads to. */
  next(neighbour: MemberId): { to: MemberId; inner: Of<"streamData"> } | undefined {
    for (const stream of this.#ready) {
      const { sending, peer, wire } = stream;
      if (this.#out.hop(peer) !== neighbour) continue;
      this.#ready.delete(stream);
      const wasOutstanding = sending.isOutstanding;
      const resent = sending.resentBytes;
      const piece = sending.next(this.#out.now());
      if (piece === undefined) continue;
      stream.via = neighbour;
      if (sending.hasNext) this.#ready.add(stream);
      if (!wasOutstanding) this.#arm(stream);
      this.stats.sentBytes += piece.bytes.length;
      this.stats.resentBytes += sending.resentBytes - resent;
      return { to: peer, inner: { type: "streamData", ...wire, ...piece } };
    }
    return undefined;
  }

  onMessage(from: MemberId, message: StreamMessage): void {
    if (message.type === "streamOpen") return this.#onOpen(from, message);
    const key = keyOf(from, message.generation, message.number, !message.ours);
    const stream = this.#byKey.get(key);
    if (stream === undefined) return this.#onUnknown(from, key, message);
    stream.heardAt = this.#out.now();
    if (message.type === "streamAbort") return this.#onAbort(stream, message);
    // Whatever comes says that the other end has taken it; only we can say that of theirs.
    if (stream.wire.ours && !stream.open) {
      stream.open = true;
      this.#out.event(stream.id, { what: "taken" });
    }
    if (message.type === "streamAck") this.#onAck(stream, message);
    else this.#onData(stream, message);
  }

  /** What went by this neighbour may be lost: our link with it is gone. Or there is one now. */
  linksChanged(peer: MemberId, isUp: boolean): void {
    for (const stream of this.#byId.values()) {
      if (isUp) this.#wake(stream);
      else if (stream.via === peer) this.#sendAgain(stream);
    }
  }

  /** The way to `peer` is said to have broken. */
  onBroken(peer: MemberId): void {
    for (const stream of this.#byId.values()) if (stream.peer === peer) this.#sendAgain(stream);
  }

  /** The member is gone, or has begun a new life. */
  gone(peer: MemberId): void {
    for (const stream of [...this.#byId.values()]) {
      if (stream.peer === peer) this.#close(stream, "gone");
    }
  }

  /** We stood still for so long: others may have said much meanwhile. */
  resumed(gapMs: number): void {
    for (const stream of this.#byId.values()) stream.heardAt += gapMs;
  }

  onDeadline(id: number): void {
    const stream = this.#byId.get(id);
    if (stream === undefined) return;
    const now = this.#out.now();
    const { sending } = stream;
    if (!stream.open && !stream.wire.ours) {
      this.abort(id, "nobody took it", "refused");
      return this.#out.event(id, { what: "closed", outcome: "refused", message: "" });
    }
    if (now >= stream.heardAt + this.#config.streamSilenceMs) return this.#close(stream, "gone");
    if (sending.isOutstanding && now >= sending.retryAt) {
      this.#out.unanswered(stream.peer);
      sending.again(now, true);
    } else if (this.#askAt(stream) <= now) this.#ask(stream);
    this.#wake(stream);
    this.#arm(stream);
  }

  #add(peer: MemberId, wire: Stream["wire"], id: number, name: string): Stream {
    const stream = new Stream(this.#config, peer, wire, { id, name, now: this.#out.now() });
    this.#byId.set(id, stream);
    this.#byKey.set(keyOf(peer, wire.generation, wire.number, wire.ours), stream);
    return stream;
  }

  #onOpen(from: MemberId, { generation, number, name, window }: Of<"streamOpen">): void {
    const key = keyOf(from, generation, number, false);
    const known = this.#byKey.get(key);
    if (known !== undefined) {
      if (known.open) this.#acknowledge(known);
      return;
    }
    const last = this.#finished.get(key);
    if (last !== undefined) return void this.#out.tell(from, last);
    const wire = { generation, number, ours: false };
    let theirs = 0;
    for (const { peer, wire: other } of this.#byId.values())
      if (peer === from && !other.ours) theirs++;
    if (theirs >= this.#config.streamsPerPeerMax || this.count >= this.#config.streamsMax) {
      this.stats.rejected++;
      const words = "too many streams are open";
      this.#out.tell(from, { type: "streamAbort", ...wire, reason: "full", message: words });
      return;
    }
    const stream = this.#add(from, wire, -++this.#lastTaken, name);
    stream.sending.onAck(0, 0, window, this.#out.now());
    this.#out.event(stream.id, {
      what: "offered",
      from,
      name,
      writableTo: stream.sending.writableTo,
    });
    this.#arm(stream);
  }

  #onData(stream: Stream, { offset, kind, bytes }: Of<"streamData">): void {
    const { receiving, id } = stream;
    const wasDone = receiving.done;
    const taken = receiving.take(offset, bytes, kind === "end");
    if (taken.refused) {
      this.stats.rejected++;
      return;
    }
    for (const some of taken.bytes) {
      this.stats.receivedBytes += some.length;
      this.#out.event(id, { what: "data", bytes: some });
    }
    if (receiving.done && !wasDone) this.#out.event(id, { what: "ended" });
    const isDue = receiving.received - stream.ackedReceived >= 2 * ACK_BYTES;
    // The application may have read, or ended it, only where it is told outside of this step.
    if (isDue || taken.again || kind !== "more") this.#acknowledge(stream);
    this.#closeIfDone(stream);
  }

  #onAck(stream: Stream, { received, consumed, window }: Of<"streamAck">): void {
    const { sending, id } = stream;
    const before = sending.acknowledgedBytes;
    const writableBefore = sending.writableTo;
    if (!sending.onAck(received, consumed, window, this.#out.now())) {
      this.stats.rejected++;
      return;
    }
    const { sentBytes, acknowledgedBytes, writableTo, done } = sending;
    if (acknowledgedBytes > before || writableTo !== writableBefore || done) {
      this.#out.event(id, { what: "progress", sentBytes, acknowledgedBytes, writableTo, done });
    }
    this.#wake(stream);
    this.#closeIfDone(stream);
  }

  #onAbort(stream: Stream, { reason, message }: Of<"streamAbort">): void {
    this.#close(stream, reason === "unknown" ? "gone" : reason, message);
  }

  /** It is over here, or never was. */
  #onUnknown(
    from: MemberId,
    key: string,
    message: Of<"streamData" | "streamAck" | "streamAbort">,
  ): void {
    if (message.type === "streamAbort") return;
    const last = this.#finished.get(key);
    // What was acknowledged to the end needs no answer to an acknowledgement.
    if (last?.type === "streamAck" && message.type === "streamAck") return;
    if (last !== undefined) return void this.#out.tell(from, last);
    this.stats.rejected++;
    const { generation, number, ours } = message;
    const wire = { generation, number, ours: !ours };
    this.#out.tell(from, { type: "streamAbort", ...wire, reason: "unknown", message: "" });
  }

  #acknowledge(stream: Stream): void {
    stream.ackedReceived = stream.receiving.received;
    stream.ackedConsumed = stream.receiving.consumed;
    this.#out.tell(stream.peer, this.#ackOf(stream));
  }

  #ackOf(stream: Stream): Of<"streamAck"> {
    const { received, consumed } = stream.receiving;
    return { type: "streamAck", ...stream.wire, received, consumed, window: this.#grant(stream) };
  }

  /** All streams share what may be held for readers. */
  #grant({ receiving }: Stream): number {
    const { streamBytesMax, streamWindowBytesMax } = this.#config;
    const share = Math.floor(streamBytesMax / this.count);
    return receiving.grant(Math.max(GRANT_BYTES_MIN, Math.min(streamWindowBytesMax, share)));
  }

  /** Opens it, or asks whether it still is. */
  #ask(stream: Stream): void {
    const { peer, wire, name } = stream;
    stream.askedAt = this.#out.now();
    stream.asked++;
    const { generation, number } = wire;
    const message: StreamMessage = stream.open
      ? {
          type: "streamData",
          ...wire,
          offset: stream.sending.acknowledgedBytes,
          kind: "pause",
          bytes: NOTHING,
        }
      : { type: "streamOpen", generation, number, name, window: this.#grant(stream) };
    if (!this.#out.tell(peer, message)) this.#out.search(peer);
  }

  #askAt(stream: Stream): number {
    if (stream.open) return Math.max(stream.heardAt, stream.askedAt) + ASK_MS;
    return stream.askedAt + Math.min(OPEN_MS_MAX, OPEN_MS * 2 ** Math.min(8, stream.asked - 1));
  }

  #arm(stream: Stream): void {
    const { sending, since, heardAt, wire } = stream;
    let at = heardAt + this.#config.streamSilenceMs;
    if (!stream.open && !wire.ours) at = since + this.#config.streamTakeMs;
    else if (sending.isOutstanding) at = Math.min(at, Math.max(this.#out.now(), sending.retryAt));
    else at = Math.min(at, this.#askAt(stream));
    this.#deadlines.set(`stream:${stream.id}`, at);
  }

  #wake(stream: Stream): void {
    if (!stream.open || !stream.sending.hasNext) return;
    this.#ready.add(stream);
    const hop = this.#out.hop(stream.peer);
    if (hop === undefined) this.#out.search(stream.peer);
    else this.#out.wake(hop);
  }

  #sendAgain(stream: Stream): void {
    const now = this.#out.now();
    if (!stream.sending.isOutstanding || now - stream.againAt < AGAIN_MS) return;
    stream.againAt = now;
    stream.sending.again(now);
    this.#wake(stream);
    this.#arm(stream);
  }

  #closeIfDone(stream: Stream): void {
    if (!stream.done || !this.#byId.has(stream.id)) return;
    this.#remove(stream, this.#ackOf(stream));
    this.#out.event(stream.id, { what: "closed", outcome: "done", message: "" });
  }

  #close(stream: Stream, outcome: StreamOutcome, message = ""): void {
    // An open that was on its way for long, or comes again, must not begin it anew.
    this.#remove(stream, { type: "streamAbort", ...stream.wire, reason: "unknown", message: "" });
    this.#out.event(stream.id, { what: "closed", outcome, message });
  }

  #remove(stream: Stream, last: Of<"streamAck" | "streamAbort">): void {
    const { id, peer, wire } = stream;
    const key = keyOf(peer, wire.generation, wire.number, wire.ours);
    this.#byId.delete(id);
    this.#byKey.delete(key);
    this.#ready.delete(stream);
    this.#deadlines.clear(`stream:${id}`);
    this.#finished.set(key, last);
  }
}
