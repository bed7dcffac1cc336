/**
 * Messages to one member: over the link with it, or along a route. The receiver acknowledges each; until then the
 * sender repeats it, over whatever way there is by then, and the receiver tells repetitions by their sequence.
 * So a message arrives once, or its sender learns that it may not have.
 */

import type { Config } from "../config.ts";
import { BoundedMap } from "../lib/bounded-map.ts";
import type { Deadlines } from "../lib/deadlines.ts";
import { REACH, SeenWindow } from "../lib/window.ts";
import type { MemberId } from "../machine.ts";
import type { Inner } from "../wire/messages.ts";
import { Pace } from "./pace.ts";

/** Senders whose sequences are remembered. */
const SENDERS_MAX = 4_096;

/** A large message is given so much more time before it is repeated: 1 MB/s. */
const BYTES_PER_MS = 1_000;

export type SendFailure = "unreachable" | "overloaded" | "gone";

/** A copy on its way. */
interface Carried {
  /** The neighbour that has it. */
  readonly via: MemberId;
  /** Whether it still waits here for its link. */
  readonly waits: () => boolean;
}

export interface DirectOut {
  /**
   * Carries `inner` towards `to`, behind other bulk. Undefined when there is no way now.
   * @param again an earlier copy was not answered in time
   */
  carry(to: MemberId, inner: DirectInner, again: boolean): Carried | undefined;
  sent(id: number): void;
  failed(id: number, reason: SendFailure): void;
}

/**
 * How soon a message is repeated whose way broke, but never faster than `BYTES_PER_MS`. Bounds what a neighbour that
 * always says so can cause, ms.
 */
const BROKEN_RETRY_MS = 100;

type DirectInner = Extract<Inner, { type: "direct" }>;

interface Pending {
  readonly id: number;
  readonly to: MemberId;
  readonly inner: DirectInner;
  readonly endsAt: number;
  retryMs: number;
  triedAt: number;
  /** When the next copy may go, where it waits for that. */
  turnAt: number | undefined;
  /** The last copy; undefined when there was no way for it. */
  carried: Carried | undefined;
}

export class DirectMessages {
  readonly #config: Config;
  readonly #deadlines: Deadlines;
  readonly #out: DirectOut;
  #sequence = 0;
  readonly #pending = new Map<number, Pending>();
  readonly #pace: Pace;
  readonly #seen = new BoundedMap<string, SeenWindow>(SENDERS_MAX);

  constructor(config: Config, deadlines: Deadlines, out: DirectOut) {
    this.#config = config;
    this.#pace = new Pace(config.directPerSecond);
    this.#deadlines = deadlines;
    this.#out = out;
  }

  send(
    command: { id: number; to: MemberId; name: string; value: Uint8Array; timeoutMs: number },
    generation: number,
    now: number,
  ): void {
    if (this.#pending.size >= this.#config.directMax || this.#isTooFarAhead(command.to)) {
      return this.#out.failed(command.id, "overloaded");
    }
    const sequence = ++this.#sequence;
    const pending: Pending = {
      id: command.id,
      to: command.to,
      inner: { type: "direct", generation, sequence, name: command.name, value: command.value },
      endsAt: now + command.timeoutMs,
      retryMs: this.#config.directRetryMs + command.value.length / BYTES_PER_MS,
      triedAt: now,
      turnAt: undefined,
      carried: undefined,
    };
    this.#pending.set(sequence, pending);
    this.#attempt(sequence, pending, now, false);
  }

  onAck(from: MemberId, sequence: number): void {
    const pending = this.#pending.get(sequence);
    if (pending === undefined || pending.to !== from) return;
    this.#finish(sequence);
    this.#out.sent(pending.id);
  }

  /** Whether this message of `from` is new; a repetition is only acknowledged again. */
  isNew(from: MemberId, generation: number, sequence: number): boolean {
    const sender = `${from}:${generation}`;
    const seen = this.#seen.get(sender) ?? new SeenWindow();
    this.#seen.set(sender, seen);
    return seen.add(sequence);
  }

  /** Whether another message of `from` can be borne. */
  bears(from: MemberId, now: number): boolean {
    return this.#pace.bears(from, now);
  }

  /** Our link with `peer` came or went: what is for it, or was given to it and may be lost, is tried soon. */
  wayChanged(peer: MemberId, now: number): void {
    for (const [sequence, pending] of this.#pending) {
      if (pending.carried === undefined) {
        if (pending.to === peer) this.#attempt(sequence, pending, now, false);
      } else if (pending.to === peer || pending.carried.via === peer) this.#soon(sequence, pending);
    }
  }

  /** The way to somebody is said to have broken: anyone can say so, so what waits is tried soon, not at once. */
  retrySoon(to: MemberId): void {
    for (const [sequence, pending] of this.#pending) {
      if (pending.to === to) this.#soon(sequence, pending);
    }
  }

  /** The member left or is down. */
  gone(to: MemberId): void {
    for (const [sequence, pending] of this.#pending) {
      if (pending.to !== to) continue;
      this.#finish(sequence);
      this.#out.failed(pending.id, "gone");
    }
  }

  onDeadline(sequence: number, now: number): void {
    const pending = this.#pending.get(sequence);
    if (pending === undefined) return;
    if (now < pending.endsAt) return this.#attempt(sequence, pending, now, true);
    this.#finish(sequence);
    this.#out.failed(pending.id, "unreachable");
  }

  #attempt(sequence: number, pending: Pending, now: number, again: boolean): void {
    let pauseMs = this.#config.directRetryMs;
    // Behind its own first copy a second one would only lengthen the queue.
    if (!pending.carried?.waits()) {
      pending.turnAt ??= this.#pace.turn(pending.to, now);
      if (pending.turnAt > now) return this.#later(sequence, pending, pending.turnAt);
      pending.turnAt = undefined;
      const unanswered = again && pending.carried !== undefined;
      pending.triedAt = now;
      pending.carried = this.#out.carry(pending.to, pending.inner, unanswered);
      if (pending.carried !== undefined) {
        pauseMs = pending.retryMs;
        pending.retryMs *= 2;
      }
    }
    this.#later(sequence, pending, now + pauseMs);
  }

  #soon(sequence: number, pending: Pending): void {
    const pauseMs = Math.max(BROKEN_RETRY_MS, pending.inner.value.length / BYTES_PER_MS);
    this.#later(sequence, pending, pending.triedAt + pauseMs);
  }

  #later(sequence: number, { endsAt }: Pending, at: number): void {
    this.#deadlines.set(`direct:${sequence}`, Math.min(endsAt, at));
  }

  /** Whether the receiver could take what still waits for it for a repetition, once it has the next message. */
  #isTooFarAhead(to: MemberId): boolean {
    for (const [oldest, pending] of this.#pending) {
      if (pending.to === to) return this.#sequence + 1 - oldest >= REACH;
    }
    return false;
  }

  #finish(sequence: number): void {
    this.#pending.delete(sequence);
    this.#deadlines.clear(`direct:${sequence}`);
  }
}
