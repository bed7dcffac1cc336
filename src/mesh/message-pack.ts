/**
 * MessagePack (its specification of 2017-08-10), as much of it as users' values need: nil, booleans, numbers, texts,
 * bytes, dates, arrays and maps with keys of text. Other extensions arrive as `{ type, data }`.
 *
 * Decoding is total in what it costs: every item must be there before room is made for it, so a length that lies
 * allocates nothing, and bytes are copied, so that no small value pins a large buffer.
 */

/** Items of one array or map. */
const ITEMS_MAX = 1_000_000;

const DATE = -1;
const UTF8 = new TextEncoder();
const TEXT = new TextDecoder("utf-8", { ignoreBOM: true });

/** Texts up to here are cheaper to walk through than to hand to the platform's coder. */
const SHORT_TEXT = 24;

/** @throws TypeError for what MessagePack has no form for, or what would arrive as something else */
export function pack(value: unknown, depthMax: number): Uint8Array {
  const packer = new Packer(depthMax);
  packer.value(value, 1);
  return packer.done();
}

/** @throws Error for bytes that are not one value, whole and with nothing behind it */
export function unpack(bytes: Uint8Array, depthMax: number): unknown {
  const unpacker = new Unpacker(bytes, depthMax);
  const value = unpacker.value(0);
  unpacker.end();
  return value;
}

class Packer {
  readonly #depthMax: number;
  #bytes = new Uint8Array(128);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  constructor(depthMax: number) {
    this.#depthMax = depthMax;
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  value(value: unknown, depth: number): void {
    if (depth > this.#depthMax) throw new TypeError("too deep");
    if (value === null || value === undefined) this.#byte(0xc0);
    else if (typeof value === "boolean") this.#byte(value ? 0xc3 : 0xc2);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "string") this.#text(value);
    else if (typeof value === "object") this.#object(value, depth);
    else throw new TypeError(`there is no form for a ${typeof value}`);
  }

  #object(value: object, depth: number): void {
    if (Array.isArray(value)) {
      this.#head(value.length, 0x90, 15, 0xdc);
      for (const item of value) this.value(item, depth + 1);
    } else if (ArrayBuffer.isView(value)) {
      const { buffer, byteOffset, byteLength } = value;
      this.#head(byteLength, 0, -1, 0xc5, 0xc4);
      this.#raw(new Uint8Array(buffer, byteOffset, byteLength));
    } else if (value instanceof Date) this.#date(value.getTime());
    else this.#map(value as Record<string, unknown>, depth);
  }

