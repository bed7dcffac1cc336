/** What happens to few members while they work: all faults, one after another; then all is mended. */

import type { Rng } from "../../core/lib/rng.ts";
import type { SimMember } from "../member.ts";
import type { World } from "../world.ts";

/** Who has crashed comes back so often, in the end too; the others are gone for good, with their disks. */
const RETURN_SHARE = 0.8;

/** Jumps that no host notices are shorter than this; see `host.ts`. ms. */
const SMALL_JUMP_MS = 500;
const JUMP_MS_MIN = 4_500;
const JUMP_MS_MAX = 30_000;

const LOSSES = [0, 0, 0.02, 0.1, 0.3];

type Mishap = (mishaps: Mishaps, member: SimMember) => void;

/** Each as likely as it stands here. */
const MISHAPS: Readonly<Record<string, Mishap>> = {
  crash: (all, member) => all.crash(member),
  crashToo: (all, member) => all.crash(member),
  leave: (all, member) => all.leave(member),
  restart: (all) => all.restart("kept"),
  restartToo: (all) => all.restart("kept"),
  restartAgain: (all) => all.restart("kept"),
  restartWiped: (all) => all.restart("wiped"),
  crashAtOnce: (all, member) => {
    all.crash(member);
    all.restart("kept");
  },
  crashMany: (all) => all.crashMany(),
  disk: (all, member) => all.spoil(member),
  loss: (all) => all.lose(),
  partition: (all) => all.togglePartition(),
  partitionToo: (all) => all.togglePartition(),
  oneWay: (all) => all.toggleOneWay(),
  cutLinks: ({ world }, member) => world.cutLinks(member),
  pause: ({ world, rng }, member) => world.pause(member, 100 + rng.float() * 6_000),
  freeze: ({ world, rng }, member) => world.pause(member, 5_000 + rng.float() * 30_000),
  sleep: ({ world, rng }, member) => world.sleep(member, 1_000 + rng.float() * 40_000),
  sleepAnnounced: ({ world, rng }, member) => {
    world.sleep(member, 1_000 + rng.float() * 40_000, true);
  },
  hide: ({ world }, member) => world.hide(member, !member.hidden),
  drift: ({ world, rng }, member) => world.drift(member, 0.99 + rng.float() * 0.02),
  jump: ({ world, rng }, member) => {
    const [min, max] = rng.below(2) === 0 ? [0, SMALL_JUMP_MS] : [JUMP_MS_MIN, JUMP_MS_MAX];
    world.jump(member, min + rng.float() * (max - min));
  },
};

export class Mishaps {
  readonly world: World;
  readonly rng: Rng;
  readonly #gone: SimMember[] = [];
  #partitioned = false;

  constructor(world: World, rng: Rng) {
    this.world = world;
    this.rng = rng;
  }

  /** One of all. */
  happen(): void {
    const mishap = this.rng.pick(Object.values(MISHAPS)) as Mishap;
    mishap(this, this.rng.pick(this.world.live()) as SimMember);
  }

  crash(member: SimMember): void {
    if (this.world.live().length <= 1) return;
    this.world.crash(member);
    this.#gone.push(member);
  }

  /** More than half of all, in one instant. */
  crashMany(): void {
    const live = this.world.live();
    for (const member of this.rng.sample(live, (live.length >> 1) + 1)) this.crash(member);
  }

  leave(member: SimMember): void {
    if (this.world.live().length <= 1 || member.paused) return;
    this.world.command(member, { type: "leave" });
    this.#gone.push(member);
  }

  restart(disk: "kept" | "wiped"): void {
    if (this.#gone.length === 0) return;
    const [former] = this.#gone.splice(this.rng.below(this.#gone.length), 1);
    this.world.restart(former as SimMember, { store: disk === "kept" });
  }

  spoil(member: SimMember): void {
    if (member.disk.problem !== undefined) return;
    this.world.spoilDisk(member, this.rng.below(2) === 0 ? "full" : "failed");
    const { disk } = member;
    this.world.later(this.rng.float() * 20_000, () => this.#repair(disk));
  }

  lose(): void {
    this.#lose(this.rng.pick(LOSSES) as number, this.rng.below(2) * 0.1);
  }

  togglePartition(): void {
    if (this.#partitioned) this.world.heal();
    else {
      const sides = 2 + this.rng.below(2);
      const sideOf = (member: SimMember) => [member, this.rng.below(sides)] as const;
      this.world.partition(new Map(this.world.live().map(sideOf)));
    }
    this.#partitioned = !this.#partitioned;
  }

  toggleOneWay(): void {
    if (this.#partitioned) this.world.heal();
    else {
      const live = this.world.live();
      const some = (): SimMember[] => this.rng.sample(live, 1 + this.rng.below(live.length));
      this.world.block(some(), some());
    }
    this.#partitioned = !this.#partitioned;
  }

  /** All is over; who comes back is back. */
  mend(): void {
    const { world } = this;
    world.heal();
    this.#lose(0, 0);
    for (const member of world.live()) {
      world.wake(member);
      world.resume(member);
      if (member.hidden) world.hide(member, false);
    }
    for (const former of this.#gone.splice(0)) {
      if (this.rng.float() < RETURN_SHARE) world.restart(former);
    }
    for (const { disk } of world.live()) this.#repair(disk);
  }

  /** It may serve another life by now. */
  #repair(disk: SimMember["disk"]): void {
    if (disk.problem === undefined) return;
    const owner = this.world.live().find((member) => member.disk === disk);
    if (owner === undefined) disk.problem = undefined;
    else this.world.spoilDisk(owner, undefined);
  }

  #lose(loss: number, duplicate: number): void {
    const { network } = this.world;
    network.options = { ...network.options, loss, reliableLoss: loss, duplicate };
  }
}
