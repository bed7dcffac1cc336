/**
 * Who a member is: an Ed25519 key pair. Its id is the first 16 bytes of the public key's SHA-256, so nobody
 * chooses another's id, and everyone can check that an id belongs to a key.
 */

import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { ID_BYTES, idFromBytes, type MemberId } from "../core/lib/ids.ts";

export const SECRET_KEY_BYTES = 32;
export const PUBLIC_KEY_BYTES = 32;

export interface KeyPair {
  readonly secretKey: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly id: MemberId;
}

/** A key pair from its secret half; a new one without it. */
export function keyPair(secretKey: Uint8Array = ed25519.utils.randomSecretKey()): KeyPair {
  const publicKey = ed25519.getPublicKey(secretKey);
  return { secretKey, publicKey, id: idOfKey(publicKey) };
}

export function idOfKey(publicKey: Uint8Array): MemberId {
  return idFromBytes(sha256(publicKey).subarray(0, ID_BYTES));
}

/** The first 32 bits of a cluster's name hashed: what every frame carries to keep strangers apart. */
export function hashOfCluster(cluster: string): number {
  const digest = sha256(new TextEncoder().encode(`hearsay cluster ${cluster}`));
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0);
}
