/**
 * Noise_XXpsk3_25519_ChaChaPoly_SHA256: three messages after which both ends hold the same two keys, know each other's
 * static key and that both hold the same pre-shared key.
 *
 *     initiator                                   responder
 *     │ e ────────────────────────────────────────────▶ │
 *     │ ◀──────────────────────────────── e, ee, s, es  │
 *     │ s, se, psk ───────────────────────────────────▶ │
 *
 * Implements "The Noise Protocol Framework", revision 34 (Perrin 2018), sections 5, 9 and 11.3, for this one pattern.
 * It departs in one point: a responder may hold several pre-shared keys, of which it finds out the initiator's.
 *
 * ChaChaPoly, because Node has it and plain JavaScript is fast at it without tables, so that both give their results
 * at once; AES-GCM would be WebCrypto's only, whose promises would let frames overtake each other.
 */

import { concat } from "../core/lib/bytes.ts";
import { type DhKey, KEY_BYTES, type Primitives, TAG_BYTES } from "./primitives.ts";

const NAME = "Noise_XXpsk3_25519_ChaChaPoly_SHA256";

const NOTHING = new Uint8Array(0);

/** The largest message of the framework. */
const MESSAGE_BYTES_MAX = 65_535;

/** Messages are written in turn, the initiator's first. */
const MESSAGES = [["e"], ["e", "ee", "s", "es"], ["s", "se", "psk"]] as const;
type Token = (typeof MESSAGES)[number][number];

/** Why a message was not taken. */
export type NoiseFlaw =
  /** Cut off, too long, out of turn, no key, or changed on its way; also when the prologues differ. */
  | "broken"
  /** All is well but the pre-shared key. */
  | "secret";

export type NoiseRead =
  | { readonly ok: true; readonly payload: Uint8Array }
  | { readonly ok: false; readonly flaw: NoiseFlaw };

export interface NoiseOptions {
  readonly primitives: Primitives;
  readonly initiator: boolean;
  /** What both ends must see alike. */
  readonly prologue: Uint8Array;
  /** Ours. */
  readonly staticKey: DhKey;
  /** 32 bytes each. An initiator uses the first, a responder takes any. */
  readonly psks: readonly Uint8Array[];
  /** For test vectors. Default: a new one. */
  readonly ephemeralKey?: DhKey;
}

export interface NoiseKeys {
  readonly send: Uint8Array;
  readonly receive: Uint8Array;
  /** The same at both ends, and different in every handshake. */
  readonly hash: Uint8Array;
}

export class NoiseHandshake {
  readonly #options: NoiseOptions;
  readonly #symmetric: SymmetricState;
  readonly #ephemeral: DhKey;
  /** Messages written and read. */
  #turn = 0;
  #failed = false;
  #remoteEphemeral: Uint8Array = NOTHING;
  #remoteStatic: Uint8Array = NOTHING;

  constructor(options: NoiseOptions) {
    const { primitives, ephemeralKey, prologue } = options;
    this.#options = options;
    this.#ephemeral = ephemeralKey ?? primitives.dhKey();
    this.#symmetric = new SymmetricState(primitives, new TextEncoder().encode(NAME));
    this.#symmetric.mixHash(prologue);
  }

  /** The other end's static key, once its message was read. */
  get remoteStatic(): Uint8Array {
    return this.#remoteStatic;
  }

  /** Whether the next message is ours to write. */
  get writes(): boolean {
    return !this.#failed && !this.done && (this.#turn % 2 === 0) === this.#options.initiator;
  }

  get done(): boolean {
    return this.#turn === MESSAGES.length;
  }

