/**
 * A job and what is known of it. States are ordered, and of two the higher one holds: so to merge is to take the
 * maximum, which may be done in any order and any number of times (a join-semilattice: Shapiro et al., 2011).
 *
 *     new < leased(e) < released(e) < leased(e + 1) < … < dead < removed < done
 *
 * An epoch is given once: it is made of the configuration, a counter and the place of the custodian that proposes it, so
 * two custodians never propose the same one. Attempts are not epochs: a lease that nobody came to hold counts as none.
 */

import { isMemberId, type MemberId } from "../lib/ids.ts";
import { Bindings } from "./bindings.ts";
import type { DeadReason, JobId, QueueOptions, StoreId } from "./contract.ts";
import { FORMER_MAX } from "./limits.ts";

export const PHASES = ["new", "leased", "released", "dead", "removed", "done"] as const;
export type Phase = (typeof PHASES)[number];

export interface JobState {
  readonly phase: Phase;
  readonly epoch: number;
  /** Deliveries, with the one that is under way. */
  readonly attempts: number;
  /** Not leased before, ms on our clock. */
  readonly readyAt: number;
  /** Who has the lease, or had it, and in which life. */
  readonly holder: MemberId | undefined;
  readonly holderGeneration: number;
  /** Why it is dead. */
  readonly reason: DeadReason | "";
  /** What was said at the last nack. */
  readonly detail: string;
}

/** Which stores have it, in the order in which they are its custodian. */
export interface Placement {
  /** Rises with each change: see {@link nextPlacement}. */
  readonly number: number;
  readonly stores: readonly StoreId[];
  /** Those that had it before: they must know how it ends, too. */
  readonly former: readonly StoreId[];
}

/** What the publisher said; it never changes. */
export interface JobBody {
  readonly value: Uint8Array;
  readonly key: string | undefined;
  readonly order: string | undefined;
  readonly priority: number;
  readonly options: QueueOptions;
  readonly replayOf: JobId | undefined;
  /** When it was published, ms on our clock. */
  readonly bornAt: number;
}

export class Job {
  readonly id: JobId;
  readonly channel: string;
  /** The publisher's own store. */
  readonly home: StoreId;
  body: JobBody | undefined;
  /** The job of the same publisher and order before this one, if it was not over then. */
  readonly previous: JobId | undefined;
  options: QueueOptions;
  state: JobState;
  placement: Placement;
  /** It came to us, ms. */
  readonly heldAt: number;
  /** Over since, ms. */
  overAt = 0;

  /** How often it has changed, and with how many of the changes it is on the disk. */
  changes = 0;
  safe = 0;
  /** The body is on the disk. */
  bodySafe = false;

  /** Stores that have it, and those that know that it is over. */
  known = new Set<StoreId>();
  /** Our votes. */
  readonly bindings = new Bindings();
  /** What the custodian does with it now. */
  stage: "idle" | "ready" | "asked" | "leased" = "idle";
  /** When it was ready first, in the order of those of its custodian. */
  turn = 0;
  /** Under which its key is known, once its body is gone. */
  keptKey: string | undefined;

  constructor(
    given: Pick<Job, "id" | "channel" | "home" | "state" | "placement" | "previous" | "heldAt"> & {
      readonly body: JobBody | undefined;
      readonly options: QueueOptions;
    },
  ) {
    this.id = given.id;
    this.channel = given.channel;
    this.home = given.home;
    this.body = given.body;
    this.previous = given.previous;
    this.options = given.options;
    this.state = given.state;
    this.placement = given.placement;
    this.heldAt = given.heldAt;
  }

  get isOver(): boolean {
    return isOver(this.state);
  }

  /** All stores that must know how it ends. */
  holders(): readonly StoreId[] {
    const { stores, former } = this.placement;
    if (former.length === 0 && stores.includes(this.home)) return stores;
    return [...new Set([...stores, this.home, ...former])];
  }
}

export interface IdParts {
  readonly origin: MemberId;
  readonly generation: number;
  readonly sequence: number;
}

export function jobIdOf({ origin, generation, sequence }: IdParts): JobId {
  return `${origin}.${generation}.${sequence}`;
}

