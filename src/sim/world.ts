/**
 * Many cores in one virtual time: links, latency, loss, a seed server and crashes, all from one seed.
 * The same seed and the same calls give the same run, on every engine.
 */

import { type Config, type Identity, type Parameters, parseConfig } from "../core/config.ts";
import { Core } from "../core/core.ts";
import { Rng } from "../core/lib/rng.ts";
import type { AttemptId, Command, Effect, Input, LinkId, MeshEvent } from "../core/machine.ts";

/** Faults and figures of the network, as data. All faults are off by default. */
export interface NetworkOptions {
  /** One-way latency, ms: uniform between the two. Default 20 to 150. */
  readonly latencyMsMin: number;
  readonly latencyMsMax: number;
  /** Share of datagrams that are lost, 0 to 1. */
  readonly loss: number;
  /** How long a transport takes to open a link once both ends try, ms. */
  readonly linkSetupMs: number;
  /** Share of attempts that never open. */
  readonly linkFailure: number;
}

const DEFAULT_NETWORK: NetworkOptions = {
  latencyMsMin: 20,
  latencyMsMax: 150,
  loss: 0,
  linkSetupMs: 100,
  linkFailure: 0,
};

/** One member of the world and all that it told its application. */
export interface SimMember {
  readonly index: number;
  readonly core: Core;
  readonly config: Config;
  readonly events: MeshEvent[];
  alive: boolean;
  readonly links: Map<LinkId, { to: SimMember; link: LinkId }>;
  /** Attempts that this end is ready for, by the pair's other end. */
  readonly attempts: Map<AttemptId, SimMember>;
  /** The group that it can talk to; groups are islands while a partition lasts. */
  group: number;
}

interface Happening {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export interface AddOptions extends Partial<Identity> {
  readonly parameters?: Partial<Parameters>;
}

/** What a member says of its island, and since when. */
interface Island {
  readonly id: string;
  readonly since: number;
}

/** As in the signaling server: islands that differ for so long are introduced, ms. */
const ISLAND_GRACE_MS = 10_000;
const ISLAND_CHECK_MS = 5_000;

/** The one seed server of a world. */
const SEED = 1;
const INTRODUCED = 8;

export class World {
  readonly members: SimMember[] = [];
  readonly #network: NetworkOptions;
  readonly #rng: Rng;
  readonly #ids: Rng;
  readonly #queue: Happening[] = [];
  /** Members that the seed server knows, with their islands; undefined while it is down. */
  #seedRoom: Map<SimMember, Island> | undefined = new Map();
  #now = 0;
  #order = 0;
  #lastLink = 0;
  #steps = 0;
  #trace = 0x811c9dc5;

  constructor(seed: number, network: Partial<NetworkOptions> = {}) {
    this.#network = { ...DEFAULT_NETWORK, ...network };
    const rng = Rng.fromSeed(seed);
    this.#rng = rng.fork("network");
    this.#ids = rng.fork("ids");
    this.#mergeIslands();
  }

  get now(): number {
    return this.#now;
  }

  get steps(): number {
    return this.#steps;
  }

