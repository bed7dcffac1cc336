/**
 * iHave: what neighbours off the tree are told of payloads, batched (Plumtree, section 3.2, "lazy push"). Soon after a
 * silence, so that a broken tree is seen; while much is said, one message in `iHavePeriodMs`. What a neighbour has
 * announced itself meanwhile is left out.
 */

import type { Config } from "../config.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import type { MemberId } from "../machine.ts";
import type { PayloadId } from "../wire/messages.ts";

/** Ids in one message. */
const IDS_MAX = 1_024;

export class Announcements {
  readonly #config: Config;
  readonly #deadlines: Deadlines;
  readonly #tell: (peer: MemberId, ids: readonly PayloadId[]) => void;
  readonly #waiting = new Map<MemberId, PayloadId[]>();
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(
    config: Config,
    deadlines: Deadlines,
    tell: (peer: MemberId, ids: readonly PayloadId[]) => void,
  ) {
    this.#config = config;
    this.#deadlines = deadlines;
    this.#tell = tell;
  }

  add(peer: MemberId, id: PayloadId, now: number): void {
    const ids = this.#waiting.get(peer) ?? [];
    this.#waiting.set(peer, ids);
    ids.push(id);
    const { iHaveDelayMs, iHavePeriodMs } = this.#config;
    if (ids.length >= IDS_MAX) this.#send(peer, ids);
    else {
      const at = Math.max(now + iHaveDelayMs, this.#toldAt + iHavePeriodMs);
      this.#deadlines.ensure("announce", at);
    }
  }

  /** `peer` has these itself. */
  heardOf(peer: MemberId, ids: readonly PayloadId[]): void {
    const waiting = this.#waiting.get(peer);
    if (waiting === undefined) return;
    const heard = new Set(ids.map(keyOf));
    this.#waiting.set(
      peer,
      waiting.filter((id) => !heard.has(keyOf(id))),
    );
  }

  onDeadline(now: number): void {
    this.#toldAt = now;
    for (const [peer, ids] of this.#waiting) this.#send(peer, ids);
  }

  removeNeighbour(peer: MemberId): void {
    this.#waiting.delete(peer);
  }

  #send(peer: MemberId, ids: readonly PayloadId[]): void {
    this.#waiting.delete(peer);
    if (ids.length > 0) this.#tell(peer, ids);
  }
}

export function keyOf({ origin, generation, sequence }: PayloadId): string {
  return `${origin}:${generation}:${sequence}`;
}
