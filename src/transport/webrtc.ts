import { closedLink } from "./closed-link.ts";
import type { ConnectOptions, Link, LinkHandlers, Transport } from "./transport.ts";
import { type LinkHost, WebRtcLink } from "./webrtc-link.ts";
import type { IceServer, SimplePeerConstructor, WebRtcImplementation } from "./webrtc-shapes.ts";

export type { IceServer, WebRtcImplementation };

export interface WebRtcOptions {
  /** The implementation of WebRTC. Default: the browser's; Node has none of its own. */
  readonly wrtc?: WebRtcImplementation;
  /**
   * STUN and TURN servers, or what gives them before each link. Default none: then only ends that reach each other
   * directly connect.
   */
  readonly iceServers?: readonly IceServer[] | (() => readonly IceServer[]);
  /** `relay`: only through TURN servers, so that no end learns the other's address. Default `all`. */
  readonly iceTransportPolicy?: "all" | "relay";
  /** Links begun within any minute. Default 60: Chromium grants a page 500 in its life, unless collected. */
  readonly dialsPerMinuteMax?: number;
  /** Links that are opening at the same time. Default 16. */
  readonly openingMax?: number;
  /** Links that are opening or open. Default 64: each costs a Node process about 15 file descriptors. */
  readonly openMax?: number;
}

const MINUTE_MS = 60_000;
/** In Node a channel does not tell when it has room again: how often it is asked while frames wait. */
const POLL_MS = 2;

/**
 * How long a closing transport lets its links flush in Node, so that the process can end soon. Most end sooner: the
 * other ends close as soon as they have read the last word. In a page they have all the time: it goes anyway.
 */
const CLOSE_FLUSH_MS = 500;

/**
 * Links over WebRTC, between browsers, Node processes and both. Ends within one process work too.
 * Where there is no WebRTC, or a limit is reached, a link closes at once with `unsupported`.
 */
export function webrtcTransport(options: WebRtcOptions = {}): Transport {
  return new WebRtcTransport(options);
}

class WebRtcTransport implements Transport {
  readonly kind = "webrtc";
  /** By DTLS; `binding` is made of the fingerprints of both ends. */
  readonly encrypted = true;
  readonly slowOfferer: boolean;
  readonly #options: WebRtcOptions;
  readonly #links = new Set<WebRtcLink>();
  readonly #poller = new Poller(POLL_MS);
  #dials: number[] = [];
  #closed = false;

  constructor(options: WebRtcOptions) {
    this.#options = options;
    // Measured: an offer made by Firefox takes a second to connect, an answer 15 ms.
    const agent = globalThis.navigator?.userAgent ?? "";
    this.slowOfferer = options.wrtc === undefined && /\bFirefox\//.test(agent);
  }

  connect(options: ConnectOptions, handlers: LinkHandlers): Link {
    const wrtc = this.#options.wrtc ?? nativeWebRtc();
    const refusal = this.#refusal(wrtc);
    if (refusal !== undefined || wrtc === undefined) {
      return closedLink(handlers, { code: "unsupported", message: refusal ?? "" });
    }
    const link = new WebRtcLink(this.#host(wrtc), options, handlers);
    this.#links.add(link);
    this.#dials.push(performance.now());
    return link;
  }

  close(): void {
    this.#closed = true;
    const flushMs = "document" in globalThis ? undefined : CLOSE_FLUSH_MS;
    for (const link of this.#links) link.close(flushMs);
  }

  #host(wrtc: WebRtcImplementation): LinkHost {
    const { iceServers = [], iceTransportPolicy = "all" } = this.#options;
    return {
      wrtc,
      configuration: {
        iceServers: typeof iceServers === "function" ? iceServers() : iceServers,
        iceTransportPolicy,
      },
      simplePeer: loadSimplePeer,
      poll: (look) => this.#poller.add(look),
      released: (link) => this.#links.delete(link),
    };
  }

  /** Why no link can be made now, with the remedy. */
  #refusal(wrtc: WebRtcImplementation | undefined): string | undefined {
    const { dialsPerMinuteMax = 60, openingMax = 16, openMax = 64 } = this.#options;
    if (this.#closed) return "the transport is closed: make a new one";
    if (wrtc === undefined) {
      return "this runtime has no WebRTC: in Node install the package wrtc (npm:@roamhq/wrtc) and pass it as `wrtc`";
    }
    const since = performance.now() - MINUTE_MS;
    this.#dials = this.#dials.filter((at) => at > since);
    if (this.#dials.length >= dialsPerMinuteMax) {
      return `${dialsPerMinuteMax} links were begun within a minute: keep links open longer, or raise dialsPerMinuteMax`;
    }
    if (this.#links.size >= openMax) {
      return `${openMax} links are open: close some, or raise openMax (and in Node the limit of open files)`;
    }
    const opening = [...this.#links].filter((link) => link.state === "opening").length;
    if (opening >= openingMax) {
      return `${openingMax} links are opening: wait for one of them, or raise openingMax`;
    }
    return undefined;
  }
}

function nativeWebRtc(): WebRtcImplementation | undefined {
  const { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate } = globalThis;
  if (typeof RTCPeerConnection !== "function") return undefined;
  return { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate };
}

/** Loaded with the first link, because it looks around for `window` and `localStorage` when it is. */
async function loadSimplePeer(): Promise<SimplePeerConstructor> {
  return (await import("simple-peer/simplepeer.min.js")).default;
}

/** One timer for all who wait, and none while nobody does. */
class Poller {
  readonly #looks = new Set<() => boolean>();
  readonly #intervalMs: number;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  add(look: () => boolean): void {
    this.#looks.add(look);
    this.#timer ??= setInterval(() => this.#tick(), this.#intervalMs);
  }

  #tick(): void {
    for (const look of this.#looks) if (!look()) this.#looks.delete(look);
    if (this.#looks.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
