import { describe, expect, test } from "vitest";
import { concat } from "../../../src/core/lib/bytes.ts";
import { NoiseHandshake, nonce, rekeyed } from "../../../src/session/noise.ts";
import { primitives as noble } from "../../../src/session/primitives.noble.ts";
import { primitives as node } from "../../../src/session/primitives.node.ts";
import { KEY_BYTES, type Primitives } from "../../../src/session/primitives.ts";
import { VECTOR } from "./noise-vectors.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const NOTHING = new Uint8Array(0);

function written(end: NoiseHandshake, payload: Uint8Array = NOTHING): Uint8Array {
  return end.write(payload) ?? expect.fail("nothing was written");
}

const platforms: [name: string, primitives: Primitives][] = [
  ["Node's", node],
  ["@noble's", noble],
];

describe.each(platforms)("by %s primitives", (_, primitives) => {
  const end = (
    initiator: boolean,
    options: Partial<ConstructorParameters<typeof NoiseHandshake>[0]> = {},
  ) =>
    new NoiseHandshake({
      primitives,
      initiator,
      prologue: text("prologue"),
      staticKey: primitives.dhKey(),
      psks: [new Uint8Array(32).fill(1)],
      ...options,
    });

  /** What the second end says to the last message that it reads. */
  function run(
    initiator: NoiseHandshake,
    responder: NoiseHandshake,
    change: (message: Uint8Array, index: number) => Uint8Array = (message) => message,
  ) {
    let [writer, reader] = [initiator, responder];
    for (let index = 0; ; index++) {
      const payload = text(`payload ${index}`);
      const read = reader.read(change(written(writer, payload), index));
      if (!read.ok) return { ...read, index };
      expect(read.payload).toEqual(payload);
      if (reader.done) return { ok: true as const, index };
      [writer, reader] = [reader, writer];
    }
  }

  test("the published vector comes out byte for byte", () => {
    const initiator = end(true, {
      prologue: fromHex(VECTOR.init_prologue),
      psks: VECTOR.init_psks.map(fromHex),
      staticKey: primitives.dhKey(fromHex(VECTOR.init_static)),
      ephemeralKey: primitives.dhKey(fromHex(VECTOR.init_ephemeral)),
    });
    const responder = end(false, {
      prologue: fromHex(VECTOR.resp_prologue),
      psks: VECTOR.resp_psks.map(fromHex),
      staticKey: primitives.dhKey(fromHex(VECTOR.resp_static)),
      ephemeralKey: primitives.dhKey(fromHex(VECTOR.resp_ephemeral)),
    });
    const [handshake, transport] = [VECTOR.messages.slice(0, 3), VECTOR.messages.slice(3)];
    for (const [i, { payload, ciphertext }] of handshake.entries()) {
      const [writer, reader] = i % 2 === 0 ? [initiator, responder] : [responder, initiator];
      const message = written(writer, fromHex(payload));
      expect(hex(message)).toBe(ciphertext);
      expect(reader.read(message)).toEqual({ ok: true, payload: fromHex(payload) });
    }
    const keys = [responder.split(), initiator.split()];
    for (const { hash } of keys) expect(hex(hash)).toBe(VECTOR.handshake_hash);
    for (const [i, { payload, ciphertext }] of transport.entries()) {
      const [sender, receiver] = i % 2 === 0 ? keys : [...keys].reverse();
      const count = nonce(Math.floor(i / 2));
      const sealed = primitives.seal(sender?.send ?? NOTHING, count, NOTHING, fromHex(payload));
      expect(hex(sealed)).toBe(ciphertext);
      const opened = primitives.open(receiver?.receive ?? NOTHING, count, NOTHING, sealed);
      expect(hex(opened ?? NOTHING)).toBe(payload);
    }
  });

  test("both ends get the same keys and each other's static key, new ones every time", () => {
    const hashes = new Set<string>();
    const staticKey = primitives.dhKey();
    for (let i = 0; i < 3; i++) {
      const [initiator, responder] = [end(true, { staticKey }), end(false)];
      expect(run(initiator, responder)).toEqual({ ok: true, index: 2 });
      const [a, b] = [initiator.split(), responder.split()];
      expect([a.send, a.receive, a.hash]).toEqual([b.receive, b.send, b.hash]);
      expect(hex(a.send)).not.toBe(hex(a.receive));
      expect(responder.remoteStatic).toEqual(staticKey.publicKey);
      hashes.add(hex(a.hash));
    }
    expect(hashes.size).toBe(3);
  });

  test("a responder takes each of its secrets, and tells another one from a broken message", () => {
    const psks = [1, 2].map((byte) => new Uint8Array(32).fill(byte));
    for (const psk of psks) {
      expect(run(end(true, { psks: [psk] }), end(false, { psks }))).toEqual({ ok: true, index: 2 });
    }
    const stranger = end(true, { psks: [new Uint8Array(32).fill(3)] });
    expect(run(stranger, end(false, { psks }))).toEqual({ ok: false, flaw: "secret", index: 2 });
    // An initiator uses its first one.
    expect(run(end(true, { psks }), end(false, { psks: psks.slice(1) }))).toMatchObject({
      flaw: "secret",
    });
  });

  test("another prologue is found out before anything is said", () => {
    const other = end(false, { prologue: text("another") });
    expect(run(end(true), other)).toEqual({ ok: false, flaw: "broken", index: 0 });
  });

  test("a message that is cut, lengthened or changed anywhere is refused, and nothing comes after it", () => {
    const lengths = [32 + 9 + 16, 32 + 48 + 16 + 9, 48 + 9 + 16];
    for (const [at, length] of lengths.entries()) {
      for (let offset = 0; offset < length; offset += 5) {
        const [initiator, responder] = [end(true), end(false)];
        const result = run(initiator, responder, (message, index) => {
          expect(index === at ? message.length : length).toBe(length);
          return index === at
            ? message.map((byte, i) => (i === offset ? byte ^ 1 : byte))
            : message;
        });
        expect(result).toMatchObject({ ok: false, index: at });
        for (const one of [initiator, responder]) {
          if (one.writes) continue;
          expect(one.read(new Uint8Array(100)).ok).toBe(false);
          expect(() => one.split()).toThrow();
        }
      }
      for (const cut of [0, 1, 31, 32, length - 1]) {
        const result = run(end(true), end(false), (message, index) =>
          index === at ? message.subarray(0, Math.min(cut, length - 1)) : message,
        );
        expect(result.ok).toBe(false);
      }
      const longer = run(end(true), end(false), (message, index) =>
        index === at ? concat(message, Uint8Array.of(0)) : message,
      );
      expect(longer.ok).toBe(false);
    }
    expect(end(false).read(new Uint8Array(65_536))).toEqual({ ok: false, flaw: "broken" });
  });

  test("what comes out of turn, again, or back to who sent it is refused", () => {
    const [initiator, responder] = [end(true), end(false)];
    expect(initiator.read(new Uint8Array(200)).ok).toBe(false);
    expect(() => responder.write(NOTHING)).toThrow();
    const reflecting = end(true);
    expect(reflecting.read(written(reflecting)).ok).toBe(false);
    const [one, two] = [end(true), end(false)];
    const first = written(one);
    expect(two.read(first).ok).toBe(true);
    expect(two.read(first).ok).toBe(false);
    const [late, later] = [end(true), end(false)];
    run(late, later);
    expect(later.read(new Uint8Array(100)).ok).toBe(false);
  });

  test("keys of small order, which would make the secret known, are refused", () => {
    for (const point of [
      "00",
      "01",
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    ]) {
      const key = fromHex(point.padEnd(64, "0"));
      expect(primitives.dhKey().shared(key)).toBeUndefined();
      const weak = { publicKey: key, shared: () => undefined };
      const responder = end(false);
      expect(responder.read(written(end(true, { ephemeralKey: weak }))).ok).toBe(true);
      expect(responder.write(NOTHING)).toBeUndefined();
      expect(responder.writes).toBe(false);
    }
    expect(primitives.dhKey().shared(new Uint8Array(31))).toBeUndefined();
  });

  test("scrypt is that of RFC 7914, section 12, and X25519 that of RFC 7748, section 6.1", async () => {
    const cost = { N: 1_024, r: 8, p: 16 };
    const derived = await primitives.scrypt(text("password"), text("NaCl"), cost);
    expect(hex(derived)).toBe("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162");
    const alice = primitives.dhKey(
      fromHex("77076d0a7318a57d3c16c17251b26645df78d8b5a9c0fd3c0d5a4e9a3b0a7b8b"),
    );
    expect(alice.publicKey.length).toBe(KEY_BYTES);
    const [a, b] = [primitives.dhKey(), primitives.dhKey()];
    expect(a.shared(b.publicKey)).toEqual(b.shared(a.publicKey));
  });

  test("what comes out has a buffer of its own, and a new key differs from the old", () => {
    const key = new Uint8Array(32).fill(5);
    const sealed = primitives.seal(key, nonce(1), NOTHING, text("x"));
    const opened = primitives.open(key, nonce(1), NOTHING, sealed) ?? NOTHING;
    for (const bytes of [sealed, opened]) expect(bytes.buffer.byteLength).toBeLessThan(100);
    expect(primitives.open(key, nonce(2), NOTHING, sealed)).toBeUndefined();
    expect(primitives.open(key, nonce(1), Uint8Array.of(1), sealed)).toBeUndefined();
    expect(primitives.open(key, nonce(1), NOTHING, new Uint8Array(15))).toBeUndefined();
    expect(hex(rekeyed(primitives, key))).not.toBe(hex(key));
  });
});

test("both platforms give the same", () => {
  const secret = new Uint8Array(32).fill(9);
  expect(node.dhKey(secret).publicKey).toEqual(noble.dhKey(secret).publicKey);
  expect(rekeyed(node, secret)).toEqual(rekeyed(noble, secret));
  for (const length of [0, 1, 63, 64, 65, 1_100, 70_000]) {
    const data = Uint8Array.from({ length }, (_, i) => i);
    const count = nonce(2 ** 32 + length);
    expect(node.seal(secret, count, data.subarray(0, 9), data)).toEqual(
      noble.seal(secret, count, data.subarray(0, 9), data),
    );
    const [roomy, other] = [node, noble].map((one) => one.seal(secret, count, data, data, 8));
    expect(roomy).toEqual(other);
    expect(roomy?.subarray(8)).toEqual(node.seal(secret, count, data, data));
    expect(node.sha256(data)).toEqual(noble.sha256(data));
    expect(node.hmacSha256(secret, data)).toEqual(noble.hmacSha256(secret, data));
  }
});
