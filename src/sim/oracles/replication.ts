/**
 * Invariants 7 and 8: what members see of a key never goes back, no deleted key returns, and a replica that says it
 * is complete up to m holds the latest write of every key whose latest it is up to m (scuttlebutt's invariant). What
 * was written is learned from the owner's own store.
 */

import type { Input, MemberId, MeshEvent } from "../../core/machine.ts";
import type { SimMember } from "../member.ts";
import type { MakeOracle, Oracle, Report } from "./oracle.ts";
import { contentOf } from "./said.ts";

interface Write {
  readonly key: string;
  readonly version: number;
  /** Undefined: deleted. */
  readonly content: string | undefined;
}

/** One life of an owner. */
interface Owner {
  readonly writes: Write[];
  /** The versions of each key, ascending. */
  readonly byKey: Map<string, Write[]>;
}

export const replication: MakeOracle = (_world, report) => new ReplicationOracle(report);

class ReplicationOracle implements Oracle {
  readonly name = "replication";
  readonly #report: Report;
  readonly #owners = new Map<SimMember, Owner>();
  /** What each member has seen of each owner's keys: the life, and the version. */
  readonly #seen = new Map<SimMember, Map<string, { of: SimMember; version: number }>>();
  /** How far each member's replicas were looked at. */
  readonly #checked = new Map<SimMember, Map<SimMember, number>>();
  readonly #hashes = new Map<SimMember, string>();

  constructor(report: Report) {
    this.#report = report;
  }

  onStep(member: SimMember, input: Input): void {
    if (input.type === "command") this.#onCommand(member, input);
    if (this.#owners.size === 0) return;
    const { stateHigh, stateLow } = member.core.fingerprints();
    const hash = `${stateHigh} ${stateLow}`;
    if (this.#hashes.get(member) === hash) return;
    this.#hashes.set(member, hash);
    for (const [owner, written] of this.#owners) {
      if (owner !== member) this.#checkReplica(member, owner, written);
    }
  }

  onEvent(member: SimMember, event: MeshEvent): void {
    if (event.type !== "state") return;
    const seen = this.#seen.get(member) ?? new Map();
    this.#seen.set(member, seen);
    const name = `${event.owner} ${event.key}`;
    const before = seen.get(name);
    const content = event.value && contentOf("", event.value);
    const found = this.#find(event.owner, event.key, content, before);
    if (found !== undefined) seen.set(name, found);
    else if (event.value === undefined) {
      // Gone with its owner, or with its owner's former life: the next one begins anew.
      if (before !== undefined) seen.set(name, before);
    } else {
      const after = before === undefined ? "" : ` after version ${before.version}`;
      this.#report(
        member,
        `sees ${event.key} of ${event.owner} go back, or as never written${after}`,
      );
    }
  }

  onFault(what: string, member: SimMember | undefined): void {
    if (member === undefined || (what !== "crash" && what !== "stop")) return;
    this.#seen.delete(member);
    this.#checked.delete(member);
    this.#hashes.delete(member);
  }

  #onCommand(member: SimMember, input: Extract<Input, { type: "command" }>): void {
    const { command } = input;
    if (command.type !== "set" && command.type !== "delete") return;
    const entry = this.#replicaOf(member, member.config.id)?.get(command.key);
    const owner: Owner = this.#owners.get(member) ?? { writes: [], byKey: new Map() };
    if (entry === undefined) return;
    const last = owner.writes.at(-1);
    const content = entry.value && contentOf("", entry.value);
    if (entry.version <= (last?.version ?? 0)) {
      const same = owner.byKey.get(command.key)?.at(-1);
      if (same?.version === entry.version && same.content === content) return;
      this.#report(
        member,
        `writes ${command.key} as version ${entry.version} after ${last?.version}`,
      );
      return;
    }
    this.#owners.set(member, owner);
    const write = { key: command.key, version: entry.version, content };
    owner.writes.push(write);
    const ofKey = owner.byKey.get(command.key) ?? [];
    owner.byKey.set(command.key, ofKey);
    ofKey.push(write);
  }

  /** The first write of this content that is later than what was seen, in the same life or a later one. */
  #find(
    id: MemberId,
    key: string,
    content: string | undefined,
    before: { of: SimMember; version: number } | undefined,
  ): { of: SimMember; version: number } | undefined {
    for (const [of, { byKey }] of this.#owners) {
      if (of.config.id !== id) continue;
      if (before !== undefined && of.index < before.of.index) continue;
      const least = before?.of === of ? before.version : 0;
      const writes = byKey.get(key) ?? [];
      // The last of several equal ones: the earlier may have been overtaken on the way.
      const write = writes.findLast((one) => one.version > least && one.content === content);
      if (write !== undefined) return { of, version: earliest(writes, write, least) };
    }
    return undefined;
  }

  #checkReplica(member: SimMember, owner: SimMember, { writes, byKey }: Owner): void {
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

/** The version that it may have been at the least: equal writes without another between them look alike. */
function earliest(writes: readonly Write[], found: Write, least: number): number {
  let { version } = found;
  for (const write of writes.toReversed()) {
    if (write.version > version) continue;
    if (write.version <= least || write.content !== found.content) break;
    version = write.version;
  }
  return version;
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
