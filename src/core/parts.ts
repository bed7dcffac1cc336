/** The parts that this member has: which of them gets what, and what each may use of the base. */

import type { Deadlines } from "./lib/deadlines.ts";
import type { Rng } from "./lib/rng.ts";
import type { Effect, MemberId } from "./machine.ts";
import type { Member } from "./membership/table.ts";
import { isLive, isPresent } from "./membership/table.ts";
import {
  type MakePart,
  PARTS,
  type Part,
  type PartHost,
  type PartName,
  type PartStats,
  RESERVED,
  type StoreProblem,
} from "./part.ts";
import type { Proofs } from "./proof/proofs.ts";
import type { StateChange } from "./state/store.ts";

export interface PartsOut {
  readonly id: MemberId;
  now(): number;
  generation(): number;
  member(id: MemberId): Member | undefined;
  /** All others, and their states. */
  members(): Iterable<Member>;
  values(
    owner: MemberId,
  ): readonly { readonly key: string; readonly value?: Uint8Array | undefined }[];
  send(to: MemberId, part: PartName, bytes: Uint8Array): boolean;
  write(key: string, value: Uint8Array | undefined): void;
  readonly proofs: Pick<Proofs, "ofPart" | "checkPart">;
  effect(effect: Effect): void;
}

export class Parts {
  readonly #deadlines: Deadlines;
  readonly #rng: Rng;
  readonly #out: PartsOut;
  readonly #parts = new Map<PartName, Part>();
  readonly #tickets = new Map<number, PartName>();
  #lastTicket = 0;
  /** What the host's clock is ahead of that of the steps, ms. */
  #aheadMs = 0;

  constructor(deadlines: Deadlines, rng: Rng, out: PartsOut) {
    this.#deadlines = deadlines;
    this.#rng = rng;
    this.#out = out;
  }

  /** It is `wallMs` o'clock by the host. */
  setClock(wallMs: number): void {
    this.#aheadMs = wallMs - this.#out.now();
  }

  has(name: PartName): boolean {
    return this.#parts.has(name);
  }

  attach(name: PartName, make: MakePart): void {
    if (this.#parts.has(name)) return;
    const part = make(this.#host(name));
    this.#parts.set(name, part);
    const prefix = prefixOf(name);
    for (const { record, ...member } of this.#out.members()) {
      const { id, generation } = record;
      part.onMember(id, generation, isLive({ record, ...member }));
      for (const { key, value } of this.#out.values(id)) {
        if (key.startsWith(prefix)) part.onAnnounced(id, key.slice(prefix.length), value);
      }
    }
  }

  /** Whether a change of a member's state was an announcement. */
  announced({ owner, key, value }: StateChange): boolean {
    if (!key.startsWith(RESERVED)) return false;
    for (const [name, part] of this.#parts) {
      const prefix = prefixOf(name);
      if (key.startsWith(prefix)) part.onAnnounced(owner, key.slice(prefix.length), value);
    }
    return true;
  }

  onMember(id: MemberId, generation: number, isLive: boolean): void {
    for (const part of this.#parts.values()) part.onMember(id, generation, isLive);
  }

  onMessage(from: MemberId, name: PartName, bytes: Uint8Array): void {
    this.#parts.get(name)?.onMessage(from, bytes);
  }

  onCommand(name: PartName, command: unknown): void {
    this.#parts.get(name)?.onCommand(command);
  }

  onStored(ticket: number, problem: StoreProblem | undefined): void {
    const name = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    if (name !== undefined) this.#parts.get(name)?.onStored(ticket, problem);
  }

  /** @param subject the part's name, a slash, and what is its own */
  onDeadline(subject: string): void {
    const slash = subject.indexOf("/");
    this.#parts.get(subject.slice(0, slash) as PartName)?.onDeadline(subject.slice(slash + 1));
  }

  onResumed(gapMs: number): void {
    for (const part of this.#parts.values()) part.onResumed(gapMs);
  }

  onLeave(): void {
    for (const part of this.#parts.values()) part.onLeave();
  }

  stats(): Readonly<Partial<Record<PartName, PartStats>>> {
    const stats: Partial<Record<PartName, PartStats>> = {};
    for (const [name, part] of this.#parts) stats[name] = part.stats?.() ?? {};
    return stats;
  }

  #host(name: PartName): PartHost {
    const out = this.#out;
    const deadlineOf = (subject: string): string => `part:${name}/${subject}`;
    return {
      id: out.id,
      rng: this.#rng.fork(name),
      now: () => out.now(),
      wallMs: () => out.now() + this.#aheadMs,
      generation: () => out.generation(),
      generationOf: (id) => {
        const member = out.member(id);
        return member !== undefined && isPresent(member) ? member.record.generation : undefined;
      },
      send: (to, bytes) => out.send(to, name, bytes),
      announce: (key, value) => {
        out.write(prefixOf(name) + key, value);
        this.#parts.get(name)?.onAnnounced(out.id, key, value);
      },
      prove: (content, then) => out.proofs.ofPart(name, content, then),
      check: (by, content, proof, then) => out.proofs.checkPart(name, by, content, proof, then),
      setDeadline: (subject, at) => this.#deadlines.set(deadlineOf(subject), at),
      clearDeadline: (subject) => this.#deadlines.clear(deadlineOf(subject)),
      store: (changes) => {
        const ticket = ++this.#lastTicket;
        this.#tickets.set(ticket, name);
        out.effect({ type: "store", ticket, part: name, changes });
        return ticket;
      },
      emit: (event) => out.effect({ type: "emit", event: { type: "part", part: name, event } }),
    };
  }
}

function prefixOf(name: PartName): string {
  return `${RESERVED}${PARTS.indexOf(name)}/`;
}
