/**
 * A process with links of its own, for tests of how processes end. The argument says which:
 *   open | opening | untrickled   links between two ends in this process; then the transport is closed
 *   answer                        answers an offer that comes by IPC; what it gets goes back on the link;
 *                                 the message "close" closes the transport
 */
import process from "node:process";
import { LinkEnd } from "../../src/testing/link-end.ts";
import { webrtcTransport } from "../../src/transport/webrtc.ts";
import { loadWrtc } from "../../src/transport/wrtc.node.ts";

const { wrtc, reason } = await loadWrtc();
if (wrtc === undefined) throw new Error(reason);
const transport = webrtcTransport({ wrtc });

function closeTransport(): void {
  process.stdout.write("closing\n");
  transport.close();
}

async function linksWithin(trickle: boolean, untilOpen: boolean): Promise<void> {
  const near = new LinkEnd(transport, { initiator: true, trickle });
  const far = new LinkEnd(transport, { initiator: false, trickle });
  near.onSignal = (payload) => queueMicrotask(() => far.signal(payload));
  far.onSignal = (payload) => queueMicrotask(() => near.signal(payload));
  if (untilOpen) {
    await Promise.all([near.opened(), far.opened()]);
    for (let i = 0; i < 50; i++) near.send("reliable", new Uint8Array(60_000));
  } else {
    await near.until("a first signal", () => near.signals.length > 0);
  }
  closeTransport();
}

function answer(): void {
  const end = new LinkEnd(transport, { initiator: false });
  end.onSignal = (payload) => process.send?.(Buffer.from(payload).toString("base64"));
  end.onFrame = ({ lane, bytes }) => queueMicrotask(() => end.send(lane, bytes));
  process.on("message", (message) => {
    if (message !== "close") return end.signal(Buffer.from(String(message), "base64"));
    process.disconnect();
    closeTransport();
  });
}

const mode = process.argv[2];
if (mode === "answer") answer();
else await linksWithin(mode !== "untrickled", mode === "open");
