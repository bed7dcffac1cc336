/**
 * The core's own timers: a heap of deadlines by key, each of which knows its place in it, so that it can be moved.
 * Ties fire in the order in which they were set, so that replays agree.
 */

interface Entry {
  readonly key: string;
  at: number;
  order: number;
  /** Where it stands in the heap. */
  place: number;
}

export class Deadlines {
  readonly #heap: Entry[] = [];
  readonly #byKey = new Map<string, Entry>();
  #order = 0;

  /** Sets or moves the deadline of `key`. */
  set(key: string, at: number): void {
    let entry = this.#byKey.get(key);
    if (entry === undefined) {
      entry = { key, at, order: 0, place: this.#heap.length };
      this.#byKey.set(key, entry);
      this.#heap.push(entry);
    }
    entry.at = at;
    entry.order = this.#order++;
    this.#settle(entry);
  }

  /** Sets the deadline of `key` unless it has one already. */
  ensure(key: string, at: number): void {
    if (!this.#byKey.has(key)) this.set(key, at);
  }

  clear(key: string): void {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return;
    this.#byKey.delete(key);
    const last = this.#heap.pop() as Entry;
    if (last === entry) return;
    last.place = entry.place;
    this.#settle(last);
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** How many are set. */
  get size(): number {
    return this.#heap.length;
  }

  /** The earliest deadline, or Infinity. */
  get next(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Takes the key of the earliest deadline that is due at `now`, or undefined. */
  take(now: number): string | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.clear(first.key);
    return first.key;
  }

  /** Moves an entry up or down to where it belongs. */
  #settle(entry: Entry): void {
    const heap = this.#heap;
    let i = entry.place;
    while (i > 0) {
      const parent = heap[(i - 1) >> 1] as Entry;
      if (!isBefore(entry, parent)) break;
      this.#put(parent, i);
      i = (i - 1) >> 1;
    }
    for (let child = 2 * i + 1; child < heap.length; child = 2 * i + 1) {
      const other = heap[child + 1];
      if (other !== undefined && isBefore(other, heap[child] as Entry)) child++;
      const least = heap[child] as Entry;
      if (!isBefore(least, entry)) break;
      this.#put(least, i);
      i = child;
    }
    this.#put(entry, i);
  }

  #put(entry: Entry, place: number): void {
    this.#heap[place] = entry;
    entry.place = place;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