  #map(value: Record<string, unknown>, depth: number): void {
    const keys = Object.keys(value);
    if (keys.includes("__proto__")) throw new TypeError("a key must not be __proto__");
    const prototype = Object.getPrototypeOf(value);
    const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
    // A Map, a Set, an ArrayBuffer, a Promise would arrive as an empty object.
    if (!isPlain && keys.length === 0) {
      throw new TypeError(`a ${prototype.constructor?.name} has nothing that can be sent`);
    }
    this.#head(keys.length, 0x80, 15, 0xde);
    for (const key of keys) {
      this.#text(key);
      this.value(value[key], depth + 1);
    }
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value)) {
      const at = this.#take(0xcb, 8);
      this.#view.setFloat64(at, value);
    } else if (value >= 0) {
      if (value < 0x80) this.#byte(value);
      else if (value < 0x100) this.#sized(0xcc, 1, value);
      else if (value < 0x1_0000) this.#sized(0xcd, 2, value);
      else if (value < 2 ** 32) this.#sized(0xce, 4, value);
      else this.#sized(0xcf, 8, value);
    } else if (value >= -0x20) this.#byte(value & 0xff);
    else if (value >= -0x80) this.#sized(0xd0, 1, value);
    else if (value >= -0x8000) this.#sized(0xd1, 2, value);
    else if (value >= -(2 ** 31)) this.#sized(0xd2, 4, value);
    else this.#sized(0xd3, 8, value);
  }

  /** A code and a whole number behind it; a negative one as its two's complement. */
  #sized(code: number, size: 1 | 2 | 4 | 8, value: number): void {
    const at = this.#take(code, size);
    if (size === 1) this.#view.setUint8(at, value);
    else if (size === 2) this.#view.setUint16(at, value);
    else if (size === 4) this.#view.setUint32(at, value);
    else this.#long(at, value);
  }

  #long(at: number, value: number): void {
    this.#view.setInt32(at, Math.floor(value / 2 ** 32));
    this.#view.setUint32(at + 4, value);
  }

  #text(text: string): void {
    if (text.length <= SHORT_TEXT && isAscii(text)) {
      const at = this.#take(0xa0 | text.length, text.length);
      for (let i = 0; i < text.length; i++) this.#bytes[at + i] = text.charCodeAt(i);
      return;
    }
    const bytes = UTF8.encode(text);
    this.#head(bytes.length, 0xa0, 31, 0xda, 0xd9);
    this.#raw(bytes);
  }

  /** A timestamp, in the smallest of its three forms that holds it. */
  #date(ms: number): void {
    if (Number.isNaN(ms)) throw new TypeError("an invalid date");
    const seconds = Math.floor(ms / 1_000);
    const nanos = (ms - seconds * 1_000) * 1_000_000;
    if (seconds >= 0 && seconds < 2 ** 34) {
      const high = Math.floor(seconds / 2 ** 32);
      const short = nanos === 0 && high === 0;
      this.#byte(short ? 0xd6 : 0xd7);
      const at = this.#take(DATE & 0xff, short ? 4 : 8);
      // Thirty bits of nanoseconds and two of the seconds.
      if (!short) this.#view.setUint32(at, nanos * 4 + high);
      this.#view.setUint32(short ? at : at + 4, seconds);
    } else {
      this.#byte(0xc7);
      this.#byte(12);
      const at = this.#take(DATE & 0xff, 12);
      this.#view.setUint32(at, nanos);
      this.#long(at + 4, seconds);
    }
  }

  /** A kind and a length: in one byte up to `fixMax`, else with the code for one (if there is one), two or four. */
  #head(length: number, fix: number, fixMax: number, code16: number, code8?: number): void {
    if (length <= fixMax) this.#byte(fix | length);
    else if (code8 !== undefined && length < 0x100) this.#sized(code8, 1, length);
    else if (length < 0x1_0000) this.#sized(code16, 2, length);
    else this.#sized(code16 + 1, 4, length);
  }

  #raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  #byte(byte: number): void {
    const at = this.#room(1);
    this.#bytes[at] = byte;
  }

  /** Writes a code and gives where the `count` bytes behind it begin. */
  #take(code: number, count: number): number {
    const at = this.#room(count + 1);
    this.#bytes[at] = code;
    return at + 1;
  }

  #room(count: number): number {
    const at = this.#at;
    this.#at += count;
    if (this.#at > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#at, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

class Unpacker {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #depthMax: number;
  #at = 0;

  constructor(bytes: Uint8Array, depthMax: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#depthMax = depthMax;
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new Error("something is behind the value");
  }

  /** @param depth of the lists around it */
  value(depth: number): unknown {
    const code = this.#uint(1);
    if (code < 0x80) return code;
    if (code < 0x90) return this.#map(code & 0x0f, depth);
    if (code < 0xa0) return this.#array(code & 0x0f, depth);
    if (code < 0xc0) return this.#text(code & 0x1f);
    if (code >= 0xe0) return code - 0x100;
    return this.#coded(code, depth);
  }

  #coded(code: number, depth: number): unknown {
    // Lengths and unsigned numbers come in one, two, four and eight bytes, by the last bits of their code.
    switch (code) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return code === 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#raw(this.#uint(1 << (code - 0xc4))).slice();
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#uint(1 << (code - 0xc7)));
      case 0xca:
        return this.#view.getFloat32(this.#skip(4));
      case 0xcb:
        return this.#view.getFloat64(this.#skip(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.#uint(1 << (code - 0xcc));
      case 0xd0:
        return this.#view.getInt8(this.#skip(1));
      case 0xd1:
        return this.#view.getInt16(this.#skip(2));
      case 0xd2:
        return this.#view.getInt32(this.#skip(4));
      case 0xd3:
        return this.#int64();
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(1 << (code - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(1 << (code - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(code === 0xdc ? 2 : 4), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(code === 0xde ? 2 : 4), depth);
      default:
        throw new Error("a byte that means nothing");
    }
  }

  #array(length: number, depth: number): unknown[] {
    this.#checkList(length, length, depth);
    const items: unknown[] = [];
    for (let i = 0; i < length; i++) items.push(this.value(depth + 1));
    return items;
  }

  #map(length: number, depth: number): Record<string, unknown> {
    this.#checkList(length, 2 * length, depth);
    const map: Record<string, unknown> = {};
    for (let i = 0; i < length; i++) {
      const key = this.value(depth + 1);
      if (typeof key !== "string" && typeof key !== "number") throw new Error("a key is no text");
      if (key === "__proto__") throw new Error("a key must not be __proto__");
      map[key] = this.value(depth + 1);
    }
    return map;
  }

  /** Each item takes a byte at least. */
  #checkList(length: number, items: number, depth: number): void {
    if (items > this.#bytes.length - this.#at) throw new Error("items are missing");
    if (length > ITEMS_MAX) throw new Error("too many items");
    if (length > 0 && depth >= this.#depthMax) throw new Error("too deep");
  }

  #text(length: number): string {
    const bytes = this.#raw(length);
    if (length > SHORT_TEXT) return TEXT.decode(bytes);
    let text = "";
    for (const byte of bytes) {
      if (byte >= 0x80) return TEXT.decode(bytes);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #extension(length: number): unknown {
    const type = this.#view.getInt8(this.#skip(1));
    const end = this.#at + length;
    if (type !== DATE) return { type, data: this.#raw(length).slice() };
    let seconds = 0;
    let nanos = 0;
    if (length === 4) seconds = this.#uint(4);
    else if (length === 8) {
      const first = this.#uint(4);
      nanos = Math.floor(first / 4);
      seconds = (first % 4) * 2 ** 32 + this.#uint(4);
    } else if (length === 12) {
      nanos = this.#uint(4);
      seconds = this.#int64();
    }
    if (this.#at !== end) throw new Error("a date of an impossible length");
    return new Date(seconds * 1_000 + nanos / 1_000_000);
  }

  #uint(size: number): number {
    const at = this.#skip(size);
    switch (size) {
      case 1:
        return this.#bytes[at] ?? 0;
      case 2:
        return this.#view.getUint16(at);
      case 4:
        return this.#view.getUint32(at);
      default:
        return this.#view.getUint32(at) * 2 ** 32 + this.#view.getUint32(at + 4);
    }
  }

  #int64(): number {
    const at = this.#skip(8);
    return this.#view.getInt32(at) * 2 ** 32 + this.#view.getUint32(at + 4);
  }

  #raw(length: number): Uint8Array {
    const at = this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  #skip(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw new Error("the value is not whole");
    this.#at += count;
    return at;
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x80) return false;
  return true;
}
