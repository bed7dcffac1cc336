/** The configuration that all members share: anyone writes, the last write holds, and it outlives its writers. */

import type { Command, MeshEvent } from "../core/machine.ts";
import { SHARED_VALUE_BYTES_MAX } from "../core/wire/messages.ts";
import { HearsayError } from "../errors.ts";
import { Listeners, type ListenOptions, type Unlisten } from "./listeners.ts";
import { writeError } from "./mesh-errors.ts";
import { checkName, matcherOf } from "./pattern.ts";
import { type Reading, type ReadOptions, read } from "./reading.ts";
import type { NameOf, PatternOf, Values } from "./typed.ts";
import { decodeValue, encodeValue } from "./values.ts";

/** Who wrote a key, and when. */
export interface ConfigChange<V = unknown> {
  readonly key: string;
  /** Undefined when it was deleted. */
  readonly value: V | undefined;
  /** The id of the member that wrote it; it may be gone. */
  readonly by: string;
  /** When, by the clock that the members agree on. */
  readonly at: Date;
}

export type ConfigHandler<V = unknown> = (value: V | undefined, change: ConfigChange<V>) => unknown;

type Share = Extract<Command, { type: "share" }>;

/** `mesh.config`. */
export class SharedConfig<C = Values> {
  readonly #listeners: Listeners<[change: ConfigChange]>;
  readonly #command: (command: Share) => readonly MeshEvent[];
  readonly #held = new Map<string, ConfigChange>();

  /** @internal */
  constructor(report: (error: unknown) => void, command: (command: Share) => readonly MeshEvent[]) {
    this.#listeners = new Listeners(report);
    this.#command = command;
  }

  /**
   * Sets a key for all. Of writes at the same time the later holds everywhere, also when they met nobody for a while.
   * @throws HearsayError `name:bad`, `value:…` (up to 64 KiB), `config:full`, `config:too-fast`, `mesh:left`
   */
  set<K extends NameOf<C>>(key: K, value: C[K]): void {
    checkName(key);
    if (value === undefined) {
      throw new HearsayError("value:unsupported", "undefined is no value: use delete, or null");
    }
    this.#write(key, encodeValue(value, SHARED_VALUE_BYTES_MAX));
  }

  /** Deletes a key for all. */
  delete(key: NameOf<C>): void {
    checkName(key);
    this.#write(key, undefined);
  }

  get<K extends NameOf<C>>(key: K): C[K] | undefined {
    return this.#held.get(key)?.value as C[K] | undefined;
  }

  keys(): NameOf<C>[] {
    return [...this.#held.keys()] as NameOf<C>[];
  }

  entries(): [NameOf<C>, C[NameOf<C>]][] {
    return [...this.#held].map(([key, { value }]) => [key, value]) as [NameOf<C>, C[NameOf<C>]][];
  }

  /** Who wrote a key last, and when; undefined when there is none. */
  about(key: NameOf<C>): ConfigChange | undefined {
    return this.#held.get(key);
  }

  /**
   * Calls `handler` for what is there already, then at every change, our own too, of keys that match `pattern`. Gives
   * the function that ends it. Without a handler: an async iterator of the changes.
   */
  on<V = unknown>(
    pattern: PatternOf<C>,
    handler: ConfigHandler<V>,
    options?: ListenOptions,
  ): Unlisten;
  on<V = unknown>(pattern: PatternOf<C>, options?: ReadOptions): Reading<ConfigChange<V>>;
  on<K extends NameOf<C>>(key: K, handler: ConfigHandler<C[K]>, options?: ListenOptions): Unlisten;
  on<K extends NameOf<C>>(key: K, options?: ReadOptions): Reading<ConfigChange<C[K]>>;
  on(
    pattern: string,
    handler?: ConfigHandler<never> | ReadOptions,
    options?: ListenOptions,
  ): Unlisten | Reading<ConfigChange> {
    if (typeof handler === "function") {
      const told = handler as ConfigHandler;
      return this.#add(pattern, (change) => told(change.value, change), options);
    }
    return read<ConfigChange>((push) => this.#add(pattern, push, handler), handler);
  }

  /** @internal The core says that a key has changed. */
  take({ key, value, writer, atMs }: Extract<MeshEvent, { type: "shared" }>): void {
    const decoded = value === undefined ? undefined : decodeValue(value);
    // What cannot be read is as good as deleted.
    const change = {
      key,
      value: decoded?.ok ? decoded.value : undefined,
      by: writer,
      at: new Date(atMs),
    };
    if (change.value === undefined) this.#held.delete(key);
    else this.#held.set(key, change);
    this.#listeners.tell(change);
  }

  /** @internal */
  clear(): void {
    this.#held.clear();
  }

  #write(key: string, value: Uint8Array | undefined): void {
    const events = this.#command({ type: "share", key, value });
    const error = writeError("config", events);
    if (error !== undefined) throw error;
  }

  #add(
    pattern: string,
    handler: (change: ConfigChange) => unknown,
    { signal }: ListenOptions = {},
  ): Unlisten {
    const matches = matcherOf(pattern);
    const end = this.#listeners.add((change) => {
      return matches(change.key) ? handler(change) : undefined;
    }, signal && { signal });
    let ended = false;
    const known = [...this.#held.values()].filter(({ key }) => matches(key));
    queueMicrotask(() => {
      this.#listeners.call(known, (change) => {
        // What changed meanwhile has been told already.
        const isDue = !ended && !signal?.aborted && this.#held.get(change.key) === change;
        return isDue ? handler(change) : undefined;
      });
    });
    return () => {
      ended = true;
      end();
    };
  }
}