export function partsOf(id: unknown): IdParts | undefined {
  if (typeof id !== "string") return undefined;
  const [origin, generation, sequence, more] = id.split(".");
  const parts = { origin, generation: Number(generation), sequence: Number(sequence) };
  const isWhole = Number.isSafeInteger(parts.generation) && Number.isSafeInteger(parts.sequence);
  if (!isMemberId(origin) || !isWhole || more !== undefined) return undefined;
  const whole = { ...parts, origin };
  return parts.generation >= 0 && parts.sequence > 0 && jobIdOf(whole) === id ? whole : undefined;
}

export function originOf(id: JobId): MemberId {
  return id.slice(0, 32);
}

/** The lower one, in the order in which all agree. */
export function isBefore(a: JobId, b: JobId): boolean {
  const [one, other] = [partsOf(a), partsOf(b)];
  if (one === undefined || other === undefined) return false;
  if (one.origin !== other.origin) return one.origin < other.origin;
  if (one.generation !== other.generation) return one.generation < other.generation;
  return one.sequence < other.sequence;
}

const RANKS: { readonly [P in Phase]: number } = {
  new: 0,
  leased: 0,
  released: 0,
  dead: 1,
  removed: 2,
  done: 3,
};

export function isOver({ phase }: JobState): boolean {
  return RANKS[phase] > 0;
}

/** Below 0 where `a` is the lower state, 0 where they are the same. */
export function compareStates(a: JobState, b: JobState): number {
  return (
    RANKS[a.phase] - RANKS[b.phase] ||
    a.epoch - b.epoch ||
    PHASES.indexOf(a.phase) - PHASES.indexOf(b.phase) ||
    a.attempts - b.attempts ||
    compareTexts(a.holder ?? "", b.holder ?? "") ||
    a.holderGeneration - b.holderGeneration ||
    compareTexts(a.reason, b.reason) ||
    compareTexts(a.detail, b.detail)
  );
}

export function mergeStates(a: JobState, b: JobState): JobState {
  const order = compareStates(a, b);
  // Of two that differ in nothing but the time, which each has by its own clock, the later time holds.
  return order > 0 || (order === 0 && a.readyAt >= b.readyAt) ? a : b;
}

function comparePlacements(a: Placement, b: Placement): number {
  return a.number - b.number || compareTexts(a.stores.join(), b.stores.join());
}

/** The higher one, with all that ever had the job. */
export function mergePlacements(a: Placement, b: Placement): Placement {
  const [high, low] = comparePlacements(a, b) >= 0 ? [a, b] : [b, a];
  const all = new Set([...high.former, ...low.stores, ...low.former]);
  for (const store of high.stores) all.delete(store);
  if (all.size === high.former.length) return high;
  return { ...high, former: [...all].sort().slice(0, FORMER_MAX) };
}

/** A majority of its stores. */
export function majorityOf({ stores }: Pick<Placement, "stores">): number {
  return Math.floor(stores.length / 2) + 1;
}

/** Places of stores in a placement, the publisher's own included. */
const PLACES = 16;
const EPOCHS_PER_PLACEMENT = 2 ** 32;
const PLACEMENT_MAX = 2 ** 20;

/**
 * The number after `placement`, by the holder with this place in it: two holders never choose the same. Undefined: it
 * was placed too often.
 */
export function nextPlacement(
  { number }: Pick<Placement, "number">,
  place: number,
): number | undefined {
  const next = (Math.floor(number / PLACES) + 1) * PLACES + place;
  return next < PLACEMENT_MAX ? next : undefined;
}

/** The lowest epoch above `epoch` that belongs to the custodian with this place among the stores. */
export function nextEpoch(
  epoch: number,
  { number }: Pick<Placement, "number">,
  place: number,
): number {
  const base = number * EPOCHS_PER_PLACEMENT;
  const count = epoch >= base ? Math.floor((epoch - base) / PLACES) + 1 : 1;
  return base + count * PLACES + place;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function newState(readyAt: number): JobState {
  return {
    phase: "new",
    epoch: 0,
    attempts: 0,
    readyAt,
    holder: undefined,
    holderGeneration: 0,
    reason: "",
    detail: "",
  };
}

/** The pause before the next delivery, ms. */
export function backoffMs({ backoff }: QueueOptions, attempts: number): number {
  let ms = backoff.minMs;
  for (let i = 1; i < attempts && ms < backoff.maxMs; i++) ms *= backoff.factor;
  return Math.min(ms, backoff.maxMs);
}
