import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hostileSignals } from "../../../src/testing/hostile-signals.ts";
import {
  type Candidate,
  type Description,
  decodeSignal,
  encodeSignal,
  readCandidate,
  readCandidates,
  readDescription,
  SIGNAL_BYTES_MAX,
  SIGNAL_CANDIDATES_MAX,
  writeCandidate,
  writeDescription,
} from "../../../src/transport/webrtc-signal.ts";

const fingerprint = Array.from({ length: 32 }, (_, i) => (i * 7).toString(16).padStart(2, "0"));

/** As Chromium, Firefox and libwebrtc in Node write them; the m-line and what stands around it vary. */
const chromiumOffer = [
  "v=0",
  "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE 0",
  "a=extmap-allow-mixed",
  "a=msid-semantic: WMS",
  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
  "c=IN IP4 0.0.0.0",
  "a=candidate:2999745851 1 udp 2113937151 0f3e3a0e-6c1b-4f0a-9b8e-0123456789ab.local 51472 typ host generation 0 network-cost 999",
  "a=candidate:842163049 1 udp 1677729535 203.0.113.9 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0",
  "a=candidate:1 1 tcp 1518280447 192.168.1.4 9 typ host tcptype active generation 0",
  "a=ice-ufrag:x/+Q",
  "a=ice-pwd:ejC0HwVC/Yr+EmsQb9dGBc1V",
  "a=ice-options:trickle",
  `a=fingerprint:sha-256 ${fingerprint.join(":").toUpperCase()}`,
  "a=setup:actpass",
  "a=mid:0",
  "a=sctp-port:5000",
  "a=max-message-size:262144",
  "",
].join("\r\n");

const offer: Description = {
  type: "offer",
  mid: "0",
  setup: "actpass",
  ufrag: "x/+Q",
  pwd: "ejC0HwVC/Yr+EmsQb9dGBc1V",
  fingerprint: fingerprint.join(""),
  complete: false,
};

const candidate: Candidate = {
  foundation: "842163049",
  priority: 1_677_729_535,
  address: "203.0.113.9",
  port: 46_154,
  type: "srflx",
};

const text = (value: string) => new TextEncoder().encode(value);
const encoded = (description: Description) =>
  new TextDecoder().decode(encodeSignal({ description, candidates: [] }));

describe("signals of WebRTC", () => {
  test("take from a session description what the other end needs to write it again", () => {
    expect(readDescription("offer", chromiumOffer, false)).toEqual(offer);
    const again = writeDescription(offer, readCandidates(chromiumOffer));
    expect(again.type).toBe("offer");
    expect(readDescription("offer", again.sdp, false)).toEqual(offer);
    expect(readCandidates(again.sdp)).toEqual(readCandidates(chromiumOffer));
    expect(again.sdp.length).toBeGreaterThan(3 * encoded(offer).length);
  });

  test("leave candidates out that are of no use: TCP, and names that a resolver would learn", () => {
    expect(readCandidates(chromiumOffer).map(({ type, port }) => [type, port])).toEqual([
      ["host", 51_472],
      ["srflx", 46_154],
    ]);
    expect(readCandidate("candidate:1 1 udp 5 tracker.example 80 typ host")).toBeUndefined();
    expect(readCandidate("candidate:1 2 udp 5 10.0.0.1 80 typ host")).toBeUndefined();
  });

  test("come back as they were", () => {
    const address = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.constant("0f3e3a0e-6c1b-4f0a-9b8e-0123456789ab.local"),
    );
    const candidateOf = fc.record({
      foundation: fc.stringMatching(/^[A-Za-z0-9+/]{1,32}$/),
      priority: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      address,
      port: fc.integer({ min: 1, max: 65_535 }),
      type: fc.constantFrom("host", "srflx", "prflx", "relay"),
    });
    const candidates = fc.array(candidateOf, { maxLength: SIGNAL_CANDIDATES_MAX });
    fc.assert(
      fc.property(candidates, fc.boolean(), (list, described) => {
        const signal = { ...(described && { description: offer }), candidates: list };
        const payload = encodeSignal(signal);
        expect(payload.length).toBeLessThanOrEqual(SIGNAL_BYTES_MAX);
        expect(decodeSignal(payload)).toEqual(signal);
        for (const it of list) expect(readCandidate(writeCandidate(it))).toEqual(it);
      }),
    );
  });

  test.each([
    ["an answer that leaves the DTLS role open", { type: "answer" }],
    ["an offer that takes the DTLS role", { setup: "active" }],
    ["a short password", { pwd: "short" }],
    ["a line break in a word", { ufrag: "abcd\r\na=x" }],
    ["a fingerprint of another length", { fingerprint: "ab".repeat(20) }],
    ["another version", { type: "2 offer" }],
  ])("are refused with %s", (_, change) => {
    const bad = { ...offer, ...change } as Description;
    expect(decodeSignal(text(encoded(offer)))).toBeDefined();
    expect(decodeSignal(text(encoded(bad)))).toBeUndefined();
  });

  test.each([
    ["a port of 0", { port: 0 }],
    ["a port over 65,535", { port: 65_536 }],
    ["a priority over 31 bits", { priority: 2 ** 31 }],
    ["an address out of range", { address: "256.1.1.1" }],
    ["half an address", { address: "1.2.3" }],
    ["an IPv6 address with a hole too many", { address: "1::2::3" }],
    ["a host name", { address: "example.org" }],
    ["another type", { type: "magic" }],
  ])("are refused with a candidate with %s", (_, change) => {
    const payload = encodeSignal({ candidates: [candidate, { ...candidate, ...change }] });
    expect(decodeSignal(payload)).toBeUndefined();
  });

  test("are refused when too long", () => {
    const many = Array(SIGNAL_CANDIDATES_MAX + 1).fill("1 1 10.0.0.1 1 host");
    expect(decodeSignal(text(["1", ...many.slice(1)].join("\n")))).toBeDefined();
    expect(decodeSignal(text(["1", ...many].join("\n")))).toBeUndefined();
    expect(decodeSignal(new Uint8Array(SIGNAL_BYTES_MAX + 1))).toBeUndefined();
  });

  test("cannot carry a foreign line into a session description, whatever is changed in them", () => {
    const real = [encodeSignal({ description: offer, candidates: [candidate] })];
    for (const payload of hostileSignals(real, 50_000)) {
      const signal = decodeSignal(payload);
      if (signal?.description === undefined) continue;
      const { sdp } = writeDescription(signal.description, signal.candidates);
      expect(sdp.split("\r\n")).toHaveLength(16 + signal.candidates.length);
      expect(sdp).toMatch(/^[\x20-\x7e\r\n]*$/);
    }
  });
});
