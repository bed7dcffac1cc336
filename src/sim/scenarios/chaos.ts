/** A mixed schedule of all faults from one seed, among few members; then all is mended, and everything must hold. */

import { Forger } from "../forger.ts";
import type { SimMember } from "../member.ts";
import type { NetworkOptions } from "../network-options.ts";
import { DownWatch } from "./down-watch.ts";
import type { Scenario } from "./scenario.ts";
import { StreamPlay } from "./stream-play.ts";
import type { Trial } from "./trial.ts";

const MEMBERS_MAX = 20;
/** The longest that a proof takes, ms. */
const PROOF_MS_MAX = 20;
const LOSSES = [0, 0, 0.01, 0.05, 0.2];

/** After the last fault: until all agree, and then until all that has a bound in time must hold. ms. */
const AGREE_MS_MAX = 120_000;
const QUIET_MS = 30_000;

/** Streams whose ends both live are over by then, ms. */
const STREAMS_MS_MAX = 60_000;

/** A bridge may be cut off from some itself. */
const BRIDGES_MAX = 8;

type Action = (chaos: Chaos, member: SimMember) => void;

/** Each as likely as it stands here. */
const ACTIONS: Readonly<Record<string, Action>> = {
  crash: (chaos, member) => chaos.crash(member),
  crashToo: (chaos, member) => chaos.crash(member),
  restart: (chaos) => chaos.restart(),
  restartToo: (chaos) => chaos.restart(),
  join: (chaos) => chaos.join(),
  leave: (chaos, member) => chaos.leave(member),
  cutLinks: ({ world }, member) => world.cutLinks(member),
  cutLink: ({ world, rng }, member) => {
    const end = rng.pick([...member.links.values()]);
    if (end !== undefined) world.cutLink(member, end.to);
  },
  seed: (chaos) => chaos.toggleSeed(),
  partition: (chaos) => chaos.togglePartition(),
  oneWay: (chaos) => chaos.toggleOneWay(),
  pause: ({ world, rng }, member) => world.pause(member, 100 + rng.float() * 6_000),
  freeze: ({ world, rng }, member) => world.pause(member, 5_000 + rng.float() * 30_000),
  sleep: ({ world, rng }, member) => world.sleep(member, 1_000 + rng.float() * 40_000),
  sleepAnnounced: ({ world, rng }, member) => {
    world.sleep(member, 1_000 + rng.float() * 40_000, true);
  },
  hide: ({ world }, member) => world.hide(member, !member.hidden),
  drift: ({ world, rng }, member) => world.drift(member, 0.99 + rng.float() * 0.02),
  jump: ({ world, rng }, member) => world.jump(member, rng.float() * 20_000),
  deafen: (chaos, member) => chaos.briefly(member, (on) => chaos.world.deafen(member, on)),
  silence: (chaos, member) => chaos.briefly(member, (on) => chaos.world.silence(member, on)),
  talk: (chaos, member) => chaos.talk(member),
  talkMore: (chaos, member) => chaos.talk(member),
  talkOn: (chaos, member) => chaos.talk(member),
  talkAgain: (chaos, member) => chaos.talk(member),
  send: (chaos, member) => chaos.send(member),
  sendMore: (chaos, member) => chaos.send(member),
  share: (chaos, member) => chaos.share(member),
  shareMore: (chaos, member) => chaos.share(member),
  sayToLast: (chaos, member) => chaos.say(member, 16, 5_000 + chaos.rng.float() * 40_000),
  sayToLastMore: (chaos, member) => chaos.say(member, 16, 5_000 + chaos.rng.float() * 40_000),
  talkLarge: (chaos, member) => chaos.say(member, 20_000 + chaos.rng.below(60_000)),
};

export const chaos: Scenario = {
  name: "chaos",
  summary: "a mixed schedule of all faults among a few members; then all must hold again",
  members: MEMBERS_MAX,
  options: {
    faults: { default: 30, min: 0, max: 10_000, what: "how many faults, one after another" },
    proofs: { default: 0.5, min: 0, max: 1, what: "how likely it is that all must be proven" },
    apartMs: { default: 3_000, min: 0, max: 60_000, what: "the longest pause between two" },
    kinds: { default: 0, min: 0, max: 1, what: "1: members have one transport, another, or both" },
  },
  run(trial) {
    const watch = new DownWatch(trial.world);
    const mixed = new Chaos(trial);
    const actions = Object.values(ACTIONS);
    for (let i = 0; i < trial.option("faults"); i++) {
      const action = trial.rng.pick(actions) as Action;
      action(mixed, trial.pick());
      mixed.stream();
      trial.world.run(trial.rng.float() * trial.option("apartMs"));
    }
    const downs = watch.falseDowns;
    mixed.mend();
    const equalDigestsMs = trial.world.runUntil(() => trial.allEqual(), AGREE_MS_MAX);
    trial.world.run(QUIET_MS);
    trial.world.runUntil(() => mixed.streams.allOver, STREAMS_MS_MAX);
    return {
      equalDigestsMs: equalDigestsMs ?? null,
      members: trial.world.live().length,
      downsOfLiveMembers: downs,
      downsAfterwards: watch.falseDowns - downs,
    };
  },
};

