/** SIGINT and SIGTERM end a program in order; a second one ends it at once. */

import process from "node:process";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export function endOnSignals(): { readonly signal: AbortSignal; end(): void } {
  const ending = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (!ending.signal.aborted) return ending.abort();
    for (const one of SIGNALS) process.off(one, onSignal);
    process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return { signal: ending.signal, end: () => ending.abort() };
}
