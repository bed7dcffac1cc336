/**
 * What stands between a core and the world: its clock, its one timer, and the standing still of its process.
 *
 * As the runtime does: when a timer fires more than `STANDSTILL_MS` late, the core is told first that the host
 * stood still. What came meanwhile is handled after the timers that are due, which is the harder order.
 */

import type { Input } from "../core/machine.ts";
import { type EventQueue, Happening } from "./event-queue.ts";
import type { SimMember } from "./member.ts";

const STANDSTILL_MS = 4_000;

/** Timers of hidden tabs fire on full seconds. */
const HIDDEN_TIMER_MS = 1_000;

export class Hosts {
  readonly #queue: EventQueue;
  readonly #step: (member: SimMember, input: Input) => void;

  constructor(queue: EventQueue, step: (member: SimMember, input: Input) => void) {
    this.#queue = queue;
    this.#step = step;
  }

  /** Hands an input to the core, or keeps it while the process stands still. */
  input(member: SimMember, input: Input): void {
    if (!member.alive) return;
    if (member.paused) {
      member.waiting.push(input);
      return;
    }
    this.#step(member, input);
    this.schedule(member);
  }

  /** Sets the timer by the core's deadline, unless it fires soon enough. */
  schedule(member: SimMember): void {
    if (member.paused || !member.alive) return;
    const { deadline } = member.core;
    if (deadline === Number.POSITIVE_INFINITY) return;
    const local = member.hidden
      ? Math.ceil(deadline / HIDDEN_TIMER_MS) * HIDDEN_TIMER_MS
      : deadline;
    const at = Math.max(this.#queue.now, member.whenClockShows(local));
    if (at >= member.timerAt) return;
    member.timerAt = at;
    this.#queue.add(at, new Timer(this, member, at));
  }

  onTimer(member: SimMember, at: number): void {
    if (member.timerAt !== at || member.paused || !member.alive) return;
    member.timerAt = Number.POSITIVE_INFINITY;
    const { now } = this.#queue;
    const earlyMs = member.core.deadline - member.clock(now);
    // A clock that drifts shows its time a rounding early.
    if (earlyMs > 0 && earlyMs < CLOCK_ROUNDING_MS) member.jump(2 * earlyMs, now);
    if (earlyMs < CLOCK_ROUNDING_MS) this.#due(member);
    this.schedule(member);
  }

  /** @param known the host knows of it, and tells the core when it is over; otherwise only a late timer shows it */
  pause(member: SimMember, known = false): void {
    member.paused = true;
    member.pausedAt = this.#queue.now;
    member.pauseKnown = known;
    member.timerAt = Number.POSITIVE_INFINITY;
  }

  /** Goes on: first the timers that are due, then what came meanwhile. */
  resume(member: SimMember): void {
    if (!member.paused || !member.alive) return;
    member.paused = false;
    const { now } = this.#queue;
    const lateMs = member.clock(now) - member.core.deadline;
    const gapMs = member.pauseKnown ? now - member.pausedAt : lateMs;
    if (member.pauseKnown || lateMs > STANDSTILL_MS) this.#step(member, { type: "resumed", gapMs });
    if (lateMs >= 0) this.#due(member);
    for (const input of member.waiting.splice(0)) {
      if (member.alive && !member.paused) this.#step(member, input);
      else member.waiting.push(input);
    }
    this.schedule(member);
  }

  /** The clock was moved: the timer is set anew, and a jump is noticed as a standstill. */
  clockMoved(member: SimMember, gapMs: number): void {
    if (!member.alive) return;
    member.timerAt = Number.POSITIVE_INFINITY;
    if (gapMs > STANDSTILL_MS) this.input(member, { type: "resumed", gapMs });
    else this.schedule(member);
  }

  #due(member: SimMember): void {
    const { now } = this.#queue;
    member.dueInARow = member.dueAt === now ? member.dueInARow + 1 : 0;
    member.dueAt = now;
    if (member.dueInARow > DUE_IN_A_ROW_MAX) {
      throw new Error(`member ${member.index} wants to be called for ever at ${now} ms`);
    }
    this.#step(member, { type: "deadline" });
  }
}

/** A core that is called at its deadline and has the same one afterwards would never end. */
const DUE_IN_A_ROW_MAX = 1_000;

const CLOCK_ROUNDING_MS = 1e-6;

class Timer extends Happening {
  readonly #hosts: Hosts;
  readonly #member: SimMember;
  readonly #set: number;

  constructor(hosts: Hosts, member: SimMember, set: number) {
    super();
    this.#hosts = hosts;
    this.#member = member;
    this.#set = set;
  }

  happen(): void {
    this.#hosts.onTimer(this.#member, this.#set);
  }
}
