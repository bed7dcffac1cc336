/** The events of a mesh, and what each brings. */

import type { Seed } from "../runtime/seeds.ts";
import type { RefusalCode } from "../session/session.ts";
import type { Health } from "./health.ts";
import type { Peer } from "./peers.ts";

export interface MeshEvents {
  /** A member was seen for the first time. */
  "peer:join": [peer: Peer];
  /** A member is alive: after `peer:join`, and when it comes back or was restarted. */
  "peer:up": [peer: Peer];
  /** Some of a member's neighbours miss it. */
  "peer:suspect": [peer: Peer];
  /** A member's host has stopped it (a frozen page, a suspended machine). It may come back. */
  "peer:asleep": [peer: Peer];
  /** A member is gone without a word: its neighbours agree. */
  "peer:down": [peer: Peer];
  /** A member said good-bye. */
  "peer:leave": [peer: Peer];
  /** A member's name, role, meta or links changed. */
  "peer:update": [peer: Peer];
  /**
   * A member has sent more than anybody can bear (`flood`), what others have not made (`forged`), or what means nothing
   * (`malformed`): its link with us was cut off, and it gets none for `quarantineMs`.
   */
  "peer:misbehaved": [peer: Peer, what: "flood" | "forged" | "malformed"];
  /** We have a link with a member, carried by `transport`. */
  "link:up": [peer: Peer, transport: string];
  "link:down": [peer: Peer | undefined, reason: string];
  /** An attempt at a link failed. It is repeated. `id` names the member. */
  "link:failed": [id: string, reason: string];
  /** The first link stands, or the last one is gone. */
  online: [];
  offline: [];
  /** What is connected changed. */
  health: [health: Health];
  /** A seed's connection changed. */
  seed: [seed: Seed];
  /** Messages `first` to `last` of this sender were lost: they will not come. */
  gap: [peer: Peer | undefined, first: number, last: number];
  /** The life of a key (`ttlMs`) is over: of a peer's, or of our own. With the value that it had. */
  "state:expired": [peer: Peer, key: string, value: unknown];
  /** Changes `first` to `last` of a key of this peer, all of which are kept (`log`), were missed: they will not come. */
  "state:gap": [peer: Peer, key: string, first: number, last: number];
  /**
   * Somebody tried to link and was refused, or refused us: of another cluster (`cluster`), with another secret
   * (`secret`), of another version (`version`), signing more or less of what it writes (`signatures`), … `why` says it for people, and what to do.
   */
  refused: [reason: RefusalCode | "malformed" | "signatures", why: string];
  /** Another process uses this identity: this member has stopped. Join again with another one. */
  "identity:taken": [];
  /** The store could not be written (once, until it can be again), or was damaged and is repaired. */
  store: [problem: Error];
  start: [];
  stop: [];
  /** A handler of the application threw. */
  error: [error: unknown];
}

export type MeshEventName = keyof MeshEvents;
