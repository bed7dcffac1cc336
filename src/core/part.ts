/**
 * What a member may do beyond the base: channels, queues, and whatever is built on them. Each is a part with a state
 * machine of its own, which is loaded when it is first used: a page pays only for what it uses.
 *
 * A part speaks with the same part of other members, by messages that the base carries and does not read. Who has the
 * part, and what it does in it, every member announces to all: announcements are kept with its state, so they come
 * again where they were lost, are proven to be its own, and end with it.
 *
 * Pure as the rest of the core: what it learns comes through {@link Part}, what it does goes through {@link PartHost}.
 */

import type { MemberId } from "./lib/ids.ts";
import type { Rng } from "./lib/rng.ts";

/** In the order of the wire. */
export const PARTS = ["channel", "queue"] as const;
export type PartName = (typeof PARTS)[number];

/** Keys of a member's state that begin with this are announcements: no application can write or see them. */
export const RESERVED = "\0";

/** A change of what a part keeps in the store; undefined `value` deletes. Keys are the part's own. */
export interface PartChange {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** Why something was not written: there is no room, no store, or the store has failed. */
export type StoreProblem = "full" | "missing" | "failed";

export type PartStats = Readonly<Record<string, number>>;

/** What a part learns. `now()` of its host is the time of the step. */
export interface Part {
  /** The same part of another member says this, over whatever way. Hostile: it may be anything, twice, or late. */
  onMessage(from: MemberId, bytes: Uint8Array): void;
  /** A member announces this, also ourselves; undefined: no longer. Also at the start, of all that is known. */
  onAnnounced(by: MemberId, key: string, value: Uint8Array | undefined): void;
  /** A member came, also with a new life (`generation`), or went, be it asleep. What it announced may still stand. */
  onMember(id: MemberId, generation: number, isLive: boolean): void;
  onDeadline(subject: string): void;
  /** The application asks for this, by the part's own commands. */
  onCommand(command: unknown): void;
  /** What `store` of this ticket asked for is on the disk, or not. */
  onStored(ticket: number, problem: StoreProblem | undefined): void;
  /** The host stood still for so long: what was in flight says nothing. */
  onResumed(gapMs: number): void;
  /** We leave now: the last chance to say something. */
  onLeave(): void;
  /** What it counts, for diagnosis. */
  stats?(): PartStats;
}

/** What a part may do. */
export interface PartHost {
  readonly id: MemberId;
  /** A generator of its own. */
  readonly rng: Rng;
  /** Ms on the monotonic clock. */
  now(): number;
  /** The time of day as this host has it, ms since 1970: for what outlives a start. It may jump, and be wrong. */
  wallMs(): number;
  /** The number of our start. */
  generation(): number;
  /** That of a member which is there, ourselves included. */
  generationOf(id: MemberId): number | undefined;
  /** Sends once; nobody says whether it arrives. False: there is no way now, and one is looked for. */
  send(to: MemberId, bytes: Uint8Array): boolean;
  /** To all members that have the part or ever will, as long as we live; undefined: no longer. Small, and seldom. */
  announce(key: string, value: Uint8Array | undefined): void;
  /**
   * Proves that we have made this, whoever passes it on; empty, and at once, where members trust each other. What is
   * proven in quick succession shares a signature.
   */
  prove(content: Uint8Array, then: (proof: Uint8Array) => void): void;
  /** Whether `by` has made this. */
  check(
    by: MemberId,
    content: Uint8Array,
    proof: Uint8Array,
    then: (isGood: boolean) => void,
  ): void;
  /** Sets or moves the deadline of `subject`. */
  setDeadline(subject: string, at: number): void;
  clearDeadline(subject: string): void;
  /** All or nothing, on the disk: answered by `onStored`, in the order of the calls. */
  store(changes: readonly PartChange[]): number;
  /** Tells the application, by the part's own events. */
  emit(event: unknown): void;
}

export type MakePart = (host: PartHost) => Part;
