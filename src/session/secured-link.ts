/**
 * A link that opens when its handshake is done: then its other end is known, and what the transport does not encrypt by
 * itself is sealed.
 */

import type { MemberId } from "../core/lib/ids.ts";
import { Traffic } from "../transport/traffic.ts";
import {
  type CloseReason,
  checkSize,
  type Lane,
  type Link,
  type LinkHandlers,
  type LinkStats,
} from "../transport/transport.ts";
import { Greeting, refusal, type Step } from "./greeting.ts";
import { type LaneKeys, laneKeys, Opener, Sealer, type SealOptions } from "./sealing.ts";
import type { Refusal, Session } from "./session.ts";

/** How long a handshake may take, ms: some round trips, and frames that are sent again. Guess, unmeasured. */
export const HANDSHAKE_MS = 5_000;

/** Frames that overtook the end of the handshake, and wait for it. */
const EARLY_MAX = 256;

/** How far a frame may be overtaken on a lane that loses none: many more than can be under way. */
const UNORDERED_REACH = 65_536;

const NOTHING = new Uint8Array(0);

export interface SecuredLinkOptions {
  readonly session: Session;
  readonly initiator: boolean;
  /** The transport below encrypts by itself. */
  readonly encrypted: boolean;
  readonly invitationPsk?: Uint8Array | undefined;
  readonly rekeyFrames?: number | undefined;
  /** Its handshake begins, or is over. */
  readonly onPending: (link: SecuredLink, pending: boolean) => void;
}

export class SecuredLink implements Link {
  readonly #options: SecuredLinkOptions;
  readonly #handlers: LinkHandlers | ((link: SecuredLink) => LinkHandlers);
  #user: LinkHandlers | undefined;
  #inner: Link | undefined;
  #state: Link["state"] = "opening";
  #greeting: Greeting | undefined;
  /** A frame of the handshake that is being looked at. */
  #taking: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Why we have closed it, unless it was the user's wish. */
  #refusal: Refusal | undefined;
  #reason: CloseReason | undefined;
  #peer: MemberId | undefined;
  #features: readonly string[] = [];
  #binding: Uint8Array = NOTHING;
  /** The initiator has proven all and waits to hear that its secret was right. */
  #confirming = false;
  readonly #early: [Lane, Uint8Array][] = [];
  #sealers: Readonly<Record<Lane, Sealer>> | undefined;
  #openers: Readonly<Record<Lane, Opener>> | undefined;
  readonly #traffic = new Traffic();
  /** What waits below, and what of it the user has sent. */
  #innerBytes = 0;
  #bufferedBytes = 0;

  /** @param handlers or what makes them once it is open: of a link that the other end has dialled */
  constructor(
    options: SecuredLinkOptions,
    handlers: LinkHandlers | ((link: SecuredLink) => LinkHandlers),
  ) {
    this.#options = options;
    this.#handlers = handlers;
    this.#user = typeof handlers === "function" ? undefined : handlers;
  }

  /** What the transport below is to call; and then it is to be told its own link. */
  readonly below: LinkHandlers = {
    signal: (payload) => this.#user?.signal(payload),
    open: () => this.#greet(),
    frame: (lane, bytes) => this.#onFrame(lane, bytes),
    drain: (bytes) => this.#onDrain(bytes),
    close: (reason) => this.#onClose(reason),
  };

  attach(inner: Link): this {
    this.#inner = inner;
    return this;
  }

  get state(): Link["state"] {
    return this.#state;
  }

  /** Whom the other end has proven to be; undefined until it is open. */
  get peer(): MemberId | undefined {
    return this.#peer;
  }

  /** What the other end knows beyond the major version. */
  get features(): readonly string[] {
    return this.#features;
  }

  get binding(): Uint8Array {
    return this.#binding;
  }

  signal(payload: Uint8Array): void {
    this.#inner?.signal(payload);
  }

