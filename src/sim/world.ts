/**
 * Many cores in one virtual time: members, links, a seed server and faults, all from one seed.
 * The same seed and the same calls give the same run, on every engine.
 */

import type { Shared } from "../core/composition.ts";
import { type Config, type Identity, type Parameters, parseConfig } from "../core/config.ts";
import { Core } from "../core/core.ts";
import { Rng } from "../core/lib/rng.ts";
import type { Command, Effect, Input, Lane, MemberId, MeshEvent } from "../core/machine.ts";
import type { StoreProblem } from "../core/part.ts";
import { Disks, type Write } from "./disks.ts";
import { EventQueue } from "./event-queue.ts";
import { Hosts } from "./host.ts";
import { SimMember, wallSkewMs } from "./member.ts";
import { Network } from "./network.ts";
import { type NetworkOptions, networkOptions } from "./network-options.ts";
import { givenTo, Notary } from "./notary.ts";
import { SeedServer } from "./seed-server.ts";
import { randomOverlay, settledTable } from "./settle.ts";
import { sharedCodec } from "./shared-codec.ts";
import { codeOf, SENT_CODE, Trace } from "./trace.ts";

export interface AddOptions extends Partial<Identity> {
  readonly parameters?: Partial<Parameters>;
}

export interface WorldOptions {
  /** Whether `SimMember.events` keeps what members tell; observers hear it in any case. Default true. */
  readonly keepEvents: boolean;
  /** Parameters of every member that is not given its own. */
  readonly parameters: Partial<Parameters>;
}

/** Sees what happens as it happens. Everything is optional. */
export interface Observer {
  /** A member was added. `former`: the life of the same identity before this one. */
  onAdded?(member: SimMember, former: SimMember | undefined): void;
  /** Before a step. */
  onInput?(member: SimMember, input: Input): void;
  /** A member told its application something. */
  onEvent?(member: SimMember, event: MeshEvent): void;
  /** A step and all its effects are done. */
  onStep?(member: SimMember, input: Input): void;
  onSent?(member: SimMember, lane: Lane, bytes: Uint8Array): void;
  /** What it asked for is on its disk. It is told in the same instant, unless it is gone. */
  onDurable?(member: SimMember, write: Write): void;
  /** Something was done to a member, or (undefined) to the network. */
  onFault?(what: Fault, member: SimMember | undefined): void;
}

export type Fault =
  | "crash"
  /** It has left, or gave up its identity: its process ends. */
  | "stop"
  | "pause"
  | "resume"
  | "sleep"
  | "wake"
  | "hide"
  | "show"
  | "deafen"
  | "silence"
  | "cut"
  | "clock"
  /** Its disk takes nothing more, or does again. */
  | "disk"
  | "partition"
  | "heal"
  | "seedDown"
  | "seedUp";

/** A restart finds what the member stored before, or not. */
export interface RestartOptions {
  /** With its store it counts its starts; without, its generation comes from the wall clock. Default true. */
  readonly store?: boolean;
  /** Without its store it may have a new identity altogether. Default false. */
  readonly newId?: boolean;
}

/** The hash of the name of every member's cluster, unless it is given another. */
const CLUSTER = 1;

/** What the wall clock shows when a world begins, ms. */
const WALL_START_MS = 1_700_000_000_000;

