/** What happens to a member, written down in a form that can travel. */

import type { MeshEventName, MeshEvents, Peer, PeerState } from "../../src/index.ts";

/** An event of the mesh, in plain words. */
export interface Happening {
  /** Wall clock, ms: the same for all processes of a machine. */
  readonly at: number;
  readonly event: MeshEventName;
  /** The member that it is about. */
  readonly id: string;
  readonly detail: string;
}

export const EVENT_OF: Readonly<Record<PeerState, MeshEventName>> = {
  alive: "peer:up",
  suspect: "peer:suspect",
  asleep: "peer:asleep",
  down: "peer:down",
  left: "peer:leave",
};

const ofPeer = (peer: Peer | undefined, detail = "") => ({ id: peer?.id ?? "", detail });
const nobody = (detail = "") => ({ id: "", detail });

/** Which member an event is about, and the rest of it in a few words. */
export const ABOUT: {
  readonly [E in MeshEventName]: (...args: MeshEvents[E]) => { id: string; detail: string };
} = {
  "peer:join": (peer) => ofPeer(peer),
  "peer:up": (peer) => ofPeer(peer),
  "peer:suspect": (peer) => ofPeer(peer),
  "peer:asleep": (peer) => ofPeer(peer),
  "peer:down": (peer) => ofPeer(peer),
  "peer:leave": (peer) => ofPeer(peer),
  "peer:update": (peer) => ofPeer(peer),
  "peer:misbehaved": ofPeer,
  "link:up": ofPeer,
  "link:down": ofPeer,
  "link:failed": (id, detail) => ({ id, detail }),
  online: () => nobody(),
  offline: () => nobody(),
  health: ({ state }) => nobody(state),
  seed: ({ state, reason = "" }) => nobody(`${state} ${reason}`),
  gap: (peer, first, last) => ofPeer(peer, `${first}–${last}`),
  "state:expired": (peer, key) => ofPeer(peer, key),
  "state:gap": (peer, key, first, last) => ofPeer(peer, `${key} ${first}–${last}`),
  refused: nobody,
  "identity:taken": () => nobody(),
  start: () => nobody(),
  stop: () => nobody(),
  error: (error) => nobody(String(error)),
  store: (problem) => nobody(problem.message),
};