  send(lane: Lane, frame: Uint8Array): void {
    checkSize(lane, frame);
    if (this.#state !== "open") return;
    this.#traffic.sent(frame);
    if (lane !== "datagram") this.#bufferedBytes += frame.length;
    const sealers = this.#options.encrypted ? undefined : this.#sealers;
    this.#sendBelow(lane, sealers === undefined ? frame : sealers[lane].seal(frame));
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#end();
    this.#inner?.close();
  }

  /** Ends the handshake, if it is under way. */
  refuse(why: Refusal): void {
    if (this.#state !== "opening" || this.#refusal !== undefined) return;
    this.#refusal = why;
    this.#options.session.refused(why);
    this.close();
  }

  stats(): LinkStats {
    const stats = this.#traffic.stats(this.#bufferedBytes);
    return { ...stats, droppedDatagrams: this.#inner?.stats().droppedDatagrams ?? 0 };
  }

  #greet(): void {
    if (this.#state !== "opening") return;
    const { session, initiator, encrypted, invitationPsk } = this.#options;
    const binding = encrypted ? (this.#inner?.binding ?? NOTHING) : NOTHING;
    this.#greeting = new Greeting(session, { initiator, binding, invitationPsk });
    this.#timer = setTimeout(() => this.refuse(refusal("timeout")), HANDSHAKE_MS);
    this.#options.onPending(this, true);
    if (initiator) this.#sendBelow("reliable", this.#greeting.begin());
  }

  #onFrame(lane: Lane, bytes: Uint8Array): void {
    if (this.#state === "open") return this.#deliver(lane, bytes);
    if (this.#state !== "opening") return;
    if (lane !== "reliable") return this.#onEarly(lane, bytes);
    if (this.#confirming) return this.#onConfirmed(bytes);
    this.#taking = this.#greeting?.take(bytes).then(
      (step) => this.#onStep(step),
      // The primitives could not be loaded.
      () => this.refuse(refusal("handshake")),
    );
  }

  #onStep(step: Step): void {
    if (this.#state !== "opening") return;
    switch (step.type) {
      case "answer":
        return this.#sendBelow("reliable", step.frame);
      case "refused":
        if (step.answer !== undefined) this.#sendBelow("reliable", step.answer);
        return this.refuse(step.refusal);
      case "proven":
        return this.#onProven(step);
    }
  }

  #onProven({ frame, keys, proven }: Extract<Step, { type: "proven" }>): void {
    const { session, rekeyFrames } = this.#options;
    const { primitives } = session;
    const send = laneKeys(primitives, keys.send);
    const receive = laneKeys(primitives, keys.receive);
    const options = (lane: Lane, { [lane]: key }: LaneKeys): SealOptions => ({
      primitives,
      key,
      numbered: lane !== "reliable",
      ...(rekeyFrames !== undefined && { rekeyFrames }),
    });
    this.#sealers = forEachLane((lane) => new Sealer(options(lane, send)));
    this.#openers = forEachLane((lane) => {
      const reach = lane === "unordered" ? UNORDERED_REACH : undefined;
      return new Opener(options(lane, receive), reach);
    });
    this.#peer = proven.peer;
    this.#features = proven.features;
    this.#binding = keys.hash;
    if (frame === undefined) {
      this.#sendBelow("reliable", this.#sealers.reliable.seal(NOTHING));
      return this.#open();
    }
    this.#confirming = true;
    this.#sendBelow("reliable", frame);
  }

  #onConfirmed(bytes: Uint8Array): void {
    if (this.#openers?.reliable.open(bytes)?.length === 0) return this.#open();
    this.refuse(refusal("handshake"));
  }

  /** The other end may have opened: what it sends may overtake its last word. */
  #onEarly(lane: Lane, bytes: Uint8Array): void {
    if (this.#confirming && this.#early.length < EARLY_MAX) this.#early.push([lane, bytes]);
    else if (lane === "unordered") this.refuse(refusal("handshake"));
  }

  #open(): void {
    this.#finishHandshake();
    this.#state = "open";
    if (typeof this.#handlers === "function") this.#user = this.#handlers(this);
    this.#user?.open();
    for (const [lane, bytes] of this.#early.splice(0)) this.#onFrame(lane, bytes);
  }

  #deliver(lane: Lane, bytes: Uint8Array): void {
    const openers = this.#options.encrypted ? undefined : this.#openers;
    const frame = openers === undefined ? bytes : openers[lane].open(bytes);
    if (frame === undefined) {
      // A datagram may be anybody's. What else was changed has a stranger in the connection.
      if (lane !== "datagram") this.#break();
      return;
    }
    this.#traffic.received(frame);
    this.#user?.frame(lane, frame);
  }

  #break(): void {
    const message = "a frame was changed, repeated or cut on its way: the connection is not whole";
    this.#end({ code: "protocol", message });
    this.#inner?.close();
  }

  #sendBelow(lane: Lane, frame: Uint8Array): void {
    if (lane !== "datagram") this.#innerBytes += frame.length;
    this.#inner?.send(lane, frame);
  }

  /** Below, frames are longer: the user is told its share, and in the end all of it. */
  #onDrain(bytes: number): void {
    const left = Math.max(0, this.#innerBytes - bytes);
    const bufferedBytes = Math.ceil((this.#bufferedBytes * left) / Math.max(1, this.#innerBytes));
    const drained = this.#bufferedBytes - bufferedBytes;
    this.#innerBytes = left;
    this.#bufferedBytes = bufferedBytes;
    if (drained > 0) this.#user?.drain(drained);
  }

  #onClose(reason: CloseReason): void {
    // What came before the end counts.
    const taking = this.#taking;
    this.#taking = undefined;
    if (taking !== undefined && this.#state === "opening") {
      taking.then(() => this.#onClose(reason));
      return;
    }
    if (this.#confirming && this.#state === "opening" && reason.code === "remote") {
      this.#refusal = refusal("broken-off");
      this.#options.session.refused(this.#refusal);
    }
    this.#end();
    const told: CloseReason =
      this.#refusal === undefined
        ? (this.#reason ?? reason)
        : { code: "refused", message: this.#refusal.message };
    this.#user?.close(told);
  }

  #end(reason?: CloseReason): void {
    this.#reason ??= reason;
    this.#state = "closed";
    this.#early.length = 0;
    this.#finishHandshake();
  }

  #finishHandshake(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#greeting = undefined;
    this.#options.onPending(this, false);
  }
}

function forEachLane<T>(make: (lane: Lane) => T): Readonly<Record<Lane, T>> {
  return {
    reliable: make("reliable"),
    unordered: make("unordered"),
    datagram: make("datagram"),
  };
}
