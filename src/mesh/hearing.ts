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
  /** Said with `forMs` before we came, or while we were cut off. */
  readonly late: boolean;
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

interface Message extends Omit<Heard, "data" | "late"> {
  readonly value: Uint8Array;
  /** We said it ourselves. */
  readonly own: boolean;
  /** It is late, and to be heard within so many ms. */
  readonly lateMs: number | undefined;
}

/** What was said to those who come later, and waits until we listen. */
interface Waiting {
  readonly name: string;
  readonly until: number;
  readonly read: () => Heard | undefined;
}

/** What waits for a listener; then the oldest is dropped. As many as all members keep together. */
const WAITING_MAX = 4_096;

export class Hearing {
  readonly #listeners: Listeners<[name: string, own: boolean, read: () => Heard | undefined]>;
  /** It comes while we join, when nobody can listen yet. */
  #waiting: Waiting[] = [];

  constructor(report: (error: unknown) => void) {
    this.#listeners = new Listeners(report);
  }

  add(
    matches: (name: string) => boolean,
    handler: HearHandler,
    options: HearOptions = {},
  ): Unlisten {
    let ended = false;
    const hear = (name: string, read: () => Heard | undefined): unknown => {
      const heard = ended ? undefined : read();
      return heard && handler(heard.data, heard.from, name, heard);
    };
    const end = this.#listeners.add((name, own, read) => {
      if ((own && options.own !== true) || !matches(name)) return undefined;
      return hear(name, read);
    }, options);
    this.#replay(matches, hear, options);
    return () => {
      ended = true;
      end();
    };
  }

  /** @param unreadable told once when somebody wants to hear it and it cannot be read */
  tell(message: Message, unreadable: (reason: string) => void): void {
    const { value, own, lateMs, ...rest } = message;
    const late = lateMs !== undefined;
    let decoded: ReturnType<typeof decodeValue> | undefined;
    let wasRead = false;
    const read = (): Heard | undefined => {
      wasRead = true;
      if (decoded === undefined) {
        decoded = decodeValue(value);
        if (!decoded.ok) unreadable(decoded.reason);
      }
      return decoded.ok ? { ...rest, late, data: decoded.value } : undefined;
    };
    this.#listeners.tell(message.name, own, read);
    if (!late || wasRead) return;
    this.#waiting.push({ name: message.name, until: performance.now() + lateMs, read });
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
  }

  /** A new life begins. */
  reset(): void {
    this.#waiting = [];
  }

  #replay(
    matches: (name: string) => boolean,
    hear: (name: string, read: Waiting["read"]) => unknown,
    options: HearOptions,
  ): void {
    const now = performance.now();
    this.#waiting = this.#waiting.filter(({ until }) => until > now);
    const wanted = this.#waiting.filter(({ name }) => matches(name));
    if (wanted.length === 0 || options.signal?.aborted) return;
    this.#waiting = this.#waiting.filter((one) => !wanted.includes(one));
    queueMicrotask(() => this.#listeners.call(wanted, ({ name, read }) => hear(name, read)));
  }
}
