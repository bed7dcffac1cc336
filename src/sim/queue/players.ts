/** Applications that share a work queue, at random: they publish, take jobs, work on them, and make mistakes. */

import type { Rng } from "../../core/lib/rng.ts";
import type { MeshEvent } from "../../core/machine.ts";
import type { QueueCommand, QueueEvent, QueueOptions } from "../../core/queue/contract.ts";
import { queuePart } from "../../core/queue/queue.ts";
import type { SimDisk } from "../disks.ts";
import type { SimMember } from "../member.ts";
import type { Observer, World } from "../world.ts";

const CHANNEL = "jobs";

type Told<T extends QueueEvent["type"]> = Extract<QueueEvent, { type: T }>;

/** How likely a consumer does what. The rest acknowledges in time. */
export interface Manners {
  readonly nack: number;
  /** Works for longer than its lease, sometimes with extensions. */
  readonly slow: number;
  /** Never says anything. */
  readonly silent: number;
  /** What most jobs take, at the most. ms */
  readonly workMs: number;
}

export interface Play {
  readonly options: QueueOptions;
  readonly manners: Manners;
  /** How likely a member has no store. */
  readonly storeless: number;
  /** Jobs that a consumer has at a time. */
  readonly credit: number;
}

export interface Wish {
  readonly key?: string;
  readonly order?: string;
  readonly delayMs?: number;
  readonly priority?: number;
  readonly confirm: "local" | number;
}

/** A clock of an application that stood still goes on a little after the core's. */
const AGAIN_MS = 50;

export class Players implements Observer {
  readonly #world: World;
  readonly #rng: Rng;
  readonly #play: Play;
  readonly #isStoreless = new WeakSet<SimDisk>();
  /** What each has that nobody has taken away, by job and epoch. */
  readonly #held = new Map<string, Told<"job">>();
  #published = 0;

  constructor(world: World, rng: Rng, play: Play) {
    this.#world = world;
    this.#rng = rng;
    this.#play = play;
    world.observe(this);
  }

  get published(): number {
    return this.#published;
  }

  onAdded(member: SimMember): void {
    this.#world.later(this.#rng.float() * 500, () => this.#soon(member, () => this.#begin(member)));
  }

  onEvent(member: SimMember, event: MeshEvent): void {
    if (event.type !== "part" || event.part !== "queue") return;
    const told = event.event as QueueEvent;
    // An application acts in its own time, not within the step that tells it something.
    if (told.type === "job") this.#world.later(0, () => this.#work(member, told));
    if (told.type === "revoked") this.#held.delete(nameOf(member, told));
  }

  publish(member: SimMember, wish: Wish): void {
    const value = new Uint8Array(8 + this.#rng.below(100));
    new DataView(value.buffer).setUint32(0, ++this.#published);
    this.#command(member, {
      type: "publish",
      ticket: this.#published,
      channel: CHANNEL,
      value,
      ...wish,
    });
  }

  /** It takes no more for a while. */
  rest(member: SimMember, ms: number): void {
    this.#subscribe(member, 0);
    this.#world.later(ms, () => this.#subscribe(member, this.#play.credit));
  }

  /** In the end nobody makes mistakes any more. */
  readonly improve = (): void => {
    this.#improved = true;
  };
  #improved = false;

  #begin(member: SimMember): void {
    const { disk } = member;
    const storeId = this.#storeIdOf(disk);
    const make = queuePart({ storeId, entries: [...disk.of("queue")] });
    this.#world.input(member, { type: "attach", part: "queue", make });
    const { options, credit } = this.#play;
    this.#command(member, { type: "open", channel: CHANNEL, options });
    this.#subscribe(member, credit);
  }

  /** Some members have none. */
  #storeIdOf(disk: SimDisk): string | undefined {
    if (this.#isStoreless.has(disk)) return undefined;
    if (disk.storeId === undefined) {
      const hex = (): string => this.#rng.uint32().toString(16).padStart(8, "0");
      const id = `${hex()}${hex()}${hex()}${hex()}`;
      if (this.#rng.float() < this.#play.storeless) this.#isStoreless.add(disk);
      else disk.storeId = id;
    }
    return disk.storeId;
  }

  #subscribe(member: SimMember, credit: number): void {
    this.#command(member, { type: "subscribe", channel: CHANNEL, credit });
  }

  #work(member: SimMember, job: Told<"job">): void {
    if (!member.alive) return;
    this.#held.set(nameOf(member, job), job);
    const { nack, slow, silent, workMs } = this.#play.manners;
    const { leaseMs } = this.#play.options;
    const draw = this.#rng.float();
    const inMs = this.#rng.float() * workMs;
    if (this.#improved || draw >= nack + slow + silent)
      return this.#settle(member, job, inMs, "ack");
    if (draw < nack) return this.#settle(member, job, inMs, "nack");
    if (draw >= nack + slow) return void this.#held.delete(nameOf(member, job));
    const slowMs = this.#rng.float() * 3 * leaseMs;
    const isCareful = this.#rng.below(2) === 0;
    for (let at = leaseMs / 2; isCareful && at < slowMs; at += leaseMs / 2) {
      this.#later(member, job, at, () => {
        const { channel, job: id, epoch } = job;
        this.#command(member, { type: "extend", channel, job: id, epoch });
      });
    }
    this.#settle(member, job, slowMs, "ack");
  }

  /** If it has it still; some do not look. */
  #settle(
    member: SimMember,
    { channel, job, epoch }: Told<"job">,
    ms: number,
    type: "ack" | "nack",
  ): void {
    const isCareless = this.#rng.below(4) === 0;
    const delay = this.#rng.below(2) === 0 ? { delayMs: this.#rng.below(3_000) } : {};
    const how = type === "ack" ? { type } : { type, reason: "no", ...delay };
    const settle = (): void => {
      const hadIt = this.#held.delete(nameOf(member, { job, epoch }));
      if (hadIt || isCareless) this.#command(member, { type: "settle", channel, job, epoch, how });
    };
    this.#world.later(ms, () => this.#soon(member, settle));
  }

  #later(member: SimMember, job: Told<"job">, ms: number, act: () => void): void {
    this.#world.later(ms, () =>
      this.#soon(member, () => {
        if (this.#held.has(nameOf(member, job))) act();
      }),
    );
  }

  /** Once its process goes on, if it still is. */
  #soon(member: SimMember, act: () => void): void {
    if (!member.alive) return;
    if (member.paused) this.#world.later(AGAIN_MS, () => this.#soon(member, act));
    else act();
  }

  #command(member: SimMember, command: QueueCommand): void {
    this.#world.command(member, { type: "part", part: "queue", command });
  }
}

function nameOf(member: SimMember, { job, epoch }: { job: string; epoch: number }): string {
  return `${member.index} ${job} ${epoch}`;
}
