/** The errors of stores, and what those of several have in common. */

import { HearsayError } from "../errors.ts";
import { STORE_VERSION, type StoreErrorCode } from "./store.ts";

export function storeError(code: StoreErrorCode, message: string, cause?: unknown): HearsayError {
  return new HearsayError(code, message, cause === undefined ? undefined : { cause });
}

export function closedStore(): HearsayError {
  return storeError("store:closed", "the store was closed: open it again");
}

export function newerStore(name: string, version: unknown): HearsayError {
  const what = `${name} is of version ${version}, this hearsay knows ${STORE_VERSION}`;
  return storeError("store:newer", `${what}: use the hearsay that has written it, or newer`);
}

export function migratedStore(name: string, version: number): HearsayError {
  const what = `${name} was of version ${version}, and is of ${STORE_VERSION} now`;
  return storeError("store:migrated", `${what}, with all that was in it`);
}
