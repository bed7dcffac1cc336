/** The parts of WebRTC and of simple-peer that are used here, so that other implementations fit too. */

export interface IceServer {
  readonly urls: string | string[];
  readonly username?: string;
  readonly credential?: string;
}

/** What an implementation of WebRTC provides; a browser's globals do, and so does the package `wrtc`. */
export interface WebRtcImplementation {
  readonly RTCPeerConnection: new (configuration?: object) => object;
  readonly RTCSessionDescription: new (init: { type: "offer" | "answer"; sdp: string }) => object;
  readonly RTCIceCandidate: new (init: IceCandidateInit) => object;
}

export interface IceCandidateInit {
  candidate: string;
  sdpMid: string;
  sdpMLineIndex: number;
}

export interface DataChannel {
  readonly readyState: string;
  readonly bufferedAmount: number;
  /** Absent in Node. */
  bufferedAmountLowThreshold?: number;
  binaryType: string;
  onopen: (() => void) | null;
  onclose: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onbufferedamountlow: (() => void) | null;
  send(data: Uint8Array | string): void;
  close(): void;
}

export interface PeerConnection {
  readonly remoteDescription: object | null;
  readonly iceConnectionState: string;
  createDataChannel(label: string, options: object): DataChannel;
  addIceCandidate(candidate: object): Promise<unknown>;
}

/** What simple-peer emits as `signal`. */
export type SimplePeerSignal =
  | { readonly type: "offer" | "answer"; readonly sdp: string }
  | { readonly type: "candidate"; readonly candidate: { readonly candidate: string } }
  | { readonly type: "renegotiate" | "transceiverRequest" };

/** simple-peer's public face, and the three inner fields that its exact version in package.json vouches for. */
export interface SimplePeer {
  on(event: "signal", listener: (signal: SimplePeerSignal) => void): void;
  on(event: "iceStateChange", listener: (ice: string, gathering: string) => void): void;
  on(event: "error", listener: (error: Error & { readonly code?: string }) => void): void;
  on(event: "signalingStateChange" | "close", listener: () => void): void;
  signal(data: { readonly type: "offer" | "answer"; readonly sdp: string }): void;
  destroy(): void;
  /** Undefined when the connection could not be made. */
  readonly _pc: PeerConnection | undefined;
  readonly _channel: DataChannel | undefined;
  /** A timer of 5 s that `destroy` forgets; it would hold up the end of a process. */
  readonly _iceCompleteTimer: ReturnType<typeof setTimeout> | null;
}

export type SimplePeerConstructor = new (options: {
  readonly initiator: boolean;
  readonly trickle: boolean;
  readonly wrtc: WebRtcImplementation;
  readonly config: object;
  readonly channelConfig: object;
}) => SimplePeer;