  /**
   * The next message; only when it is our turn. Undefined, and nothing more is taken, when the other end's key is one
   * that gives no secret.
   */
  write(payload: Uint8Array): Uint8Array | undefined {
    if (!this.writes) throw new Error("this message of the handshake is not ours to write");
    const parts: Uint8Array[] = [];
    for (const token of MESSAGES[this.#turn++] ?? []) {
      const part = this.#writeToken(token);
      this.#failed ||= part === undefined;
      if (part === undefined) return undefined;
      parts.push(part);
    }
    parts.push(this.#symmetric.seal(payload));
    return concat(...parts);
  }

  /** Total. After a flaw nothing more is taken. */
  read(message: Uint8Array): NoiseRead {
    const read = this.#read(message);
    this.#failed ||= !read.ok;
    return read;
  }

  /** Once it is done. */
  split(): NoiseKeys {
    if (!this.done || this.#failed) throw new Error("the handshake is not done");
    const [first, second] = this.#symmetric.derive(NOTHING, 2) as [Uint8Array, Uint8Array];
    const [send, receive] = this.#options.initiator ? [first, second] : [second, first];
    return { send, receive, hash: this.#symmetric.hash };
  }

  #read(message: Uint8Array): NoiseRead {
    const broken: NoiseRead = { ok: false, flaw: "broken" };
    if (this.#failed || this.done || this.writes || message.length > MESSAGE_BYTES_MAX) {
      return broken;
    }
    let at = 0;
    for (const token of MESSAGES[this.#turn] ?? []) {
      if (token === "psk") return this.#readSecretly(message.subarray(at));
      const length = this.#lengthOf(token);
      if (!this.#readToken(token, message.subarray(at, at + length))) return broken;
      at += length;
    }
    const payload = this.#symmetric.open(message.subarray(at));
    if (payload === undefined) return broken;
    this.#turn++;
    return { ok: true, payload };
  }

  /** The payload behind the pre-shared key: by whichever opens it. */
  #readSecretly(sealed: Uint8Array): NoiseRead {
    const before = this.#symmetric.save();
    for (const psk of this.#options.psks) {
      this.#symmetric.restore(before);
      this.#symmetric.mixKeyAndHash(psk);
      const payload = this.#symmetric.open(sealed);
      if (payload === undefined) continue;
      this.#turn++;
      return { ok: true, payload };
    }
    return { ok: false, flaw: sealed.length < TAG_BYTES ? "broken" : "secret" };
  }

  #lengthOf(token: Token): number {
    if (token === "e") return KEY_BYTES;
    return token === "s" ? KEY_BYTES + TAG_BYTES : 0;
  }

  /** What it puts on the wire; undefined when there is no secret to go on with. */
  #writeToken(token: Token): Uint8Array | undefined {
    const { staticKey, psks } = this.#options;
    switch (token) {
      case "e":
        this.#mixEphemeral(this.#ephemeral.publicKey);
        return this.#ephemeral.publicKey;
      case "s":
        return this.#symmetric.seal(staticKey.publicKey);
      case "psk":
        this.#symmetric.mixKeyAndHash(psks[0] ?? NOTHING);
        return NOTHING;
      default:
        return this.#mixShared(token) ? NOTHING : undefined;
    }
  }

  /** False when `part` cannot be meant. */
  #readToken(token: Exclude<Token, "psk">, part: Uint8Array): boolean {
    if (part.length !== this.#lengthOf(token)) return false;
    switch (token) {
      case "e":
        this.#remoteEphemeral = part.slice();
        this.#mixEphemeral(this.#remoteEphemeral);
        return true;
      case "s":
        this.#remoteStatic = this.#symmetric.open(part) ?? NOTHING;
        return this.#remoteStatic.length > 0;
      default:
        return this.#mixShared(token);
    }
  }

  /** With pre-shared keys an ephemeral key also goes into the chain: section 9.2. */
  #mixEphemeral(publicKey: Uint8Array): void {
    this.#symmetric.mixHash(publicKey);
    this.#symmetric.mixKey(publicKey);
  }

  /** The first letter is the initiator's key, the second the responder's. */
  #mixShared(token: "ee" | "es" | "se"): boolean {
    const { initiator, staticKey } = this.#options;
    const [mine, theirs] = initiator ? [token[0], token[1]] : [token[1], token[0]];
    const key = mine === "e" ? this.#ephemeral : staticKey;
    const shared = key.shared(theirs === "e" ? this.#remoteEphemeral : this.#remoteStatic);
    if (shared === undefined) return false;
    this.#symmetric.mixKey(shared);
    return true;
  }
}

interface Saved {
  readonly chain: Uint8Array;
  readonly hash: Uint8Array;
  readonly key: Uint8Array | undefined;
  readonly count: number;
}

/** Section 5.2, with the cipher state of 5.1 in it. */
class SymmetricState {
  readonly #primitives: Primitives;
  #chain: Uint8Array;
  #hash: Uint8Array;
  #key: Uint8Array | undefined;
  #count = 0;

