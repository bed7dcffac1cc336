/**
 * When to try again. Everybody who lost the same server comes back at a time of its own: the wait is drawn evenly
 * between nothing and a bound that doubles with each failure ("full jitter").
 */

import { CloseCode } from "./protocol.ts";

export interface Backoff {
  /** The bound of the first wait. Milliseconds, default 1,000. */
  readonly firstMs: number;
  /** The bound that doubling ends at. Milliseconds, default 30,000. */
  readonly maxMs: number;
  /** About how long to wait after a refusal that time alone does not mend. Milliseconds, default 300,000. */
  readonly refusedMs: number;
  /** A connection that stood for this long starts the doubling anew. Milliseconds, default 10,000. */
  readonly stableMs: number;
}

export const defaultBackoff: Backoff = {
  firstMs: 1_000,
  maxMs: 30_000,
  refusedMs: 300_000,
  stableMs: 10_000,
};

/**
 * How long to wait after the `failures`th failure in a row (from 1).
 *
 * - `replaced`: a newer socket holds our id. Coming back throws that one out, so that is seldom done; but a server does
 *   not ask for proof of an id, so it may be anybody's, and to stay away for good would be to its liking.
 * - `version`, `malformed`, `tooLarge`: one side would have to be updated first. Servers do get updated under
 *   long-lived members, so they look again, seldom.
 * - `unauthorized`: another token is needed, which may come. With the longest bound.
 * - `full`, `flood`: the server has too much to do; at once with the longest bound.
 * - everything else (the network, a restart, a time-out) passes.
 *
 * @param random evenly distributed in [0, 1).
 */
export function retryDelay(
  code: number,
  failures: number,
  backoff: Backoff,
  random: number,
): number {
  switch (code) {
    case CloseCode.replaced:
    case CloseCode.version:
    case CloseCode.malformed:
    case CloseCode.tooLarge:
      return backoff.refusedMs * (0.5 + random);
    case CloseCode.unauthorized:
    case CloseCode.full:
    case CloseCode.flood:
      return backoff.maxMs * (0.5 + random);
    default:
      // Bounded before it is multiplied: the count of failures has no end.
      return random * Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(failures - 1, 30));
  }
}
