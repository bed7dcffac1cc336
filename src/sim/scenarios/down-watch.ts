/** Sees who is declared down by whom: how long a crash takes to be known to all, and who is accused falsely. */

import type { MeshEvent } from "../../core/machine.ts";
import type { SimMember } from "../member.ts";
import type { Observer, World } from "../world.ts";

interface Crash {
  readonly at: number;
  /** Live members that do not know yet. */
  readonly unaware: Set<SimMember>;
  firstMs: number | undefined;
  allMs: number | undefined;
}

export class DownWatch implements Observer {
  /** Times that somebody declared a live member down. */
  falseDowns = 0;
  /** … by its index. */
  readonly accused = new Set<number>();
  readonly #world: World;
  readonly #crashes = new Map<string, Crash>();
  /** Live members declared down in this step. A restart shows as down and up at once. */
  readonly #doubtful = new Set<SimMember>();

  constructor(world: World) {
    this.#world = world;
    world.observe(this);
  }

  /** The member says good-bye and goes. */
  leave(victim: SimMember): void {
    this.#world.command(victim, { type: "leave" });
    this.#expect(victim);
  }

  /** The member crashes now. */
  crash(victim: SimMember): void {
    this.#world.crash(victim);
    this.#expect(victim);
  }

  #expect(victim: SimMember): void {
    const unaware = new Set(this.#world.live());
    const at = this.#world.now;
    this.#crashes.set(victim.config.id, { at, unaware, firstMs: undefined, allMs: undefined });
  }

  /** Members that crash together. */
  crashAll(victims: readonly SimMember[]): void {
    for (const victim of victims) this.#world.crash(victim);
    for (const victim of victims) this.crash(victim);
  }

  get allKnown(): boolean {
    for (const { unaware } of this.#crashes.values()) {
      for (const member of unaware) if (member.alive) return false;
    }
    return true;
  }

  /** From each crash that all know of, how long it took, ms: until the first knew, and until all did. */
  times(): { first: number[]; all: number[]; unknown: number } {
    const crashes = [...this.#crashes.values()];
    return {
      first: crashes.flatMap(({ firstMs }) => firstMs ?? []),
      all: crashes.flatMap(({ allMs }) => allMs ?? []),
      unknown: crashes.filter(({ allMs }) => allMs === undefined).length,
    };
  }

  onEvent(member: SimMember, event: MeshEvent): void {
    if (event.type !== "member") return;
    const { id } = event.member;
    if (event.kind === "leave") this.#notice(member, id);
    if (event.kind === "down") {
      this.#notice(member, id);
      const subject = this.#world.find(id);
      if (subject?.alive) this.#doubtful.add(subject);
    } else if (event.kind === "up") {
      const subject = this.#world.find(id);
      if (subject !== undefined) this.#doubtful.delete(subject);
    }
  }

  /** Started again before all knew of its end: its new life is what they hear of. */
  onAdded(member: SimMember): void {
    this.#crashes.delete(member.config.id);
  }

  onStep(): void {
    if (this.#doubtful.size === 0) return;
    for (const { index } of this.#doubtful) this.accused.add(index);
    this.falseDowns += this.#doubtful.size;
    this.#doubtful.clear();
  }

  onFault(what: string, member: SimMember | undefined): void {
    if ((what !== "crash" && what !== "stop") || member === undefined) return;
    for (const crash of this.#crashes.values()) this.#remove(crash, member);
  }

  #notice(member: SimMember, id: string): void {
    const crash = this.#crashes.get(id);
    if (crash === undefined) return;
    crash.firstMs ??= this.#world.now - crash.at;
    this.#remove(crash, member);
  }

  #remove(crash: Crash, member: SimMember): void {
    if (!crash.unaware.delete(member) || crash.unaware.size > 0) return;
    crash.allMs ??= this.#world.now - crash.at;
  }
}
