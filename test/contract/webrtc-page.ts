/** Runs in a tab: a party that tests drive from outside. Bundled with no settings, as a user would. */
import { webrtcTransport } from "../../src/transport/webrtc.ts";
import { party } from "./webrtc-party.ts";

const transport = webrtcTransport();
const page = globalThis as unknown as { emit: (payload: string) => void; party: unknown };
page.party = party(transport, RTCDataChannel, (payload) => page.emit(payload));
addEventListener("pagehide", () => transport.close());
