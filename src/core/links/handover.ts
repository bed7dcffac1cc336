/** Counts, for each thing said, the links that have still to take it: then its speaker may go on. */

export class Handovers {
  readonly #left = new Map<number, number>();
  readonly #done: (token: number) => void;

  constructor(done: (token: number) => void) {
    this.#done = done;
  }

  /** `count` links are about to take what has this token; each reports with `one`, and so does who began. */
  begin(token: number, count: number): void {
    this.#left.set(token, count + 1);
  }

  /** One link has taken it, or never will. */
  one(token: number): void {
    const left = (this.#left.get(token) ?? 1) - 1;
    if (left > 0) {
      this.#left.set(token, left);
      return;
    }
    this.#left.delete(token);
    this.#done(token);
  }
}