export class World {
  readonly members: SimMember[] = [];
  readonly network: Network;
  readonly seedServer: SeedServer;
  readonly notary: Notary;
  readonly disks: Disks<SimMember>;
  readonly seed: number;
  readonly #options: WorldOptions;
  readonly #ids: Rng;
  readonly #queue = new EventQueue();
  readonly #trace = new Trace();
  readonly #hosts: Hosts;
  readonly #byId = new Map<MemberId, SimMember>();
  /** Who hears what: most hear little, and much happens. */
  readonly #observers: { readonly [H in keyof Observer]-?: Required<Pick<Observer, H>>[] } = {
    onAdded: [],
    onInput: [],
    onEvent: [],
    onStep: [],
    onSent: [],
    onDurable: [],
    onFault: [],
  };
  readonly #codec = sharedCodec(CLUSTER);
  #steps = 0;

  constructor(
    seed: number,
    network: Partial<NetworkOptions> = {},
    options: Partial<WorldOptions> = {},
  ) {
    this.seed = seed;
    this.#options = { keepEvents: true, parameters: {}, ...options };
    const rng = Rng.fromSeed(seed);
    const out = {
      input: (member: SimMember, input: Input) => this.input(member, input),
      latencyMs: () => this.network.latencyMs(),
      find: (id: MemberId) => this.#byId.get(id),
      durable: (member: SimMember, write: Write) => {
        for (const observer of this.#observers.onDurable) observer.onDurable(member, write);
      },
    };
    this.network = new Network(networkOptions(network), this.#queue, rng.fork("network"), out);
    this.seedServer = new SeedServer(this.#queue, rng.fork("seed-server"), out);
    this.notary = new Notary(rng.fork("notary"));
    this.disks = new Disks(this.#queue, rng.fork("disks"), out);
    this.#ids = rng.fork("ids");
    this.#hosts = new Hosts(this.#queue, (member, input) => this.#step(member, input));
  }

  /** Virtual time, ms. */
  get now(): number {
    return this.#queue.now;
  }

  get steps(): number {
    return this.#steps;
  }

  /** A hash of everything that happened: equal runs have equal hashes. */
  get traceHash(): string {
    return this.#trace.hash;
  }

  observe(observer: Observer): void {
    const hears = <H extends keyof Observer>(hook: H, all: Required<Pick<Observer, H>>[]): void => {
      if (observer[hook] !== undefined) all.push(observer as Required<Pick<Observer, H>>);
    };
    hears("onAdded", this.#observers.onAdded);
    hears("onInput", this.#observers.onInput);
    hears("onEvent", this.#observers.onEvent);
    hears("onStep", this.#observers.onStep);
    hears("onSent", this.#observers.onSent);
    hears("onDurable", this.#observers.onDurable);
    hears("onFault", this.#observers.onFault);
  }

  /** A new member that knows nothing but the seed server. */
  add(options: AddOptions = {}): SimMember {
    const member = this.#create(this.#configOf(options), {});
    const wallMs = WALL_START_MS + this.now + wallSkewMs(member.config.id);
    this.input(member, { type: "clock", wallMs });
    this.seedServer.join(member);
    return member;
  }

  /**
   * `count` members that have come together already (see `settle.ts`). Only in a world without members.
   * @throws RangeError when there are too few for an overlay with bounded links, or some members already
   */
  settle(count: number, options: AddOptions = {}): readonly SimMember[] {
    if (this.members.length > 0)
      throw new RangeError("only a world without members can be settled");
    const configs = Array.from({ length: count }, () => this.#configOf(options));
    const { linksTarget = 0, fullMeshMax = 0 } = configs[0] ?? {};
    if (count <= fullMeshMax + linksTarget) {
      throw new RangeError(`at least ${fullMeshMax + linksTarget + 1} members can be settled`);
    }
    const edges = randomOverlay(count, linksTarget, this.#ids.fork("overlay"));
    const known = settledTable(configs, edges, this.now);
    const members = configs.map((config) => this.#create(config, { known }));
    for (const member of members) this.seedServer.settle(member, known.island());
    // They greet each other in no time, before any of them looks for links that it does not have.
    const ends = edges.flatMap(([a, b]) =>
      this.network.open(members[a] as SimMember, members[b] as SimMember, 0),
    );
    for (const { id, owner, to } of ends) {
      const peer = to.config.id;
      this.input(owner, { type: "linkUp", link: id, attempt: undefined, transport: "sim", peer });
    }
    this.run(0);
    for (const end of ends) {
      end.latencyMs = end.other.latencyMs || this.network.latencyMs();
    }
    return members;
  }

  command(member: SimMember, command: Command): void {
    this.input(member, { type: "command", command });
  }

  /** Feeds any input, as a host would. */
  input(member: SimMember, input: Input): void {
    this.#hosts.input(member, input);
  }

  /** Plans `run` for later. */
  later(ms: number, run: () => void): void {
    this.#queue.later(ms, run);
  }

  /** The process is gone without a word; its links fall silent. */
  crash(member: SimMember): void {
    if (member.alive) this.#gone(member, "crash");
  }

  /** The same member starts again. Its former life must be over. */
  restart(former: SimMember, options: RestartOptions = {}): SimMember {
    this.crash(former);
    const { store = true, newId = false } = options;
    const { name, role, meta, node, slowOfferer, kinds, dials, addresses, proofs } = former.config;
    const transports = { kinds, dials, addresses, slowOfferer };
    const known = former.core.members().find(({ id }) => id === former.config.id)?.generation ?? 0;
    const generation = store ? known + 1 : WALL_START_MS + Math.floor(this.now);
    const identity = { name, role, meta, node, proofs, ...transports, generation };
    if (newId) return this.add({ ...identity, generation: 1 });
    const member = this.add({ ...identity, id: former.config.id });
    const entries = [...former.kept.values()];
    for (const [key, entry] of former.kept) if (store) member.kept.set(key, entry);
    if (store) member.disk = former.disk;
    if (store && entries.length > 0) this.input(member, { type: "restored", entries });
    return member;
  }

  /** The process stands still, for `ms` if given: then it goes on by itself. What comes meanwhile waits. */
  pause(member: SimMember, ms?: number): void {
    if (!member.alive || member.paused) return;
    this.#hosts.pause(member);
    this.#fault("pause", member);
    if (ms !== undefined) this.later(ms, () => this.resume(member));
  }

  resume(member: SimMember): void {
    if (!member.alive || !member.paused || member.asleep) return;
    this.#fault("resume", member);
    this.seedServer.join(member);
    this.#hosts.resume(member);
  }

  /**
   * The machine sleeps, for `ms` if given: datagrams to it are lost, and its links stall.
   * @param announced the host knows it just before, and says so
   */
  sleep(member: SimMember, ms?: number, announced = false): void {
    if (!member.alive || member.asleep) return;
    if (!member.paused) {
      if (announced) this.command(member, { type: "sleep" });
      this.#hosts.pause(member, announced);
    }
    member.asleep = true;
    this.#fault("sleep", member);
    if (ms !== undefined) this.later(ms, () => this.wake(member));
  }

  wake(member: SimMember): void {
    if (!member.alive || !member.asleep) return;
    member.asleep = false;
    this.#fault("wake", member);
    this.seedServer.join(member);
    this.#hosts.resume(member);
  }

  /** Its tab is hidden, or shown again. */
  hide(member: SimMember, hidden = true): void {
    member.hidden = hidden;
    this.#fault(hidden ? "hide" : "show", member);
    this.#hosts.clockMoved(member, 0);
    this.command(member, { type: "mayFreeze", value: hidden });
  }

  /** Nothing reaches it any more, though all that it says is heard. */
  deafen(member: SimMember, deaf = true): void {
    member.deaf = deaf;
    this.#fault("deafen", member);
    this.seedServer.join(member);
  }

  /** Nothing that it says is heard any more, though it hears all. */
  silence(member: SimMember, mute = true): void {
    member.mute = mute;
    this.#fault("silence", member);
    this.seedServer.join(member);
  }

  /** Its clock runs `rate` times as fast as time. */
  drift(member: SimMember, rate: number): void {
    member.drift(rate, this.now);
    this.#fault("clock", member);
    this.#hosts.clockMoved(member, 0);
  }

  /** Its clock jumps ahead by `ms`, as after an unnoticed sleep. */
  jump(member: SimMember, ms: number): void {
    member.jump(ms, this.now);
    this.#fault("clock", member);
    this.#hosts.clockMoved(member, ms);
  }

  /** Its disk takes nothing more, for this reason; undefined: it does again. */
  spoilDisk(member: SimMember, problem: StoreProblem | undefined): void {
    member.disk.problem = problem;
    this.#fault("disk", member);
  }

  /** All links of the member break, and both ends notice at once. */
  cutLinks(member: SimMember): void {
    for (const end of [...member.links.values()]) this.cutLink(member, end.to);
  }

  /** The link between two members breaks, and both notice at once. */
  cutLink(member: SimMember, other: SimMember): void {
    this.#fault("cut", member);
    for (const end of [...member.links.values()]) {
      if (end.to !== other) continue;
      this.network.close(end, "cut");
      this.network.close(end.other, "cut");
    }
  }

  /** Members of different groups cannot talk. */
  partition(groups: ReadonlyMap<SimMember, number>): void {
    for (const [member, group] of groups) member.group = group;
    this.#fault("partition", undefined);
  }

  /** Nothing gets from any of `from` to any of `to`; the other direction stays as it is. */
  block(from: Iterable<SimMember>, to: Iterable<SimMember>): void {
    const ends = [...to];
    for (const one of from) for (const other of ends) this.network.block(one, other);
    this.#fault("partition", undefined);
  }

  /** Partitions and one-way cuts are over. */
  heal(): void {
    for (const member of this.members) member.group = 0;
    this.network.unblock();
    this.#fault("heal", undefined);
  }

  stopSeed(): void {
    this.seedServer.stop();
    this.#fault("seedDown", undefined);
  }

  startSeed(): void {
    this.seedServer.start(this.live());
    this.#fault("seedUp", undefined);
  }

  /** Runs for `ms` of virtual time. */
  run(ms: number): void {
    this.#queue.run(this.#queue.now + ms);
  }

  /** Runs until `holds`, for `msMax` of virtual time at the most; gives the time it took, or undefined. */
  runUntil(holds: () => boolean, msMax: number, stepMs = 50): number | undefined {
    const start = this.now;
    while (!holds()) {
      if (this.now - start >= msMax) return undefined;
      this.run(stepMs);
    }
    return this.now - start;
  }

  live(): SimMember[] {
    return this.members.filter((member) => member.alive);
  }

  /** Who has this id now. */
  find(id: MemberId): SimMember | undefined {
    return this.#byId.get(id);
  }

  #configOf(options: AddOptions): Config {
    const { parameters, ...identity } = options;
    const id = Array.from({ length: 4 }, () => this.#ids.uint32().toString(16).padStart(8, "0"));
    return parseConfig(
      {
        id: id.join(""),
        generation: 1,
        clusterHash: CLUSTER,
        seed: this.#ids.uint32(),
        sealKey: this.notary.sealKey(),
        ...identity,
      },
      { ...this.#options.parameters, ...parameters },
    );
  }

  #create(config: Config, shared: Shared): SimMember {
    const codec = config.clusterHash === CLUSTER ? { codec: this.#codec } : {};
    const core = new Core(config, this.now, { ...shared, ...codec, ...givenTo(config) });
    const member = new SimMember(this.members.length, config, core, this.now);
    const former = this.#byId.get(config.id);
    this.members.push(member);
    this.#byId.set(config.id, member);
    for (const observer of this.#observers.onAdded) observer.onAdded(member, former);
    this.#hosts.schedule(member);
    return member;
  }

  #step(member: SimMember, input: Input): void {
    this.#steps++;
    const size = input.type === "packet" ? input.bytes.length : 0;
    this.#trace.add(this.now, member.index, codeOf(input), size);
    for (const observer of this.#observers.onInput) observer.onInput(member, input);
    const effects = member.core.step(input, member.clock(this.now));
    for (const effect of effects) this.#perform(member, effect);
    for (const observer of this.#observers.onStep) observer.onStep(member, input);
  }

  #perform(member: SimMember, effect: Effect): void {
    switch (effect.type) {
      case "send": {
        const { link, lane, bytes } = effect;
        this.#trace.add(this.now, member.index, SENT_CODE, bytes.length);
        for (const observer of this.#observers.onSent) observer.onSent(member, lane, bytes);
        return this.network.send(member, link, lane, bytes);
      }
      case "sendSeed":
      case "island":
        return this.seedServer.onEffect(member, effect);
      case "connect": {
        const { attempt, initiator, transport: kind } = effect;
        const peer = this.#byId.get(effect.peer) ?? member;
        return this.network.connect(member, attempt, { peer, initiator, kind });
      }
      case "dial": {
        const peer = this.#byId.get(effect.peer);
        if (peer !== undefined) this.network.dial(member, peer);
        return;
      }
      case "signal":
        return this.network.onSignal(member, effect.attempt, effect.payload);
      case "abandon":
        member.attempts.delete(effect.attempt);
        return;
      case "disconnect":
        return this.network.disconnect(member, effect.link);
      case "sign":
      case "verify": {
        const answer = this.notary.answer(member.config.id, effect);
        return this.later(this.notary.delayMs(), () => this.input(member, answer));
      }
      case "store":
        return this.disks.write(member, effect);
      case "keep":
        if (effect.entry === undefined) member.kept.delete(effect.key);
        else member.kept.set(effect.key, effect.entry);
        return;
      case "emit":
        if (this.#options.keepEvents) member.events.push(effect.event);
        for (const observer of this.#observers.onEvent) observer.onEvent(member, effect.event);
        if (effect.event.type === "left" || effect.event.type === "identityTaken") {
          this.#gone(member, "stop");
        }
    }
  }

  #gone(member: SimMember, how: "crash" | "stop"): void {
    member.alive = false;
    this.disks.onGone(member);
    member.goneAt = this.now;
    this.seedServer.remove(member);
    this.#fault(how, member);
  }

  #fault(what: Fault, member: SimMember | undefined): void {
    for (const observer of this.#observers.onFault) observer.onFault(what, member);
  }
}
