/**
 * Frames as members of a released version have put them on the wire: later versions of the same major one read them, and
 * write them alike. They were recorded once by `scripts/record-wire.mjs`; with a new major version a file is added.
 */

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { frameCodec, WIRE_VERSION } from "../../../src/core/wire/codec.ts";
import { messages } from "../../support/any-messages.ts";

interface Recorded {
  readonly version: number;
  readonly clusterHash: number;
  readonly frames: Readonly<Record<string, readonly string[]>>;
}

const file = new URL("../../support/wire-v1.json", import.meta.url);
const recorded = JSON.parse(readFileSync(file, "utf8")) as Recorded;

describe(`frames recorded of version ${recorded.version}`, () => {
  const { clusterHash, frames, version } = recorded;
  const codec = frameCodec(clusterHash);

  test("are of this major version, and of each message that there was", () => {
    expect(version).toBe(WIRE_VERSION);
    // What a minor version adds comes after all that there was.
    expect(Object.keys(messages).slice(0, Object.keys(frames).length).sort()).toEqual(
      Object.keys(frames).sort(),
    );
  });

  test.each(Object.entries(frames))("%s is read, and written alike", (type, all) => {
    expect(all.length).toBeGreaterThan(0);
    for (const hex of all) {
      const frame = Uint8Array.from(Buffer.from(hex, "hex"));
      const decoded = codec.decode(frame);
      expect(decoded.ok && decoded.message.type).toBe(type);
      if (decoded.ok) expect(Buffer.from(codec.encode(decoded.message)).toString("hex")).toBe(hex);
    }
  });

  test("of another major version are refused", () => {
    for (const [hex] of Object.values(frames)) {
      const frame = Uint8Array.from(Buffer.from(hex as string, "hex"));
      frame[0] = version + 1;
      expect(codec.decode(frame)).toEqual({ ok: false, reason: "version" });
    }
  });
});
