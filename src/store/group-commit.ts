/** Group commit: what is written while a commit is under way goes to the next one together, at the price of one. */

import type { StoreChange } from "./store.ts";
import { closedStore } from "./store-error.ts";

interface Waiting {
  readonly changes: readonly StoreChange[];
  resolve(): void;
  reject(error: unknown): void;
}

export class GroupCommit {
  readonly #commit: (changes: readonly StoreChange[]) => Promise<void>;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  /** @param commit makes changes durable, all or none; it is not called again before it has ended */
  constructor(commit: (changes: readonly StoreChange[]) => Promise<void>) {
    this.#commit = commit;
  }

  get closed(): boolean {
    return this.#closed;
  }

  write(changes: readonly StoreChange[]): Promise<void> {
    if (this.#closed) return Promise.reject(closedStore());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Takes nothing more. Resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    // Those of one turn go together.
    await undefined;
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      await this.#commitGroup(group);
    }
    this.#running = undefined;
  }

  async #commitGroup(group: readonly Waiting[]): Promise<void> {
    try {
      await this.#commit(group.flatMap(({ changes }) => changes));
      for (const { resolve } of group) resolve();
    } catch (error) {
      const [only, ...others] = group;
      if (others.length === 0) return only?.reject(error);
      // One that is too large is no reason for the others to fail.
      for (const one of group) await this.#commitGroup([one]);
    }
  }
}
