/**
 * What a member brings to the handshakes of all its links: its identity, a static key that this identity has signed,
 * and the keys that members of its cluster share.
 *
 * The static key is made anew at every start and never leaves it, instead of being derived from the identity: no key
 * then serves two schemes, and what is stolen from a running process is of no use after its end.
 */

import { concat, Reader, Writer } from "../core/lib/bytes.ts";
import { idFromBytes, type MemberId } from "../core/lib/ids.ts";
import { bytes, list, rest, string, struct } from "../core/wire/schema.ts";
import { PUBLIC_KEY_BYTES, sign } from "./crypto.ts";
import type { KeyPair } from "./identity.ts";
import { PairKeys } from "./pair-keys.ts";
import { type DhKey, KEY_BYTES, type Primitives } from "./primitives.ts";
import { pskOf } from "./psk.ts";

/** Secrets that are valid at a time: more than one during a rotation. */
const SECRETS_MAX = 2;

/** Names of what minor versions add. */
const FEATURES_MAX = 32;

/** Keeps this signature apart from all others of the identity. */
const PROOF = new TextEncoder().encode("hearsay session 1: static key ");

/** Why a handshake was refused; `message` says what to look at. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

export type RefusalCode =
  /** The other end is of another cluster. */
  | "cluster"
  /** It speaks another major version of the protocol. */
  | "version"
  /** It has another secret, or none. */
  | "secret"
  /** It is not who it says. */
  | "identity"
  /** What it says is no handshake, or was changed on its way. */
  | "handshake"
  /** It broke the handshake off. */
  | "broken-off"
  /** It did not go on. */
  | "timeout"
  /** Too many begin at the same time. */
  | "flood";

/** What each end says of itself, sealed, in the second and the third message. */
const credentials = struct({
  /** Ed25519. */
  publicKey: bytes(PUBLIC_KEY_BYTES),
  /** Of the static key, by that. */
  signature: bytes(64),
  features: list(string(32), FEATURES_MAX),
  /** For who was invited, from who invited: what opens the doors of all others. */
  psks: list(bytes(KEY_BYTES), SECRETS_MAX),
  /** What later minor versions add. */
  later: rest,
});

/** What the other end has proven. */
export interface Proven {
  readonly peer: MemberId;
  readonly features: readonly string[];
  readonly psks: readonly Uint8Array[];
}

export interface SessionOptions {
  readonly keys: KeyPair;
  readonly cluster: string;
  readonly clusterHash: number;
  /** What members share, the one to begin handshakes with first. None: the cluster is open to who knows its name. */
  readonly secrets?: readonly string[] | undefined;
  readonly primitives: Primitives;
  readonly features?: readonly string[];
}

export async function makeSession(options: SessionOptions): Promise<Session> {
  const { keys, cluster, clusterHash, secrets = [], primitives } = options;
  const staticKey = primitives.dhKey();
  const signed = proofOf(clusterHash, staticKey.publicKey);
  const [signature, ...psks] = await Promise.all([
    sign(keys.secretKey, signed),
    ...(secrets.length === 0 ? [undefined] : secrets).map((secret) =>
      pskOf(primitives, cluster, secret),
    ),
  ]);
  return new Session(options, staticKey, signature, psks);
}

export class Session {
  readonly primitives: Primitives;
  readonly clusterHash: number;
  readonly staticKey: DhKey;
  /** Told of every handshake that failed. */
  refused: (refusal: Refusal) => void = () => {};
  readonly #options: SessionOptions;
  readonly #signature: Uint8Array;
  #psks: readonly Uint8Array[];

  constructor(
    options: SessionOptions,
    staticKey: DhKey,
    signature: Uint8Array,
    psks: readonly Uint8Array[],
  ) {
    this.primitives = options.primitives;
    this.clusterHash = options.clusterHash;
    this.staticKey = staticKey;
    this.#options = options;
    this.#signature = signature;
    this.#psks = psks;
  }

  /** What the cluster shares. A handshake is begun with the first, and any is taken. */
  get psks(): readonly Uint8Array[] {
    return this.#psks;
  }

  /** From who invited us; a secret of our own is not given up for it. */
  adopt(psks: readonly Uint8Array[]): void {
    if ((this.#options.secrets ?? []).length === 0) this.#psks = psks;
  }

  /** What seals for members without a link, for one life. */
  pairKeys(): PairKeys {
    return new PairKeys(this.primitives);
  }

  /** @param psks what to hand over */
  credentials(psks: readonly Uint8Array[] = []): Uint8Array {
    const { keys, features = [] } = this.#options;
    const w = new Writer();
    const { publicKey } = keys;
    const later = new Uint8Array(0);
    credentials.write(w, { publicKey, signature: this.#signature, features, psks, later });
    return w.take();
  }

  /** Total: undefined for what proves nothing. */
  async check(payload: Uint8Array, staticKey: Uint8Array): Promise<Proven | undefined> {
    const r = new Reader(payload);
    const { publicKey, signature, features, psks } = credentials.read(r);
    if (r.failed || psks.some(({ length }) => length !== KEY_BYTES)) return undefined;
    const signed = proofOf(this.clusterHash, staticKey);
    const genuine = await this.primitives.verify(publicKey, signed, signature);
    if (!genuine) return undefined;
    return { peer: idFromBytes(this.primitives.sha256(publicKey)), features, psks };
  }
}

function proofOf(clusterHash: number, staticKey: Uint8Array): Uint8Array {
  const cluster = new Uint8Array(4);
  new DataView(cluster.buffer).setUint32(0, clusterHash);
  return concat(PROOF, cluster, staticKey);
}
