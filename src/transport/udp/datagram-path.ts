/**
 * Where the datagrams of one link go, proven.
 *
 * A place is used only once the other end has shown over TCP what a datagram to that place has brought (`check`,
 * `proof`): who can see datagrams pass, or send some in another's name, cannot draw them away. Until then, and where
 * no datagram gets through, the datagram lane goes over TCP. A datagram that comes from somewhere else (a NAT has
 * given the other end a new address) makes that place the next to be checked. What is in use is checked again now and
 * then.
 *
 * A datagram begins with the connection id that its receiver has given. One with an unknown id is not answered.
 */

import { randomBytes } from "node:crypto";
import type { Endpoint } from "./address.ts";

export const DATAGRAM_KINDS = { frame: 0, check: 1 } as const;

/** A check brings so many, and the proof shows them. */
export const NONCE_BYTES = 8;

/** The first pause after a check that was not answered; doubles up to the other, ms. */
const RETRY_MS = 250;
const RETRY_MS_MAX = 30_000;

/** Checks in a row without an answer before a place is not used any more. At 20 % loss by chance one in 3,000. */
const MISSES_MAX = 5;

/** A place in use is checked so often, ms. NATs forget UDP after 30 s without any, and probes are sooner. */
const PROVEN_MS = 15_000;

/** Another place is looked at once in this time: somebody may send from many, ms. */
const CHANGE_MS = 1_000;

export interface DatagramPathOut {
  /** Sends a datagram; false when that cannot be now. */
  send(kind: number, bytes: Uint8Array, to: Endpoint): boolean;
}

export class DatagramPath {
  readonly #out: DatagramPathOut;
  #target: Endpoint | undefined;
  #checked: Endpoint;
  #nonce = randomBytes(NONCE_BYTES);
  #misses = 0;
  #changedAt = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param first where the other end says it is */
  constructor(first: Endpoint, out: DatagramPathOut) {
    this.#checked = first;
    this.#out = out;
    this.#check();
  }

  /** Where datagrams go; undefined while no place is proven. */
  get target(): Endpoint | undefined {
    return this.#target;
  }

  /** A datagram with our id came from there. */
  onDatagram(from: Endpoint): void {
    const isKnown = [this.#target, this.#checked].some((place) => place && same(place, from));
    const now = performance.now();
    if (isKnown || now - this.#changedAt < CHANGE_MS) return;
    this.#changedAt = now;
    this.#checked = from;
    this.#misses = 0;
    this.#nonce = randomBytes(NONCE_BYTES);
    this.#check();
  }

  /** The other end shows what a check has brought it. */
  onProof(nonce: Uint8Array): void {
    if (!this.#nonce.equals(nonce)) return;
    this.#target = this.#checked;
    this.#misses = 0;
    this.#nonce = randomBytes(NONCE_BYTES);
    this.#later(PROVEN_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#target = undefined;
  }

  #check(): void {
    this.#out.send(DATAGRAM_KINDS.check, this.#nonce, this.#checked);
    this.#later(Math.min(RETRY_MS * 2 ** this.#misses, RETRY_MS_MAX), () => this.#missed());
  }

  #missed(): void {
    this.#misses++;
    if (this.#misses >= MISSES_MAX && this.#target !== undefined) {
      const wasInUse = same(this.#target, this.#checked);
      this.#checked = this.#target;
      this.#misses = 0;
      if (wasInUse) this.#target = undefined;
    }
    this.#check();
  }

  #later(ms: number, then = () => this.#check()): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms);
  }
}

function same(one: Endpoint, other: Endpoint): boolean {
  return one.port === other.port && one.host === other.host;
}
