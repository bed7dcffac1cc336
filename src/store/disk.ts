/**
 * A store in a folder: LevelDB by the optional package `classic-level`, which holds a lock on it. A batch is one record
 * of its log, with a checksum, and synced before it is acknowledged: a crash leaves it out or whole.
 *
 * LevelDB checks the sums of its log, not those of its tables unless asked, and nobody can ask here. So each value
 * carries one of its own, of the key too.
 */

import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClassicLevel } from "classic-level";
import { HearsayError } from "../errors.ts";
import { BackedStore, type Backend, type FoundEntry } from "./backed.ts";
import { checkVersion, keepVersion } from "./disk-version.ts";
import type { OnRepair, OpenStore, StoreChange } from "./store.ts";
import { storeError } from "./store-error.ts";
import { keyBytes, keyOf, summed, unsummed } from "./summed.node.ts";

type Level = ClassicLevel<Uint8Array, Uint8Array>;

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
      // LevelDB writes as it opens: what is newer is not even opened.
      const version = await checkVersion(folder);
      const level = await open().catch((error) => {
        if (!isCorruption(error)) throw error;
        return repair(error);
      });
      await tellDropped(folder, onRepair);
      await keepVersion(folder, version, onRepair).catch(async (error) => {
        await level.close();
        throw error;
      });
      return new BackedStore(new DiskBackend(level, { open, repair }), onRepair);
    } catch (error) {
      throw errorOf(error);
    }
  };
}

interface Ways {
  open(): Promise<Level>;
  repair(cause: unknown): Promise<Level>;
}

class DiskBackend implements Backend {
  readonly errorOf = errorOf;
  readonly #ways: Ways;
  #level: Promise<Level>;

  constructor(level: Level, ways: Ways) {
    this.#level = Promise.resolve(level);
    this.#ways = ways;
  }

  async read(from: string, to: string, limit = -1): Promise<FoundEntry[]> {
    const between = { gte: keyBytes(from), lt: keyBytes(to), limit };
    const read = async (): Promise<FoundEntry[]> => {
      const pairs = await (await this.#level).iterator(between).all();
      return pairs.map(([key, stored]) => ({ key: keyOf(key), value: unsummed(key, stored) }));
    };
    return await read().catch((error) => {
      if (!isCorruption(error)) throw error;
      this.#replace(() => this.#ways.repair(error));
      return read();
    });
  }

  async commit(changes: readonly StoreChange[]): Promise<void> {
    const batch = changes.map((change) => {
      const key = keyBytes(change.key);
      if (change.value === undefined) return { type: "del", key } as const;
      return { type: "put", key, value: summed(key, change.value) } as const;
    });
    try {
      await (await this.#level).batch(batch, { sync: true });
    } catch (error) {
      // LevelDB takes nothing more after a write that failed, until it is opened anew.
      this.#replace(this.#ways.open);
      throw error;
    }
  }

  async close(): Promise<void> {
    await (await this.#level.catch(() => undefined))?.close();
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
}

/** What LevelDB left out of its log as it opened, it only writes down. */
async function tellDropped(folder: string, onRepair: OnRepair | undefined): Promise<void> {
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
