/**
 * What a member keeps in a store over its lives: who it is, the configuration that all share, and what belongs to parts
 * of the core.
 *
 * What comes while a write is under way goes with the next one, each key once. What could not be written is tried again
 * with what comes next, and at the end. Parts learn what became of each write, and do the rest themselves.
 */

import type { PartChange, PartName } from "../core/part.ts";
import { HearsayError } from "../errors.ts";
import { randomBytes, SECRET_KEY_BYTES } from "../session/crypto.ts";
import type { OpenStore, Store, StoreEntry } from "../store/store.ts";
import type { Kept } from "./life.ts";
import type { Identity } from "./options.ts";
import type { PartStore } from "./parts.ts";

/** Secret key and generation. */
const IDENTITY_BYTES = SECRET_KEY_BYTES + 8;

const STORE_ID_BYTES = 16;

/** Entries that are read at a time. */
const PAGE = 1_000;

export class KeptStore implements Kept, PartStore {
  readonly #openStore: OpenStore;
  /** A store may hold the lives of one member in several clusters, one after the other. */
  readonly #prefix: string;
  readonly #given: Identity | undefined;
  #secretKey: Uint8Array | undefined;
  #generation = 0;
  #entries: readonly Uint8Array[] = [];
  #restoring = false;
  #pending = new Map<string, Uint8Array | undefined>();
  #flushing: Promise<void> | undefined;
  /** Of what holds it now: aborted when it is let go. */
  #wish: AbortController | undefined;
  #store: Promise<Store> | undefined;
  #closing: Promise<void> | undefined;
  #isFailing = false;
  #tell: ((problem: Error | undefined) => void) | undefined;
  readonly #untold: Error[] = [];

  constructor(openStore: OpenStore, cluster: string, given: Identity | undefined) {
    this.#openStore = openStore;
    this.#prefix = `${encodeURIComponent(cluster)}/`;
    this.#given = given;
  }

  get secretKey(): Uint8Array | undefined {
    return this.#secretKey;
  }

  get generation(): number {
    return this.#generation;
  }

  get isFailing(): boolean {
    return this.#isFailing;
  }

  async hold(): Promise<boolean> {
    this.#wish ??= new AbortController();
    const { signal } = this.#wish;
    await this.#closing;
    // It was let go meanwhile.
    if (signal.aborted) return false;
    this.#store ??= this.#open(signal);
    try {
      await this.#store;
    } catch (error) {
      this.#store = undefined;
      // Nobody waits for it any more.
      if (signal.aborted) return false;
      throw error;
    }
    return true;
  }

