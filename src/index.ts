/** What every platform's entry exports beside its own `join`. */

export { PARAMETERS } from "./core/config.ts";
export type { QueueStats } from "./core/queue/contract.ts";
export { HearsayError } from "./errors.ts";
export type { Channel, ChannelHandler, ChannelOptions, Published } from "./mesh/channel.ts";
export type { MeshEventName, MeshEvents } from "./mesh/events.ts";
export type { Health, HealthState } from "./mesh/health.ts";
export type { Heard, HearHandler, HearOptions } from "./mesh/hearing.ts";
export type { Join } from "./mesh/join.ts";
export type { KnowHandler, Known, KnowOptions } from "./mesh/knowing.ts";
export type { ListenOptions, Unlisten } from "./mesh/listeners.ts";
export type { Mesh } from "./mesh/mesh.ts";
export type { MeshStream, StreamHandler, StreamProgress } from "./mesh/mesh-stream.ts";
export type {
  Description,
  Identity,
  InviteOptions,
  JoinOptions,
  SayOptions,
  SendOptions,
  SetOptions,
} from "./mesh/options.ts";
export type { Peer, PeerState, Peers } from "./mesh/peers.ts";
export type {
  DeadLetter,
  Job,
  JobHandler,
  NackOptions,
  PublishOptions,
  Queue,
  QueueEvents,
  QueueOptions,
  SubscribeOptions,
} from "./mesh/queue.ts";
export type { Reading, ReadOptions } from "./mesh/reading.ts";
export type { ConfigChange, ConfigHandler, SharedConfig } from "./mesh/shared-config.ts";
export type { MeshStats } from "./mesh/stats.ts";
export type { MeshTypes } from "./mesh/typed.ts";
export type { IceServer, Logger, UdpSettings } from "./runtime/host.ts";
export type { AcceptedInvitation, Invitation } from "./runtime/invitations.ts";
export type { Seed } from "./runtime/seeds.ts";
export { indexedDbStore, type WaitOptions } from "./store/indexeddb.ts";
export { type MemoryStoreOptions, memoryStore } from "./store/memory.ts";
export type {
  OnRepair,
  OpenStore,
  Store,
  StoreChange,
  StoreEntry,
  StoreErrorCode,
} from "./store/store.ts";
export { MemoryNetwork, memoryTransport } from "./transport/memory.ts";
export type {
  CloseReason,
  Dialling,
  Lane,
  Link,
  LinkHandlers,
  LinkStats,
  Transport,
} from "./transport/transport.ts";
export { type WebRtcOptions, webrtcTransport } from "./transport/webrtc.ts";
