/** The streams of a mesh, as Web Streams: what is written at one end is read at the other, no faster than there. */

import type { MemberId, StreamOutcome } from "../core/machine.ts";
import { HearsayError } from "../errors.ts";
import { Listeners, type ListenOptions, type Unlisten } from "./listeners.ts";
import { streamGone } from "./mesh-errors.ts";
import type {
  MeshStream,
  StreamHandler,
  StreamingContext,
  StreamNews,
  StreamProgress,
  Taker,
} from "./mesh-stream.ts";
import type { Peer } from "./peers.ts";
import { type Reading, type ReadOptions, read } from "./reading.ts";

/** Written to the core at once. */
const SLICE_BYTES = 65_536;

/** Tells the core so rarely that something was read. */
const READ_BYTES = 32_768;

/** What waits before `writer.ready` makes its writer wait. */
const WAITING_BYTES = 65_536;

function errorOf(outcome: Exclude<StreamOutcome, "done">, name: string, words = ""): HearsayError {
  const because = words === "" ? "" : `: ${words}`;
  switch (outcome) {
    case "aborted":
      return new HearsayError("stream:aborted", `the other end aborted the stream${because}`);
    case "refused": {
      const remedy = `mesh.onStream("${name}", …) on that peer does`;
      return new HearsayError("stream:refused", `nobody took the stream ${name} there: ${remedy}`);
    }
    case "full": {
      const message = "too many streams are open, here or there: end some first";
      return new HearsayError("stream:full", message);
    }
    case "gone":
      return streamGone();
  }
}

function messageOf(reason: unknown): string {
  if (reason === undefined) return "";
  return reason instanceof Error ? reason.message : String(reason);
}

export class Streams {
  readonly #context: StreamingContext;
  readonly #takers: ReadonlySet<Taker>;
  readonly #streams = new Map<number, PeerStream>();
  readonly #offers = new Map<number, Extract<StreamNews, { what: "offered" }>>();
  #lastId = 0;

  constructor(context: StreamingContext, takers: ReadonlySet<Taker>) {
    this.#context = context;
    this.#takers = takers;
  }

