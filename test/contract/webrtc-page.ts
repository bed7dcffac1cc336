/** Runs in a tab: a party that tests drive from outside. Bundled with no settings, as a user would. */
import { webrtcTransport } from "../../src/transport/webrtc.ts";
import { LAST_WORDS_BYTES, type Party, party } from "./webrtc-party.ts";

const transport = webrtcTransport();
const page = globalThis as unknown as { emit: (payload: string) => void; party: Party };
page.party = party(transport, RTCDataChannel, (payload) => page.emit(payload));
addEventListener("pagehide", () => {
  void page.party.send("reliable", LAST_WORDS_BYTES);
  transport.close();
});
