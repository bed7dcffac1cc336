/** Who hears which names. A value is decoded once for all, and not at all when nobody listens. */

import { Listeners, type ListenOptions, type Unlisten } from "./listeners.ts";
import type { Peer } from "./peers.ts";
import { decodeValue } from "./values.ts";

/** One message heard. */
export interface Heard<T = unknown> {
  readonly name: string;
  readonly data: T;
  readonly from: Peer;
  /** Sent to us alone with `send`, not said to all. */
  readonly direct: boolean;
}

/** What a handler of `hear` is told. */
export type HearHandler<T = unknown> = (
  data: T,
  from: Peer,
  name: string,
  heard: Heard<T>,
) => unknown;

export interface HearOptions extends ListenOptions {
  /** Also what this member says itself. Default false. */
  readonly own?: boolean;
}

interface Message extends Omit<Heard, "data"> {
  readonly value: Uint8Array;
  /** We said it ourselves. */
  readonly own: boolean;
}

export class Hearing {
  readonly #listeners: Listeners<[name: string, own: boolean, heard: () => Heard | undefined]>;

  constructor(report: (error: unknown) => void) {
    this.#listeners = new Listeners(report);
  }

  add(
    matches: (name: string) => boolean,
    handler: HearHandler,
    options: HearOptions = {},
  ): Unlisten {
    return this.#listeners.add((name, own, read) => {
      if (own && options.own !== true) return undefined;
      const heard = matches(name) ? read() : undefined;
      if (heard !== undefined) return handler(heard.data, heard.from, name, heard);
      return undefined;
    }, options);
  }

  /** @param unreadable told once when somebody wants to hear it and it cannot be read */
  tell({ value, own, ...message }: Message, unreadable: (reason: string) => void): void {
    let decoded: ReturnType<typeof decodeValue> | undefined;
    this.#listeners.tell(message.name, own, () => {
      if (decoded === undefined) {
        decoded = decodeValue(value);
        if (!decoded.ok) unreadable(decoded.reason);
      }
      return decoded.ok ? { ...message, data: decoded.value } : undefined;
    });
  }
}
