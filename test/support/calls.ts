/** A process that does what it is told by messages. */

import type { ChildProcess } from "node:child_process";

/** Calls of methods of a child's members, by message. They fail when it ends. */
export function callsOf(
  child: ChildProcess,
): (member: number, method: string, args: unknown[]) => Promise<unknown> {
  interface Waiting {
    resolve(result: unknown): void;
    reject(error: Error): void;
  }
  const waiting = new Map<number, Waiting>();
  let last = 0;
  child.on(
    "message",
    ({ call, result, error }: { call: number; result: unknown; error?: string }) => {
      const one = waiting.get(call);
      waiting.delete(call);
      if (error === undefined) one?.resolve(result);
      else one?.reject(new Error(error));
    },
  );
  child.once("exit", (code, signal) => {
    for (const one of waiting.values()) {
      one.reject(new Error(`the process ended: ${code ?? signal}`));
    }
  });
  return (member, method, args) =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      child.send({ call: last, member, method, args });
    });
}
