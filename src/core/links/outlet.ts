/** Messages on their way to several neighbours: encoded once, with what is made only when a link has room. */

import { invariant } from "../lib/invariant.ts";
import type { Lane, MemberId } from "../machine.ts";
import type { Message } from "../wire/messages.ts";
import type { Handovers } from "./handover.ts";
import { BULK, isAhead, isPiece, laneOf } from "./lanes.ts";
import type { LinkTable } from "./link-table.ts";

export class Outlet {
  readonly #links: LinkTable;
  readonly #handovers: Handovers;

  constructor(links: LinkTable, handovers: Handovers) {
    this.#links = links;
    this.#handovers = handovers;
  }

  /** Behind other bulk; gives the neighbours whose queue is full. */
  push(to: readonly MemberId[], message: Message, token?: number): MemberId[] {
    if (to.length === 0) return [];
    invariant(BULK.has(message.type), "the other end acknowledges what waits for its window");
    const encoded = this.#links.encode(message);
    const lane = laneOf(message);
    if (token !== undefined) this.#handovers.begin(token, to.length);
    const place = isAhead(message) ? "ahead" : isPiece(message) ? "passing" : "queue";
    const refused = to.filter(
      (peer) => !this.#links.sendBulk(peer, encoded, lane, { token, place }),
    );
    if (token !== undefined) for (let i = 0; i <= refused.length; i++) this.#handovers.one(token);
    return refused;
  }

  /** Past all that waits; gives the neighbours whose link is full. */
  flood(to: readonly MemberId[], message: Message, lane: Lane): MemberId[] {
    const encoded = this.#links.encode(message);
    return to.filter((peer) => !this.#links.sendEager(peer, encoded, lane));
  }
}
