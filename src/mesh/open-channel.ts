/** Channels as far as a page needs them before the first is used; what they do is loaded with that one. */

import { HearsayError } from "../errors.ts";
import type { Channel, ChannelOptions } from "./channel.ts";
import { lazyChannel } from "./lazy-channel.ts";
import type { Unlisten } from "./listeners.ts";
import type { MeshParts } from "./parts.ts";
import { checkName } from "./pattern.ts";
import type {
  Job,
  JobHandler,
  PublishOptions,
  Queue,
  QueueOptions,
  SubscribeOptions,
} from "./queue.ts";
import type { QueueChannel } from "./queue-channel.ts";
import type { Reading } from "./reading.ts";
import type { ChannelsOf, MeshTypes, NameOf } from "./typed.ts";
import { encodeValue } from "./values.ts";

/** @throws HearsayError `name:bad`, `options:…` */
export interface OpenChannel<T extends MeshTypes> {
  /**
   * A work queue among all members that have opened it: each job is done by one of them, at least once. Opened again
   * it is the same one, with these options from now on.
   */
  <N extends NameOf<ChannelsOf<T>>>(name: N, options: QueueOptions): Queue<ChannelsOf<T>[N]>;
  /** What is published in it, all hear that subscribe, and nobody else carries it. */
  <N extends NameOf<ChannelsOf<T>>>(name: N, options?: ChannelOptions): Channel<ChannelsOf<T>[N]>;
}

export function openChannel(parts: MeshParts): OpenChannel<MeshTypes> {
  const open = (name: string, options: QueueOptions | ChannelOptions = {}): unknown => {
    checkName(name);
    if (options.kind === "queue") return lazyQueue(name, options, parts);
    if (options.kind === undefined) return lazyChannel(name, options, parts);
    throw new HearsayError("options:kind", 'kind is "queue", or left out');
  };
  return open as OpenChannel<MeshTypes>;
}

/** What only asks: it waits until there is somebody to ask. */
const QUESTIONS = ["drain", "purge", "stats", "deadLetters", "close"] as const;

/** As the class that is loaded has it: all of it in the order of the calls. */
function lazyQueue(name: string, options: QueueOptions, parts: MeshParts): Queue<never> {
  let opening: Promise<QueueChannel> | undefined;
  const open = (): Promise<QueueChannel> => {
    opening ??= load(name, options, parts).catch((error) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  const act = (what: (queue: QueueChannel) => void): void => {
    open().then(what).catch(parts.report);
  };
  const listen = (begin: (queue: QueueChannel) => Unlisten): Unlisten => {
    let end: Unlisten | undefined;
    let isEnded = false;
    act((queue) => {
      if (!isEnded) end = begin(queue);
    });
    return () => {
      isEnded = true;
      end?.();
    };
  };
  act(() => {});
  return {
    name,
    async publish(data: unknown, given: PublishOptions = {}) {
      // As it is now.
      const value = encodeValue(data, parts.valueBytesMax);
      return (await open()).publish(value, given);
    },
    subscribe: (handler: JobHandler | SubscribeOptions = {}, given: SubscribeOptions = {}) =>
      typeof handler === "function"
        ? listen((queue) => queue.subscribe(handler, given))
        : reading(open().then((queue) => queue.read(handler))),
    pause: () => act((queue) => queue.pause(true)),
    resume: () => act((queue) => queue.pause(false)),
    on: (...given: Parameters<Queue["on"]>) => listen((queue) => queue.on(...given)),
    ...Object.fromEntries(
      QUESTIONS.map((question) => [
        question,
        async (given = {}) => (await open())[question](given),
      ]),
    ),
  } as unknown as Queue<never>;
}

async function load(name: string, options: QueueOptions, parts: MeshParts): Promise<QueueChannel> {
  const queues = await parts.face("queue", async (mesh) => {
    const [{ Queues }, { queuePart }] = await Promise.all([
      import("./queues.ts"),
      import("../core/queue/queue.ts"),
    ]);
    return new Queues(mesh, queuePart);
  });
  return queues.open(name, options);
}

/** A reading that is there before what it reads. */
function reading(opened: Promise<Reading<Job>>): Reading<Job> {
  opened.catch(() => {});
  return {
    droppedCount: 0,
    next: async () => (await opened).next(),
    return: async () => (await opened).return(),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
