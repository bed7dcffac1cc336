/** hearsay in browsers: WebRTC and WebSocket are the page's own. */

import { type Join, joinOn } from "./mesh/join.ts";
import type { Host } from "./runtime/host.ts";
import { watchPage } from "./runtime/page.ts";

export * from "./index.ts";

const host: Host = {
  node: false,
  get WebSocket() {
    return globalThis.WebSocket;
  },
  get BroadcastChannel() {
    return globalThis.BroadcastChannel;
  },
  async primitives() {
    return (await import("./session/primitives.noble.ts")).primitives;
  },
  // Loaded when it is needed, as simple-peer is: who brings a transport of their own does not pay for it.
  async defaultTransports({ iceServers, iceTransportPolicy }) {
    const { webrtcTransport } = await import("./transport/webrtc.ts");
    const transport = webrtcTransport({
      ...(iceServers !== undefined && { iceServers }),
      ...(iceTransportPolicy !== undefined && { iceTransportPolicy }),
    });
    return { transports: [transport] };
  },
  watch: (life) => watchPage(life),
  // Only a page has a tab's storage; who gives an identity of their own does not pay for it.
  async keptIdentity(cluster) {
    const { keptIdentity } = await import("./session/kept-identity.ts");
    return await keptIdentity(cluster);
  },
};

/**
 * Joins the mesh of a cluster.
 * @param options `ws://host:port/cluster`, or all options
 * @throws HearsayError `options:…`, `join:unreachable`, `identity:taken`; the reason of `signal`
 * @example
 * const mesh = await join("ws://localhost:8080/demo");
 * mesh.hear("chat", (text, from) => console.log(from.name, text));
 * mesh.say("chat", "hello");
 */
export const join: Join = joinOn(host);
