/** One member of the world: its core, its clock, its links, and what is wrong with it. */

import type { Config } from "../core/config.ts";
import type { Core } from "../core/core.ts";
import type { AttemptId, Input, Lane, LinkId, MemberId, MeshEvent } from "../core/machine.ts";
import { SimDisk } from "./disks.ts";

/** One end of a link. */
export interface LinkEnd {
  readonly id: LinkId;
  readonly owner: SimMember;
  /** The member at the other end. */
  readonly to: SimMember;
  latencyMs: number;
  other: LinkEnd;
  /** When the last frame that cannot be lost was sent, ms. */
  sentAt: number;
  /** When the last reliable frame arrives at the other end, ms: the next is not sooner. */
  arrivesAt: number;
  /** When all that cannot be lost has arrived there, ms. */
  lastAt: number;
  /** Until when what was sent before occupies this direction, ms. */
  busyUntil: number;
  /** Bytes that cannot be lost and whose leaving the owner was not told of. */
  leavingBytes: number;
  /** Frames that have arrived and cannot be handed over to the owner, in order; they cannot be lost. */
  readonly stalled: { readonly lane: Lane; readonly bytes: Uint8Array }[];
}

/** An attempt at a link as the transport sees it. */
export interface SimAttempt {
  readonly peer: SimMember;
  readonly initiator: boolean;
  readonly kind: string | undefined;
}

export class SimMember {
  readonly index: number;
  readonly config: Config;
  readonly core: Core;
  /** Everything that it told its application, unless the world keeps no events. */
  readonly events: MeshEvent[] = [];
  readonly links = new Map<LinkId, LinkEnd>();
  readonly attempts = new Map<AttemptId, SimAttempt>();
  /** What its store holds of the shared configuration. */
  readonly kept = new Map<string, Uint8Array>();
  /** What its parts keep; its next life finds it again. */
  disk = new SimDisk();
  /** When it was added, ms. */
  readonly bornAt: number;

  /** False once it has crashed. */
  alive = true;
  /** When that was, virtual ms. */
  goneAt = Number.POSITIVE_INFINITY;
  /** Its process is there and does nothing: stalled, frozen, asleep. */
  paused = false;
  /** Its machine is: nothing reaches it or leaves it. */
  asleep = false;
  /** Timers fire on full seconds only, as in hidden tabs. */
  hidden = false;
  /** It means harm: to cut it off is right. */
  misbehaves = false;
  /** What somebody has forged and brought here. */
  forgeries = 0;
  /** Nothing reaches it. */
  deaf = false;
  /** Nothing leaves it. */
  mute = false;
  /** Those of different groups cannot talk. */
  group = 0;

  pausedAt = 0;
  pauseKnown = false;
  /** What came while it was paused. */
  readonly waiting: Input[] = [];
  /** When its timer fires, virtual ms. */
  timerAt = Number.POSITIVE_INFINITY;
  /** When a deadline was last due, and how often at that time. */
  dueAt = Number.NEGATIVE_INFINITY;
  dueInARow = 0;

  /** Its clock: it shows `#clock` at `#since`, and runs `#rate` times as fast as time. */
  #clock: number;
  #since: number;
  #rate = 1;

  constructor(index: number, config: Config, core: Core, now: number) {
    this.index = index;
    this.config = config;
    this.core = core;
    this.bornAt = now;
    this.#clock = now;
    this.#since = now;
  }

  /** What its clock shows at virtual time `now`. */
  clock(now: number): number {
    return this.#clock + (now - this.#since) * this.#rate;
  }

  /** When its clock will show `local`, virtual ms. */
  whenClockShows(local: number): number {
    return this.#since + (local - this.#clock) / this.#rate;
  }

  /** From now on its clock runs `rate` times as fast as time. */
  drift(rate: number, now: number): void {
    this.#clock = this.clock(now);
    this.#since = now;
    this.#rate = rate;
  }

  /** Its clock jumps ahead; monotonic clocks never go back. */
  jump(ms: number, now: number): void {
    this.#clock = this.clock(now) + Math.max(0, ms);
    this.#since = now;
  }
}

/** How wrong a member's wall clock is: most by up to a second, one in 16 by an hour. Ms. */
export function wallSkewMs(id: MemberId): number {
  const [some, more] = [Number.parseInt(id.slice(0, 4), 16), Number.parseInt(id.slice(4, 5), 16)];
  return (some / 65_536 - 0.5) * (more === 0 ? 7_200_000 : 2_000);
}
