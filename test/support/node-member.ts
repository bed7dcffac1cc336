/** A member in a Node process, as a user's: WebRTC by `wrtc`, stores on disk. */

import { diskStore, join, webrtcTransport } from "../../src/index.node.ts";
import { loadWrtc } from "../../src/transport/wrtc.node.ts";
import { Member } from "./member.ts";

export function nodeMember(): Member {
  return new Member(
    join,
    async () => {
      const { wrtc } = await loadWrtc();
      return webrtcTransport(wrtc === undefined ? {} : { wrtc });
    },
    diskStore,
  );
}
