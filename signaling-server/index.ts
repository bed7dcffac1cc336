/** The entry `hearsay/server`: the signaling server as a library. */

export { HearsayError } from "../src/errors.ts";
export type { Rate } from "../src/signaling/protocol.ts";
export type { LogEntry, SignalingLimits, SignalingServerOptions } from "./options.ts";
export { createSignalingServer, type SignalingServer, type SignalingStats } from "./server.ts";
