/**
 * The signaling server of a world: introduces newcomers, carries packets between members that know each other's
 * ids, and introduces islands that have differed for a while. It has its own path to everybody: a partition between
 * members does not cut it off, unless it is told so.
 */

import type { Rng } from "../core/lib/rng.ts";
import type { Effect, Input, MemberId } from "../core/machine.ts";
import type { EventQueue } from "./event-queue.ts";
import type { SimMember } from "./member.ts";

/** As in the signaling server: islands that differ for so long are introduced, looked at every so often. ms. */
const ISLAND_GRACE_MS = 10_000;
const ISLAND_CHECK_MS = 5_000;

/** The one seed of a world. */
const SEED = 1;

/** Members that a newcomer is told of. */
const INTRODUCED = 8;

interface Session {
  island: MemberId;
  since: number;
}

export interface SeedServerOut {
  input(member: SimMember, input: Input): void;
  latencyMs(): number;
  find(id: MemberId): SimMember | undefined;
}

export class SeedServer {
  readonly #queue: EventQueue;
  readonly #rng: Rng;
  readonly #out: SeedServerOut;
  readonly #room = new Map<SimMember, Session>();
  /** For drawing members without copying the room. */
  readonly #list: SimMember[] = [];
  #up = true;

  constructor(queue: EventQueue, rng: Rng, out: SeedServerOut) {
    this.#queue = queue;
    this.#rng = rng;
    this.#out = out;
    this.#mergeIslands();
  }

  get up(): boolean {
    return this.#up;
  }

  join(member: SimMember): void {
    if (!this.#up || !canTalk(member) || this.#room.has(member)) return;
    const introduced = this.#draw(member);
    this.#room.set(member, { island: member.config.id, since: this.#queue.now });
    this.#list.push(member);
    this.#tell(member, { type: "seedUp", seed: SEED, introduced, knowsAll: true });
  }

  /** The member has been here for long, and introduces others. */
  settle(member: SimMember, island: MemberId): void {
    this.#room.set(member, { island, since: this.#queue.now });
    this.#list.push(member);
    this.#tell(member, { type: "seedUp", seed: SEED, introduced: [], knowsAll: true });
  }

  /** A process is gone: its socket closes by itself. */
  remove(member: SimMember): void {
    if (!this.#room.delete(member)) return;
    const at = this.#list.indexOf(member);
    const last = this.#list.pop() as SimMember;
    if (last !== member) this.#list[at] = last;
  }

  stop(): void {
    if (!this.#up) return;
    this.#up = false;
    const members = [...this.#room.keys()];
    this.#room.clear();
    this.#list.length = 0;
    for (const member of members) this.#out.input(member, { type: "seedDown", seed: SEED });
  }

  start(members: readonly SimMember[]): void {
    this.#up = true;
    for (const member of members) this.join(member);
  }

  onEffect(
    member: SimMember,
    effect: Extract<Effect, { readonly type: "sendSeed" | "island" }>,
  ): void {
    if (effect.type === "island") return this.#onIsland(member, effect.id);
    const { to, bytes } = effect;
    this.#queue.later(2 * this.#out.latencyMs(), () => {
      if (!this.#room.has(member)) return;
      const receiver = this.#out.find(to);
      if (receiver === undefined || !this.#room.has(receiver)) {
        return this.#tell(member, { type: "seedGone", seed: SEED, id: to }, 0);
      }
      const from = member.config.id;
      if (canHear(receiver)) {
        this.#out.input(receiver, { type: "seedPacket", seed: SEED, from, bytes });
      }
    });
  }

  #onIsland(member: SimMember, island: MemberId): void {
    this.#queue.later(this.#out.latencyMs(), () => {
      const session = this.#room.get(member);
      if (session === undefined || session.island === island) return;
      session.island = island;
      session.since = this.#queue.now;
    });
  }

  #draw(member: SimMember): MemberId[] {
    const drawn = new Set<SimMember>();
    for (let i = 0; i < 2 * INTRODUCED && drawn.size < INTRODUCED; i++) {
      const other = this.#rng.pick(this.#list);
      if (other !== undefined && other !== member) drawn.add(other);
    }
    return [...drawn].map(({ config }) => config.id);
  }

  /** Islands that have differed for a while are asked to meet, in a ring. */
  #mergeIslands(): void {
    this.#queue.later(ISLAND_CHECK_MS, () => this.#mergeIslands());
    const islands = new Map<MemberId, SimMember[]>();
    for (const [member, { island, since }] of this.#room) {
      if (!canTalk(member)) continue;
      if (this.#queue.now - since < ISLAND_GRACE_MS) continue;
      const group = islands.get(island);
      if (group === undefined) islands.set(island, [member]);
      else group.push(member);
    }
    const groups = [...islands.values()];
    if (groups.length < 2) return;
    for (const [i, group] of groups.entries()) {
      const other = groups[(i + 1) % groups.length] as SimMember[];
      const member = this.#rng.pick(group) as SimMember;
      const peer = this.#rng.pick(other) as SimMember;
      this.#tell(member, {
        type: "seedUp",
        seed: SEED,
        introduced: [peer.config.id],
        knowsAll: true,
      });
    }
  }

  #tell(member: SimMember, input: Input, ms = this.#out.latencyMs()): void {
    this.#queue.later(ms, () => {
      if (this.#room.has(member) && canHear(member)) this.#out.input(member, input);
    });
  }
}

function canTalk(member: SimMember): boolean {
  return member.alive && !member.mute && !member.deaf && !member.asleep;
}

function canHear(member: SimMember): boolean {
  return member.alive && !member.deaf && !member.asleep;
}
