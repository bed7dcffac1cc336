/** The primitives by @noble's packages: plain JavaScript, audited, without tables that a secret chooses from. */

import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { randomBytes, sign, verify } from "./crypto.ts";
import { KEY_BYTES, type Primitives, TAG_BYTES } from "./primitives.ts";

export const primitives: Primitives = {
  dhKey(secretKey = randomBytes(KEY_BYTES)) {
    return {
      publicKey: x25519.getPublicKey(secretKey),
      shared(publicKey) {
        try {
          return x25519.getSharedSecret(secretKey, publicKey);
        } catch {
          return undefined;
        }
      },
    };
  },

  sha256,

  hmacSha256: (key, data) => hmac(sha256, key, data),

  seal(key, nonce, associated, plaintext, room = 0) {
    const sealed = new Uint8Array(room + plaintext.length + TAG_BYTES);
    chacha20poly1305(key, nonce, associated).encrypt(plaintext, sealed.subarray(room));
    return sealed;
  },

  open(key, nonce, associated, sealed) {
    try {
      return chacha20poly1305(key, nonce, associated).decrypt(sealed);
    } catch {
      return undefined;
    }
  },

  // WebCrypto's where there is one.
  sign,
  verify,

  async scrypt(password, salt, cost) {
    const { scryptAsync } = await import("@noble/hashes/scrypt.js");
    return scryptAsync(password, salt, { ...cost, dkLen: KEY_BYTES });
  },
};
