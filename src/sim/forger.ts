/** An insider who writes in others' names: over a member's link comes what a third never made. */

import type { Rng } from "../core/lib/rng.ts";
import type { MemberId } from "../core/machine.ts";
import { hintOf } from "../core/routing/seals.ts";
import { frameCodec } from "../core/wire/codec.ts";
import type { Message, PayloadId } from "../core/wire/messages.ts";
import type { SimMember } from "./member.ts";
import type { World } from "./world.ts";

/** Stands in all that is forged. */
export const FORGED = "forged";

const VALUE = Uint8Array.from(FORGED, (char) => char.charCodeAt(0));

export class Forger {
  readonly #world: World;
  readonly #rng: Rng;
  readonly #carrying: Rng;

  constructor(world: World, rng: Rng) {
    this.#world = world;
    this.#rng = rng;
    this.#carrying = rng.fork("carrying");
  }

  /** Brings something in the name of `victim` to `member`, where one of its links is open. */
  forge(member: SimMember, victim: SimMember): void {
    const { links } = member.core.layers;
    const end = this.#rng.pick([...member.links.values()]);
    if (end === undefined || member.paused || !links.has(end.to.config.id)) return;
    const forged = [
      this.#rng.pick(this.#forgeries(victim)),
      this.#carrying.pick(this.#carried(victim, end.to.config.id, member)),
    ];
    for (const message of forged) {
      if (message === undefined) continue;
      member.forgeries++;
      const bytes = links.encode(message);
      this.#world.input(member, { type: "packet", link: end.id, lane: "reliable", bytes });
    }
  }

  #forgeries(victim: SimMember): Message[] {
    const { layers } = victim.core;
    const { own } = layers.membership.table;
    const { id: owner, generation } = own;
    const proof = this.#proof(own.proof);
    const vouched = proof && { proof, ttlMs: 0 };
    const record = { ...own, version: own.version + 3, name: FORGED, proof };
    const version = layers.state.store.versionOf(owner) + 1;
    const entry = { key: "key-0", version, value: VALUE, lifeMs: 0, vouched };
    const range = { from: 0, to: version, last: version, floor: 0 };
    const id: PayloadId = { ...layers.broadcast.last, generation };
    const said = { id: { ...id, sequence: id.sequence + 1 }, hop: 0, flood: false, name: FORGED };
    const ms = layers.common.sharing.clock.wallMs(layers.now) + 1;
    const shared = {
      key: "ckey-0",
      ms,
      counter: 0,
      writer: owner,
      value: VALUE,
      lifeMs: 0,
      vouched,
    };
    return [
      { type: "members", updates: [{ type: "record", record }] },
      { type: "stateDelta", owner, generation, ...range, entries: [entry] },
      { type: "payload", ...said, value: VALUE, proof },
      { type: "shared", entries: [shared] },
    ];
  }

  /** What `over` claims to carry from the victim: open, or as if it were sealed. */
  #carried(victim: SimMember, over: MemberId, { config }: SimMember): Message[] {
    const { id: from, sealKey } = victim.config;
    if (from === over || from === config.id) return [];
    const words = { name: FORGED, value: VALUE };
    const inner = { type: "direct", generation: 1, sequence: 1, ...words } as const;
    const number = this.#carrying.below(50);
    const bytes = frameCodec(config.clusterHash).encodeInner(inner);
    const keys = { from: hintOf(sealKey) ?? 0, to: hintOf(config.sealKey) ?? 0 };
    const sealed = { type: "sealed", turn: "queue", ...keys, number, bytes } as const;
    const way = { type: "routed", from, path: [over, config.id], hop: 1 } as const;
    return [
      { ...way, inner },
      { ...way, inner: sealed },
    ];
  }

  /** Of something else that the victim did make, nobody's, or none. */
  #proof(ofElse: Uint8Array | undefined): Uint8Array | undefined {
    const nobodys = Uint8Array.from({ length: 98 }, () => this.#rng.below(256));
    return this.#rng.pick([ofElse, nobodys, undefined]);
  }
}
