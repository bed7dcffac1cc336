/** Links within one process: for tests, the user's as well as ours. Whole meshes fit into one process. */

import { closedLink } from "./closed-link.ts";
import { Traffic } from "./traffic.ts";
import {
  type CloseReason,
  type ConnectOptions,
  checkSize,
  type Lane,
  type Link,
  type LinkHandlers,
  type LinkStats,
  SEAL_BYTES,
  type Transport,
} from "./transport.ts";

export interface MemoryNetworkOptions {
  /** How long a frame is under way, in ms. Default 0: it arrives in a microtask, without any timer. */
  readonly latencyMs?: number;
  /** How much longer it is under way at most. All but reliable frames overtake each other then. Default 0. */
  readonly jitterMs?: number;
  /** The share of datagrams that is lost, 0 to 1. Default 0. */
  readonly lossRate?: number;
  /** Loss and jitter are drawn from it. Default 1. */
  readonly seed?: number;
}

const OPEN_TIMEOUT_MS = 15_000;
const SIGNAL = /^memory (offer|answer) (\d{1,15})$/;

/** What connects memory transports: those of one network reach each other. */
export class MemoryNetwork {
  readonly #latencyMs: number;
  readonly #jitterMs: number;
  readonly #lossRate: number;
  #random: number;
  #lastId = 0;
  /** @internal Links that are not open yet, by id. */
  readonly opening = new Map<number, MemoryLink>();

  constructor(options: MemoryNetworkOptions = {}) {
    this.#latencyMs = options.latencyMs ?? 0;
    this.#jitterMs = options.jitterMs ?? 0;
    this.#lossRate = options.lossRate ?? 0;
    this.#random = options.seed ?? 1;
  }

  /** @internal */
  nextId(): number {
    return ++this.#lastId;
  }

  /** @internal Runs `arrive` when what is sent now has made its way. */
  carry(arrive: () => void): void {
    const delayMs = this.#latencyMs + (this.#jitterMs > 0 ? this.#draw() * this.#jitterMs : 0);
    if (delayMs > 0) setTimeout(arrive, delayMs);
    else queueMicrotask(arrive);
  }

  /** @internal */
  loses(): boolean {
    return this.#lossRate > 0 && this.#draw() < this.#lossRate;
  }

  /** mulberry32: 0 to 1, the same on every engine. */
  #draw(): number {
    this.#random = (this.#random + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** A transport whose links lead to transports of the same network, by signals as any other. */
export function memoryTransport(network: MemoryNetwork): Transport {
  const links = new Set<MemoryLink>();
  let closed = false;
  return {
    kind: "memory",
    slowOfferer: false,
    encrypted: false,
    connect(options, handlers) {
      if (closed) {
        const message = "the transport is closed: make a new one";
        return closedLink(handlers, { code: "unsupported", message });
      }
      const link = new MemoryLink(network, options, handlers, () => links.delete(link));
      links.add(link);
      return link;
    },
    close() {
      closed = true;
      for (const link of links) link.close();
    },
  };
}

class MemoryLink implements Link {
  readonly #network: MemoryNetwork;
  readonly #handlers: LinkHandlers;
  readonly #initiator: boolean;
  readonly #released: () => void;
  readonly #id: number;
  readonly #openTimer: ReturnType<typeof setTimeout> | undefined;
  /** What is on its way to the partner on the reliable lane, in order. */
  readonly #underWay: (() => void)[] = [];
  /** Frames on their way to the partner on the unordered lane. */
  #overtaking = 0;
  /** What ends the partner once those have come, too. */
  #farewell: (() => void) | undefined;
  #state: Link["state"] = "opening";
  #partner: MemoryLink | undefined;
  readonly #traffic = new Traffic();
  #bufferedBytes = 0;

