/** Processes that say when they are ready. */

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** @throws Error when it ends before */
export async function untilReady(
  child: ChildProcess,
  what: string,
  isReady: Promise<unknown> = once(child, "message"),
): Promise<void> {
  const over = new AbortController();
  const ended = once(child, "exit", { signal: over.signal }).then(([code, signal]) => {
    throw new Error(`${what} ended before it was ready: ${code ?? signal}`);
  });
  try {
    await Promise.race([isReady, ended]);
  } finally {
    over.abort();
    ended.catch(() => {});
  }
}
