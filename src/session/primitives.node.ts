/** The primitives by Node's own crypto. */

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  type KeyObject,
  scrypt,
} from "node:crypto";
import { signSync, verifySync } from "./ed25519.node.ts";
import {
  type DhKey,
  KEY_BYTES,
  type Primitives,
  type ScryptCost,
  TAG_BYTES,
} from "./primitives.ts";

const CIPHER = "chacha20-poly1305";
const OPTIONS = { authTagLength: TAG_BYTES };

/** The fixed beginning of a secret key in PKCS #8 (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");

/** A public key as JWK: Node reads and writes those ten times as fast as the others. */
const JWK = { kty: "OKP", crv: "X25519" };

/** Twice what scrypt needs of memory, as Node asks for. */
const SCRYPT_BYTES_MAX = (cost: ScryptCost): number => 256 * cost.N * cost.r;

export const primitives: Primitives = {
  dhKey(secretKey) {
    if (secretKey === undefined) {
      const { publicKey, privateKey } = generateKeyPairSync("x25519");
      return dhKeyOf(privateKey, publicKey);
    }
    const der = Buffer.concat([PKCS8_PREFIX, secretKey]);
    const secret = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    return dhKeyOf(secret, createPublicKey(secret));
  },

  sha256: (data) => own(hash("sha256", data, "buffer")),

  hmacSha256: (key, data) => own(createHmac("sha256", key).update(data).digest()),

  seal(key, nonce, associated, plaintext, room = 0) {
    const cipher = createCipheriv(CIPHER, key, nonce, OPTIONS);
    if (associated.length > 0) cipher.setAAD(associated, { plaintextLength: plaintext.length });
    const sealed = new Uint8Array(room + plaintext.length + TAG_BYTES);
    sealed.set(cipher.update(plaintext), room);
    cipher.final();
    sealed.set(cipher.getAuthTag(), room + plaintext.length);
    return sealed;
  },

  open(key, nonce, associated, sealed) {
    const length = sealed.length - TAG_BYTES;
    if (length < 0) return undefined;
    const decipher = createDecipheriv(CIPHER, key, nonce, OPTIONS);
    if (associated.length > 0) decipher.setAAD(associated, { plaintextLength: length });
    decipher.setAuthTag(sealed.subarray(length));
    const plaintext = decipher.update(sealed.subarray(0, length));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return own(plaintext);
  },

  // By a promise it would wait for a thread longer than it takes.
  sign: signSync,
  verify: verifySync,

  scrypt(password, salt, cost) {
    const options = { ...cost, maxmem: SCRYPT_BYTES_MAX(cost) };
    return new Promise((resolve, reject) => {
      scrypt(password, salt, KEY_BYTES, options, (error, key) => {
        if (error === null) resolve(own(key));
        else reject(error);
      });
    });
  },
};

function dhKeyOf(privateKey: KeyObject, ours: KeyObject): DhKey {
  const publicKey = own(Buffer.from(ours.export({ format: "jwk" }).x ?? "", "base64url"));
  return {
    publicKey,
    shared(theirs) {
      if (theirs.length !== KEY_BYTES) return undefined;
      const x = Buffer.from(theirs).toString("base64url");
      try {
        const key = createPublicKey({ key: { ...JWK, x }, format: "jwk" });
        return own(diffieHellman({ privateKey, publicKey: key }));
      } catch {
        return undefined;
      }
    },
  };
}

/** Outside of the pool that small Buffers share: what is kept must not keep others' bytes. */
function own(bytes: Buffer): Uint8Array {
  return bytes.buffer.byteLength === bytes.length
    ? new Uint8Array(bytes.buffer, 0, bytes.length)
    : new Uint8Array(bytes);
}