  constructor(
    network: MemoryNetwork,
    options: ConnectOptions,
    handlers: LinkHandlers,
    released: () => void,
  ) {
    this.#network = network;
    this.#handlers = handlers;
    this.#initiator = options.initiator;
    this.#released = released;
    this.#id = network.nextId();
    network.opening.set(this.#id, this);
    const openTimeoutMs =
      options.openTimeoutMs ?? (options.trickle === false ? 0 : OPEN_TIMEOUT_MS);
    if (openTimeoutMs > 0) {
      const message = `no connection within ${openTimeoutMs} ms: the other end did not answer`;
      this.#openTimer = setTimeout(() => this.#end({ code: "timeout", message }), openTimeoutMs);
    }
    if (options.initiator) this.#emitSignal("offer");
  }

  get state(): Link["state"] {
    return this.#state;
  }

  get binding(): Uint8Array {
    if (this.#partner === undefined || this.#state === "opening") return new Uint8Array();
    const ids = [this.#id, this.#partner.#id];
    return new TextEncoder().encode((this.#initiator ? ids : ids.reverse()).join(" "));
  }

  signal(payload: Uint8Array): void {
    if (this.#state !== "opening" || this.#partner !== undefined || payload.length > 64) return;
    const [, type, id] = SIGNAL.exec(new TextDecoder().decode(payload)) ?? [];
    const partner = this.#network.opening.get(Number(id));
    if (partner === undefined || partner === this) return;
    if (type === (this.#initiator ? "answer" : "offer")) this.#pair(partner);
  }

  send(lane: Lane, frame: Uint8Array): void {
    checkSize(lane, frame, SEAL_BYTES);
    const partner = this.#partner;
    if (this.#state !== "open" || partner === undefined) return;
    this.#traffic.sent(frame);
    const copy = new Uint8Array(frame);
    if (lane === "datagram") {
      if (!this.#network.loses()) this.#network.carry(() => partner.#take(lane, copy));
      return;
    }
    this.#bufferedBytes += copy.length;
    const arrive = () => {
      partner.#take(lane, copy);
      this.#drain(copy.length);
    };
    if (lane === "reliable") return this.#carryInOrder(arrive);
    this.#overtaking++;
    this.#network.carry(() => {
      arrive();
      if (--this.#overtaking === 0) this.#farewell?.();
    });
  }

  close(): void {
    const partner = this.#partner;
    if (this.#state === "open" && partner !== undefined) {
      this.#carryInOrder(() => {
        this.#farewell = () => partner.#endByPartner();
        if (this.#overtaking === 0) this.#farewell();
      });
    }
    this.#end({ code: "local", message: "closed by this end" });
  }

  stats(): LinkStats {
    return this.#traffic.stats(this.#bufferedBytes);
  }

  #emitSignal(type: "offer" | "answer"): void {
    const payload = new TextEncoder().encode(`memory ${type} ${this.#id}`);
    queueMicrotask(() => {
      if (this.#state === "opening") this.#handlers.signal(payload);
    });
  }

  /** The answering end pairs first, the offering end on its answer; then both are open. */
  #pair(partner: MemoryLink): void {
    if (!this.#initiator) {
      if (!partner.#initiator) return;
      this.#partner = partner;
      this.#emitSignal("answer");
      return;
    }
    if (partner.#partner !== this) return;
    this.#partner = partner;
    this.#network.carry(() => {
      this.#open();
      partner.#open();
    });
  }

  #open(): void {
    if (this.#state !== "opening") return;
    const partnerIsGone = this.#partner?.state === "closed";
    this.#state = "open";
    clearTimeout(this.#openTimer);
    this.#network.opening.delete(this.#id);
    this.#handlers.open();
    if (partnerIsGone) this.#endByPartner();
  }

  /** Each arrival takes what is first, whichever timer came first. */
  #carryInOrder(arrive: () => void): void {
    this.#underWay.push(arrive);
    this.#network.carry(() => this.#underWay.shift()?.());
  }

  #take(lane: Lane, frame: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#traffic.received(frame);
    this.#handlers.frame(lane, frame);
  }

  #drain(bytes: number): void {
    this.#bufferedBytes -= bytes;
    if (this.#state === "open" && bytes > 0) this.#handlers.drain(bytes);
  }

  #endByPartner(): void {
    this.#end({ code: "remote", message: "the other end closed the link" });
  }

  #end(reason: CloseReason): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#openTimer);
    this.#network.opening.delete(this.#id);
    this.#released();
    queueMicrotask(() => this.#handlers.close(reason));
  }
}
