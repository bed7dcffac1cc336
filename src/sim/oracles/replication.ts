/**
 * Invariants 7 and 8: what members see of a key never goes back, no deleted key returns, and a replica that says it
 * is complete up to m holds the latest write of every key whose latest it is up to m (scuttlebutt's invariant). What
 * was written is learned from the owner's own store.
 */

import type { Input, MemberId, MeshEvent } from "../../core/machine.ts";
import type { Item } from "../../core/state/items.ts";
import type { SimMember } from "../member.ts";
import type { World } from "../world.ts";
import type { MakeOracle, Oracle, Report } from "./oracle.ts";
import { contentOf } from "./said.ts";

interface Write {
  readonly key: string;
  readonly version: number;
  /** Undefined: deleted. */
  readonly content: string | undefined;
}

interface Seen {
  readonly generation: number;
  readonly version: number;
}

/** One life of an owner. */
interface Owner {
  readonly writes: Write[];
  /** The versions of each key, ascending. */
  readonly byKey: Map<string, Write[]>;
}

export const replication: MakeOracle = (world, report) => new ReplicationOracle(world, report);

class ReplicationOracle implements Oracle {
  readonly name = "replication";
  readonly #world: World;
  readonly #report: Report;
  readonly #owners = new Map<SimMember, Owner>();
  /** What each member has seen of each owner's keys: the life, and the version. */
  readonly #seen = new Map<SimMember, Map<string, Seen>>();
  /** How far each member's replicas were looked at. */
  readonly #checked = new Map<SimMember, Map<SimMember, number>>();
  /** Owners of whom something was told in the step that ends. */
  readonly #told = new Set<MemberId>();

  constructor(world: World, report: Report) {
    this.#world = world;
    this.#report = report;
  }

  onStep(member: SimMember, input: Input): void {
    if (input.type === "command") this.#onCommand(member, input);
    if (this.#told.size === 0) return;
    for (const [owner, written] of this.#owners) {
      if (this.#told.has(owner.config.id)) this.#checkReplica(member, owner, written);
    }
    this.#told.clear();
  }

  /** What changed without a word to the application. */
  check(): void {
    for (const member of this.#world.live()) {
      for (const [owner, written] of this.#owners) this.#checkReplica(member, owner, written);
    }
  }

  onEvent(member: SimMember, event: MeshEvent): void {
    if (event.type !== "state" || event.owner === member.config.id) return;
    this.#told.add(event.owner);
    const { owner, key, value, log } = event;
    const replica = this.#replicaOf(member, owner);
    // Several changes of a log may come in one step: `logs` looks at their order.
    const entry = log === undefined ? replica?.get(key) : undefined;
    // Gone with its owner, or with its owner's former life: the next one is to be newer all the same.
    if (replica === undefined || entry === undefined) return;
    const seen = this.#seen.get(member) ?? new Map<string, Seen>();
    this.#seen.set(member, seen);
    const before = seen.get(`${owner} ${key}`);
    const { generation } = replica;
    const { version } = entry;
    seen.set(`${owner} ${key}`, { generation, version });
    const isNewer =
      generation > (before?.generation ?? -1) ||
      (generation === before?.generation && version > before.version);
    const after = before === undefined ? "" : ` after version ${before.version}`;
    if (!isNewer && !event.expired) {
      this.#report(member, `sees ${key} of ${owner} go back to version ${version}${after}`);
    }
    const written = this.#written(owner, generation, key, version);
    if (value !== undefined && written !== undefined && written.content !== contentOf("", value)) {
      this.#report(member, `sees ${key} of ${owner} at version ${version} as never written`);
    }
  }

  onFault(what: string, member: SimMember | undefined): void {
    if (member === undefined || (what !== "crash" && what !== "stop")) return;
    this.#seen.delete(member);
    this.#checked.delete(member);
  }

  #onCommand(member: SimMember, input: Extract<Input, { type: "command" }>): void {
    const { command } = input;
    const replica = this.#replicaOf(member, member.config.id);
    if (command.type === "repeat") {
      for (const item of replica?.values() ?? []) this.#onWrite(member, item);
    }
    if (command.type !== "set" && command.type !== "delete") return;
    const item = replica?.get(command.key);
    if (item !== undefined) this.#onWrite(member, item);
  }

  #onWrite(member: SimMember, { key, version, value }: Item): void {
    const owner: Owner = this.#owners.get(member) ?? { writes: [], byKey: new Map() };
    const last = owner.writes.at(-1);
    const content = value && contentOf("", value);
    if (version <= (last?.version ?? 0)) {
      const same = owner.byKey.get(key)?.at(-1);
      // Ended meanwhile, and deleted.
      if (same?.version === version && (same.content === content || content === undefined)) return;
      this.#report(member, `writes ${key} as version ${version} after ${last?.version}`);
      return;
    }
    this.#owners.set(member, owner);
    const write = { key, version, content };
    owner.writes.push(write);
    const ofKey = owner.byKey.get(key) ?? [];
    owner.byKey.set(key, ofKey);
    ofKey.push(write);
  }

  #written(id: MemberId, generation: number, key: string, version: number): Write | undefined {
    for (const [of, { byKey }] of this.#owners) {
      if (of.config.id !== id) continue;
      if (of.core.layers.membership.table.own.generation !== generation) continue;
      return byKey.get(key)?.find((write) => write.version === version);
    }
    return undefined;
  }

  #checkReplica(member: SimMember, owner: SimMember, { writes, byKey }: Owner): void {
    if (owner === member) return;
    const replica = this.#replicaOf(member, owner.config.id);
    const generation = owner.core.layers.membership.table.own.generation;
    if (replica === undefined || replica.generation !== generation) return;
    const checked = this.#checked.get(member) ?? new Map<SimMember, number>();
    this.#checked.set(member, checked);
    const from = checked.get(owner) ?? 0;
    if (replica.maxVersion <= from) {
      // Left and come back, or forgotten meanwhile: looked at from the start.
      if (replica.maxVersion < from) checked.set(owner, 0);
      return;
    }
    checked.set(owner, replica.maxVersion);
    const last = writes.at(-1)?.version ?? 0;
    if (replica.maxVersion > last) {
      this.#report(
        member,
        `knows version ${replica.maxVersion} of member ${owner.index}, of ${last}`,
      );
    }
    for (const { key, version, content } of latestUpTo(writes, replica.maxVersion, from)) {
      // What was written again is told with its later version.
      if ((byKey.get(key)?.at(-1)?.version ?? 0) > version) continue;
      const held = replica.get(key);
      if ((held?.version ?? 0) >= version) continue;
      if (content === undefined && (held?.value === undefined || !replica.isWhole)) continue;
      const has = held === undefined ? "nothing" : `version ${held.version}`;
      this.#report(
        member,
        `is complete up to ${replica.maxVersion} of member ${owner.index} and holds ${has} of ${key}, written at ${version}`,
      );
    }
  }

  #replicaOf(member: SimMember, id: MemberId) {
    return member.core.layers.state.store.replicaOf(id);
  }
}

/** Of each key written in (from, to], the latest write up to `to`. */
function latestUpTo(writes: readonly Write[], to: number, from: number): Iterable<Write> {
  const latest = new Map<string, Write>();
  for (let i = writes.length - 1; i >= 0; i--) {
    const write = writes[i] as Write;
    if (write.version > to) continue;
    if (write.version <= from) break;
    if (!latest.has(write.key)) latest.set(write.key, write);
  }
  return latest.values();
}
