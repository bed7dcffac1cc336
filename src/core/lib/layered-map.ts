/**
 * A map that begins with what another holds and keeps only its own changes. Thousands of members in one process
 * (a simulation) begin alike: each would need a map of its own for the same entries otherwise.
 * The map beneath must not change any more.
 */

/** Hides what is beneath. */
const GONE = Symbol("gone");

export class LayeredMap<K, V> {
  readonly #beneath: LayeredMap<K, V> | undefined;
  readonly #own = new Map<K, V | typeof GONE>();
  /** Counted only above another map. */
  #size: number;

  constructor(beneath?: LayeredMap<K, V>) {
    this.#beneath = beneath;
    this.#size = beneath?.size ?? 0;
  }

  get size(): number {
    return this.#beneath === undefined ? this.#own.size : this.#size;
  }

  get(key: K): V | undefined {
    const value = this.#own.get(key);
    if (value === undefined) return this.#beneath?.get(key);
    return value === GONE ? undefined : value;
  }

  set(key: K, value: V): void {
    if (this.#beneath !== undefined && this.get(key) === undefined) this.#size++;
    this.#own.set(key, value);
  }

  delete(key: K): void {
    if (this.get(key) === undefined) return;
    this.#size--;
    if (this.#beneath?.get(key) === undefined) this.#own.delete(key);
    else this.#own.set(key, GONE);
  }

  *values(): IterableIterator<V> {
    for (const value of this.#own.values()) if (value !== GONE) yield value;
    if (this.#beneath === undefined) return;
    for (const [key, value] of this.#beneath.entries()) if (!this.#own.has(key)) yield value;
  }

  *entries(): IterableIterator<[K, V]> {
    for (const [key, value] of this.#own) if (value !== GONE) yield [key, value];
    if (this.#beneath === undefined) return;
    for (const entry of this.#beneath.entries()) if (!this.#own.has(entry[0])) yield entry;
  }
}
