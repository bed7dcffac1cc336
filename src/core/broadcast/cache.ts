/** Payloads kept for a while, to answer grafts: bounded by time and by bytes, oldest out first. */

import type { Config } from "../config.ts";
import type { MessageOf, PayloadId } from "../wire/messages.ts";
import { keyOf } from "./announcements.ts";

export type Payload = MessageOf<"payload">;

interface Kept {
  readonly payload: Payload;
  readonly at: number;
}

/** What a payload costs beside its value, about. */
const OVERHEAD_BYTES = 128;

export class PayloadCache {
  readonly #config: Config;
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(config: Config) {
    this.#config = config;
  }

  get(id: PayloadId): Payload | undefined {
    return this.#kept.get(keyOf(id))?.payload;
  }

  add(payload: Payload, now: number): void {
    const key = keyOf(payload.id);
    if (this.#kept.has(key)) return;
    this.#kept.set(key, { payload, at: now });
    this.#bytes += payload.value.length + OVERHEAD_BYTES;
    for (const [oldest, { payload: old, at }] of this.#kept) {
      const expired = now - at > this.#config.payloadKeepMs;
      if (!expired && this.#bytes <= this.#config.payloadKeepBytes) break;
      this.#kept.delete(oldest);
      this.#bytes -= old.value.length + OVERHEAD_BYTES;
    }
  }

  /** Takes out what is too old; when the next look is due, or Infinity. */
  expire(now: number): number {
    for (const [key, { payload, at }] of this.#kept) {
      if (now - at <= this.#config.payloadKeepMs) return at + this.#config.payloadKeepMs + 1;
      this.#kept.delete(key);
      this.#bytes -= payload.value.length + OVERHEAD_BYTES;
    }
    return Number.POSITIVE_INFINITY;
  }
}
