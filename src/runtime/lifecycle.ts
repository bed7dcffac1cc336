/** What a platform tells of the life of a page or a process, and what is to be done then. */

export interface Lifecycle {
  /** It ends. Frames can still be sent within this call. Gives a promise of when all that is kept is written. */
  ending(): unknown;
  /** A page that had ended is shown again, as it was. */
  returned(): void;
  /** It may stand still without a further word (a hidden page), or not. */
  mayFreeze(value: boolean): void;
  /** It stands still from now on. Frames can still be sent within this call. */
  suspending(): void;
  /** It goes on after that. */
  resumed(): void;
  /** Its network is back, or is another one. */
  online(): void;
}
