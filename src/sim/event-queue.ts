/** What will happen, in order of time; what happens at the same time keeps the order in which it was planned. */

/** Something planned. `at` and `order` are set by the queue. */
export abstract class Happening {
  at = 0;
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
    happening.at = Math.max(at, this.#now);
    happening.order = this.#order++;
    const heap = this.#heap;
    let i = heap.length;
    heap.push(happening);
    while (i > 0) {
      const parent = Math.floor((i - 1) / ARITY);
      const above = heap[parent] as Happening;
      if (!isBefore(happening, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = happening;
  }

  later(ms: number, run: () => void): void {
    this.add(this.#now + ms, new Call(run));
  }

  /** Lets happen what is planned up to `end`, and ends there. */
  run(end: number): void {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.at > end) break;
      this.#removeFirst();
      this.#now = next.at;
      next.happen();
    }
    this.#now = end;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Happening;
    const size = heap.length;
    if (size === 0) return;
    let i = 0;
    for (;;) {
      const first = ARITY * i + 1;
      if (first >= size) break;
      let least = first;
      for (let child = first + 1; child < Math.min(first + ARITY, size); child++) {
        if (isBefore(heap[child] as Happening, heap[least] as Happening)) least = child;
      }
      const below = heap[least] as Happening;
      if (!isBefore(below, last)) break;
      heap[i] = below;
      i = least;
    }
    heap[i] = last;
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