  async open(peer: Peer, name: string, { signal }: ListenOptions): Promise<MeshStream> {
    signal?.throwIfAborted();
    const id = ++this.#lastId;
    const stream = this.#add(id, peer, name);
    const abort = (): void => stream.abort(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const ended = (): void => signal?.removeEventListener("abort", abort);
    stream.closed.then(ended, ended);
    this.#context.command({ type: "streamOpen", id, to: peer.id, name });
    await stream.taken;
    return stream;
  }

  /** Somebody may take what has been offered. */
  look(): void {
    for (const { id, from, name } of [...this.#offers.values()]) this.#offer(id, from, name);
  }

  tell(news: StreamNews): void {
    if (news.what === "offered") {
      this.#offers.set(news.id, news);
      return this.#offer(news.id, news.from, news.name);
    }
    this.#streams.get(news.id)?.tell(news);
    if (news.what !== "closed") return;
    this.#streams.delete(news.id);
    this.#offers.delete(news.id);
  }

  /** Lets `handler` have it. When that is done and the other end has said all, so have we. */
  handle(stream: MeshStream, handler: StreamHandler): void {
    const failed = (error: unknown): void => {
      this.#context.report(error);
      stream.abort("its handler failed");
    };
    const end = (): void => (stream as PeerStream).endAfterAll();
    try {
      const result = handler(stream, stream.peer, stream.name);
      if (result instanceof Promise) result.then(end, failed);
    } catch (error) {
      failed(error);
    }
  }

  stop(error: Error): void {
    for (const stream of this.#streams.values()) stream.fail(error);
    this.#streams.clear();
    this.#offers.clear();
  }

  #offer(id: number, from: MemberId, name: string): void {
    const peer = this.#context.peer(from);
    const taker = [...this.#takers].find(({ matches }) => matches(name));
    if (taker === undefined || peer === undefined) return;
    const take = (): MeshStream | undefined => {
      const offer = this.#offers.get(id);
      if (offer === undefined) return undefined;
      this.#offers.delete(id);
      const stream = this.#add(id, peer, name, offer.writableTo);
      this.#context.command({ type: "streamTake", id });
      return stream;
    };
    taker.take({ from: peer, name, take });
  }

  #add(id: number, peer: Peer, name: string, writableTo = 0): PeerStream {
    const stream = new PeerStream(this.#context, id, { peer, name, writableTo }, () => {
      this.#streams.delete(id);
    });
    this.#streams.set(id, stream);
    return stream;
  }
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

class PeerStream implements MeshStream {
  readonly peer: Peer;
  readonly name: string;
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly closed: Promise<void>;
  /** The other end has taken it. */
  readonly taken: Promise<void>;
  readonly #context: StreamingContext;
  readonly #id: number;
  readonly #released: () => void;
  readonly #watchers: Listeners<[StreamProgress]>;
  #taken!: Waiter;
  #closed!: Waiter;
  #reading!: ReadableStreamDefaultController<Uint8Array>;
  #writing!: WritableStreamDefaultController;
  /** Has come, and nobody has read it. */
  #unread: Uint8Array[] = [];
  /** Was read, and the core does not know it yet. */
  #readBytes = 0;
  #wanted: (() => void) | undefined;
  /** The other end has written all. */
  #hasAll = false;
  #writtenBytes = 0;
  #writableTo: number;
  #writer: Waiter | undefined;
  #closer: Waiter | undefined;
  /** Our direction has ended, or is to. */
  #ended = false;
  #arrived = false;
  #error: Error | undefined;
  #progress: StreamProgress = { sentBytes: 0, acknowledgedBytes: 0, receivedBytes: 0 };

  constructor(
    context: StreamingContext,
    id: number,
    { peer, name, writableTo }: { peer: Peer; name: string; writableTo: number },
    released: () => void,
  ) {
    this.#context = context;
    this.#id = id;
    this.peer = peer;
    this.name = name;
    this.#writableTo = writableTo;
    this.#released = released;
    this.#watchers = new Listeners(context.report);
    this.taken = this.#promise((waiter) => {
      this.#taken = waiter;
    });
    this.closed = this.#promise((waiter) => {
      this.#closed = waiter;
    });
    this.readable = new ReadableStream(
      {
        start: (controller) => {
          this.#reading = controller;
        },
        pull: () => this.#pull(),
        cancel: (reason) => this.abort(reason ?? "its reader stopped"),
      },
      { highWaterMark: 0 },
    );
    this.writable = new WritableStream(
      {
        start: (controller) => {
          this.#writing = controller;
        },
        write: (chunk) => this.#write(chunk),
        close: () => this.#close(),
        abort: (reason) => this.abort(reason),
      },
      { highWaterMark: WAITING_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
    );
  }

  get progress(): StreamProgress {
    return this.#progress;
  }

