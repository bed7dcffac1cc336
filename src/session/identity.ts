/**
 * Who a member is: an Ed25519 key pair. Its id is the first 16 bytes of the public key's SHA-256, so nobody
 * chooses another's id, and everyone can check that an id belongs to a key.
 */

import { idFromBytes, type MemberId } from "../core/lib/ids.ts";
import { publicKeyOf, randomBytes, SECRET_KEY_BYTES, sha256 } from "./crypto.ts";

export interface KeyPair {
  readonly secretKey: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly id: MemberId;
}

/** A key pair from its secret half; a new one without it. */
export async function keyPair(
  secretKey: Uint8Array = randomBytes(SECRET_KEY_BYTES),
): Promise<KeyPair> {
  const publicKey = await publicKeyOf(secretKey);
  return { secretKey, publicKey, id: await idOfKey(publicKey) };
}

export async function idOfKey(publicKey: Uint8Array): Promise<MemberId> {
  return idFromBytes(await sha256(publicKey));
}

/** The first 32 bits of a cluster's name hashed: what every frame carries to keep strangers apart. */
export async function hashOfCluster(cluster: string): Promise<number> {
  const digest = await sha256(new TextEncoder().encode(`hearsay cluster ${cluster}`));
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0);
}
