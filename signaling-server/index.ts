/** The entry `hearsay/server`: the signaling server as a library. */

export { HearsayError } from "../src/errors.ts";
export type { IceServer, Rate } from "../src/signaling/protocol.ts";
export type {
  LogEntry,
  SignalingLimits,
  SignalingServerOptions,
  TurnOptions,
} from "./options.ts";
export {
  type CloseOptions,
  createSignalingServer,
  type SignalingServer,
  type SignalingStats,
} from "./server.ts";
export { signToken, type TokenOptions, type TokenUse } from "./tokens.ts";
