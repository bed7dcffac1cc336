/**
 * The handshake of one link: frames of the reliable lane until both ends know each other.
 *
 *     initiator                                                      responder
 *     │ version, cluster, [e] ─────────────────────────────────────────────▶ │
 *     │ ◀───────────────────── version, [e, ee, s, es: key, signature, …]    │
 *     │ [s, se, psk: key, signature, …] ───────────────────────────────────▶ │
 *     │ ◀─────────────────────────────────────────────── an empty frame, sealed │
 *
 * In brackets: Noise (`noise.ts`), with version, cluster and the channel's own name in its prologue, so that nobody can
 * sit between two channels and pass it through. The last frame tells the initiator that its secret was the right one.
 * Who is refused is told nothing but the closed link; only another version is answered by ours.
 */

import { concat } from "../core/lib/bytes.ts";
import { WIRE_VERSION } from "../core/wire/codec.ts";
import { NoiseHandshake, type NoiseKeys } from "./noise.ts";
import { KEY_BYTES } from "./primitives.ts";
import type { Proven, Refusal, RefusalCode, Session } from "./session.ts";

/** Version and cluster. */
const HEADER_BYTES = 5;

const REMEDY: Readonly<Record<RefusalCode, string>> = {
  cluster: "the other end is of another cluster: join with the same `cluster` on both ends",
  version:
    "the other end speaks another major version of the protocol: use the same one on both ends",
  secret:
    "the other end has another secret: join with the same `secret` on both ends; to change it, let both be valid for a while",
  identity: "the other end could not prove its identity: it is not who it says",
  handshake:
    "the handshake was no handshake, or was changed on its way: if this goes on, somebody sits between the two ends, such as a signaling server that is not to be trusted",
  "broken-off":
    "the other end broke the handshake off: most often its secret or its cluster is another one; join with the same on both ends",
  timeout: "the other end did not go on with the handshake: it may be overloaded, or mean harm",
  flood: "too many handshakes began at the same time: this one had to go",
};

export function refusal(code: RefusalCode): Refusal {
  return { code, message: REMEDY[code] };
}

export type Step =
  /** To be sent; and wait for the answer. */
  | { readonly type: "answer"; readonly frame: Uint8Array }
  | { readonly type: "refused"; readonly refusal: Refusal; readonly answer?: Uint8Array }
  /** All is known; an initiator sends `frame` and waits for the sealed one, a responder sends that. */
  | {
      readonly type: "proven";
      readonly frame?: Uint8Array;
      readonly keys: NoiseKeys;
      readonly proven: Proven;
    };

export interface GreetingOptions {
  readonly initiator: boolean;
  /** The channel's own name; empty where it has none to be trusted. */
  readonly binding: Uint8Array;
  /** What an invitation holds, in the place of what the cluster shares. */
  readonly invitationPsk?: Uint8Array | undefined;
}

export class Greeting {
  readonly #session: Session;
  readonly #options: GreetingOptions;
  readonly #noise: NoiseHandshake;
  /** Something is still looked at, or was refused: what comes is out of turn. */
  #busy = false;
  /** The other end's first frame has come. */
  #begun = false;

  constructor(session: Session, options: GreetingOptions) {
    const { invitationPsk, binding, initiator } = options;
    this.#session = session;
    this.#options = options;
    const { primitives, staticKey } = session;
    const prologue = concat(new TextEncoder().encode("hearsay link "), this.#header(), binding);
    const psks = invitationPsk === undefined ? session.psks : [invitationPsk];
    this.#noise = new NoiseHandshake({ primitives, initiator, prologue, staticKey, psks });
  }

  /** The first frame; only of an initiator. */
  begin(): Uint8Array {
    return concat(this.#header(), this.#noise.write(new Uint8Array(0)) ?? new Uint8Array(0));
  }

  /** Total: any frame gives the next step. */
  async take(frame: Uint8Array): Promise<Step> {
    if (this.#busy || this.#noise.done) return refused("handshake");
    this.#busy = true;
    const step = await this.#step(frame);
    this.#busy = step.type === "refused";
    return step;
  }

  #step(frame: Uint8Array): Step | Promise<Step> {
    if (this.#options.initiator) return this.#onAnswer(frame);
    return this.#begun ? this.#onEnd(frame) : this.#onBegin(frame);
  }

  #onBegin(frame: Uint8Array): Step {
    this.#begun = true;
    const version = frame[0];
    if (version === undefined || frame.length < HEADER_BYTES + KEY_BYTES)
      return refused("handshake");
    if (version !== WIRE_VERSION) {
      return { ...refused("version"), answer: Uint8Array.of(WIRE_VERSION) };
    }
    const header = this.#header();
    if (!header.every((byte, i) => byte === frame[i])) return refused("cluster");
    if (!this.#noise.read(frame.subarray(HEADER_BYTES)).ok) return refused("handshake");
    const answer = this.#noise.write(this.#session.credentials());
    if (answer === undefined) return refused("handshake");
    return { type: "answer", frame: concat(Uint8Array.of(WIRE_VERSION), answer) };
  }

  async #onAnswer(frame: Uint8Array): Promise<Step> {
    if (frame.length === 0) return refused("handshake");
    if (frame[0] !== WIRE_VERSION) return refused("version");
    const proven = await this.#prove(frame.subarray(1));
    if ("code" in proven) return { type: "refused", refusal: proven };
    // Only who invited knows that the other end is to have them.
    const psks = this.#options.invitationPsk === undefined ? [] : this.#session.psks;
    const last = this.#noise.write(this.#session.credentials(psks));
    if (last === undefined) return refused("handshake");
    return { type: "proven", frame: last, keys: this.#noise.split(), proven };
  }

  async #onEnd(frame: Uint8Array): Promise<Step> {
    const proven = await this.#prove(frame);
    if ("code" in proven) return { type: "refused", refusal: proven };
    if (this.#options.invitationPsk !== undefined && proven.psks.length > 0) {
      this.#session.adopt(proven.psks);
    }
    return { type: "proven", keys: this.#noise.split(), proven };
  }

  async #prove(message: Uint8Array): Promise<Proven | Refusal> {
    const read = this.#noise.read(message);
    if (!read.ok) return refusal(read.flaw === "secret" ? "secret" : "handshake");
    const proven = await this.#session.check(read.payload, this.#noise.remoteStatic);
    return proven ?? refusal("identity");
  }

  #header(): Uint8Array {
    const header = new Uint8Array(HEADER_BYTES);
    header[0] = WIRE_VERSION;
    new DataView(header.buffer).setUint32(1, this.#session.clusterHash);
    return header;
  }
}

function refused(code: RefusalCode): Extract<Step, { type: "refused" }> {
  return { type: "refused", refusal: refusal(code) };
}
