/** Ed25519 at once, without a promise: by Node's own. */

import {
  createPrivateKey,
  createPublicKey,
  sign as signWith,
  verify as verifyWith,
} from "node:crypto";
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from "./crypto.ts";

/** The fixed beginnings of a secret key in PKCS #8 and of a public one in SPKI (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

export function signSync(secretKey: Uint8Array, data: Uint8Array): Uint8Array {
  const der = Buffer.concat([PKCS8_PREFIX, secretKey]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return new Uint8Array(signWith(null, data, key));
}

/** Total: what is no key or no signature verifies nothing. */
export function verifySync(
  publicKey: Uint8Array,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  const der = Buffer.concat([SPKI_PREFIX, publicKey]);
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  return verifyWith(null, data, key, signature);
}
