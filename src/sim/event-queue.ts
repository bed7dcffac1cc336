/** What will happen, in order of time; what happens at the same time keeps the order in which it was planned. */

/** Something planned. `order` is set by the queue. */
export abstract class Happening {
  order = 0;
  abstract happen(): void;
}

/** Anything that is not worth a class of its own. */
class Call extends Happening {
  readonly #run: () => void;

  constructor(run: () => void) {
    super();
    this.#run = run;
  }

  happen(): void {
    this.#run();
  }
}

/** A heap with four children to a node: half as deep as one with two, and its nodes lie side by side. */
const ARITY = 4;

export class EventQueue {
  readonly #heap: Happening[] = [];
  /** When each of the heap is, beside it: to compare them is most of the work, and needs nothing else. */
  readonly #at: number[] = [];
  #order = 0;
  #now = 0;

  /** Virtual time, ms. */
  get now(): number {
    return this.#now;
  }

  get size(): number {
    return this.#heap.length;
  }

  add(at: number, happening: Happening): void {
    const when = Math.max(at, this.#now);
    happening.order = this.#order++;
    let i = this.#heap.length;
    this.#heap.push(happening);
    this.#at.push(when);
    // What is planned later comes later among equals: it never passes them.
    while (i > 0) {
      const parent = Math.floor((i - 1) / ARITY);
      if (when >= (this.#at[parent] as number)) break;
      this.#move(parent, i);
      i = parent;
    }
    this.#heap[i] = happening;
    this.#at[i] = when;
  }

  later(ms: number, run: () => void): void {
    this.add(this.#now + ms, new Call(run));
  }

  /** Lets happen what is planned up to `end`, and ends there. */
  run(end: number): void {
    for (;;) {
      const next = this.#heap[0];
      const at = this.#at[0];
      if (next === undefined || at === undefined || at > end) break;
      this.#removeFirst();
      this.#now = at;
      next.happen();
    }
    this.#now = end;
  }

  #removeFirst(): void {
    const last = this.#heap.pop() as Happening;
    const at = this.#at.pop() as number;
    const size = this.#heap.length;
    if (size === 0) return;
    let i = 0;
    for (;;) {
      const least = this.#leastOf(ARITY * i + 1, size);
      if (least >= size || !this.#isBefore(least, at, last)) break;
      this.#move(least, i);
      i = least;
    }
    this.#heap[i] = last;
    this.#at[i] = at;
  }

  /** The earliest of the children from `first` on. */
  #leastOf(first: number, size: number): number {
    let least = first;
    const end = Math.min(first + ARITY, size);
    for (let child = first + 1; child < end; child++) {
      const one = this.#heap[least] as Happening;
      if (this.#isBefore(child, this.#at[least] as number, one)) least = child;
    }
    return least;
  }

  #isBefore(i: number, at: number, happening: Happening): boolean {
    const mine = this.#at[i] as number;
    return mine < at || (mine === at && (this.#heap[i] as Happening).order < happening.order);
  }

  #move(from: number, to: number): void {
    this.#heap[to] = this.#heap[from] as Happening;
    this.#at[to] = this.#at[from] as number;
  }
}
