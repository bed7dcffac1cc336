/**
 * Which sequence numbers of one origin were seen: everything up to a watermark, and the ones above it one by one,
 * within a bounded reach. Below the watermark counts as seen, so a number is never taken twice.
 */

export const REACH = 1_024;

export class SeenWindow {
  #watermark: number;
  readonly #above = new Set<number>();
  readonly #reach: number;

  /** @param watermark everything up to it counts as seen */
  constructor(watermark = 0, reach = REACH) {
    this.#watermark = watermark;
    this.#reach = reach;
  }

  get watermark(): number {
    return this.#watermark;
  }

  has(sequence: number): boolean {
    return sequence <= this.#watermark || this.#above.has(sequence);
  }

  /** Marks `sequence`; false when it was seen before. One beyond the reach moves the window up. */
  add(sequence: number): boolean {
    if (this.has(sequence)) return false;
    if (sequence > this.#watermark + this.#reach) this.#raise(sequence - this.#reach);
    this.#above.add(sequence);
    this.#raise(this.#watermark);
    return true;
  }

  #raise(least: number): void {
    if (least > this.#watermark) {
      // Most often it moves by one, whatever is above.
      if (least - this.#watermark < this.#above.size) {
        for (let passed = this.#watermark + 1; passed <= least; passed++)
          this.#above.delete(passed);
      } else {
        for (const sequence of this.#above) if (sequence <= least) this.#above.delete(sequence);
      }
      this.#watermark = least;
    }
    while (this.#above.delete(this.#watermark + 1)) this.#watermark++;
  }
}
