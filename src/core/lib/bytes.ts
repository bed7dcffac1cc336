/**
 * Positional writing and reading of bytes. The reader is total: past the end, or after a value that breaks
 * its limit, it stays failed and gives empty values, and the caller looks at `failed` once at the end.
 */

import { ID_BYTES, idFromBytes, idToBytes, type MemberId } from "./ids.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

const EMPTY = new Uint8Array(0);

/** A larger buffer is not kept for the next message. */
const KEEP_BYTES = 65_536;

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export class Writer {
  #bytes = new Uint8Array(256);
  #length = 0;

  uint8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  uint32(value: number): void {
    this.#reserve(4);
    for (let shift = 24; shift >= 0; shift -= 8) this.#bytes[this.#length++] = value >>> shift;
  }

  /** A whole number from 0 to 2⁵³ − 1 in 1 to 8 bytes (LEB128); what a stranger's number has grown to ends there. */
  varint(value: number): void {
    this.#reserve(8);
    let rest = Math.min(value, Number.MAX_SAFE_INTEGER);
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  id(id: MemberId): void {
    this.#reserve(ID_BYTES);
    idToBytes(id, this.#bytes, this.#length);
    this.#length += ID_BYTES;
  }

  /** Bytes with their length before them. */
  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** UTF-8 with its length in bytes before it. */
  string(value: string): void {
    this.bytes(encodeUtf8(value));
  }

  /** Begins anew. */
  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > KEEP_BYTES) this.#bytes = new Uint8Array(256);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written so far, as a copy of its own. */
  take(from = 0): Uint8Array {
    return this.#bytes.slice(from, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

export class Reader {
  readonly #bytes: Uint8Array;
  #offset = 0;
  #failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get failed(): boolean {
    return this.#failed;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  get offset(): number {
    return this.#offset;
  }

  /** A copy of what was read from `offset` on. */
  since(offset: number): Uint8Array {
    return this.#bytes.slice(offset, this.#offset);
  }

  /** The next two bytes, as far as there are any, without reading them. */
  peekUint16(): number {
    const [high = 0, low = 0] = [this.#bytes[this.#offset], this.#bytes[this.#offset + 1]];
    return (high << 8) | low;
  }

  /** Goes past `expected`; false, and nothing is read, when something else comes. */
  skip(expected: Uint8Array): boolean {
    if (this.remaining < expected.length) return false;
    for (let i = 0; i < expected.length; i++) {
      if (this.#bytes[this.#offset + i] !== expected[i]) return false;
    }
    this.#offset += expected.length;
    return true;
  }

  fail(): void {
    this.#failed = true;
    this.#offset = this.#bytes.length;
  }

  uint8(): number {
    if (this.remaining < 1) this.fail();
    return this.#failed ? 0 : (this.#bytes[this.#offset++] as number);
  }

  uint32(): number {
    let value = 0;
    for (let i = 0; i < 4; i++) value = value * 256 + this.uint8();
    return this.#failed ? 0 : value;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.uint8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        // One value has one spelling: no padding with zeros, nothing beyond what a number holds exactly.
        if ((byte === 0 && i > 0) || value > Number.MAX_SAFE_INTEGER) this.fail();
        return this.#failed ? 0 : value;
      }
      scale *= 0x80;
    }
    this.fail();
    return 0;
  }

  id(): MemberId {
    if (this.remaining < ID_BYTES) {
      this.fail();
      return "";
    }
    const id = idFromBytes(this.#bytes, this.#offset);
    this.#offset += ID_BYTES;
    return id;
  }

  /** A copy, so that what is kept never pins the packet it came in. */
  bytes(lengthMax: number): Uint8Array {
    const length = this.varint();
    if (length > lengthMax || length > this.remaining) this.fail();
    return this.#failed || length === 0 ? EMPTY : this.raw(length);
  }

  raw(length: number): Uint8Array {
    const value = this.#bytes.slice(this.#offset, this.#offset + length);
    this.#offset += length;
    return value;
  }

  string(bytesMax: number): string {
    const length = this.varint();
    if (length > bytesMax || length > this.remaining) this.fail();
    if (this.#failed || length === 0) return "";
    const from = this.#offset;
    this.#offset += length;
    const text = decodeUtf8(this.#bytes.subarray(from, this.#offset));
    if (text === undefined) this.fail();
    return text ?? "";
  }
}
