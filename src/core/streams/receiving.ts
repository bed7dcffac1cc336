/**
 * The receiving half of a stream: puts its pieces in order, in whatever order they come, and grants the other end a
 * window beyond what the application has taken. What lies outside of it was never granted: it is refused.
 */

/** Pieces that wait for one before them. Above what the largest window takes, and a bound for tiny ones. */
const PIECES_MAX = 1_024;

export type Taken =
  | { readonly refused: true }
  /** What can be read now, in order; `again`: all of it was here already. */
  | { readonly refused: false; readonly bytes: readonly Uint8Array[]; readonly again: boolean };

const REFUSED: Taken = { refused: true };

export class Receiving {
  #received = 0;
  #consumed = 0;
  #grantedTo = 0;
  /** Where the stream ends, once that is known. */
  #end: number | undefined;
  readonly #waiting = new Map<number, Uint8Array>();
  #waitingBytes = 0;

  /** Bytes that have come without a hole; one more when the end has come, too. */
  get received(): number {
    return this.done ? this.#received + 1 : this.#received;
  }

  get consumed(): number {
    return this.#consumed;
  }

  /** The end has come, and all before it. */
  get done(): boolean {
    return this.#received === this.#end;
  }

  /** Grants so much beyond what was taken; what was granted before stays granted. Gives what holds then. */
  grant(window: number): number {
    this.#grantedTo = Math.max(this.#grantedTo, this.#consumed + window);
    return this.#grantedTo - this.#consumed;
  }

  /** The application has taken so many bytes. */
  consume(count: number): void {
    this.#consumed = Math.min(this.#received, this.#consumed + count);
  }

  take(offset: number, bytes: Uint8Array, isEnd: boolean): Taken {
    const to = offset + bytes.length;
    const end = this.#end ?? (isEnd ? to : undefined);
    if (to > this.#grantedTo) return REFUSED;
    if (end !== undefined && (to > end || (isEnd && to !== end))) return REFUSED;
    if (isEnd && this.#end === undefined) {
      // An end before what has come already was never sent.
      for (const [at, piece] of this.#waiting) if (at + piece.length > to) return REFUSED;
      if (to < this.#received) return REFUSED;
    }
    const again = to <= this.#received && (this.done || !isEnd);
    this.#end = end;
    if (offset > this.#received) {
      if (bytes.length === 0) return { refused: false, bytes: [], again };
      const known = this.#waiting.get(offset)?.length ?? 0;
      const more = bytes.length - known;
      const isFull = this.#waitingBytes + more > this.#grantedTo - this.#received;
      if (isFull || this.#waiting.size >= PIECES_MAX) return REFUSED;
      if (more > 0) {
        this.#waiting.set(offset, bytes);
        this.#waitingBytes += more;
      }
      return { refused: false, bytes: [], again };
    }
    const taken: Uint8Array[] = [];
    this.#append(offset, bytes, taken);
    while (this.#waiting.size > 0 && this.#appendWaiting(taken));
    return { refused: false, bytes: taken, again };
  }

  /** False when nothing that waits is next. */
  #appendWaiting(taken: Uint8Array[]): boolean {
    const before = this.#received;
    const next = this.#waiting.get(before);
    if (next !== undefined) {
      this.#next(before, next, taken);
      return true;
    }
    // Cut otherwise the second time: it may begin before.
    for (const [offset, bytes] of this.#waiting) {
      if (offset <= this.#received) this.#next(offset, bytes, taken);
    }
    return this.#received > before;
  }

  #next(offset: number, bytes: Uint8Array, taken: Uint8Array[]): void {
    this.#waiting.delete(offset);
    this.#waitingBytes -= bytes.length;
    this.#append(offset, bytes, taken);
  }

  #append(offset: number, bytes: Uint8Array, taken: Uint8Array[]): void {
    const rest = bytes.subarray(Math.max(0, this.#received - offset));
    if (offset + bytes.length <= this.#received || rest.length === 0) return;
    taken.push(rest);
    this.#received += rest.length;
  }
}
