/**
 * The contract of a store: keys in order, each with its bytes, written in batches that last.
 *
 * A store has one owner at a time, from its opening to its `close`. All that it rejects with is a HearsayError whose
 * `code` is one of `StoreErrorCode`.
 */

/**
 * Of what a store holds and how. 1: identity and configuration, and no number beside them. 2: also what parts keep.
 * Every store that lasts keeps this number; it takes over what is older and refuses what is newer.
 */
export const STORE_VERSION = 2;

export interface StoreEntry {
  readonly key: string;
  readonly value: Uint8Array;
}

export interface StoreChange {
  /** At least one character. Keys are in the order of their UTF-16 code units, as `<` compares them. */
  readonly key: string;
  /** Undefined deletes the key. Not changed until the write is over. */
  readonly value: Uint8Array | undefined;
}

export type StoreErrorCode =
  /** No room is left: the disk is full, or the quota used up. What was there is there, and smaller writes may fit. */
  | "store:full"
  /** Another process or tab has it open. */
  | "store:locked"
  /** Something in it cannot be read. It was left out, and nothing else. */
  | "store:corrupt"
  /** It was of an older version, and is of this one now. All that was there is there. */
  | "store:migrated"
  /** A newer hearsay has written it. Nothing in it was touched. */
  | "store:newer"
  | "store:closed"
  /** This platform has no such store. */
  | "store:missing"
  /** Anything else: `cause` says what. */
  | "store:failed";

export interface Store {
  /** Entries with `from` ≤ key < `to`, in order; the first `limit` of them. */
  range(from: string, to: string, limit?: number): Promise<StoreEntry[]>;
  /**
   * All of the changes or none; of several of one key the last. Durable when it resolves. Writes under way at the same
   * time become durable in the order of their calls.
   */
  write(changes: readonly StoreChange[]): Promise<void>;
  /** Ends it when all that is being written is. From now on it rejects with `store:closed`. */
  close(): Promise<void>;
}

/**
 * Opens a store; each time anew after its `close`. Rejects with `store:locked` while it is open.
 * @param onRepair told of each repair, `store:corrupt` or `store:migrated`, also later
 * @param signal gives up an opening that still waits for another owner; it rejects with its reason
 */
export type OpenStore = (onRepair?: OnRepair, signal?: AbortSignal) => Promise<Store>;

export type OnRepair = (error: Error) => void;