  /** A hash of everything that happened: equal runs have equal hashes. */
  get traceHash(): string {
    return (this.#trace >>> 0).toString(16).padStart(8, "0");
  }

  /** A new member that knows nothing but the seed server. */
  add(options: AddOptions = {}): SimMember {
    const { parameters, ...identity } = options;
    const id = Array.from({ length: 4 }, () => this.#ids.uint32().toString(16).padStart(8, "0"));
    const config = parseConfig(
      {
        id: id.join(""),
        generation: 1,
        clusterHash: 1,
        seed: this.#ids.uint32(),
        name: `member-${this.members.length}`,
        role: "",
        meta: new Uint8Array(0),
        addresses: [],
        slowOfferer: false,
        node: false,
        ...identity,
      },
      parameters,
    );
    const member: SimMember = {
      index: this.members.length,
      core: new Core(config, this.#now),
      config,
      events: [],
      alive: true,
      links: new Map(),
      attempts: new Map(),
      group: 0,
    };
    this.members.push(member);
    this.#schedule(member);
    this.#joinSeed(member);
    return member;
  }

  command(member: SimMember, command: Command): void {
    this.#step(member, { type: "command", command });
  }

  /** Feeds any input, as a host would. */
  input(member: SimMember, input: Input): void {
    this.#step(member, input);
  }

  /** The process is gone without a word; its links fall silent. */
  crash(member: SimMember): void {
    member.alive = false;
    this.#seedRoom?.delete(member);
  }

  /** All links of the member break, and both ends notice at once. */
  cutLinks(member: SimMember): void {
    for (const other of this.members) this.cutLink(member, other);
  }

  /** The link between two members breaks, and both notice at once. */
  cutLink(member: SimMember, other: SimMember): void {
    for (const [link, { to, link: there }] of [...member.links]) {
      if (to !== other) continue;
      this.#closeLink(member, link, "cut");
      this.#closeLink(to, there, "cut");
    }
  }

  /** Members of different groups cannot talk. */
  partition(groups: ReadonlyMap<SimMember, number>): void {
    for (const [member, group] of groups) member.group = group;
  }

  heal(): void {
    for (const member of this.members) member.group = 0;
  }

  stopSeed(): void {
    const room = this.#seedRoom;
    this.#seedRoom = undefined;
    for (const member of room?.keys() ?? []) this.#step(member, { type: "seedDown", seed: SEED });
  }

  startSeed(): void {
    this.#seedRoom = new Map();
    for (const member of this.members) if (member.alive) this.#joinSeed(member);
  }

  /** Runs for `ms` of virtual time. */
  run(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#queue[0];
      if (next === undefined || next.at > end) break;
      this.#pop();
      this.#now = next.at;
      next.run();
    }
    this.#now = end;
  }

  /** Runs until `holds`, for `msMax` of virtual time at the most; gives the time it took, or undefined. */
  runUntil(holds: () => boolean, msMax: number, stepMs = 50): number | undefined {
    const start = this.#now;
    while (!holds()) {
      if (this.#now - start >= msMax) return undefined;
      this.run(stepMs);
    }
    return this.#now - start;
  }

  live(): SimMember[] {
    return this.members.filter((member) => member.alive);
  }

  #joinSeed(member: SimMember): void {
    const room = this.#seedRoom;
    if (room === undefined) return;
    const introduced = this.#rng
      .sample(
        [...room.keys()].filter((other) => other.alive && other !== member),
        INTRODUCED,
      )
      .map((other) => other.config.id);
    room.set(member, { id: member.config.id, since: this.#now });
    this.#later(this.#latency(), () => {
      if (this.#seedRoom?.has(member)) {
        this.#step(member, { type: "seedUp", seed: SEED, introduced });
      }
    });
  }

  /** As the signaling server does: islands that have differed for a while are asked to meet. */
  #mergeIslands(): void {
    this.#later(ISLAND_CHECK_MS, () => this.#mergeIslands());
    const islands = new Map<string, SimMember[]>();
    for (const [member, { id, since }] of this.#seedRoom ?? []) {
      if (!member.alive || this.#now - since < ISLAND_GRACE_MS) continue;
      islands.set(id, [...(islands.get(id) ?? []), member]);
    }
    const groups = [...islands.values()];
    for (const [i, group] of groups.entries()) {
      const other = groups[(i + 1) % groups.length];
      const member = this.#rng.pick(group);
      const peer = this.#rng.pick(other ?? []);
      if (member === undefined || peer === undefined || other === group) continue;
      const introduced = [peer.config.id];
      this.#later(this.#latency(), () => {
        if (this.#seedRoom?.has(member)) {
          this.#step(member, { type: "seedUp", seed: SEED, introduced });
        }
      });
    }
  }

  #step(member: SimMember, input: Input): void {
    if (!member.alive) return;
    this.#steps++;
    this.#record(member.index, input.type);
    for (const effect of member.core.step(input, this.#now)) this.#perform(member, effect);
    this.#schedule(member);
  }

  #schedule(member: SimMember): void {
    const due = member.core.deadline;
    if (due === Number.POSITIVE_INFINITY) return;
    this.#later(Math.max(0, due - this.#now), () => {
      if (member.core.deadline <= this.#now) this.#step(member, { type: "deadline" });
    });
  }

