import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Assembly, Outgoing } from "../../../src/core/links/fragments.ts";
import { frameCodec } from "../../../src/core/wire/codec.ts";
import {
  FRAME_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  type MessageOf,
} from "../../../src/core/wire/messages.ts";

type Fragment = MessageOf<"fragment">;
const codec = frameCodec(7);
const CHUNK = FRAME_BYTES_MAX - 32;

function cut(bytes: Uint8Array, message = 3): Uint8Array[] {
  const outgoing = new Outgoing(bytes, undefined);
  const frames: Uint8Array[] = [];
  while (!outgoing.done) frames.push(outgoing.next(codec, message));
  return frames;
}

function read(frame: Uint8Array): Fragment {
  const decoded = codec.decode(frame);
  if (!decoded.ok || decoded.message.type !== "fragment") throw new Error("no fragment");
  return decoded.message;
}

function piece(index: number, count: number, message = 1, length = 5): Fragment {
  return { type: "fragment", message, index, count, bytes: new Uint8Array(length) };
}

/** Bytes that differ everywhere, so that a piece in a wrong place shows. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
}

describe("a message of any size arrives whole, in frames that are never too large", () => {
  const edges = [0, 1, FRAME_BYTES_MAX, 2 * CHUNK, 3 * CHUNK].flatMap((n) => [n - 1, n, n + 1]);
  const size = fc.oneof(
    fc.constantFrom(...edges.filter((n) => n >= 0)),
    fc.nat({ max: 3 * CHUNK }),
  );

  test("around every edge", () => {
    fc.assert(
      fc.property(size, (size) => {
        const bytes = pattern(size);
        const frames = cut(bytes);
        expect(Math.max(...frames.map((frame) => frame.length))).toBeLessThanOrEqual(
          FRAME_BYTES_MAX,
        );
        if (size <= FRAME_BYTES_MAX) {
          expect(frames.length).toBe(1);
          expect(Buffer.compare(frames[0] as Uint8Array, bytes)).toBe(0);
          return;
        }
        const assembly = new Assembly();
        const results = frames.map((frame, i) => assembly.add(read(frame), i));
        expect(results.slice(0, -1).every((result) => result === "more")).toBe(true);
        expect(Buffer.compare(results.at(-1) as Uint8Array, bytes)).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  test("the largest message, even with the longest numbers in its fragments", () => {
    const bytes = pattern(MESSAGE_BYTES_MAX);
    const assembly = new Assembly();
    let last: unknown;
    for (const frame of cut(bytes, Number.MAX_SAFE_INTEGER)) {
      expect(frame.length).toBeLessThanOrEqual(FRAME_BYTES_MAX);
      last = assembly.add(read(frame), 0);
    }
    expect(Buffer.compare(last as Uint8Array, bytes)).toBe(0);
  });

  test("one after another over the same link", () => {
    const assembly = new Assembly();
    for (let message = 0; message < 3; message++) {
      const bytes = pattern(CHUNK * 2 + message);
      const results = cut(bytes, message).map((frame) => assembly.add(read(frame), 0));
      expect(Buffer.compare(results.at(-1) as Uint8Array, bytes)).toBe(0);
    }
  });
});

describe("what an honest sender would not send breaks the link", () => {
  const cases: [what: string, fragments: Fragment[]][] = [
    ["a later piece first", [piece(1, 3)]],
    ["a piece left out", [piece(0, 3), piece(2, 3)]],
    ["a piece again", [piece(0, 3), piece(1, 3), piece(1, 3)]],
    ["the first piece again", [piece(0, 3), piece(0, 3)]],
    ["another message in between", [piece(0, 3), piece(1, 3, 2)]],
    ["a new message before the end", [piece(0, 3), piece(0, 2, 2)]],
    ["another count", [piece(0, 3), piece(1, 4)]],
    ["no piece at all", [piece(0, 0)]],
    ["a single piece", [piece(0, 1)]],
    [
      "more pieces than the largest message has",
      [piece(0, Math.ceil(MESSAGE_BYTES_MAX / CHUNK) + 1)],
    ],
    ["a piece behind the end", [piece(0, 2), piece(1, 2), piece(2, 2)]],
  ];
  for (const [what, fragments] of cases) {
    test(what, () => {
      const assembly = new Assembly();
      const results = fragments.map((fragment) => assembly.add(fragment, 0));
      expect(results.slice(0, -1)).not.toContain("broken");
      expect(results.at(-1)).toBe("broken");
    });
  }

  test("so many pieces as the largest message has are fine", () => {
    expect(new Assembly().add(piece(0, Math.ceil(MESSAGE_BYTES_MAX / CHUNK)), 0)).toBe("more");
  });

  test("never more is put together than the largest message and a frame", () => {
    const assembly = new Assembly();
    const count = Math.ceil(MESSAGE_BYTES_MAX / CHUNK);
    let held = 0;
    for (let index = 0; index < count; index++) {
      const fragment = piece(index, count, 1, 4 * FRAME_BYTES_MAX);
      if (assembly.add(fragment, 0) === "broken") break;
      held += fragment.bytes.length;
    }
    expect(held).toBeLessThanOrEqual(MESSAGE_BYTES_MAX + FRAME_BYTES_MAX);
  });
});

test("progress is the time of the last piece, and none when nothing is waited for", () => {
  const assembly = new Assembly();
  expect(assembly.progressAt).toBe(Number.NEGATIVE_INFINITY);
  assembly.add(piece(0, 3), 10);
  assembly.add(piece(1, 3), 25);
  expect(assembly.progressAt).toBe(25);
  assembly.add(piece(2, 3), 30);
  expect(assembly.progressAt).toBe(Number.NEGATIVE_INFINITY);
});
