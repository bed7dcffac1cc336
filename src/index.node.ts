/** hearsay in Node: WebRTC by the optional package `wrtc`, WebSocket by `ws`. */

import { HearsayError } from "./errors.ts";
import { type Join, joinOn } from "./mesh/join.ts";
import { hostOfNode } from "./runtime/host.node.ts";
import { nodeWebSocket } from "./signaling/websocket.node.ts";
import { diskStore } from "./store/disk.ts";
import { type RedisClient, type RedisStoreOptions, redisStore } from "./store/redis.node.ts";
import type { Transport } from "./transport/transport.ts";
import { type UdpOptions, udpTransport } from "./transport/udp/udp.ts";
import { webrtcTransport } from "./transport/webrtc.ts";
import { loadWrtc } from "./transport/wrtc.node.ts";

export * from "./index.ts";
export {
  diskStore,
  type RedisClient,
  type RedisStoreOptions,
  redisStore,
  type UdpOptions,
  udpTransport,
};

/**
 * Joins the mesh of a cluster.
 * @param options `ws://host:port/cluster`, `udp://host:port/cluster`, or all options
 * @throws HearsayError `options:…`, `join:unreachable`, `join:no-webrtc`, `identity:taken`; the reason of `signal`
 * @example
 * const mesh = await join("ws://localhost:8080/demo");
 * mesh.hear("chat", (text, from) => console.log(from.name, text));
 * mesh.say("chat", "hello");
 */
export const join: Join = joinOn(
  hostOfNode(nodeWebSocket, async ({ iceServers, iceTransportPolicy, udp }) => {
    // Who is to be found through relays only must not tell where it is.
    const usesUdp = udp ?? iceTransportPolicy !== "relay";
    const transports: Transport[] = usesUdp ? [udpTransport(udp === true ? {} : udp || {})] : [];
    const { wrtc, reason } = await loadWrtc();
    if (wrtc === undefined) {
      const problem = new HearsayError("join:no-webrtc", reason);
      if (!usesUdp) throw problem;
      return { transports, problem };
    }
    transports.push(
      webrtcTransport({
        wrtc,
        // The bound that pages need for Chromium's sake is none here.
        dialsPerMinuteMax: 1_000,
        ...(iceServers !== undefined && { iceServers }),
        ...(iceTransportPolicy !== undefined && { iceTransportPolicy }),
      }),
    );
    return { transports };
  }),
);
