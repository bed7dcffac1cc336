/**
 * A store in a folder: LevelDB by the optional package `classic-level`, which holds a lock on it. A batch is one record
 * of its log, with a checksum, and synced before it is acknowledged: a crash leaves it out or whole.
 *
 * LevelDB checks the sums of its log, not those of its tables unless asked, and nobody can ask here. So each value
 * carries one of its own, of the key too.
 */

import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { ClassicLevel } from "classic-level";
import { HearsayError } from "../errors.ts";
import { GroupCommit } from "./group-commit.ts";
import type { OpenStore, Store, StoreChange, StoreEntry } from "./store.ts";
import { closedStore, storeError } from "./store-error.ts";

const SUM_BYTES = 4;

type Level = ClassicLevel<Uint8Array, Uint8Array>;
type OnRepair = Parameters<OpenStore>[0];

/**
 * A store on disk.
 * @param folder made if it is not there; it holds nothing else
 */
export function diskStore(folder: string): OpenStore {
  return async (onRepair) => {
    const { ClassicLevel } = await import("classic-level").catch((error) => {
      throw storeError("store:missing", "diskStore needs the package classic-level", error);
    });
    const make = (): Level =>
      new ClassicLevel<Uint8Array, Uint8Array>(folder, {
        keyEncoding: "view",
        valueEncoding: "view",
      });
    const open = async (): Promise<Level> => {
      const level = make();
      await level.open();
      return level;
    };
    const repair = async (cause: unknown): Promise<Level> => {
      await ClassicLevel.repair(folder);
      onRepair?.(storeError("store:corrupt", `${folder} was damaged, and is repaired`, cause));
      return await open();
    };
    try {
      // What is kept there may be secret, such as a key.
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const level = await open().catch((error) => {
        if (!isCorruption(error)) throw error;
        return repair(error);
      });
      await tellDropped(folder, onRepair);
      return new DiskStore(level, { open, repair, onRepair });
    } catch (error) {
      throw errorOf(error);
    }
  };
}

interface Ways {
  open(): Promise<Level>;
  repair(cause: unknown): Promise<Level>;
  readonly onRepair: OnRepair;
}

class DiskStore implements Store {
  readonly #ways: Ways;
  readonly #commits = new GroupCommit((changes) => this.#commit(changes));
  /** Keys of what could not be read: each is told once. */
  readonly #corrupt = new Set<string>();
  #level: Promise<Level>;

  constructor(level: Level, ways: Ways) {
    this.#level = Promise.resolve(level);
    this.#ways = ways;
  }

  async range(from: string, to: string, limit = -1): Promise<StoreEntry[]> {
    if (this.#commits.closed) throw closedStore();
    const between = { gte: keyBytes(from), lt: keyBytes(to), limit };
    const read = async (): Promise<StoreEntry[]> =>
      (await (await this.#level).iterator(between).all()).flatMap((pair) => this.#entry(pair));
    try {
      return await read().catch((error) => {
        if (!isCorruption(error)) throw error;
        this.#replace(() => this.#ways.repair(error));
        return read();
      });
    } catch (error) {
      throw errorOf(error);
    }
  }

  write(changes: readonly StoreChange[]): Promise<void> {
    return this.#commits.write(changes);
  }

  async close(): Promise<void> {
    await this.#commits.close();
    await (await this.#level.catch(() => undefined))?.close();
  }

  async #commit(changes: readonly StoreChange[]): Promise<void> {
    const batch = changes.map(({ key, value }) =>
      value === undefined
        ? ({ type: "del", key: keyBytes(key) } as const)
        : ({ type: "put", key: keyBytes(key), value: summed(key, value) } as const),
    );
    try {
      await (await this.#level).batch(batch, { sync: true });
    } catch (error) {
      // LevelDB takes nothing more after a write that failed, until it is opened anew.
      this.#replace(this.#ways.open);
      throw errorOf(error);
    }
  }

  #replace(open: () => Promise<Level>): void {
    const former = this.#level;
    this.#level = former
      .then((level) => level.close())
      .catch(() => undefined)
      .then(open);
    // Who uses it next is told.
    this.#level.catch(() => undefined);
  }

  #entry([keyBytes, stored]: [Uint8Array, Uint8Array]): StoreEntry[] {
    const key = Buffer.from(keyBytes).swap16().toString("utf16le");
    const value = new Uint8Array(stored.subarray(SUM_BYTES));
    if (Buffer.compare(summed(key, value), stored) === 0) return [{ key, value }];
    if (!this.#corrupt.has(key)) {
      this.#corrupt.add(key);
      const message = `${key} is not what was written: left out`;
      this.#ways.onRepair?.(storeError("store:corrupt", message));
    }
    return [];
  }
}

/** Big-endian, so that bytes are in the order of code units. */
function keyBytes(key: string): Uint8Array {
  return Buffer.from(key, "utf16le").swap16();
}

function summed(key: string, value: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(SUM_BYTES + value.length);
  bytes.set(value, SUM_BYTES);
  bytes.writeUInt32LE(crc32(value, crc32(keyBytes(key))));
  return bytes;
}

/** What LevelDB left out of its log as it opened, it only writes down. */
async function tellDropped(folder: string, onRepair: OnRepair): Promise<void> {
  const log = await readFile(join(folder, "LOG"), "utf8").catch(() => "");
  const said = log.match(/dropping \d+ bytes.*/g);
  if (said !== null) {
    onRepair?.(storeError("store:corrupt", `${folder} was damaged: ${said.join(", ")}`));
  }
}

/** An error of LevelDB and what it comes from. */
function chain(error: unknown): (Error & { readonly code?: string })[] {
  return error instanceof Error ? [error, ...chain(error.cause)] : [];
}

function isCorruption(error: unknown): boolean {
  return chain(error).some(({ code, message }) => {
    return code === "LEVEL_CORRUPTION" || /^Corruption:/.test(message);
  });
}

function errorOf(error: unknown): HearsayError {
  if (error instanceof HearsayError) return error;
  const errors = chain(error);
  const message = errors.at(-1)?.message ?? String(error);
  if (errors.some(({ code }) => code === "LEVEL_LOCKED")) {
    return storeError("store:locked", "another process has the store open: end it first", error);
  }
  if (errors.some(({ code }) => code === "ENOSPC" || code === "EDQUOT") || FULL.test(message)) {
    return storeError("store:full", `no room is left: ${message}`, error);
  }
  return storeError("store:failed", message, error);
}

/** What operating systems say for ENOSPC, EDQUOT and EFBIG. */
const FULL = /no space left|quota exceeded|file too large|not enough space|disk full/i;
