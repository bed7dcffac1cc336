/**
 * How many links are wanted, and which can be spared: HyParView's symmetric active view (Leitão et al. 2007,
 * section 4), as pure rules.
 *
 * Up to `fullMeshMax` members everyone is linked with everyone; beyond `fullMeshSlack` more the view is bounded, and
 * full again from `fullMeshMax` down, so that a mesh at the edge does not swing. Bounded, a member seeks
 * `linksTarget` links and takes `linksSlack` more. Departure from the paper: a full view evicts nobody. Links above
 * the target end by consent (`release`): the other end answers by `bye` only while it has links above its own floor,
 * so that no member loses its last links because all its neighbours had too many at once.
 */

import type { Config } from "../config.ts";
import type { MemberId } from "../machine.ts";
import { FLAG_NODE, type LinkRequest, type MemberRecord } from "../wire/messages.ts";

/** Other kinds of members (Node or tab) seek so many. Source: design, with the slack 12 in Node. */
const TARGET_TAB = 8;
const TARGET_NODE = 10;

/** No more than so many times the cap, whoever asks. */
const URGENT_FACTOR = 2;

/** Above the cap for who has less than three quarters of its links: a mesh that is full everywhere makes room. */
const NEEDY_SLACK = 2;

export class ActiveView {
  readonly #config: Config;
  #full = true;

  constructor(config: Config) {
    this.#config = config;
  }

  /** Whether everyone is to be linked with everyone. */
  get isFull(): boolean {
    return this.#full;
  }

  get target(): number {
    return this.#config.linksTarget;
  }

  get #cap(): number {
    return this.#config.linksTarget + this.#config.linksSlack;
  }

  /** @param liveCount live members, ourselves included */
  resize(liveCount: number): void {
    const { fullMeshMax, fullMeshSlack } = this.#config;
    if (liveCount <= fullMeshMax) this.#full = true;
    else if (liveCount > fullMeshMax + fullMeshSlack) this.#full = false;
  }

  /**
   * Whether a request is granted.
   * @param used links and attempts
   * @param isLast whether nobody else is asked when we refuse
   */
  grants(request: LinkRequest, used: number, isLast: boolean): boolean {
    if (request.links === 0) return used < URGENT_FACTOR * Math.max(this.#cap, this.#fullLinks);
    if (this.#full) return used < this.#fullLinks + this.#cap;
    const isNeedy = 4 * request.links < 3 * this.#config.linksTarget;
    return used < (isLast ? this.#cap + (isNeedy ? NEEDY_SLACK : 0) : this.#config.linksTarget);
  }

  /** How badly a link should end: over the cap, or only over the target. */
  surplus(links: number): "hard" | "soft" | undefined {
    if (this.#full || links <= this.#config.linksTarget) return undefined;
    return links > this.#cap ? "hard" : "soft";
  }

  /** Whether we can do without one of `links`. */
  spares(links: number, hard: boolean): boolean {
    if (hard) return links > Math.max(1, Math.floor(this.#config.linksTarget / 2));
    return !this.#full && links > this.#config.linksTarget;
  }

  /** Whether a neighbour seems to have links to spare. */
  seemsToSpare(record: MemberRecord): boolean {
    return record.neighbours.length > this.#targetOf(record);
  }

  /** Whether a member seems to have room, and to want a link more than others do. */
  seemsToHaveRoom(record: MemberRecord): boolean {
    return record.neighbours.length <= this.#targetOf(record);
  }

  /** The neighbour to part from: the one with most links above its target, of `candidates`. */
  mostSpare(candidates: readonly MemberRecord[]): MemberId | undefined {
    let best: MemberRecord | undefined;
    for (const record of candidates) {
      if (best === undefined || this.#excess(record) > this.#excess(best)) best = record;
    }
    return best?.id;
  }

  #excess(record: MemberRecord): number {
    return record.neighbours.length - this.#targetOf(record);
  }

  get #fullLinks(): number {
    return this.#config.fullMeshMax + this.#config.fullMeshSlack;
  }

  #targetOf(record: MemberRecord): number {
    const isNode = (record.flags & FLAG_NODE) !== 0;
    if (isNode === this.#config.node) return this.#config.linksTarget;
    return isNode ? TARGET_NODE : TARGET_TAB;
  }
}
