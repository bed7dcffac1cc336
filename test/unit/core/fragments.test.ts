import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Assembly, Outgoing, Underway } from "../../../src/core/links/fragments.ts";
import { frameCodec } from "../../../src/core/wire/codec.ts";
import {
  FRAME_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  type MessageOf,
} from "../../../src/core/wire/messages.ts";

type Fragment = MessageOf<"fragment">;
const codec = frameCodec(7);
const CHUNK = FRAME_BYTES_MAX - 32;

function cut(bytes: Uint8Array, underway = new Underway()): Uint8Array[] {
  const outgoing = new Outgoing(bytes, "unordered");
  const frames: Uint8Array[] = [];
  while (!outgoing.done) {
    const frame = outgoing.next(codec, underway);
    if (frame === undefined) return frames;
    frames.push(frame);
  }
  return frames;
}

function read(frame: Uint8Array): Fragment {
  const decoded = codec.decode(frame);
  if (!decoded.ok || decoded.message.type !== "fragment") throw new Error("no fragment");
  return decoded.message;
}

function piece(index: number, count: number, message = 1, length = CHUNK): Fragment {
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
    for (const frame of cut(bytes).map(read)) {
      const message = Number.MAX_SAFE_INTEGER;
      expect(codec.encode({ ...frame, message }).length).toBeLessThanOrEqual(FRAME_BYTES_MAX);
      last = assembly.add({ ...frame, message }, 0);
    }
    expect(Buffer.compare(last as Uint8Array, bytes)).toBe(0);
  });

  test("one after another over the same link", () => {
    const assembly = new Assembly();
    const underway = new Underway();
    for (let message = 0; message < 3; message++) {
      const bytes = pattern(CHUNK * 2 + message);
      const results = cut(bytes, underway).map((frame) => assembly.add(read(frame), 0));
      expect(Buffer.compare(results.at(-1) as Uint8Array, bytes)).toBe(0);
    }
  });

  test("several side by side, their pieces in any order", () => {
    const sizes = [CHUNK + 1_000, 5 * CHUNK, 2 * CHUNK + 1, 3 * CHUNK + 7];
    const underway = new Underway();
    const fragments = sizes.flatMap((size) => cut(pattern(size), underway)).map(read);
    const anyOrder = fc.shuffledSubarray(fragments, { minLength: fragments.length });
    fc.assert(
      fc.property(anyOrder, (shuffled) => {
        const assembly = new Assembly();
        const results = shuffled.map((fragment) => assembly.add(fragment, 0));
        const whole = results.filter((result) => typeof result !== "string");
        expect(results).not.toContain("broken");
        expect(whole.map(({ length }) => length).sort()).toEqual([...sizes].sort());
        for (const bytes of whole) expect(Buffer.compare(bytes, pattern(bytes.length))).toBe(0);
        expect(assembly.isEmpty).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

describe("what is under way is bounded at both ends alike", () => {
  const half = pattern(MESSAGE_BYTES_MAX / 2 + 100_000);

  test("a message waits until what went before is acknowledged as whole, if both have no room", () => {
    const underway = new Underway();
    const first = cut(half, underway);
    expect(first.length).toBeGreaterThan(1);
    expect(cut(half, underway)).toEqual([]);
    expect(cut(pattern(FRAME_BYTES_MAX), underway).length).toBe(1);
    expect(cut(pattern(3 * CHUNK), underway).length).toBe(3);
    underway.whole(0);
    underway.whole(99);
    expect(cut(half, underway)).toEqual([]);
    underway.whole(read(first[0] as Uint8Array).message);
    expect(cut(half, underway).length).toBe(first.length);
  });

  test("what an honest sender has under way always fits, and one fragment more does not", () => {
    const assembly = new Assembly();
    const underway = new Underway();
    let fragments = 0;
    for (let size = 2; ; size++) {
      const frames = cut(pattern(size * CHUNK), underway);
      if (frames.length === 0) break;
      fragments += frames.length;
      for (const frame of frames.slice(1)) expect(assembly.add(read(frame), 0)).toBe("more");
    }
    const rest = Math.ceil(MESSAGE_BYTES_MAX / CHUNK) - fragments;
    expect(assembly.add(piece(0, rest, 1_000), 0)).toBe("more");
    expect(assembly.add(piece(0, 2, 1_001), 0)).toBe("broken");
  });
});

describe("what an honest sender would not send breaks the link", () => {
  const cases: [what: string, fragments: Fragment[]][] = [
    ["a piece again", [piece(0, 3), piece(1, 3), piece(1, 3)]],
    ["the first piece again", [piece(0, 3), piece(0, 3)]],
    ["a piece that is too short", [piece(0, 3, 1, CHUNK - 1)]],
    ["a last piece with nothing in it", [piece(2, 3, 1, 0)]],
    ["a last piece that is too long", [piece(2, 3, 1, CHUNK + 1)]],
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
