/**
 * What a session is made of: X25519, ChaCha20-Poly1305, SHA-256 and HMAC, which answer at once, without a promise, so
 * that frames are sealed and opened in the order in which they come; Ed25519 and scrypt. By Node's own where there is Node
 * (`primitives.node.ts`), by @noble's elsewhere (`primitives.noble.ts`): WebCrypto has neither this cipher nor any
 * that answers at once, nor anything at all on insecure origins.
 */

export const KEY_BYTES = 32;
export const TAG_BYTES = 16;

/** Half of a Diffie-Hellman exchange. The secret half stays in it. */
export interface DhKey {
  readonly publicKey: Uint8Array;
  /** The shared secret; undefined for what is no key, or one that would make the secret known. */
  shared(publicKey: Uint8Array): Uint8Array | undefined;
}

export interface Primitives {
  /** A key from its secret half; a new one without it. */
  dhKey(secretKey?: Uint8Array): DhKey;
  sha256(data: Uint8Array): Uint8Array;
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** The plaintext under key and nonce, and its tag. In a buffer of its own, with `room` bytes of zero before it. */
  seal(
    key: Uint8Array,
    nonce: Uint8Array,
    associated: Uint8Array,
    plaintext: Uint8Array,
    room?: number,
  ): Uint8Array;
  /** Total: undefined for what was not sealed so. In a buffer of its own. */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    associated: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array | undefined;
  /** Ed25519. */
  sign(secretKey: Uint8Array, data: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Ed25519. Total: what is no key or no signature verifies nothing. */
  verify(
    publicKey: Uint8Array,
    data: Uint8Array,
    signature: Uint8Array,
  ): boolean | Promise<boolean>;
  /** Slow on purpose: 32 bytes from something that a person chose. */
  scrypt(password: Uint8Array, salt: Uint8Array, cost: ScryptCost): Promise<Uint8Array>;
}

export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}
