import type { SimplePeer, SimplePeerSignal, WebRtcImplementation } from "./webrtc-shapes.ts";
import {
  type Candidate,
  type Description,
  decodeSignal,
  encodeSignal,
  readCandidate,
  readCandidates,
  readDescription,
  SIGNAL_CANDIDATES_MAX,
  writeCandidate,
  writeDescription,
} from "./webrtc-signal.ts";

/** How long candidates wait for others to share a payload: every payload is a message through somebody. */
const BUNDLE_MS = 100;
/** The first ones are the own addresses, found all at once, and the other end can do nothing without them. */
const FIRST_BUNDLE_MS = 3;
/** How long the description waits for them to go with it. */
const FIRST_CANDIDATE_MS = 20;
/** Candidates taken from the other end, over the life of a connection. */
const REMOTE_CANDIDATES_MAX = 64;

export interface NegotiationOptions {
  readonly initiator: boolean;
  readonly trickle: boolean;
  readonly wrtc: WebRtcImplementation;
  /** A payload for the other end. */
  emit(payload: Uint8Array): void;
  /** The own connection describes itself in a way that cannot be passed on. */
  fail(message: string): void;
}

/** Carries descriptions and candidates between a peer of simple-peer and the opaque payloads of a link. */
export class Negotiation {
  readonly #options: NegotiationOptions;
  #peer: SimplePeer | undefined;
  #local: Description | undefined;
  #remote: Description | undefined;
  #remoteApplied = false;
  #remoteCandidateCount = 0;
  #remoteCandidates: Candidate[] = [];
  #outgoing: { description?: Description; candidates: Candidate[] } = { candidates: [] };
  #sentCandidates = false;
  #flushAt = Number.POSITIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: NegotiationOptions) {
    this.#options = options;
  }

  /** Both certificates' fingerprints, the offerer's first: no other two ends have this pair. */
  get binding(): Uint8Array {
    const pair = [this.#local, this.#remote].map((description) => description?.fingerprint ?? "");
    if (!this.#options.initiator) pair.reverse();
    const hex = pair.join("").match(/../g) ?? [];
    return Uint8Array.from(hex, (byte) => Number.parseInt(byte, 16));
  }

  /** The other end has described its connection. */
  get answered(): boolean {
    return this.#remote !== undefined;
  }

  attach(peer: SimplePeer): void {
    this.#peer = peer;
    peer.on("signal", (signal) => this.#onLocal(signal));
    peer.on("signalingStateChange", () => this.#applyRemote());
    peer.on("iceStateChange", (_, gathering) => {
      if (gathering === "complete" && this.#local !== undefined) this.#flushWithin(0);
    });
    this.#applyRemote();
  }

  /** Takes what the other end sent, or does not: it may be anything. */
  receive(payload: Uint8Array): void {
    const signal = decodeSignal(payload);
    if (signal === undefined) return;
    const expected = this.#options.initiator ? "answer" : "offer";
    if (signal.description?.type === expected) this.#remote ??= signal.description;
    const room = REMOTE_CANDIDATES_MAX - this.#remoteCandidateCount;
    const candidates = signal.candidates.slice(0, room);
    this.#remoteCandidateCount += candidates.length;
    this.#remoteCandidates.push(...candidates);
    this.#applyRemote();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#peer = undefined;
    this.#remoteCandidates = [];
    this.#outgoing = { candidates: [] };
  }

  #onLocal(signal: SimplePeerSignal): void {
    if (signal.type === "candidate") {
      const candidate = readCandidate(signal.candidate.candidate);
      if (candidate !== undefined) this.#outgoing.candidates.push(candidate);
    } else if (signal.type === "offer" || signal.type === "answer") {
      this.#onLocalDescription(signal.type, signal.sdp);
    }
    if (this.#local === undefined) return; // before it candidates are of no use
    if (this.#outgoing.candidates.length === 0) this.#flushWithin(FIRST_CANDIDATE_MS);
    else this.#flushWithin(this.#sentCandidates ? BUNDLE_MS : FIRST_BUNDLE_MS);
  }

  #onLocalDescription(type: "offer" | "answer", sdp: string): void {
    const { trickle, fail } = this.#options;
    this.#local = readDescription(type, sdp, !trickle);
    if (this.#local === undefined) {
      fail("this implementation of WebRTC describes its connection in an unknown way");
      return;
    }
    this.#outgoing.description = this.#local;
    if (!trickle) {
      // One payload must do: what does not fit is left out.
      this.#outgoing.candidates = readCandidates(sdp).slice(0, SIGNAL_CANDIDATES_MAX);
      this.#flush();
    }
    this.#applyRemote();
  }

  #flushWithin(delayMs: number): void {
    const flushAt = performance.now() + delayMs;
    if (flushAt >= this.#flushAt) return;
    this.#flushAt = flushAt;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#flush(), delayMs);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#flushAt = Number.POSITIVE_INFINITY;
    const { description, candidates } = this.#outgoing;
    if (description === undefined && candidates.length === 0) return;
    this.#outgoing = { candidates: candidates.splice(SIGNAL_CANDIDATES_MAX) };
    this.#sentCandidates ||= candidates.length > 0;
    this.#options.emit(encodeSignal({ ...(description && { description }), candidates }));
    if (this.#outgoing.candidates.length > 0) this.#flushWithin(0);
  }

  /** Native bindings have been seen to abort on candidates before a description, so these wait for it. */
  #applyRemote(): void {
    const peer = this.#peer;
    // An answer can only be taken once the offer stands.
    const ready = !this.#options.initiator || this.#local !== undefined;
    if (peer?._pc === undefined || this.#remote === undefined || !ready) return;
    if (!this.#remoteApplied) {
      this.#remoteApplied = true;
      peer.signal(writeDescription(this.#remote, this.#remoteCandidates.splice(0)));
      return;
    }
    if (!peer._pc.remoteDescription) return;
    for (const candidate of this.#remoteCandidates.splice(0)) this.#addCandidate(candidate);
  }

  /** Not through simple-peer, which gives the whole connection up for one candidate it cannot use. */
  #addCandidate(candidate: Candidate): void {
    const sdpMid = this.#remote?.mid ?? "0";
    const init = { candidate: writeCandidate(candidate), sdpMid, sdpMLineIndex: 0 };
    try {
      const native = new this.#options.wrtc.RTCIceCandidate(init);
      this.#peer?._pc?.addIceCandidate(native).catch(() => {});
    } catch {
      // A candidate that this implementation does not understand; the others remain.
    }
  }
}
