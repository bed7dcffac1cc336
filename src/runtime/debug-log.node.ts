/** What happens inside, on stderr, by names in the environment variable DEBUG: `DEBUG=hearsay:peer,hearsay:link`. */

import debug from "debug";
import type { Logger } from "./host.ts";

/** The events of a mesh by what they are about (`hearsay:peer`, `hearsay:link`, …), and `hearsay:warn`. */
export const debugLog: Logger = {
  debug: (event, details) => write(event.replace(/:.*/, ""), event, details),
  warn: (message, details) => write("warn", message, details),
  error(message, details) {
    // biome-ignore lint/suspicious/noConsole: an error of the application must not be swallowed
    console.error(message, details);
  },
};

const logs = new Map<string, debug.Debugger>();

function write(name: string, message: string, details: object = []): void {
  let log = logs.get(name);
  if (log === undefined) {
    log = debug(`hearsay:${name}`);
    logs.set(name, log);
  }
  // Peers show themselves by their `toJSON`.
  if (log.enabled) log("%s %o", message, JSON.parse(JSON.stringify(details)));
}
