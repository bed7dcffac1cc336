/**
 * The core's own timers: a heap of deadlines, each of which knows its place in it, so that it can be moved. Ties fire
 * in the order in which they were set, so that replays agree.
 *
 * Most are moved to a later time again and again and seldom come. So such a one stays where it is in the heap, and
 * is put in its place when it would be the next.
 */

const NEVER = Number.POSITIVE_INFINITY;

/** A deadline: whoever moves it often holds it, all others are found by their key. */
export class Deadline {
  readonly scope: string;
  readonly subject: string;
  /** By which it is found, if it is. */
  readonly key: string | undefined;
  at = NEVER;
  order = 0;
  /** Where it stands in the heap, or -1. */
  place = -1;

  constructor(scope: string, subject: string, key?: string) {
    this.scope = scope;
    this.subject = subject;
    this.key = key;
  }
}

export class Deadlines {
  readonly #heap: Deadline[] = [];
  /** When each of the heap was due when it was put in its place, and its order then. */
  readonly #ats: number[] = [];
  readonly #orders: number[] = [];
  readonly #byKey = new Map<string, Deadline>();
  #order = 0;

  /** Sets or moves the deadline of `key`. */
  set(key: string, at: number): void {
    let deadline = this.#byKey.get(key);
    if (deadline === undefined) {
      deadline = deadlineOf(key);
      this.#byKey.set(key, deadline);
    }
    this.move(deadline, at);
  }

  /** Sets the deadline of `key` unless it has one already. */
  ensure(key: string, at: number): void {
    if (!this.#byKey.has(key)) this.set(key, at);
  }

  clear(key: string): void {
    const deadline = this.#byKey.get(key);
    if (deadline === undefined) return;
    this.#byKey.delete(key);
    this.stop(deadline);
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** Sets or moves a deadline that its holder made. */
  move(deadline: Deadline, at: number): void {
    deadline.at = at;
    deadline.order = this.#order++;
    const { place } = deadline;
    if (place < 0) this.#settle(deadline, this.#heap.length);
    else if (at <= (this.#ats[place] as number)) this.#settle(deadline, place);
  }

  stop(deadline: Deadline): void {
    const { place } = deadline;
    if (place < 0) return;
    deadline.place = -1;
    deadline.at = NEVER;
    const last = this.#heap.pop() as Deadline;
    this.#ats.pop();
    this.#orders.pop();
    if (last !== deadline) this.#settle(last, place);
  }

  /** How many are set. */
  get size(): number {
    return this.#heap.length;
  }

  /** When the earliest is due, or Infinity. */
  get next(): number {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined) return NEVER;
      if (first.at === this.#ats[0]) return first.at;
      this.#settle(first, 0);
    }
  }

  /** Takes the earliest deadline that is due at `now`. */
  due(now: number): Deadline | undefined {
    const first = this.next <= now ? this.#heap[0] : undefined;
    if (first === undefined) return undefined;
    this.stop(first);
    if (first.key !== undefined) this.#byKey.delete(first.key);
    return first;
  }

  /** … and gives its key. */
  take(now: number): string | undefined {
    const due = this.due(now);
    return due && (due.key ?? `${due.scope}:${due.subject}`);
  }

  /** Puts a deadline where it belongs, from a place that is free, up or down. */
  #settle(deadline: Deadline, from: number): void {
    const { at, order } = deadline;
    const size = Math.max(this.#heap.length, from + 1);
    let i = from;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (this.#isBefore(parent, at, order)) break;
      this.#put(this.#heap[parent] as Deadline, parent, i);
      i = parent;
    }
    for (let child = 2 * i + 1; child < size; child = 2 * i + 1) {
      const other = child + 1;
      if (
        other < size &&
        this.#isBefore(other, this.#ats[child] as number, this.#orders[child] as number)
      ) {
        child = other;
      }
      if (!this.#isBefore(child, at, order)) break;
      this.#put(this.#heap[child] as Deadline, child, i);
      i = child;
    }
    this.#heap[i] = deadline;
    this.#ats[i] = at;
    this.#orders[i] = order;
    deadline.place = i;
  }

  #isBefore(place: number, at: number, order: number): boolean {
    const mine = this.#ats[place] as number;
    return mine < at || (mine === at && (this.#orders[place] as number) < order);
  }

  #put(deadline: Deadline, from: number, to: number): void {
    this.#heap[to] = deadline;
    this.#ats[to] = this.#ats[from] as number;
    this.#orders[to] = this.#orders[from] as number;
    deadline.place = to;
  }
}

/** Of a key `scope:subject`, or of a scope alone. */
function deadlineOf(key: string): Deadline {
  const colon = key.indexOf(":");
  if (colon < 0) return new Deadline(key, "", key);
  return new Deadline(key.slice(0, colon), key.slice(colon + 1), key);
}
