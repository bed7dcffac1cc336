import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CHUNK_BYTES_MAX,
  FrameReader,
  FrameWriter,
  WHOLE_CHUNK_BYTES_MAX,
} from "../../../src/transport/framing.ts";
import { FRAME_BYTES_MAX, UNORDERED_BYTES_MAX } from "../../../src/transport/transport.ts";

function written(frames: readonly Uint8Array[], chunkBytes?: number): Uint8Array[] {
  const writer = new FrameWriter();
  for (const frame of frames) writer.push(frame);
  const chunks: Uint8Array[] = [];
  let frameBytes = 0;
  for (let chunk = writer.next(chunkBytes); chunk; chunk = writer.next(chunkBytes)) {
    chunks.push(chunk.bytes);
    frameBytes += chunk.frameBytes;
  }
  expect(frameBytes).toBe(frames.reduce((sum, frame) => sum + frame.length, 0));
  expect([writer.empty, writer.queuedBytes]).toEqual([true, 0]);
  return chunks;
}

function read(chunks: readonly Uint8Array[], frameBytesMax?: number) {
  const frames: Uint8Array[] = [];
  const reader = new FrameReader((frame) => frames.push(frame), frameBytesMax);
  const answers = chunks.map((chunk) => reader.push(chunk));
  return { frames, broken: answers.at(-1) };
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

const framesOf = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 40 });
const sizesOf = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 10 });

describe("framing", () => {
  test("brings any frames back through any chunks", () => {
    fc.assert(
      fc.property(framesOf, fc.integer({ min: 1, max: 400 }), sizesOf, (frames, chunk, sizes) => {
        const chunks = written(frames, chunk);
        expect(read(chunks).frames).toEqual(frames);
        expect(read(cut(joined(chunks), sizes)).frames).toEqual(frames);
      }),
    );
  });

  test("gives the same frames when pushing and taking alternate", () => {
    fc.assert(
      fc.property(framesOf, fc.array(fc.boolean()), (frames, turns) => {
        const writer = new FrameWriter();
        const chunks: Uint8Array[] = [];
        const take = () => {
          const chunk = writer.next(50);
          if (chunk) chunks.push(chunk.bytes);
          return chunk !== undefined;
        };
        frames.forEach((frame, i) => {
          writer.push(frame);
          if (turns[i]) take();
        });
        while (take());
        expect(read(chunks).frames).toEqual(frames);
      }),
    );
  });

  test("chunks of whole frames can be read in any order, and are as full as can be", () => {
    const sizes = fc.array(fc.nat({ max: UNORDERED_BYTES_MAX }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(sizes, (sizes) => {
        const writer = new FrameWriter();
        for (const size of sizes) writer.push(new Uint8Array(size));
        const chunks: Uint8Array[] = [];
        for (let chunk = writer.nextWhole(); chunk; chunk = writer.nextWhole()) {
          expect(chunk.bytes.length).toBeLessThanOrEqual(WHOLE_CHUNK_BYTES_MAX);
          chunks.push(chunk.bytes);
        }
        expect([writer.empty, writer.queuedBytes]).toEqual([true, 0]);
        for (const [i, chunk] of chunks.entries()) {
          const next = read(chunks.slice(i + 1, i + 2)).frames[0]?.length ?? Infinity;
          expect(chunk.length + 3 + next).toBeGreaterThan(WHOLE_CHUNK_BYTES_MAX);
        }
        const frames: Uint8Array[] = [];
        const reader = new FrameReader((frame) => frames.push(frame));
        for (const chunk of chunks.toReversed()) {
          expect(reader.push(chunk)).toBeUndefined();
          expect(reader.isBetween).toBe(true);
        }
        const ascending = (a: number, b: number): number => a - b;
        expect(frames.map(({ length }) => length).sort(ascending)).toEqual(sizes.sort(ascending));
        reader.push(Uint8Array.of(0, 0, 5, 1));
        expect(reader.isBetween).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  test("fills chunks to the brim and goes no further", () => {
    const chunks = written([
      new Uint8Array(FRAME_BYTES_MAX),
      ...Array(1000).fill(new Uint8Array(61)),
    ]);
    const last = chunks.pop();
    expect(new Set(chunks.map((chunk) => chunk.length))).toEqual(new Set([CHUNK_BYTES_MAX]));
    expect(last?.length).toBe((FRAME_BYTES_MAX + 3 + 1000 * 64) % CHUNK_BYTES_MAX);
  });

  test.each([CHUNK_BYTES_MAX - 4, CHUNK_BYTES_MAX - 3, CHUNK_BYTES_MAX - 2, FRAME_BYTES_MAX])(
    "carries a frame of %i bytes between empty ones",
    (size) => {
      const frames = [new Uint8Array(), new Uint8Array(size).fill(9), new Uint8Array()];
      expect(read(written(frames)).frames).toEqual(frames);
    },
  );

  test("keeps no frame that has been written", () => {
    const writer = new FrameWriter();
    for (let i = 0; i < 100_000; i++) {
      writer.push(new Uint8Array(10));
      if (i % 2 === 1) expect(writer.next()?.frameBytes).toBe(20);
    }
    writer.push(new Uint8Array(5));
    writer.clear();
    expect([writer.empty, writer.next()]).toEqual([true, undefined]);
  });

  test("says why it cannot follow, once and for all", () => {
    const tooLong = joined(
      written([new Uint8Array([1]), new Uint8Array(101), new Uint8Array([2])]),
    );
    const { frames, broken } = read(cut(tooLong, [3]), 100);
    expect(frames).toEqual([new Uint8Array([1])]);
    expect(broken).toContain("101 bytes");
    expect(read([...cut(tooLong, [7]), ...written([new Uint8Array(1)])], 100).broken).toBe(broken);
  });

  test("gives each frame a buffer of its own", () => {
    const chunk = joined(written([new Uint8Array(10), new Uint8Array(9_000)]));
    for (const frame of read([Buffer.from(chunk)]).frames) {
      expect(frame.buffer.byteLength).toBe(frame.length);
      expect(frame.constructor).toBe(Uint8Array);
    }
  });

  test("never throws, whatever comes, and never gives more than came", () => {
    const sound = joined(written(Array.from({ length: 30 }, (_, i) => new Uint8Array(i * i))));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        sizesOf,
        (changes, sizes) => {
          const bytes = sound.slice();
          for (const [at, value] of changes) bytes[at] = value;
          let delivered = 0;
          const reader = new FrameReader((frame) => {
            delivered += frame.length + 3;
          }, 2_000);
          for (const chunk of cut(bytes, sizes)) reader.push(chunk);
          return delivered <= bytes.length;
        },
      ),
      { numRuns: 20_000 },
    );
  });

  test("never throws on 100,000 pieces of noise", () => {
    let state = 1;
    const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0);
    for (let i = 0; i < 100_000; i++) {
      const reader = new FrameReader(() => {});
      const noise = Uint8Array.from({ length: random() % 40 }, () => random() >>> 24);
      // A small first byte, else nearly every length is over the limit.
      noise[0] = random() % 3;
      for (const chunk of cut(noise, [1 + (i % 9)])) reader.push(chunk);
    }
  });
});
