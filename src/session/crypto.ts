/**
 * The primitives, by the platform where it has them. Pages of insecure origins (plain http off localhost) have no
 * `crypto.subtle`, and older engines no Ed25519: there those of `fallback.ts` are loaded on first use.
 */

export const SECRET_KEY_BYTES = 32;

/** The fixed beginning of an Ed25519 secret key in PKCS #8 (RFC 8410, section 7). */
const PKCS8_PREFIX = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
]);

/** Undefined where the platform has none. */
function subtle(): SubtleCrypto | undefined {
  return globalThis.crypto?.subtle;
}

export function randomBytes(count: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(count));
}

export async function sha256(data: Uint8Array): Promise<Uint8Array> {
  const platform = subtle();
  if (platform !== undefined) {
    return new Uint8Array(await platform.digest("SHA-256", new Uint8Array(data)));
  }
  return (await import("./fallback.ts")).sha256(data);
}

export async function hmacSha256(key: Uint8Array, data: Uint8Array): Promise<Uint8Array> {
  const platform = subtle();
  if (platform !== undefined) {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const imported = await platform.importKey("raw", new Uint8Array(key), algorithm, false, [
      "sign",
    ]);
    return new Uint8Array(await platform.sign("HMAC", imported, new Uint8Array(data)));
  }
  const fallback = await import("./fallback.ts");
  return fallback.hmac(fallback.sha256, key, data);
}

/** The Ed25519 public key of a secret one. */
export async function publicKeyOf(secretKey: Uint8Array): Promise<Uint8Array> {
  const platform = subtle();
  if (platform !== undefined) {
    try {
      return await platformPublicKey(platform, secretKey);
    } catch {
      // An engine without Ed25519.
    }
  }
  return (await import("./fallback.ts")).ed25519.getPublicKey(secretKey);
}

async function platformPublicKey(
  platform: SubtleCrypto,
  secretKey: Uint8Array,
): Promise<Uint8Array> {
  const pkcs8 = new Uint8Array(PKCS8_PREFIX.length + SECRET_KEY_BYTES);
  pkcs8.set(PKCS8_PREFIX);
  pkcs8.set(secretKey, PKCS8_PREFIX.length);
  const key = await platform.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
  const { x } = await platform.exportKey("jwk", key);
  const base64 = (x ?? "").replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}
