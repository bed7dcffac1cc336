/**
 * What is said to others in one step, put together: few messages with many items each. Nobody repeats it here; who needs
 * an answer asks again.
 */

import type { MemberId } from "../lib/ids.ts";
import { MESSAGE_BYTES, MESSAGE_ITEMS_MAX } from "./limits.ts";
import { encode, type Message, type MessageOf } from "./wire.ts";

/** Messages that are nothing but a list. */
export type Batched = "have" | "forget" | "vote" | "voted" | "settle" | "settled";
type ItemOf<K extends Batched> = MessageOf<K>["items"][number];

export interface MailOut {
  readonly self: MemberId;
  send(to: MemberId, bytes: Uint8Array): boolean;
  /** What we say to ourselves, without bytes. */
  loop(message: Message): void;
}

/** An item of a batch has about so many bytes. */
const ITEM_BYTES = 160;
const ITEMS_MAX = Math.min(MESSAGE_ITEMS_MAX, Math.floor(MESSAGE_BYTES / ITEM_BYTES));

export class Mail {
  readonly #out: MailOut;
  readonly #batches = new Map<MemberId, Map<Batched, unknown[]>>();

  constructor(out: MailOut) {
    this.#out = out;
  }

  add<K extends Batched>(to: MemberId, type: K, item: ItemOf<K>): void {
    let batches = this.#batches.get(to);
    if (batches === undefined) {
      batches = new Map();
      this.#batches.set(to, batches);
    }
    const items = batches.get(type);
    if (items === undefined) batches.set(type, [item]);
    else items.push(item);
  }

  /** At once, and not with others. */
  tell(to: MemberId, message: Message): void {
    if (to === this.#out.self) this.#out.loop(message);
    else this.#out.send(to, encode(message));
  }

  /** Whether anything is waiting to be sent. */
  get isEmpty(): boolean {
    return this.#batches.size === 0;
  }

  flush(): void {
    const all = [...this.#batches];
    this.#batches.clear();
    for (const [to, batches] of all) {
      for (const [type, items] of batches) {
        const size = to === this.#out.self ? items.length : ITEMS_MAX;
        for (let from = 0; from < items.length; from += size) {
          this.tell(to, { type, items: items.slice(from, from + size) } as unknown as Message);
        }
      }
    }
  }
}
