import { describe, test } from "vitest";
import { transportChecks } from "../../src/testing/transport-suite.ts";
import { webrtcTransport } from "../../src/transport/webrtc.ts";

describe("WebRTC transport, within one tab", () => {
  const make = () => webrtcTransport({ dialsPerMinuteMax: 1_000 });
  for (const check of transportChecks(() => ({ near: make(), far: make() }))) {
    test(check.name, check.run);
  }
});
