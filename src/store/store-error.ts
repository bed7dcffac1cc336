/** The errors of stores. */

import { HearsayError } from "../errors.ts";
import type { StoreErrorCode } from "./store.ts";

export function storeError(code: StoreErrorCode, message: string, cause?: unknown): HearsayError {
  return new HearsayError(code, message, cause === undefined ? undefined : { cause });
}

export function closedStore(): HearsayError {
  return storeError("store:closed", "the store was closed: open it again");
}
