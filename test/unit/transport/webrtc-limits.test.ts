import { describe, expect, test, vi } from "vitest";
import type { CloseReason, LinkHandlers, Transport } from "../../../src/transport/transport.ts";
import { type WebRtcOptions, webrtcTransport } from "../../../src/transport/webrtc.ts";

class Idle {
  close() {}
}

/** Enough of WebRTC to be counted: nothing ever opens. */
const wrtc = { RTCPeerConnection: Idle, RTCSessionDescription: Idle, RTCIceCandidate: Idle };

function dial(transport: Transport) {
  let close: (reason: CloseReason) => void = () => {};
  const closed = new Promise<CloseReason>((resolve) => {
    close = resolve;
  });
  const nothing = () => {};
  const handlers: LinkHandlers = {
    signal: nothing,
    open: nothing,
    frame: nothing,
    drain: nothing,
    close,
  };
  return { link: transport.connect({ initiator: true }, handlers), closed };
}

describe("limits of the WebRTC transport", () => {
  test.each<[keyof WebRtcOptions]>([["dialsPerMinuteMax"], ["openingMax"], ["openMax"]])(
    "%s closes the link above it, not at once, with the remedy",
    async (name) => {
      const transport = webrtcTransport({ wrtc, [name]: 2 });
      const allowed = [dial(transport), dial(transport)];
      const refused = dial(transport);
      expect(refused.link.state).toBe("closed");
      expect(await refused.closed).toMatchObject({
        code: "unsupported",
        message: expect.stringContaining(name),
      });
      expect(allowed.map(({ link }) => link.state)).toEqual(["opening", "opening"]);
      transport.close();
    },
  );

  test("a minute later one may dial again", async () => {
    const clock = vi.spyOn(performance, "now").mockReturnValue(1_000);
    const transport = webrtcTransport({ wrtc, dialsPerMinuteMax: 1 });
    dial(transport).link.close();
    clock.mockReturnValue(60_999);
    expect(dial(transport).link.state).toBe("closed");
    clock.mockReturnValue(61_001);
    expect(dial(transport).link.state).toBe("opening");
    clock.mockRestore();
    transport.close();
  });

  test("closed links make room at once", async () => {
    const transport = webrtcTransport({ wrtc, openMax: 1 });
    const { link, closed } = dial(transport);
    link.close();
    expect((await closed).code).toBe("local");
    expect(dial(transport).link.state).toBe("opening");
    transport.close();
  });

  test("where there is no WebRTC a link closes and says what to install", async () => {
    const { closed } = dial(webrtcTransport());
    expect(await closed).toMatchObject({
      code: "unsupported",
      message: expect.stringContaining("npm:@roamhq/wrtc"),
    });
  });

  test("a connection that cannot be made closes the link", async () => {
    class Refusing {
      constructor() {
        throw new Error("Cannot create so many PeerConnections");
      }
    }
    const transport = webrtcTransport({ wrtc: { ...wrtc, RTCPeerConnection: Refusing } });
    expect(await dial(transport).closed).toMatchObject({
      code: "unsupported",
      message: expect.stringContaining("so many"),
    });
    transport.close();
  });
});
