/** One link: its connection while it opens, then the frames on it and the datagrams beside it. */

import { Traffic } from "../traffic.ts";
import {
  type CloseReason,
  checkSize,
  fits,
  type Lane,
  type Link,
  type LinkHandlers,
  type LinkStats,
  SEAL_BYTES,
} from "../transport.ts";
import type { Endpoint } from "./address.ts";
import { DATAGRAM_KINDS, DatagramPath, NONCE_BYTES } from "./datagram-path.ts";
import { FrameStream, type Kind } from "./frame-stream.ts";
import type { Greeted } from "./greeting.ts";

/** What may be lost and goes over TCP is dropped where it would wait behind more than this. */
const BACKLOG_BYTES_MAX = 65_536;

export interface LinkHost {
  readonly initiator: boolean;
  handlersOf(link: Link): LinkHandlers;
  /** False when it was not sent; `failed` when it was tried in vain. */
  sendDatagram(bytes: readonly Uint8Array[], to: Endpoint, failed: () => void): boolean;
  /** It opens no more, and takes no datagrams by this id. */
  ended(id: Buffer | undefined): void;
}

export class UdpLink implements Link {
  readonly initiator: boolean;
  readonly #host: LinkHost;
  readonly #handlers: LinkHandlers;
  /** Takes the signals that come while it opens. */
  #receive: (payload: Uint8Array) => void = () => {};
  #state: Link["state"] = "opening";
  #ids: Greeted["ids"] | undefined;
  #stream: FrameStream | undefined;
  #path: DatagramPath | undefined;
  #openTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #traffic = new Traffic();

  constructor(host: LinkHost) {
    this.#host = host;
    this.initiator = host.initiator;
    this.#handlers = host.handlersOf(this);
  }

  get state(): Link["state"] {
    return this.#state;
  }

  /** Both ends' connection ids, the initiator's first. */
  get binding(): Uint8Array {
    const [own, theirs] = this.#ids ?? [new Uint8Array(), new Uint8Array()];
    return new Uint8Array(Buffer.concat(this.initiator ? [own, theirs] : [theirs, own]));
  }

  onSignal(receive: (payload: Uint8Array) => void): void {
    this.#receive = receive;
  }

  signal(payload: Uint8Array): void {
    if (this.#state === "opening") this.#receive(payload);
  }

  say(payload: Uint8Array): void {
    if (this.#state === "opening") this.#handlers.signal(payload);
  }

  giveUpAfter(ms: number, why: () => string): void {
    clearTimeout(this.#openTimer);
    if (ms <= 0) return;
    const message = () => `no connection within ${ms} ms: ${why()}`;
    this.#openTimer = setTimeout(() => this.fail("timeout", message()), ms);
  }

  /** Both ends have settled on this connection. */
  open({ socket, ids, place, rest }: Greeted): void {
    this.#state = "open";
    clearTimeout(this.#openTimer);
    this.#ids = ids;
    const stream = new FrameStream(socket, {
      frame: (kind, bytes) => this.#onFrame(kind, bytes),
      drain: (bytes) => this.#state === "open" && this.#handlers.drain(bytes),
      end: (problem) => this.#onEnd(problem),
      broken: (why) => this.fail("protocol", why),
    });
    this.#stream = stream;
    this.#path = new DatagramPath(place, {
      send: (kind, bytes, to) => this.#sendTo(to, kind, bytes),
    });
    this.#handlers.open();
    stream.start(rest);
  }

  send(lane: Lane, frame: Uint8Array): void {
    checkSize(lane, frame, SEAL_BYTES);
    if (this.#state !== "open") return;
    if (lane === "datagram" && !this.#sendDatagram(frame)) {
      this.#traffic.droppedDatagrams++;
      return;
    }
    this.#traffic.sent(frame);
    if (lane !== "datagram") this.#stream?.send(lane, frame, true);
  }

  /** A datagram with our id, from whomever. */
  onDatagram(kind: number | undefined, bytes: Uint8Array, from: Endpoint): void {
    if (this.#state !== "open") return;
    if (kind === DATAGRAM_KINDS.check && bytes.length === NONCE_BYTES) this.#beside("proof", bytes);
    else if (kind === DATAGRAM_KINDS.frame) this.#deliver("datagram", bytes);
    this.#path?.onDatagram(from);
  }

  close(): void {
    if (this.#state === "opening") return this.fail("local", "closed by this end");
    this.#end({ code: "local", message: "closed by this end" });
    this.#stream?.close();
  }

  /** Ends it at once. */
  fail(code: CloseReason["code"], message: string): void {
    this.#end({ code, message });
    this.#stream?.destroy();
  }

  stats(): LinkStats {
    return this.#traffic.stats(this.#stream?.bufferedBytes ?? 0);
  }

  #sendDatagram(frame: Uint8Array): boolean {
    const target = this.#path?.target;
    if (target !== undefined) {
      return this.#sendTo(target, DATAGRAM_KINDS.frame, frame, () => {
        this.#traffic.droppedDatagrams++;
      });
    }
    return this.#beside("datagram", frame);
  }

  /** On TCP, where it does not wait for long. */
  #beside(kind: "datagram" | "proof", bytes: Uint8Array): boolean {
    const stream = this.#stream;
    if (stream === undefined || stream.backlogBytes > BACKLOG_BYTES_MAX) return false;
    stream.send(kind, bytes);
    return true;
  }

  #sendTo(to: Endpoint, kind: number, bytes: Uint8Array, failed = () => {}): boolean {
    const [, theirs] = this.#ids ?? [];
    if (theirs === undefined) return false;
    return this.#host.sendDatagram([theirs, Buffer.of(kind), bytes], to, failed);
  }

  #onFrame(kind: Kind, bytes: Uint8Array): void {
    if (this.#state !== "open") return;
    if (kind === "proof") return this.#path?.onProof(bytes);
    if (kind === "use") return this.fail("protocol", "the connection was named twice");
    if (!fits(kind, bytes, SEAL_BYTES)) {
      return this.fail("protocol", `a frame of ${bytes.length} bytes came on the ${kind} lane`);
    }
    this.#deliver(kind, bytes);
  }

  #deliver(lane: Lane, frame: Uint8Array): void {
    this.#traffic.received(frame);
    this.#handlers.frame(lane, frame);
  }

  #onEnd(problem: string | undefined): void {
    if (problem === undefined) {
      this.#end({ code: "remote", message: "the other end closed the link" });
    } else this.#end({ code: "failed", message: problem });
  }

  #end(reason: CloseReason): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#openTimer);
    this.#path?.close();
    this.#host.ended(this.#ids?.[0]);
    queueMicrotask(() => this.#handlers.close(reason));
  }
}
