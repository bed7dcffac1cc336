import { describe, expect, test } from "vitest";
import { primitives } from "../../../src/session/primitives.node.ts";
import { laneKeys, Opener, Sealer } from "../../../src/session/sealing.ts";
import { SEAL_BYTES } from "../../../src/transport/transport.ts";

const key = new Uint8Array(32).fill(3);

function lane(numbered: boolean, rekeyFrames = 8) {
  const options = { primitives, key, numbered, rekeyFrames };
  return { sealer: new Sealer(options), opener: new Opener(options, 20) };
}

const frame = (byte: number) => Uint8Array.of(byte, 1, 2);

describe.each([
  ["that keeps order", false],
  ["without order", true],
])("a lane %s", (_, numbered) => {
  test("opens what was sealed, over many keys, and adds no more than it may", () => {
    const { sealer, opener } = lane(numbered);
    for (let i = 0; i < 100; i++) {
      const sealed = sealer.seal(frame(i));
      expect(sealed.length - 3).toBeLessThanOrEqual(SEAL_BYTES);
      expect(opener.open(sealed)).toEqual(frame(i));
    }
    expect(opener.open(sealer.seal(new Uint8Array(0)))).toEqual(new Uint8Array(0));
  });

  test("refuses a frame that comes again, is changed, cut, or goes back to who sealed it", () => {
    const { sealer, opener } = lane(numbered);
    const first = sealer.seal(frame(1));
    expect(opener.open(first)).toEqual(frame(1));
    expect(opener.open(first)).toBeUndefined();
    const second = sealer.seal(frame(2));
    for (let at = 0; at < second.length; at++) {
      expect(opener.open(second.map((byte, i) => (i === at ? byte ^ 128 : byte)))).toBeUndefined();
      expect(opener.open(second.subarray(0, at))).toBeUndefined();
    }
    expect(opener.open(new Uint8Array(64).fill(255))).toBeUndefined();
    // None of that has disturbed it.
    expect(opener.open(second)).toEqual(frame(2));
    const [there, back] = [1, 2].map((byte) => laneKeys(primitives, new Uint8Array(32).fill(byte)));
    const own = new Opener({ primitives, numbered, key: back?.reliable ?? key });
    const sealed = new Sealer({ primitives, numbered, key: there?.reliable ?? key }).seal(frame(1));
    expect(own.open(sealed)).toBeUndefined();
  });
});

test("frames that overtake each other are opened once each, within the window", () => {
  const { sealer, opener } = lane(true, 64);
  const sealed = Array.from({ length: 60 }, (_, i) => sealer.seal(frame(i)));
  const at = (i: number) => opener.open(sealed[i] ?? new Uint8Array(0));
  expect(at(30)).toEqual(frame(30));
  expect(at(12)).toEqual(frame(12));
  expect(at(12)).toBeUndefined();
  expect(at(11)).toEqual(frame(11));
  // Further back than the window reaches.
  expect(at(5)).toBeUndefined();
  expect(at(59)).toEqual(frame(59));
  expect(at(38)).toBeUndefined();
  expect(at(40)).toEqual(frame(40));
});

test("frames from before a change of key are opened after it; of a number far ahead none is", () => {
  const { sealer, opener } = lane(true, 8);
  const sealed = Array.from({ length: 40 }, (_, i) => sealer.seal(frame(i)));
  const open = (i: number) => opener.open(sealed[i] ?? new Uint8Array(0));
  expect(open(3)).toEqual(frame(3));
  expect(open(9)).toEqual(frame(9));
  expect(open(4)).toEqual(frame(4));
  expect(open(30)).toBeUndefined();
  expect(open(17)).toEqual(frame(17));
});

test("lanes and directions have keys that differ", () => {
  const keys = [1, 2].flatMap((byte) =>
    Object.values(laneKeys(primitives, new Uint8Array(32).fill(byte))).map(String),
  );
  expect(new Set(keys).size).toBe(6);
});
