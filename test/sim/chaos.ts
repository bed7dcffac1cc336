/**
 * A mixed schedule of faults from one seed, and what must hold when it is over. A failure names its seed:
 * `CHAOS_SEED=17 npm test -- --project sim` replays it.
 */

import { Rng } from "../../src/core/lib/rng.ts";
import { type SimMember, World } from "../../src/sim/index.ts";

const LOSSES = [0, 0.05, 0.2];
const MEMBERS_MAX = 16;
const HEAL_MS = 60_000;

type Fault = (chaos: Chaos, member: SimMember) => void;

/** Each as likely as it stands here. */
const FAULTS: readonly Fault[] = [
  (chaos, member) => chaos.crash(member),
  (chaos) => chaos.join(),
  (chaos, member) => chaos.leave(member),
  (chaos, member) => chaos.world.cutLinks(member),
  (chaos) => chaos.toggleSeed(),
  (chaos) => chaos.togglePartition(),
  (chaos) => chaos.restart(),
  (chaos, member) => chaos.world.input(member, { type: "resumed", gapMs: 5_000 }),
  (chaos, member) => chaos.talk(member),
  (chaos, member) => chaos.talk(member),
  (chaos, member) => chaos.talk(member),
  (chaos, member) => chaos.talk(member),
];

export class Chaos {
  readonly world: World;
  readonly #rng: Rng;
  readonly #gone = new Set<string>();
  #seedUp = true;
  #partitioned = false;
  #said = 0;

  constructor(seed: number) {
    this.#rng = Rng.fromSeed(seed).fork("chaos");
    const loss = LOSSES[seed % LOSSES.length] as number;
    this.world = new World(seed, {
      loss,
      linkFailure: loss / 4,
      linkSetupMs: this.#rng.below(400),
    });
    const count = 3 + this.#rng.below(10);
    for (let i = 0; i < count; i++) {
      this.world.add();
      this.world.run(this.#rng.below(300));
    }
    this.world.run(5_000);
  }

  /** Runs `count` faults, heals everything, and gives what does not hold. */
  run(count: number): string[] {
    for (let i = 0; i < count; i++) {
      const fault = this.#rng.pick(FAULTS) as Fault;
      fault(this, this.#rng.pick(this.world.live()) as SimMember);
      this.world.run(this.#rng.below(3_000));
    }
    this.world.heal();
    if (!this.#seedUp) this.world.startSeed();
    const problems = [];
    if (this.world.runUntil(() => this.#agree(), HEAL_MS) === undefined) {
      problems.push(`no agreement ${HEAL_MS} ms after all was healed`);
    }
    this.world.run(15_000);
    if (this.world.runUntil(() => this.#agree(), 5_000) === undefined) {
      problems.push("agreement was lost again without any fault");
    }
    return [...problems, ...this.#ghosts(), ...repeatedOrDisordered(this.world)];
  }

  crash(member: SimMember): void {
    if (this.world.live().length <= 3) return;
    this.world.crash(member);
    this.#gone.add(member.config.id);
  }

  leave(member: SimMember): void {
    if (this.world.live().length <= 3) return;
    this.world.command(member, { type: "leave" });
    this.world.run(200);
    this.world.crash(member);
    this.#gone.add(member.config.id);
  }

  join(): void {
    if (this.#seedUp && this.world.live().length < MEMBERS_MAX) this.world.add();
  }

  restart(): void {
    const id = this.#rng.pick([...this.#gone]);
    if (id === undefined || !this.#seedUp || this.world.live().length >= MEMBERS_MAX) return;
    const lives = this.world.members.filter(({ config }) => config.id === id);
    const generation = 1 + Math.max(...lives.map(({ config }) => config.generation));
    this.#gone.delete(id);
    this.world.add({ id, generation });
  }

  toggleSeed(): void {
    if (this.#seedUp) this.world.stopSeed();
    else this.world.startSeed();
    this.#seedUp = !this.#seedUp;
  }

  togglePartition(): void {
    if (this.#partitioned) this.world.heal();
    else {
      const sides = this.world.live().map((member) => [member, this.#rng.below(2)] as const);
      this.world.partition(new Map(sides));
    }
    this.#partitioned = !this.#partitioned;
  }

  talk(member: SimMember): void {
    const value = new TextEncoder().encode(String(++this.#said));
    const key = `key-${this.#rng.below(5)}`;
    this.world.command(member, { type: "set", key, value });
    this.world.command(member, { type: "say", id: this.#said, name: "talk", value });
    if (this.#rng.below(3) === 0) this.world.command(member, { type: "delete", key });
  }

  /** Every live member holds every other alive, and all know the same. */
  #agree(): boolean {
    const live = this.world.live();
    const known = new Set(live.map(({ core }) => JSON.stringify(core.fingerprints())));
    return (
      known.size === 1 &&
      live.every((member) => live.every((other) => stateOf(member, other) === "alive"))
    );
  }

  #ghosts(): string[] {
    return this.world.live().flatMap((member) =>
      member.core
        .members()
        .filter(({ id, state }) => this.#gone.has(id) && (state === "alive" || state === "suspect"))
        .map(({ id, state }) => `member ${member.index} holds ${id}, which is gone, ${state}`),
    );
  }
}

export function stateOf(member: SimMember, other: SimMember): string | undefined {
  return member.core.members().find(({ id }) => id === other.config.id)?.state;
}

/** Says are numbered upwards: heard from one sender, they must rise. */
function repeatedOrDisordered(world: World): string[] {
  const problems: string[] = [];
  for (const member of world.members) {
    const last = new Map<string, number>();
    for (const event of member.events) {
      if (event.type !== "heard") continue;
      const number = Number(new TextDecoder().decode(event.value));
      const before = last.get(event.from) ?? 0;
      if (number <= before) {
        problems.push(`member ${member.index} heard ${number} after ${before} of ${event.from}`);
      }
      last.set(event.from, number);
    }
  }
  return problems;
}
