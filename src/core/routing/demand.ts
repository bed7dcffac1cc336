/**
 * Links on demand: who sends much to one member over others asks it for a link, and ends that link when it has been
 * idle. It is a link like any other, within the same budget: neighbours, observers and trees need no second kind,
 * and a mesh that lacks a link keeps it.
 */

import type { Config } from "../config.ts";
import { BoundedMap } from "../lib/bounded-map.ts";
import type { MemberId } from "../machine.ts";

/** Members whose traffic is counted: the ones that were sent to last. */
const COUNTED_MAX = 64;

interface Traffic {
  bytes: number;
  messages: number;
  since: number;
  /** When something last went there, ms. */
  at: number;
  wanted: boolean;
}

export class Demand {
  readonly #config: Config;
  readonly #traffic = new BoundedMap<MemberId, Traffic>(COUNTED_MAX);

  constructor(config: Config) {
    this.#config = config;
  }

  /** Something goes to `to`. True when it is so much that a link is worth while. */
  note(to: MemberId, bytes: number, now: number): boolean {
    const { demandWindowMs, demandBytes, demandMessages } = this.#config;
    const known = this.#traffic.get(to);
    const fresh = { bytes: 0, messages: 0, since: now, at: now, wanted: known?.wanted ?? false };
    const traffic = known !== undefined && now - known.since < demandWindowMs ? known : fresh;
    traffic.bytes += bytes;
    traffic.messages++;
    traffic.at = now;
    this.#traffic.set(to, traffic);
    return traffic.bytes >= demandBytes || traffic.messages >= demandMessages;
  }

  /** A link with `to` was asked for because of its traffic. */
  want(to: MemberId): void {
    const traffic = this.#traffic.get(to);
    if (traffic !== undefined) traffic.wanted = true;
  }

  /** Whether a link that was opened on demand is in use; undefined for any other link. */
  of(peer: MemberId, now: number): "busy" | "idle" | undefined {
    const traffic = this.#traffic.get(peer);
    if (!traffic?.wanted) return undefined;
    return now - traffic.at < this.#config.demandIdleMs ? "busy" : "idle";
  }
}