  constructor(primitives: Primitives, name: Uint8Array) {
    this.#primitives = primitives;
    // A name that fits into a hash would stand for itself: this one does not.
    this.#hash = primitives.sha256(name);
    this.#chain = this.#hash;
  }

  get hash(): Uint8Array {
    return this.#hash;
  }

  save(): Saved {
    return { chain: this.#chain, hash: this.#hash, key: this.#key, count: this.#count };
  }

  restore({ chain, hash, key, count }: Saved): void {
    this.#chain = chain;
    this.#hash = hash;
    this.#key = key;
    this.#count = count;
  }

  mixHash(data: Uint8Array): void {
    this.#hash = this.#primitives.sha256(concat(this.#hash, data));
  }

  mixKey(material: Uint8Array): void {
    const [chain, key] = this.derive(material, 2) as [Uint8Array, Uint8Array];
    this.#chain = chain;
    this.#setKey(key);
  }

  mixKeyAndHash(material: Uint8Array): void {
    const [chain, hash, key] = this.derive(material, 3) as [Uint8Array, Uint8Array, Uint8Array];
    this.#chain = chain;
    this.mixHash(hash);
    this.#setKey(key);
  }

  /** HKDF: section 4.3. */
  derive(material: Uint8Array, count: number): Uint8Array[] {
    return hkdf(this.#primitives, this.#chain, material, count);
  }

  /** Before there is a key, as it is. */
  seal(plaintext: Uint8Array): Uint8Array {
    const sealed =
      this.#key === undefined
        ? plaintext
        : this.#primitives.seal(this.#key, nonce(this.#count++), this.#hash, plaintext);
    this.mixHash(sealed);
    return sealed;
  }

  open(sealed: Uint8Array): Uint8Array | undefined {
    const plaintext =
      this.#key === undefined
        ? sealed.slice()
        : this.#primitives.open(this.#key, nonce(this.#count++), this.#hash, sealed);
    this.mixHash(sealed);
    return plaintext;
  }

  #setKey(key: Uint8Array): void {
    this.#key = key;
    this.#count = 0;
  }
}

export function hkdf(
  { hmacSha256 }: Primitives,
  salt: Uint8Array,
  material: Uint8Array,
  count: number,
): Uint8Array[] {
  const temporary = hmacSha256(salt, material);
  const outputs: Uint8Array[] = [];
  for (let i = 1; i <= count; i++) {
    outputs.push(hmacSha256(temporary, concat(outputs.at(-1) ?? NOTHING, Uint8Array.of(i))));
  }
  return outputs;
}

/** ChaChaPoly's: 32 bits of zero and the count, low byte first. Section 12.3. */
export function nonce(count: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, count % 2 ** 32, true);
  view.setUint32(8, Math.floor(count / 2 ** 32), true);
  return bytes;
}

/** What comes instead of a key: section 4.2. */
export function rekeyed({ seal }: Primitives, key: Uint8Array): Uint8Array {
  const last = new Uint8Array(12).fill(255, 4);
  return seal(key, last, NOTHING, new Uint8Array(KEY_BYTES)).slice(0, KEY_BYTES);
}