class Chaos {
  readonly trial: Trial;
  readonly world: Trial["world"];
  readonly rng: Trial["rng"];
  /** For what was added later: it leaves the rest of the schedule as it was. */
  readonly #draws: Trial["rng"];
  readonly #kinds: Trial["rng"] | undefined;
  readonly streams: StreamPlay;
  /** … and for streams. */
  readonly #streamDraws: Trial["rng"];
  readonly #gone: SimMember[] = [];
  readonly #membersMax: number;
  readonly #proofs: "all" | "none";
  readonly #forgerDraws: Trial["rng"];
  readonly #forger: Forger;
  #partitioned = false;
  #said = 0;

  constructor(trial: Trial) {
    this.trial = trial;
    this.world = trial.world;
    this.rng = trial.rng;
    this.#draws = trial.rng.fork("lives");
    this.#streamDraws = trial.rng.fork("streams");
    this.streams = new StreamPlay(trial.world, trial.rng.fork("stream-play"));
    if (trial.option("kinds") === 1) this.#kinds = trial.rng.fork("kinds");
    const { members, loss } = trial.settings;
    const weather = networkOf(trial);
    const kindFailure = this.#kinds === undefined ? {} : { udp: 0.2 };
    this.world.network.options = { ...this.world.network.options, ...weather, kindFailure };
    if (loss > 0) this.#lose(loss);
    this.#membersMax = members;
    const count = 2 + this.rng.below(Math.max(1, members - 2));
    const draws = trial.rng.fork("proofs");
    this.#forgerDraws = draws.fork("forger");
    this.#forger = new Forger(this.world, this.#forgerDraws);
    this.#proofs = draws.float() < trial.option("proofs") ? "all" : "none";
    this.world.notary.slowMs = draws.float() * PROOF_MS_MAX;
    for (let i = 0; i < count; i++) {
      this.add();
      this.world.run(this.rng.float() * 300);
    }
    this.world.run(this.rng.float() * 10_000);
  }

  crash(member: SimMember): void {
    if (this.world.live().length <= 2) return;
    this.world.crash(member);
    this.#gone.push(member);
  }

  leave(member: SimMember): void {
    if (this.world.live().length <= 2 || member.paused) return;
    this.world.command(member, { type: "leave" });
    this.#gone.push(member);
  }

