/** Channels as far as a page needs them before the first is used; what they do is loaded with that one. */

import { HearsayError } from "../errors.ts";
import type { Unlisten } from "./listeners.ts";
import type { MeshParts } from "./parts.ts";
import { checkName } from "./pattern.ts";
import type {
  JobHandler,
  PublishOptions,
  Queue,
  QueueEvents,
  QueueOptions,
  SubscribeOptions,
} from "./queue.ts";
import type { QueueChannel } from "./queue-channel.ts";
import type { Reading } from "./reading.ts";
import type { ChannelsOf, MeshTypes, NameOf } from "./typed.ts";
import { encodeValue } from "./values.ts";

/**
 * A work queue among all members that have opened it: each job is done by one of them, at least once. Opened again it is
 * the same one, with these options from now on.
 * @throws HearsayError `name:bad`
 */
export type OpenChannel<T extends MeshTypes> = <N extends NameOf<ChannelsOf<T>>>(
  name: N,
  options: QueueOptions,
) => Queue<ChannelsOf<T>[N]>;

export function openChannel(parts: MeshParts): OpenChannel<MeshTypes> {
  return (name, options) => {
    checkName(name);
    if (options.kind !== "queue") throw new HearsayError("options:kind", 'kind must be "queue"');
    return new LazyQueue(name, options, parts);
  };
}

class LazyQueue implements Queue {
  readonly name: string;
  readonly #parts: MeshParts;
  readonly #options: QueueOptions;
  #opening: Promise<QueueChannel> | undefined;

  constructor(name: string, options: QueueOptions, parts: MeshParts) {
    this.name = name;
    this.#options = options;
    this.#parts = parts;
    this.#do(() => {});
  }

  async publish(data: unknown, options: PublishOptions = {}): Promise<string> {
    // As it is now.
    const value = encodeValue(data, this.#parts.valueBytesMax);
    return (await this.#open()).publish(value, options);
  }

  subscribe(handler: JobHandler, options?: SubscribeOptions): Unlisten;
  subscribe(options?: SubscribeOptions): Reading<never>;
  subscribe(
    handler?: JobHandler | SubscribeOptions,
    options: SubscribeOptions = {},
  ): Unlisten | Reading<never> {
    if (typeof handler === "function") {
      return this.#listen((queue) => queue.subscribe(handler, options));
    }
    const opened = this.#open().then((queue) => queue.read(handler ?? {}));
    opened.catch(() => {});
    const reading: Reading<never> = {
      droppedCount: 0,
      next: async () => (await opened).next() as Promise<IteratorResult<never>>,
      return: async () => (await opened).return() as Promise<IteratorResult<never>>,
      [Symbol.asyncIterator]: () => reading,
    };
    return reading;
  }

  pause(): void {
    this.#do((queue) => queue.pause(true));
  }

  resume(): void {
    this.#do((queue) => queue.pause(false));
  }

  async drain(options = {}): Promise<void> {
    return (await this.#open()).drain(options);
  }

  async purge(): Promise<number> {
    return (await this.#open()).purge();
  }

  async stats(): ReturnType<Queue["stats"]> {
    return (await this.#open()).stats();
  }

  async deadLetters(options = {}): ReturnType<Queue["deadLetters"]> {
    return (await this.#open()).deadLetters(options);
  }

  on<E extends keyof QueueEvents>(
    event: E,
    handler: (...args: QueueEvents[E]) => unknown,
    options = {},
  ): Unlisten {
    return this.#listen((queue) => queue.on(event, handler, options));
  }

  async close(): Promise<void> {
    return (await this.#open()).close();
  }

  #open(): Promise<QueueChannel> {
    this.#opening ??= this.#load().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #load(): Promise<QueueChannel> {
    const queues = await this.#parts.face("queue", async (mesh) => {
      const [{ Queues }, { queuePart }] = await Promise.all([
        import("./queues.ts"),
        import("../core/queue/queue.ts"),
      ]);
      return new Queues(mesh, queuePart);
    });
    return queues.open(this.name, this.#options);
  }

  #do(act: (queue: QueueChannel) => void): void {
    this.#open().then(act).catch(this.#parts.report);
  }

  #listen(begin: (queue: QueueChannel) => Unlisten): Unlisten {
    let end: Unlisten | undefined;
    let isEnded = false;
    this.#do((queue) => {
      if (!isEnded) end = begin(queue);
    });
    return () => {
      isEnded = true;
      end?.();
    };
  }
}
