/** Applications at both ends of streams, at random: who takes them, writes, reads, ends and aborts. */

import type { Rng } from "../../core/lib/rng.ts";
import type { MeshEvent } from "../../core/machine.ts";
import type { SimMember } from "../member.ts";
import type { Observer, World } from "../world.ts";

const PIECE_BYTES = 20_000;

type Told = Extract<MeshEvent, { type: "stream" }>;

/** One end, as its application knows it. */
interface End {
  readonly member: SimMember;
  readonly id: number;
  /** What it still means to write. */
  leftBytes: number;
  writtenBytes: number;
  ended: boolean;
}

export class StreamPlay implements Observer {
  readonly #world: World;
  readonly #rng: Rng;
  readonly #ends = new Map<string, End>();
  #opened = 0;

  constructor(world: World, rng: Rng) {
    this.#world = world;
    this.#rng = rng;
    world.observe(this);
  }

  /** Every stream is over at all who live. */
  get allOver(): boolean {
    for (const { member } of this.#ends.values()) if (member.alive) return false;
    return true;
  }

  open(from: SimMember, to: SimMember): void {
    const id = ++this.#opened;
    this.#add(from, id);
    this.#world.command(from, { type: "streamOpen", id, to: to.config.id, name: `stream-${id}` });
  }

  /** Some end gives up in the middle. */
  abort(): void {
    const end = this.#rng.pick([...this.#ends.values()].filter(({ member }) => isHere(member)));
    if (end === undefined) return;
    this.#ends.delete(keyOf(end.member, end.id));
    this.#world.command(end.member, { type: "streamAbort", id: end.id, message: "enough" });
  }

  onEvent(member: SimMember, event: MeshEvent): void {
    // An application acts in its own time, not within the step that tells it something.
    if (event.type === "stream") this.#world.later(0, () => this.#onTold(member, event));
  }

  #add(member: SimMember, id: number): End {
    const leftBytes = this.#rng.below(200_000);
    const end = { member, id, leftBytes, writtenBytes: 0, ended: false };
    this.#ends.set(keyOf(member, id), end);
    return end;
  }

  #onTold(member: SimMember, event: Told): void {
    if (!member.alive) return;
    const { id } = event;
    if (event.what === "offered") return this.#onOffered(member, id, event.writableTo);
    const end = this.#ends.get(keyOf(member, id));
    if (event.what === "closed") this.#ends.delete(keyOf(member, id));
    else if (event.what === "progress" && end !== undefined) this.#write(end, event.writableTo);
    else if (event.what === "data") {
      const count = event.bytes.length;
      this.#world.later(this.#rng.float() * 200, () => {
        if (member.alive) this.#world.command(member, { type: "streamRead", id, count });
      });
    }
  }

  #onOffered(member: SimMember, id: number, writableTo: number): void {
    const chance = this.#rng.float();
    // Some applications look at nothing.
    if (chance < 0.1) return;
    if (chance < 0.2) {
      return this.#world.command(member, { type: "streamAbort", id, message: "no" });
    }
    const end = this.#add(member, id);
    this.#world.command(member, { type: "streamTake", id });
    this.#write(end, writableTo);
  }

  #write(end: End, writableTo: number): void {
    const { member, id } = end;
    while (end.leftBytes > 0 && end.writtenBytes < writableTo) {
      const bytes = new Uint8Array(Math.min(PIECE_BYTES, end.leftBytes));
      for (let i = 0; i < bytes.length; i++) bytes[i] = this.#rng.below(256);
      end.leftBytes -= bytes.length;
      end.writtenBytes += bytes.length;
      this.#world.command(member, { type: "streamWrite", id, bytes });
    }
    if (end.leftBytes > 0 || end.ended) return;
    end.ended = true;
    this.#world.command(member, { type: "streamEnd", id });
  }
}

function isHere({ alive, paused }: SimMember): boolean {
  return alive && !paused;
}

function keyOf(member: SimMember, id: number): string {
  return `${member.index} ${id}`;
}
