/** The events of a mesh to those who listen, and what their handlers throw to whom it concerns. */

import type { Logger } from "../runtime/host.ts";
import type { MeshEventName, MeshEvents } from "./events.ts";
import { Listeners, type ListenOptions, type Unlisten } from "./listeners.ts";

export class Emitter {
  readonly #logger: Logger | undefined;
  readonly #listeners = new Map<MeshEventName, Listeners<never>>();

  constructor(logger: Logger | undefined) {
    this.#logger = logger;
  }

  on<E extends MeshEventName>(
    event: E,
    handler: (...args: MeshEvents[E]) => unknown,
    options?: ListenOptions,
  ): Unlisten {
    return this.#of(event).add(handler, options);
  }

  tell<E extends MeshEventName>(event: E, ...args: MeshEvents[E]): void {
    this.#logger?.debug(event, args);
    this.#of(event).tell(...args);
  }

  /** A problem that does not end anything: to those who listen, and to the log. */
  warn(problem: Error): void {
    this.tell("store", problem);
    this.#logger?.warn(problem.message, { error: problem });
    if (this.#logger !== undefined || this.#of("store").size > 0) return;
    // biome-ignore lint/suspicious/noConsole: what is not kept must not go unnoticed
    console.warn(`hearsay: ${problem.message}`);
  }

  /** What a handler of the application threw: to its `error` handlers, else where the platform shows errors. */
  readonly report = (error: unknown): void => {
    const listeners = this.#listeners.get("error") as Listeners<[unknown]> | undefined;
    if (listeners !== undefined && listeners.size > 0) return listeners.tell(error);
    if (this.#logger !== undefined) return this.#logger.error("a handler threw", { error });
    // biome-ignore lint/suspicious/noConsole: an error of the application must not be swallowed
    console.error(error);
  };

  #of<E extends MeshEventName>(event: E): Listeners<MeshEvents[E]> {
    let listeners = this.#listeners.get(event) as Listeners<MeshEvents[E]> | undefined;
    if (listeners === undefined) {
      // An `error` handler that throws has nobody else to tell.
      const report = event === "error" ? reportToPlatform : this.report;
      listeners = new Listeners<MeshEvents[E]>(report);
      this.#listeners.set(event, listeners as unknown as Listeners<never>);
    }
    return listeners;
  }
}

function reportToPlatform(error: unknown): void {
  // biome-ignore lint/suspicious/noConsole: an error of the application must not be swallowed
  console.error(error);
}