  onProgress(handler: (progress: StreamProgress) => unknown, options?: ListenOptions): Unlisten;
  onProgress(options?: ReadOptions): Reading<StreamProgress>;
  onProgress(
    handler?: ((progress: StreamProgress) => unknown) | ReadOptions,
    options?: ListenOptions,
  ): Unlisten | Reading<StreamProgress> {
    if (typeof handler === "function") return this.#watchers.add(handler, options);
    return read((push) => this.#watchers.add(push), { bufferMax: 1, ...handler });
  }

  abort(reason?: unknown): void {
    if (this.#error !== undefined || this.#isOver) return;
    const message = messageOf(reason);
    this.#command({ type: "streamAbort", id: this.#id, message });
    this.#released();
    const because = message === "" ? "" : `: ${message}`;
    this.fail(new HearsayError("stream:aborted", `this end aborted the stream${because}`));
  }

  tell(news: StreamNews): void {
    switch (news.what) {
      case "taken":
        return this.#taken.resolve();
      case "data":
        this.#unread.push(news.bytes);
        this.#moved({ receivedBytes: this.#progress.receivedBytes + news.bytes.length });
        return this.#wanted?.();
      case "ended":
        this.#hasAll = true;
        return this.#wanted?.();
      case "progress":
        this.#writableTo = news.writableTo;
        this.#moved({ sentBytes: news.sentBytes, acknowledgedBytes: news.acknowledgedBytes });
        if (news.done) this.#allArrived();
        return this.#writer?.resolve();
      case "closed":
        if (news.outcome !== "done") {
          return this.fail(errorOf(news.outcome, this.name, news.message));
        }
        this.#allArrived();
        this.#closed.resolve();
    }
  }

  fail(error: Error): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    for (const waiter of [this.#taken, this.#closed, this.#writer, this.#closer]) {
      waiter?.reject(error);
    }
    if (!this.#arrived) this.#writing.error(error);
    // What has come whole can still be read.
    if (!this.#hasAll) this.#reading.error(error);
    this.#wanted?.();
  }

  /** Ends our direction once the other end has written all. */
  endAfterAll(): void {
    if (this.#hasAll && !this.#ended && this.#error === undefined) {
      this.#end();
      if (!this.writable.locked) this.writable.close().catch(() => {});
    }
  }

  get #isOver(): boolean {
    return this.#hasAll && this.#arrived;
  }

  #moved(change: Partial<StreamProgress>): void {
    this.#progress = { ...this.#progress, ...change };
    this.#watchers.tell(this.#progress);
  }

  async #pull(): Promise<void> {
    while (this.#unread.length === 0 && !this.#hasAll && this.#error === undefined) {
      await new Promise<void>((resolve) => {
        this.#wanted = resolve;
      });
    }
    this.#wanted = undefined;
    const bytes = this.#unread.shift();
    if (bytes !== undefined) {
      if (this.#error === undefined || this.#hasAll) this.#reading.enqueue(bytes);
      this.#readBytes += bytes.length;
      if (this.#readBytes < READ_BYTES) return;
      this.#command({ type: "streamRead", id: this.#id, count: this.#readBytes });
      this.#readBytes = 0;
    } else if (this.#hasAll) this.#reading.close();
  }

  async #write(chunk: unknown): Promise<void> {
    const bytes = bytesOf(chunk);
    if (bytes === undefined) {
      const error = new HearsayError("stream:bytes", "a stream carries Uint8Arrays, and no else");
      this.abort(error);
      throw error;
    }
    for (let from = 0; from < bytes.length; ) {
      if (this.#ended) throw new HearsayError("stream:ended", "nothing can follow its end");
      if (this.#writtenBytes >= this.#writableTo) {
        await this.#promise((waiter) => {
          this.#writer = waiter;
        });
        this.#writer = undefined;
        continue;
      }
      const some = bytes.subarray(from, from + SLICE_BYTES);
      this.#writtenBytes += some.length;
      from += some.length;
      this.#command({ type: "streamWrite", id: this.#id, bytes: some });
    }
  }

  async #close(): Promise<void> {
    if (!this.#ended) this.#end();
    if (this.#arrived) return;
    await this.#promise((waiter) => {
      this.#closer = waiter;
    });
  }

  #end(): void {
    this.#ended = true;
    this.#command({ type: "streamEnd", id: this.#id });
  }

  #allArrived(): void {
    this.#arrived = true;
    this.#closer?.resolve();
  }

  #command(command: Parameters<StreamingContext["command"]>[0]): void {
    // A mesh that was left has ended all its streams.
    if (this.#error === undefined) this.#context.command(command);
  }

  /** Rejections that nobody waits for are no fault. */
  #promise(use: (waiter: Waiter) => void): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => {
      use({ resolve, reject });
      if (this.#error !== undefined) reject(this.#error);
    });
    promise.catch(() => {});
    return promise;
  }
}

function bytesOf(chunk: unknown): Uint8Array | undefined {
  if (chunk instanceof Uint8Array) return chunk;
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) {
    return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  return undefined;
}