  #perform(member: SimMember, effect: Effect): void {
    switch (effect.type) {
      case "send":
        return this.#carry(member, effect);
      case "sendSeed":
        return this.#carryBySeed(member, effect.to, effect.bytes);
      case "island": {
        const id = effect.id;
        this.#later(this.#latency(), () => {
          if (this.#seedRoom?.has(member)) this.#seedRoom.set(member, { id, since: this.#now });
        });
        return;
      }
      case "connect":
        member.attempts.set(effect.attempt, this.#find(effect.peer) ?? member);
        if (effect.initiator) this.#offer(member, effect.attempt);
        return;
      case "signal":
        return this.#onSignal(member, effect.attempt, effect.payload);
      case "abandon":
        member.attempts.delete(effect.attempt);
        return;
      case "disconnect": {
        const end = member.links.get(effect.link);
        member.links.delete(effect.link);
        if (end === undefined) return;
        this.#later(this.#latency(), () => this.#closeLink(end.to, end.link, "remote"));
        return;
      }
      case "emit":
        member.events.push(effect.event);
    }
  }

  /** An offer is the initiator's attempt number; the answer opens the link on both ends. */
  #offer(member: SimMember, attempt: AttemptId): void {
    if (this.#rng.float() < this.#network.linkFailure) return;
    const payload = new TextEncoder().encode(JSON.stringify([member.index, attempt]));
    this.#step(member, { type: "signal", attempt, payload });
  }

  #onSignal(member: SimMember, attempt: AttemptId, payload: Uint8Array): void {
    const [index, theirs] = JSON.parse(new TextDecoder().decode(payload)) as [number, AttemptId];
    const other = this.members[index];
    if (other === undefined || !member.attempts.has(attempt)) return;
    this.#later(this.#network.linkSetupMs, () => {
      const ready = member.attempts.has(attempt) && other.attempts.has(theirs);
      if (!ready || !member.alive || !other.alive || !this.#connected(member, other)) return;
      member.attempts.delete(attempt);
      other.attempts.delete(theirs);
      const here = ++this.#lastLink;
      const there = ++this.#lastLink;
      member.links.set(here, { to: other, link: there });
      other.links.set(there, { to: member, link: here });
      this.#step(member, { type: "linkUp", link: here, attempt, transport: "sim" });
      this.#step(other, { type: "linkUp", link: there, attempt: theirs, transport: "sim" });
    });
  }

  #carry(member: SimMember, effect: Extract<Effect, { type: "send" }>): void {
    const end = member.links.get(effect.link);
    if (end === undefined) return;
    const { lane, bytes } = effect;
    this.#record(member.index, lane, bytes.length);
    if (lane === "reliable") {
      this.#later(1, () => {
        this.#step(member, { type: "writable", link: effect.link, bytes: bytes.length });
      });
    } else if (this.#rng.float() < this.#network.loss) return;
    const deliver = (): void => {
      if (!end.to.links.has(end.link)) return;
      if (this.#connected(member, end.to)) {
        this.#step(end.to, { type: "packet", link: end.link, lane, bytes });
      } else if (lane === "reliable") this.#later(RETRANSMIT_MS, deliver);
    };
    // A fixed latency for each pair keeps the reliable lane in order.
    this.#later(lane === "reliable" ? this.#pairLatency(member, end.to) : this.#latency(), deliver);
  }

  #carryBySeed(member: SimMember, to: string, bytes: Uint8Array): void {
    this.#later(2 * this.#latency(), () => {
      const room = this.#seedRoom;
      const receiver = this.#find(to);
      if (room === undefined || !room.has(member)) return;
      if (receiver === undefined || !room.has(receiver) || !receiver.alive) {
        return this.#step(member, { type: "seedGone", seed: SEED, id: to });
      }
      this.#step(receiver, { type: "seedPacket", seed: SEED, from: member.config.id, bytes });
    });
  }

  #closeLink(member: SimMember, link: LinkId, reason: string): void {
    if (member.links.delete(link)) this.#step(member, { type: "linkDown", link, reason });
  }

  #connected(a: SimMember, b: SimMember): boolean {
    return a.alive && b.alive && a.group === b.group;
  }

  #find(id: string): SimMember | undefined {
    return this.members.find((member) => member.config.id === id && member.alive);
  }

  #latency(): number {
    const { latencyMsMin, latencyMsMax } = this.#network;
    return latencyMsMin + this.#rng.float() * (latencyMsMax - latencyMsMin);
  }

  #pairLatency(a: SimMember, b: SimMember): number {
    const { latencyMsMin, latencyMsMax } = this.#network;
    const low = Math.min(a.index, b.index);
    const spread = ((low * 7_919 + Math.max(a.index, b.index) * 104_729) % 1_000) / 1_000;
    return latencyMsMin + spread * (latencyMsMax - latencyMsMin);
  }

  #record(...values: readonly (number | string)[]): void {
    for (const char of `${this.#now}|${values.join("|")};`) {
      this.#trace = Math.imul(this.#trace ^ char.charCodeAt(0), 0x01000193);
    }
  }

  #later(ms: number, run: () => void): void {
    const happening = { at: this.#now + ms, order: this.#order++, run };
    const queue = this.#queue;
    let i = queue.length;
    queue.push(happening);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (compare(queue[parent] as Happening, happening) <= 0) break;
      queue[i] = queue[parent] as Happening;
      i = parent;
    }
    queue[i] = happening;
  }

  #pop(): void {
    const queue = this.#queue;
    const last = queue.pop() as Happening;
    if (queue.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= queue.length) break;
      const right = queue[child + 1];
      if (right !== undefined && compare(right, queue[child] as Happening) < 0) child++;
      if (compare(queue[child] as Happening, last) >= 0) break;
      queue[i] = queue[child] as Happening;
      i = child;
    }
    queue[i] = last;
  }
}

/** Reliable frames of a partitioned link are tried again this often, ms. */
const RETRANSMIT_MS = 500;

function compare(a: Happening, b: Happening): number {
  return a.at - b.at || a.order - b.order;
}
