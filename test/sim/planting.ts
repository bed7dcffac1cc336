/** Bugs on purpose. */

import { vi } from "vitest";
import { Reader } from "../../src/core/lib/bytes.ts";
import { type Inner, seedMessage } from "../../src/core/wire/messages.ts";

/** Puts `make(original)` in the place of a method, for one test. */
export function plant<T extends object, K extends keyof T & string>(
  prototype: T,
  method: K,
  make: (original: (...args: unknown[]) => unknown) => (this: T, ...args: never[]) => unknown,
): void {
  const original = prototype[method] as (...args: unknown[]) => unknown;
  const planted = make(original);
  vi.spyOn(prototype, method as never).mockImplementation(planted as never);
}

/** What stands behind version and cluster, whatever these are. */
export function readOpen(frame: Uint8Array): Inner {
  return seedMessage.read(new Reader(frame.subarray(5))).inner;
}
