/** Streams, as far as a page needs them before the first is used; the rest (`streams.ts`) is loaded with that one. */

import type { ListenOptions, Unlisten } from "./listeners.ts";
import type {
  MeshStream,
  Offer,
  StreamHandler,
  StreamingContext,
  StreamNews,
  Taker,
} from "./mesh-stream.ts";
import { matcherOf } from "./pattern.ts";
import type { Peer } from "./peers.ts";
import { type Reading, read } from "./reading.ts";
import type { Streams } from "./streams.ts";

export class Streaming {
  readonly #context: StreamingContext;
  readonly #takers = new Set<Taker>();
  /** What was told before there was anybody to tell it to. The core bounds how many streams are open. */
  #early: StreamNews[] = [];
  #loading: Promise<Streams> | undefined;
  #streams: Streams | undefined;

  constructor(context: StreamingContext) {
    this.#context = context;
  }

  /** The name is checked by now. */
  async open(to: Peer, name: string, options: ListenOptions): Promise<MeshStream> {
    return await (await this.#load()).open(to, name, options);
  }

  listen(pattern: string, handler: StreamHandler, options?: ListenOptions): Unlisten {
    if (typeof handler !== "function") throw new TypeError("a handler must be a function");
    return this.#add(
      pattern,
      (offer) => {
        const stream = offer.take();
        if (stream !== undefined) this.#streams?.handle(stream, handler);
      },
      options,
    );
  }

  read(pattern: string, options: ListenOptions = {}): Reading<MeshStream> {
    const offers = read<Offer>((push) => this.#add(pattern, push), options);
    return {
      get droppedCount() {
        return offers.droppedCount;
      },
      // Only what is read is taken: the rest is refused in its time.
      async next() {
        for (;;) {
          const { done, value } = await offers.next();
          if (done) return { done, value: undefined };
          const stream = value.take();
          if (stream !== undefined) return { done: false, value: stream };
        }
      },
      async return() {
        await offers.return();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  tell(news: StreamNews): void {
    if (this.#streams !== undefined) return this.#streams.tell(news);
    if (news.what === "closed") this.#early = this.#early.filter(({ id }) => id !== news.id);
    else this.#early.push(news);
  }

  /** The life is over, and with it all streams. */
  stop(error: Error): void {
    this.#early = [];
    this.#streams?.stop(error);
  }

  #add(pattern: string, take: Taker["take"], { signal }: ListenOptions = {}): Unlisten {
    const taker = { matches: matcherOf(pattern), take };
    if (signal?.aborted) return () => {};
    this.#takers.add(taker);
    const end = (): void => {
      this.#takers.delete(taker);
      signal?.removeEventListener("abort", end);
    };
    signal?.addEventListener("abort", end, { once: true });
    this.#load().then((streams) => streams.look(), this.#context.report);
    return end;
  }

  #load(): Promise<Streams> {
    this.#loading ??= import("./streams.ts").then(({ Streams }) => {
      this.#streams = new Streams(this.#context, this.#takers);
      for (const news of this.#early.splice(0)) this.#streams.tell(news);
      return this.#streams;
    });
    return this.#loading;
  }
}
