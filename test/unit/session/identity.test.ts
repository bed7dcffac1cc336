import { createHash, createHmac, createPrivateKey, createPublicKey } from "node:crypto";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  hmacSha256,
  publicKeyOf,
  randomBytes,
  sha256,
  sign,
  verify,
} from "../../../src/session/crypto.ts";
import { signSync, verifySync } from "../../../src/session/ed25519.node.ts";
import { hashOfCluster, keyPair } from "../../../src/session/identity.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

afterEach(() => {
  vi.unstubAllGlobals();
});

/** What platforms there are: with everything, without Ed25519, and a page of an insecure origin. */
const platforms: [what: string, use: () => void][] = [
  ["by the platform", () => {}],
  [
    "on an engine without Ed25519",
    () => {
      const { subtle } = crypto;
      const importKey = (...args: unknown[]): Promise<CryptoKey> =>
        args[2] === "Ed25519"
          ? Promise.reject(new DOMException("unknown", "NotSupportedError"))
          : Reflect.apply(subtle.importKey, subtle, args);
      const digest = subtle.digest.bind(subtle);
      const sign = subtle.sign.bind(subtle);
      vi.stubGlobal("crypto", { subtle: { importKey, digest, sign } });
    },
  ],
  ["without crypto.subtle", () => vi.stubGlobal("crypto", {})],
  ["without crypto at all", () => vi.stubGlobal("crypto", undefined)],
];

for (const [what, use] of platforms) {
  describe(what, () => {
    test("the public key is that of RFC 8032, section 7.1", async () => {
      use();
      const vectors: [secret: string, publicKey: string][] = [
        [
          "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
          "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        ],
        [
          "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
          "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        ],
      ];
      for (const [secret, expected] of vectors) {
        expect(hex(await publicKeyOf(fromHex(secret)))).toBe(expected);
      }
    });

    test("signatures are those of RFC 8032, section 7.1, and verify nothing else", async () => {
      use();
      const secret = fromHex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
      const key = await publicKeyOf(secret);
      const data = Uint8Array.of(0x72);
      const signature = await sign(secret, data);
      expect(hex(signature)).toBe(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
          "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
      );
      const other = await publicKeyOf(fromHex("9d".repeat(32)));
      for (const check of [verify, verifySync]) {
        expect(await check(key, data, signature)).toBe(true);
        expect(await check(other, data, signature)).toBe(false);
        expect(await check(key, Uint8Array.of(0x73), signature)).toBe(false);
        expect(
          await check(
            key,
            data,
            signature.map((byte) => byte ^ 1),
          ),
        ).toBe(false);
        expect(await check(key, data, signature.subarray(1))).toBe(false);
        expect(await check(key, data, new Uint8Array(64).fill(255))).toBe(false);
        expect(await check(key.subarray(1), data, signature)).toBe(false);
        // No point of the curve.
        expect(await check(new Uint8Array(32).fill(255), data, signature)).toBe(false);
      }
      expect(signSync(secret, data)).toEqual(signature);
    });

    test("SHA-256 and HMAC are those of everybody", async () => {
      use();
      for (const length of [0, 1, 63, 64, 65, 1_000]) {
        const data = Uint8Array.from({ length }, (_, i) => i & 0xff);
        // A view into something larger, so that only the view may count.
        const view = Uint8Array.of(9, ...data, 9).subarray(1, length + 1);
        expect(hex(await sha256(view))).toBe(createHash("sha256").update(data).digest("hex"));
        const key = data.subarray(0, Math.max(1, length));
        if (length === 0) continue;
        const expected = createHmac("sha256", key).update(data).digest("hex");
        expect(hex(await hmacSha256(key, view))).toBe(expected);
      }
    });

    test("a member and a cluster have the same names everywhere", async () => {
      use();
      const { id } = await keyPair(new Uint8Array(32).fill(7));
      expect(id).toBe("fe812c12f3ab4ce6ac5db69ac352f906");
      expect(await hashOfCluster("demo")).toBe(1565170547);
    });
  });
}

describe("identity", () => {
  test("the id is the first half of the public key's hash", async () => {
    const pair = await keyPair();
    const hash = createHash("sha256").update(pair.publicKey).digest("hex");
    expect(pair.id).toBe(hash.slice(0, 32));
    expect(pair.publicKey.length).toBe(32);
    expect(await keyPair(pair.secretKey)).toEqual(pair);
  });

  test("a new one is new each time", async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, async () => (await keyPair()).id));
    expect(new Set(ids).size).toBe(20);
    expect(randomBytes(16).length).toBe(16);
  });

  test("node's own crypto agrees about the key", async () => {
    const pair = await keyPair();
    const pkcs8 = Buffer.concat([
      Buffer.from("302e020100300506032b657004220420", "hex"),
      pair.secretKey,
    ]);
    const secret = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
    const { x = "" } = createPublicKey(secret).export({ format: "jwk" });
    expect(hex(pair.publicKey)).toBe(Buffer.from(x, "base64url").toString("hex"));
  });

  test("clusters have hashes of 32 bits that differ with any difference", async () => {
    const names = ["", "a", "A", "a ", "demo", "démo", "de\u0301mo"];
    const hashes = await Promise.all(names.map(hashOfCluster));
    expect(new Set(hashes).size).toBe(names.length);
    expect(hashes.every((hash) => Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32)).toBe(
      true,
    );
  });
});
