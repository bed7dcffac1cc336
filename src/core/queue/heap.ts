/** A binary heap: the item that comes before all others is taken first. */

export class Heap<T> {
  readonly #items: T[] = [];
  readonly #isBefore: (a: T, b: T) => boolean;

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#items.length;
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    let i = this.#items.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = this.#items[parent] as T;
      if (!this.#isBefore(item, above)) break;
      this.#items[i] = above;
      i = parent;
    }
    this.#items[i] = item;
  }

  take(): T | undefined {
    const first = this.#items[0];
    const last = this.#items.pop();
    if (this.#items.length > 0) this.#sink(last as T);
    return first;
  }

  #sink(item: T): void {
    const size = this.#items.length;
    let i = 0;
    for (let child = 1; child < size; child = 2 * i + 1) {
      const right = child + 1;
      if (right < size && this.#isBefore(this.#items[right] as T, this.#items[child] as T)) {
        child = right;
      }
      if (!this.#isBefore(this.#items[child] as T, item)) break;
      this.#items[i] = this.#items[child] as T;
      i = child;
    }
    this.#items[i] = item;
  }
}
