/**
 * Finding a way to a member without a link: the shortest path over the neighbour lists that members announce
 * (breadth first, at most `HOPS_MAX` hops). The whole path travels with the message, so it cannot loop, and a hop
 * whose link is gone says `noRoute`. Paths are remembered until the member table or our links change.
 */

import type { MemberId } from "../machine.ts";
import type { MemberTable } from "../membership/table.ts";
import { HOPS_MAX } from "../wire/messages.ts";

/** Hops that just said `noRoute` are avoided until their lists have caught up, so many at the most. */
const AVOIDED_MAX = 256;

export class Routes {
  readonly #table: MemberTable;
  readonly #links: () => readonly MemberId[];
  #paths = new Map<MemberId, readonly MemberId[] | undefined>();
  #revision = -1;
  /** Broken hops, "from>to", with when they broke. */
  readonly #broken = new Map<string, number>();

  constructor(table: MemberTable, links: () => readonly MemberId[]) {
    this.#table = table;
    this.#links = links;
  }

  /** Our links changed: paths are found anew. */
  changed(): void {
    this.#revision = -1;
  }

  /** The hops from us to `to`, itself last; undefined when no way is known. */
  path(to: MemberId): readonly MemberId[] | undefined {
    if (this.#revision !== this.#table.revision) {
      this.#paths = new Map();
      this.#revision = this.#table.revision;
    }
    if (!this.#paths.has(to)) this.#paths.set(to, this.#search(to));
    return this.#paths.get(to);
  }

  /** `from` has no link with `to`, whatever its list says. */
  markBroken(from: MemberId, to: MemberId, now: number): void {
    this.#broken.delete(`${from}>${to}`);
    this.#broken.set(`${from}>${to}`, now);
    if (this.#broken.size > AVOIDED_MAX) {
      const oldest = this.#broken.keys().next();
      if (!oldest.done) this.#broken.delete(oldest.value);
    }
    this.changed();
  }

  /** Lists announced since then may be right again. */
  forgetBroken(before: number): void {
    for (const [hop, at] of this.#broken) {
      if (at > before) return;
      this.#broken.delete(hop);
      this.changed();
    }
  }

  #search(to: MemberId): readonly MemberId[] | undefined {
    const own = this.#table.own.id;
    const cameFrom = new Map<MemberId, MemberId>();
    let frontier: readonly MemberId[] = this.#links();
    for (const id of frontier) cameFrom.set(id, own);
    // A newcomer's own list comes sooner than those of its neighbours: either end of a link is believed.
    const doors = (this.#table.get(to)?.record.neighbours ?? []).filter(
      (id) => id !== own && this.#table.isLive(to) && !this.#broken.has(`${id}>${to}`),
    );
    for (let hops = 1; hops <= HOPS_MAX && frontier.length > 0; hops++) {
      if (cameFrom.has(to)) return walkBack(cameFrom, own, to);
      const door = hops < HOPS_MAX ? doors.find((id) => cameFrom.has(id)) : undefined;
      if (door !== undefined) return [...walkBack(cameFrom, own, door), to];
      const next: MemberId[] = [];
      for (const id of frontier) {
        for (const neighbour of this.#table.get(id)?.record.neighbours ?? []) {
          if (neighbour === own || cameFrom.has(neighbour)) continue;
          if (this.#broken.has(`${id}>${neighbour}`) || !this.#table.isLive(neighbour)) continue;
          cameFrom.set(neighbour, id);
          next.push(neighbour);
        }
      }
      frontier = next;
    }
    return undefined;
  }
}

function walkBack(
  cameFrom: ReadonlyMap<MemberId, MemberId>,
  own: MemberId,
  to: MemberId,
): readonly MemberId[] {
  const path: MemberId[] = [];
  let id: MemberId | undefined = to;
  while (id !== undefined && id !== own) {
    path.unshift(id);
    id = cameFrom.get(id);
  }
  return path;
}
