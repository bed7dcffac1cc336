/**
 * What a member keeps in a store over its lives: who it is, and the configuration that all share.
 *
 * What comes while a write is under way goes with the next one, each key once. What could not be written is tried again
 * with what comes next, and at the end.
 */

import { HearsayError } from "../errors.ts";
import { randomBytes, SECRET_KEY_BYTES } from "../session/crypto.ts";
import type { OpenStore, Store } from "../store/store.ts";
import type { Kept } from "./life.ts";
import type { Identity } from "./options.ts";

/** Secret key and generation. */
const IDENTITY_BYTES = SECRET_KEY_BYTES + 8;

export class KeptStore implements Kept {
  readonly #openStore: OpenStore;
  /** A store may hold the lives of one member in several clusters, one after the other. */
  readonly #prefix: string;
  readonly #given: Identity | undefined;
  #secretKey: Uint8Array | undefined;
  #generation = 0;
  #entries: readonly Uint8Array[] = [];
  #restoring = false;
  #pending = new Map<string, Uint8Array>();
  #flushing: Promise<void> | undefined;
  #isWanted = false;
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
    this.#isWanted = true;
    await this.#closing;
    // It was let go meanwhile.
    if (!this.#isWanted) return false;
    this.#store ??= this.#open();
    try {
      await this.#store;
    } catch (error) {
      this.#store = undefined;
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

  keepEntry(key: string, entry: Uint8Array): void {
    // What comes from the store is there.
    if (!this.#restoring) this.#set(`config/${key}`, entry);
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

  release(): Promise<void> {
    this.#isWanted = false;
    const store = this.#store;
    if (store === undefined) return this.#closing ?? Promise.resolve();
    this.#closing = this.#close(store);
    return this.#closing;
  }

  async #open(): Promise<Store> {
    const store = await this.#openStore((error) => this.#report(error));
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

  #set(key: string, value: Uint8Array): void {
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
      const isNews = !this.#isFailing;
      this.#isFailing = true;
      if (isNews) this.#report(error);
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
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#tell?.(undefined);
  }

  #report(error: unknown): void {
    const problem = error instanceof Error ? error : new HearsayError("store:failed", `${error}`);
    if (this.#tell === undefined) this.#untold.push(problem);
    else this.#tell(problem);
  }
}
