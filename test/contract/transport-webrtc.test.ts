import { describe, test } from "vitest";
import { transportChecks } from "../../src/testing/transport-suite.ts";
import { webrtcTransport } from "../../src/transport/webrtc.ts";
import { loadWrtc } from "../../src/transport/wrtc.node.ts";

describe("WebRTC transport, Node with Node", async () => {
  const loaded = await loadWrtc();
  if (loaded.wrtc === undefined) throw new Error(loaded.reason);
  const { wrtc } = loaded;
  const make = () => webrtcTransport({ wrtc, dialsPerMinuteMax: 1_000 });
  for (const check of transportChecks(() => ({ near: make(), far: make() }))) {
    test(check.name, check.run);
  }
});
