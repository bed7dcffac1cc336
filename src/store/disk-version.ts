/** The version of a store on disk: a file beside those of LevelDB, so that it can be read before anything is opened. */

import { access, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { type OnRepair, STORE_VERSION } from "./store.ts";
import { migratedStore, newerStore, storeError } from "./store-error.ts";

const FILE = "hearsay-version";

/**
 * Undefined for a new store.
 * @throws HearsayError `store:newer`
 */
export async function checkVersion(folder: string): Promise<number | undefined> {
  const text = await readFile(join(folder, FILE), "utf8").catch((error) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  // Version 1 had no number; LevelDB begins with a file of this name.
  if (text === undefined) return (await isThere(join(folder, "CURRENT"))) ? 1 : undefined;
  const version = /^\d{1,9}\n$/.test(text) ? Number(text) : Number.NaN;
  if (version > STORE_VERSION) throw newerStore(folder, version);
  return version;
}

/** By who has the store's lock. It is there as a whole or not at all. */
export async function keepVersion(
  folder: string,
  version: number | undefined,
  onRepair: OnRepair | undefined,
): Promise<void> {
  if (version === STORE_VERSION) return;
  const path = join(folder, FILE);
  const file = await open(`${path}.new`, "w", 0o600);
  try {
    await file.writeFile(`${STORE_VERSION}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  if (version === undefined) return;
  const isDamaged = Number.isNaN(version);
  const message = `${path} was damaged, and is written anew: version ${STORE_VERSION}`;
  onRepair?.(isDamaged ? storeError("store:corrupt", message) : migratedStore(folder, version));
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