  join(): void {
    if (this.world.live().length < this.#membersMax) this.add();
  }

  /** A member; where it matters, with one of the sorts of transports that there are. */
  add(): void {
    const proofs = this.#proofs;
    const draw = this.#kinds?.float();
    const address = { dials: true, addresses: ["udp://somewhere"] };
    if (draw === undefined) this.world.add({ proofs });
    else if (draw < 0.4) this.world.add({ proofs, kinds: ["webrtc"] });
    else if (draw < 0.75) this.world.add({ proofs, kinds: ["udp"], node: true, ...address });
    else this.world.add({ proofs, kinds: ["udp", "webrtc"], node: true, ...address });
  }

  restart(): void {
    if (this.world.live().length >= this.#membersMax || this.#gone.length === 0) return;
    const [former] = this.#gone.splice(this.rng.below(this.#gone.length), 1);
    const store = this.rng.float() < 0.5;
    this.world.restart(former as SimMember, { store, newId: this.rng.float() < 0.2 });
  }

  toggleSeed(): void {
    if (this.world.seedServer.up) this.world.stopSeed();
    else this.world.startSeed();
  }

  togglePartition(): void {
    if (this.#partitioned) this.world.heal();
    else {
      const sides = 2 + this.rng.below(2);
      this.world.partition(
        new Map(this.world.live().map((member) => [member, this.rng.below(sides)])),
      );
    }
    this.#partitioned = !this.#partitioned;
  }

  toggleOneWay(): void {
    if (this.#partitioned) this.world.heal();
    else {
      const live = this.world.live();
      this.world.block(
        this.rng.sample(live, 1 + this.rng.below(live.length)),
        this.rng.sample(live, 1 + this.rng.below(live.length)),
      );
    }
    this.#partitioned = !this.#partitioned;
  }

  briefly(member: SimMember, set: (on: boolean) => void): void {
    set(true);
    this.world.later(this.rng.float() * 20_000, () => {
      if (member.alive) set(false);
    });
  }

  talk(member: SimMember): void {
    if (member.paused) return;
    this.say(member, 8);
    const key = `key-${this.rng.below(5)}`;
    const value = this.#value(8 + this.rng.below(200));
    this.world.command(member, { type: "set", key, value });
    if (this.rng.below(3) === 0) this.world.command(member, { type: "delete", key });
    this.#talkOf(member);
    this.#forge();
  }

  /** By draws of its own too. */
  #forge(): void {
    if (this.#proofs === "none" || this.#forgerDraws.below(2) === 0) return;
    const [member, victim] = this.#forgerDraws.sample(this.world.live(), 2);
    if (member !== undefined && victim !== undefined) this.#forger.forge(member, victim);
  }

  /** By draws of its own: a key whose changes are all kept, and one that ends by itself. */
  #talkOf(member: SimMember): void {
    const set = (key: string, manner: { lifeMs: number } | { log: number }): void => {
      const value = this.#value(8 + this.#draws.below(100));
      this.world.command(member, { type: "set", key, value, ...manner });
    };
    const lifeMs = Math.round(1_000 + this.#draws.float() * 30_000);
    if (this.#draws.below(2) === 0) set(`life-${this.#draws.below(2)}`, { lifeMs });
    for (let i = this.#draws.below(4); i > 0; i--) set("log", { log: 8 });
    if (this.#draws.below(10) > 0) return;
    const key = this.#draws.below(2) === 0 ? "life-0" : "log";
    if (this.#draws.below(2) === 0) this.world.command(member, { type: "delete", key });
    else this.world.command(member, { type: "set", key, value: this.#value(8) });
  }

  /** Beside each fault, now and then: one is opened, or one is aborted by either of its ends. */
  stream(): void {
    const draws = this.#streamDraws;
    const chance = draws.below(6);
    if (chance === 0) return this.streams.abort();
    if (chance > 2) return;
    const [from, to] = draws.sample(this.world.live(), 2);
    if (from !== undefined && to !== undefined && !from.paused) this.streams.open(from, to);
  }

  say(member: SimMember, bytes: number, forMs = 0): void {
    if (member.paused) return;
    const value = this.#value(bytes);
    this.world.command(member, { type: "say", id: this.#said, name: "talk", value, forMs });
  }

  share(member: SimMember): void {
    if (member.paused) return;
    const key = `key-${this.rng.below(5)}`;
    const value = this.rng.below(4) === 0 ? undefined : this.#value(8 + this.rng.below(3_000));
    this.world.command(member, { type: "share", key, value });
  }

  send(member: SimMember): void {
    const to = this.trial.pick();
    if (member.paused || to === member) return;
    const [value, id] = [this.#value(8 + this.rng.below(2_000)), this.#said];
    const { config } = to;
    const command = { type: "send", id, to: config.id, name: "to-one", timeoutMs: 10_000 } as const;
    this.world.command(member, { ...command, value });
  }

  /** All faults are over. */
  mend(): void {
    this.world.heal();
    for (const member of this.world.live()) {
      this.world.deafen(member, false);
      this.world.silence(member, false);
      this.world.wake(member);
      this.world.resume(member);
      if (member.hidden) this.world.hide(member, false);
    }
    this.#lose(0);
    this.world.startSeed();
    // Between members that have nothing in common somebody comes who has it all.
    for (let i = 0; i < BRIDGES_MAX && this.trial.oracles.weather.partsPossible() > 1; i++) {
      this.world.add({ proofs: this.#proofs, kinds: ["udp", "webrtc"], node: true });
    }
  }

  #lose(loss: number): void {
    this.world.network.options = { ...this.world.network.options, loss, reliableLoss: loss };
  }

  #value(bytes: number): Uint8Array {
    const value = new Uint8Array(bytes);
    new DataView(value.buffer).setUint32(0, ++this.#said);
    return value;
  }
}

function networkOf({ rng }: Trial): Partial<NetworkOptions> {
  const loss = rng.pick(LOSSES) as number;
  const share = (most: number): number => (rng.float() < 0.5 ? 0 : rng.float() * most);
  return {
    loss,
    reliableLoss: loss,
    duplicate: share(0.1),
    reorder: share(0.2),
    jitterMs: share(100),
    linkSetupMs: rng.float() * 1_000,
    linkFailure: share(0.1),
    latency:
      rng.float() < 0.3
        ? {
            kind: "mixed",
            share: 0.2,
            first: { kind: "normal", msMean: 40, msDeviation: 15, msMin: 5 },
            second: { kind: "pareto", msMin: 60, msMax: 400 },
          }
        : undefined,
    bytesPerSecond: rng.float() < 0.2 ? 200_000 : Number.POSITIVE_INFINITY,
  };
}
