/**
 * The primitives, by the platform where it has them. Pages of insecure origins (plain http off localhost) have no
 * `crypto.subtle`, and older engines no Ed25519: there those of `fallback.ts` are loaded on first use.
 */

export const SECRET_KEY_BYTES = 32;
export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

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
export function publicKeyOf(secretKey: Uint8Array): Promise<Uint8Array> {
  return ed25519(
    (platform) => platformPublicKey(platform, secretKey),
    (fallback) => fallback.getPublicKey(secretKey),
  );
}

/** The Ed25519 signature of `data`. */
export function sign(secretKey: Uint8Array, data: Uint8Array): Promise<Uint8Array> {
  return ed25519(
    async (platform) => {
      const key = await importSecret(platform, secretKey);
      return new Uint8Array(await platform.sign("Ed25519", key, new Uint8Array(data)));
    },
    (fallback) => fallback.sign(data, secretKey),
  );
}

/** Total: what is no key or no signature verifies nothing. */
export async function verify(
  publicKey: Uint8Array,
  data: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  return ed25519(
    async (platform) => {
      const raw = new Uint8Array(publicKey);
      const key = await platform.importKey("raw", raw, "Ed25519", false, ["verify"]);
      return platform.verify("Ed25519", key, new Uint8Array(signature), new Uint8Array(data));
    },
    // As RFC 8032 has it, and so as the platforms have it: all members agree about every signature.
    (fallback) => fallback.verify(signature, data, publicKey, { zip215: false }),
  );
}

/** By the platform; where it has no Ed25519, or refuses a point that is none, by the fallback. */
async function ed25519<T>(
  byPlatform: (platform: SubtleCrypto) => Promise<T>,
  byFallback: (fallback: typeof import("./fallback.ts")["ed25519"]) => T,
): Promise<T> {
  const platform = subtle();
  if (platform !== undefined) {
    try {
      return await byPlatform(platform);
    } catch {
      // An engine without Ed25519.
    }
  }
  return byFallback((await import("./fallback.ts")).ed25519);
}

async function platformPublicKey(
  platform: SubtleCrypto,
  secretKey: Uint8Array,
): Promise<Uint8Array> {
  const { x } = await platform.exportKey("jwk", await importSecret(platform, secretKey));
  const base64 = (x ?? "").replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

function importSecret(platform: SubtleCrypto, secretKey: Uint8Array): Promise<CryptoKey> {
  const pkcs8 = new Uint8Array(PKCS8_PREFIX.length + SECRET_KEY_BYTES);
  pkcs8.set(PKCS8_PREFIX);
  pkcs8.set(secretKey, PKCS8_PREFIX.length);
  return platform.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
}
