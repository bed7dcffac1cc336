/**
 * The core's own timers: a heap of deadlines by key. Ties fire in the order in which they were set, so that
 * replays agree. A cleared or moved deadline stays in the heap as a husk until it surfaces; husks are swept
 * when they outnumber the live ones, so the heap stays within twice its live size.
 */

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly key: string;
  /** Whether it was neither cleared nor moved. */
  live: boolean;
}

const SWEEP_MIN = 64;

export class Deadlines {
  #heap: Entry[] = [];
  readonly #live = new Map<string, Entry>();
  #order = 0;

  /** Sets or moves the deadline of `key`. */
  set(key: string, at: number): void {
    const entry = { at, order: this.#order++, key, live: true };
    const before = this.#live.get(key);
    if (before !== undefined) before.live = false;
    this.#live.set(key, entry);
    this.#push(entry);
    if (this.#heap.length > SWEEP_MIN && this.#heap.length > 2 * this.#live.size) this.#sweep();
  }

  /** Sets the deadline of `key` unless it has one already. */
  ensure(key: string, at: number): void {
    if (!this.#live.has(key)) this.set(key, at);
  }

  clear(key: string): void {
    const entry = this.#live.get(key);
    if (entry === undefined) return;
    entry.live = false;
    this.#live.delete(key);
  }

  has(key: string): boolean {
    return this.#live.has(key);
  }

  /** How many are set. */
  get size(): number {
    return this.#live.size;
  }

  /** The earliest deadline, or Infinity. */
  get next(): number {
    this.#dropHusks();
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Takes the key of the earliest deadline that is due at `now`, or undefined. */
  take(now: number): string | undefined {
    this.#dropHusks();
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.#live.delete(first.key);
    this.#pop();
    return first.key;
  }

  #dropHusks(): void {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.live) return;
      this.#pop();
    }
  }

  #sweep(): void {
    this.#heap = [];
    const entries = [...this.#live.values()].sort(before);
    this.#heap.push(...entries);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (before(heap[parent] as Entry, entry) <= 0) break;
      heap[i] = heap[parent] as Entry;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry) < 0) {
        child++;
      }
      if (before(heap[child] as Entry, last) >= 0) break;
      heap[i] = heap[child] as Entry;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Entry, b: Entry): number {
  return a.at - b.at || a.order - b.order;
}
