/** Messages that wait for their turn on a link. */

import type { Outgoing } from "./fragments.ts";

export class Waiting {
  #messages: Outgoing[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add(message: Outgoing): void {
    this.#messages.push(message);
    this.#bytes += message.length;
  }

  take(): Outgoing | undefined {
    const message = this.#messages.shift();
    this.#bytes -= message?.length ?? 0;
    return message;
  }

  takeAll(): readonly Outgoing[] {
    const all = this.#messages;
    this.#messages = [];
    this.#bytes = 0;
    return all;
  }
}
