import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type Parsed,
  parseInvitation,
  parseReply,
  writeInvitation,
  writeReply,
} from "../../src/signaling/invitation.ts";

const CLUSTER = 0xcafe1234;
const NOW = 1_700_000_000_000;
const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
const fields = {
  clusterHash: CLUSTER,
  publicKey: filled(32, 1),
  nonce: filled(16, 2),
  expiresAt: NOW + 60_000,
  psk: filled(32, 3),
  offer: Uint8Array.from({ length: 300 }, (_, i) => i & 0xff),
};
const held = { clusterHash: CLUSTER, nonce: fields.nonce, psk: fields.psk };
const answer = {
  clusterHash: CLUSTER,
  invitationNonce: fields.nonce,
  nonce: filled(16, 4),
  publicKey: filled(32, 5),
  answer: filled(200, 6),
};
const text = writeInvitation(fields);
let reply: string;
beforeAll(async () => {
  reply = await writeReply(answer, fields.psk);
});

const read = (text: string, wallMs = NOW): Parsed<unknown> =>
  parseInvitation(text, CLUSTER, wallMs);
const flawOf = (parsed: Parsed<unknown>): string => (parsed.ok ? "none" : parsed.flaw);

/** The bytes of a text, and a text of bytes. */
function unpack(text: string): [prefix: string, bytes: Uint8Array] {
  const [prefix = "", packed = ""] = text.split(":");
  return [`${prefix}:`, Uint8Array.from(Buffer.from(packed, "base64url"))];
}
const pack = (prefix: string, bytes: Uint8Array): string =>
  prefix + Buffer.from(bytes).toString("base64url");

/** The text with one byte of its bytes set. */
function withByte(text: string, at: number, byte: number): string {
  const [prefix, bytes] = unpack(text);
  bytes[at] = byte;
  return pack(prefix, bytes);
}

describe("an invitation", () => {
  test("is read as it was written, also with blanks around it", () => {
    expect(text).toMatch(/^hearsay-invitation:[\w-]+$/);
    expect(read(`\n ${text} \n`)).toEqual({ ok: true, value: { version: 1, ...fields } });
  });

  test("of any content arrives", () => {
    const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
      fc.uint8Array({ minLength: length, maxLength: length });
    const any = fc.record({
      publicKey: bytes(32),
      nonce: bytes(16),
      psk: bytes(32),
      offer: fc.uint8Array({ maxLength: 400 }),
      expiresAt: fc.integer({ min: NOW, max: Number.MAX_SAFE_INTEGER }),
    });
    fc.assert(
      fc.property(any, (any) => {
        const given = { clusterHash: CLUSTER, ...any };
        expect(read(writeInvitation(given))).toEqual({ ok: true, value: { version: 1, ...given } });
      }),
    );
  });

  test("holds the largest offer", () => {
    expect(flawOf(read(writeInvitation({ ...fields, offer: filled(16_384, 7) })))).toBe("none");
    expect(flawOf(read(writeInvitation({ ...fields, offer: filled(16_385, 7) })))).toBe(
      "malformed",
    );
  });

  test("is good up to its time and not after", () => {
    expect(flawOf(read(text, fields.expiresAt))).toBe("none");
    expect(flawOf(read(text, fields.expiresAt + 1))).toBe("expired");
  });

  test("of another version or cluster says so", () => {
    expect(flawOf(read(withByte(text, 0, 2)))).toBe("version");
    expect(flawOf(parseInvitation(text, CLUSTER + 1, NOW))).toBe("cluster");
  });

  test("with a key, nonce or psk of another length is malformed", () => {
    for (const [field, length] of [
      ["publicKey", 31],
      ["nonce", 15],
      ["psk", 0],
    ] as const) {
      expect(flawOf(read(writeInvitation({ ...fields, [field]: filled(length, 1) })))).toBe(
        "malformed",
      );
    }
  });

  const malformed: [what: string, text: () => string][] = [
    ["nothing", () => ""],
    ["its beginning alone", () => "hearsay-invitation:"],
    ["without its beginning", () => text.slice(5)],
    ["a reply", () => reply],
    ["cut", () => text.slice(0, -8)],
    ["with something behind it", () => `${text}AAAA`],
    ["with signs that do not belong there", () => text.replace(/.$/, "!")],
    ["with blanks inside", () => text.replace(/(.{40})/, "$1 ")],
    ["of an impossible length", () => `${text.slice(0, 19)}AAAAA`],
    ["far too long", () => `hearsay-invitation:${"A".repeat(1_000_000)}`],
  ];
  for (const [what, make] of malformed) {
    test(`${what}: malformed`, () => {
      expect(flawOf(read(make()))).toBe("malformed");
    });
  }
});

describe("a reply", () => {
  test("is read as it was written, by who holds the invitation", async () => {
    const parsed = await parseReply(reply, held);
    expect(parsed).toMatchObject({ ok: true, value: { version: 1, ...answer } });
  });

  test("to another invitation, or by somebody who has not seen it, is forged", async () => {
    expect(flawOf(await parseReply(reply, { ...held, nonce: filled(16, 9) }))).toBe("forged");
    expect(flawOf(await parseReply(reply, { ...held, psk: filled(32, 9) }))).toBe("forged");
    const forged = await writeReply(answer, filled(32, 9));
    expect(flawOf(await parseReply(forged, held))).toBe("forged");
  });

  test("of another version or cluster says so", async () => {
    expect(flawOf(await parseReply(withByte(reply, 0, 9), held))).toBe("version");
    expect(flawOf(await parseReply(reply, { ...held, clusterHash: 1 }))).toBe("cluster");
    expect(flawOf(await parseReply(text, held))).toBe("malformed");
  });

  test("with a bit of any byte changed is refused", async () => {
    const [prefix, bytes] = unpack(reply);
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      const parsed = await parseReply(pack(prefix, changed), held);
      if (parsed.ok) expect.fail(`byte ${at}`);
    }
  });
});

describe("any text gives a value or a flaw", () => {
  const FLAWS = ["none", "malformed", "version", "cluster", "expired", "forged"];
  const letters = fc.constantFrom(..."ABCDwxyz0189-_+/=: \n!é");
  const spoilt = fc.oneof(
    fc.string({ unit: letters, maxLength: 80 }).map((tail) => `hearsay-invitation:${tail}`),
    fc.string({ unit: "binary" }),
    fc
      .tuple(
        fc.nat({ max: text.length }),
        fc.string({ unit: letters, maxLength: 6 }),
        fc.nat({ max: 9 }),
      )
      .map(([at, insert, skip]) => text.slice(0, at) + insert + text.slice(at + skip)),
    fc.tuple(fc.nat(), fc.nat({ max: 255 }), fc.nat({ max: 3 })).map(([at, byte, cut]) => {
      const [prefix, bytes] = unpack(text);
      bytes[at % bytes.length] = byte;
      return pack(prefix, bytes.subarray(0, bytes.length - cut));
    }),
  );

  test("10,000 of them, as invitations and as replies", async () => {
    await fc.assert(
      fc.asyncProperty(spoilt, async (spoilt) => {
        expect(FLAWS).toContain(flawOf(read(spoilt)));
        const asReply = spoilt.replace("hearsay-invitation:", "hearsay-reply:");
        expect(FLAWS).toContain(flawOf(await parseReply(asReply, held)));
      }),
      { numRuns: 10_000 },
    );
  });
});
