/** Two ends of streams, with a way between them that does what a test wants, and applications that read or do not. */

import { Deadlines } from "../../../src/core/lib/deadlines.ts";
import { Rng } from "../../../src/core/lib/rng.ts";
import type { MemberId, StreamEvent } from "../../../src/core/machine.ts";
import { type StreamMessage, Streams } from "../../../src/core/streams/streams.ts";
import { configOf, memberId } from "./support.ts";

type Told = { readonly id: number } & StreamEvent;

export class End {
  readonly id: MemberId;
  readonly deadlines = new Deadlines();
  readonly streams: Streams;
  readonly told: Told[] = [];
  /** What came on each stream. */
  readonly came = new Map<number, Uint8Array[]>();
  reads = true;

  constructor(bench: StreamBench, id: MemberId, overrides: object) {
    this.id = id;
    this.streams = new Streams(configOf(overrides, { id }), this.deadlines, {
      now: () => bench.now,
      generation: () => 1,
      tell: (to, inner) => bench.carry(this.id, to, inner),
      hop: () => (bench.isCut ? undefined : memberId(99)),
      search: () => {},
      wake: () => {},
      unanswered: () => {},
      event: (stream, event) => {
        this.told.push({ id: stream, ...event });
        if (event.what !== "data") return;
        this.came.set(stream, [...(this.came.get(stream) ?? []), event.bytes]);
        if (this.reads) bench.soon(() => this.streams.read(stream, event.bytes.length));
      },
    });
  }

  whats(id?: number): string[] {
    const mine = this.told.filter((one) => id === undefined || one.id === id);
    return mine.map((one) => (one.what === "closed" ? `closed: ${one.outcome}` : one.what));
  }

  /** All bytes that came, as one. */
  bytes(id: number): Uint8Array {
    return new Uint8Array(Buffer.concat(this.came.get(id) ?? []));
  }

  bytesCount(id: number): number {
    return (this.came.get(id) ?? []).reduce((sum, { length }) => sum + length, 0);
  }

  get writableTo(): number {
    const last = this.told.findLast((one) => "writableTo" in one);
    return last !== undefined && "writableTo" in last ? last.writableTo : 0;
  }
}

export class StreamBench {
  readonly a: End;
  readonly b: End;
  now = 0;
  isCut = false;
  /** Share of messages that are lost, that come twice, and that are overtaken. */
  loss = 0;
  again = 0;
  overtaken = 0;
  carriedBytes = 0;
  readonly #rng: Rng;
  #underWay: { readonly at: number; readonly order: number; readonly run: () => void }[] = [];
  #order = 0;

  constructor(seed = 1, overrides: object = {}) {
    this.#rng = Rng.fromSeed(seed);
    this.a = new End(this, memberId(1), overrides);
    this.b = new End(this, memberId(2), overrides);
  }

  carry(from: MemberId, to: MemberId, inner: StreamMessage): boolean {
    if (this.isCut) return false;
    const target = [this.a, this.b].find(({ id }) => id === to);
    if (inner.type === "streamData") this.carriedBytes += inner.bytes.length;
    if (this.#rng.float() < this.loss) return true;
    const copies = this.#rng.float() < this.again ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const delayMs = 10 + (this.#rng.float() < this.overtaken ? 200 * this.#rng.float() : 0);
      this.#later(delayMs, () => !this.isCut && target?.streams.onMessage(from, inner));
    }
    return true;
  }

  soon(run: () => void): void {
    this.#later(1, run);
  }

  /** Runs for `ms`; each end sends a few pieces each millisecond. */
  run(ms: number): void {
    for (const until = this.now + ms; this.now < until; this.now++) {
      const due = this.#underWay.filter(({ at }) => at <= this.now);
      this.#underWay = this.#underWay.filter(({ at }) => at > this.now);
      due.sort((one, other) => one.at - other.at || one.order - other.order);
      for (const { run } of due) run();
      for (const end of [this.a, this.b]) this.#step(end);
    }
  }

  /** Runs until `holds`, or fails. */
  until(what: string, holds: () => boolean, msMax = 60_000): number {
    const from = this.now;
    while (!holds()) {
      if (this.now - from >= msMax) throw new Error(`not within ${msMax} ms: ${what}`);
      this.run(1);
    }
    return this.now - from;
  }

  /** Opens a stream of `a` that `b` takes. Gives its ids at both. */
  opened(number = 1): { a: number; b: number } {
    const before = this.b.told.length;
    this.a.streams.open(number, this.b.id, "name");
    const offered = () => this.b.told.slice(before).find(({ what }) => what === "offered");
    this.until("offered", () => offered() !== undefined);
    const b = offered()?.id ?? 0;
    this.b.streams.take(b);
    this.until("taken", () => this.a.whats(number).includes("progress"));
    return { a: number, b };
  }

  /** Writes as an application does: when there is room. */
  write(from: End, id: number, bytes: Uint8Array, piece = 30_000): void {
    for (let at = 0; at < bytes.length; at += piece) {
      this.until("room", () => from.writableTo > at, 600_000);
      from.streams.write(id, bytes.subarray(at, at + piece));
    }
  }

  #step(end: End): void {
    for (;;) {
      const key = end.deadlines.take(this.now);
      if (key === undefined) break;
      end.streams.onDeadline(Number(key.slice("stream:".length)));
    }
    for (let i = 0; i < 3 && !this.isCut; i++) {
      const next = end.streams.next(memberId(99));
      if (next === undefined) return;
      this.carry(end.id, next.to, next.inner);
    }
  }

  #later(ms: number, run: () => void): void {
    this.#underWay.push({ at: this.now + ms, order: this.#order++, run });
  }
}