  keep(generation: number): void {
    this.#generation = Math.max(this.#generation, generation);
    const bytes = new Uint8Array(IDENTITY_BYTES);
    bytes.set(this.#secretKey ?? []);
    new DataView(bytes.buffer).setFloat64(SECRET_KEY_BYTES, this.#generation);
    this.#set("identity", bytes);
  }

  keepEntry(key: string, entry: Uint8Array | undefined): void {
    // What comes from the store is there.
    if (!this.#restoring || entry === undefined || key === "") this.#set(`config/${key}`, entry);
  }

  restore(into: (entries: readonly Uint8Array[]) => void): void {
    this.#restoring = true;
    into(this.#entries);
    this.#restoring = false;
    this.#entries = [];
  }

  async written(): Promise<void> {
    await this.#flushing;
  }

  watch(tell: (problem: Error | undefined) => void): void {
    this.#tell = tell;
    for (const problem of this.#untold.splice(0)) tell(problem);
  }

  get parts(): PartStore {
    return this;
  }

  async storeId(): Promise<Uint8Array> {
    const store = await this.#opened();
    const [kept] = await this.#range(store, "store", "store\0");
    if (kept?.length === STORE_ID_BYTES) return kept;
    const value = randomBytes(STORE_ID_BYTES);
    await store.write([{ key: `${this.#prefix}store`, value }]);
    return value;
  }

  async *readPart(part: PartName): AsyncGenerator<readonly StoreEntry[]> {
    const prefix = `${this.#prefix}${part}/`;
    // What comes behind "/".
    const end = `${this.#prefix}${part}0`;
    const store = await this.#opened();
    for (let from = prefix, limit: number | undefined = PAGE; ; ) {
      const page = await store.range(from, end, limit);
      const last = page.at(-1);
      yield page.map(({ key, value }) => ({ key: key.slice(prefix.length), value }));
      if (limit === undefined) return;
      // It may be short of what is damaged there, and not the end.
      if (page.length < PAGE) limit = undefined;
      if (last !== undefined) from = `${last.key}\0`;
    }
  }

  async writePart(part: PartName, changes: readonly PartChange[]): Promise<void> {
    try {
      const store = await this.#opened();
      await store.write(
        changes.map(({ key, value }) => ({ key: `${this.#prefix}${part}/${key}`, value })),
      );
    } catch (error) {
      this.#fails(error);
      throw error;
    }
    this.#works();
  }

  release(): Promise<void> {
    this.#wish?.abort();
    this.#wish = undefined;
    const store = this.#store;
    if (store === undefined) return this.#closing ?? Promise.resolve();
    this.#closing = this.#close(store);
    return this.#closing;
  }

  async #open(signal: AbortSignal): Promise<Store> {
    const store = await this.#openStore((error) => this.#report(error), signal);
    const [identity] = await this.#range(store, "identity", "identity\0");
    if (identity?.length === IDENTITY_BYTES) {
      const secretKey = identity.slice(0, SECRET_KEY_BYTES);
      this.#secretKey ??= this.#given?.secretKey ?? secretKey;
      const { buffer, byteOffset } = identity;
      const generation = new DataView(buffer, byteOffset).getFloat64(SECRET_KEY_BYTES);
      const isOurs = secretKey.join() === this.#secretKey.join();
      if (isOurs && generation > this.#generation) this.#generation = generation;
    }
    this.#secretKey ??= this.#given?.secretKey ?? randomBytes(SECRET_KEY_BYTES);
    // What comes behind "/".
    this.#entries = await this.#range(store, "config/", "config0");
    return store;
  }

  async #range(store: Store, from: string, to: string): Promise<Uint8Array[]> {
    const entries = await store.range(this.#prefix + from, this.#prefix + to);
    return entries.map(({ value }) => value);
  }

  async #close(opening: Promise<Store>): Promise<void> {
    await this.#flushing;
    if (this.#pending.size > 0) await this.#flush();
    this.#store = undefined;
    const store = await opening.catch(() => undefined);
    await store?.close().catch((error: unknown) => this.#report(error));
  }

  #set(key: string, value: Uint8Array | undefined): void {
    this.#pending.set(this.#prefix + key, value);
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
  }

  async #flush(): Promise<void> {
    try {
      const store = await this.#store;
      while (store !== undefined && this.#pending.size > 0) await this.#write(store);
    } catch (error) {
      this.#fails(error);
    }
  }

  async #write(store: Store): Promise<void> {
    const batch = this.#pending;
    this.#pending = new Map();
    try {
      await store.write([...batch].map(([key, value]) => ({ key, value })));
    } catch (error) {
      this.#pending = new Map([...batch, ...this.#pending]);
      throw error;
    }
    this.#works();
  }

  async #opened(): Promise<Store> {
    const store = await this.#store;
    if (store === undefined) throw new HearsayError("store:closed", "the mesh was left");
    return store;
  }

  #works(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#tell?.(undefined);
  }

  #fails(error: unknown): void {
    const isNews = !this.#isFailing;
    this.#isFailing = true;
    if (isNews) this.#report(error);
  }

  #report(error: unknown): void {
    const problem = error instanceof Error ? error : new HearsayError("store:failed", `${error}`);
    if (this.#tell === undefined) this.#untold.push(problem);
    else this.#tell(problem);
  }
}
