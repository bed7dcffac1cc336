/** The channels of a mesh: the application's side of the core's part "channel". Loaded with the first channel. */

import type { ChannelCommand, ChannelEvent, History } from "../core/channels/contract.ts";
import { CHANNELS_MAX } from "../core/channels/limits.ts";
import type { MakePart } from "../core/part.ts";
import { HearsayError } from "../errors.ts";
import { type Answers, pendingAnswers } from "./answers.ts";
import type { ChannelHandler, Published } from "./channel.ts";
import type { HearOptions } from "./hearing.ts";
import { Listeners, type Unlisten } from "./listeners.ts";
import type { PartFace, PartMesh } from "./parts.ts";
import type { Peer } from "./peers.ts";
import { decodeValue } from "./values.ts";

type Message = Extract<ChannelEvent, { type: "message" }>;

/** One channel over all lives. */
interface Used {
  readonly name: string;
  readonly listeners: Listeners<[own: boolean, read: () => Published | undefined]>;
  /** The most that anybody here asked for. */
  history: History | undefined;
  /** What we have published in this life. */
  published: number;
}

export class Channels implements PartFace {
  readonly #mesh: PartMesh;
  readonly #makePart: MakePart;
  readonly #used = new Map<string, Used>();
  /** Others that subscribe, also to channels that we do not use. */
  readonly #subscribers = new Map<string, Set<string>>();
  readonly #publishing: Answers = pendingAnswers();
  #isRunning = false;

  constructor(mesh: PartMesh, makePart: MakePart) {
    this.#mesh = mesh;
    this.#makePart = makePart;
  }

  started(): void {
    this.#isRunning = true;
    this.#mesh.attach(this.#makePart);
    for (const used of this.#used.values()) {
      used.published = 0;
      if (used.listeners.size > 0) this.#subscribe(used);
    }
  }

  stopped(error: Error): void {
    this.#isRunning = false;
    this.#subscribers.clear();
    this.#publishing.rejectAll(error);
  }

  take(told: unknown): void {
    const event = told as ChannelEvent;
    switch (event.type) {
      case "published":
        return this.#publishing.resolve(event.ticket);
      case "refused":
        return this.#publishing.reject(event.ticket, full());
      case "subscriber":
        return this.#onSubscriber(event);
      case "message":
        return this.#onMessage(event);
    }
  }

  subscribers(name: string): readonly Peer[] {
    const ids = [...(this.#subscribers.get(name) ?? [])];
    const peers = ids.flatMap((id) => this.#mesh.peer(id) ?? []);
    return peers.filter(({ state }) => state !== "down" && state !== "left");
  }

  /** @param value encoded */
  publish(name: string, value: Uint8Array, history: History | undefined): Promise<void> {
    const used = this.#use(name);
    const { id: ticket, promise } = this.#publishing.open();
    const command: ChannelCommand = { type: "publish", channel: name, ticket, value, history };
    let events: readonly ChannelEvent[];
    try {
      events = this.#mesh.command(command) as readonly ChannelEvent[];
    } catch (error) {
      this.#publishing.reject(ticket, error as Error);
      return promise;
    }
    if (events.some((one) => one.type === "refused" && one.ticket === ticket)) return promise;
    const number = ++used.published;
    this.#tell(used, true, value, { from: this.#mesh.self, number, late: false, missed: 0 });
    return promise;
  }

  subscribe(
    name: string,
    handler: ChannelHandler,
    options: HearOptions,
    history: History | undefined,
  ): Unlisten {
    const used = this.#use(name);
    const { signal, own = false } = options;
    if (signal?.aborted) return () => {};
    const isFirst = used.listeners.size === 0;
    used.history = longer(used.history, history);
    const unlisten = used.listeners.add((isOwn, read) => {
      const info = isOwn && !own ? undefined : read();
      return info && handler(info.data, info.from, info);
    });
    if (this.#isRunning && (isFirst || history !== undefined)) this.#subscribe(used);
    const end = (): void => {
      signal?.removeEventListener("abort", end);
      const before = used.listeners.size;
      unlisten();
      if (before === 0 || used.listeners.size > 0 || !this.#isRunning) return;
      used.history = undefined;
      this.#command({ type: "unsubscribe", channel: name });
    };
    signal?.addEventListener("abort", end, { once: true });
    return end;
  }

  #use(name: string): Used {
    let used = this.#used.get(name);
    if (used === undefined) {
      if (this.#used.size >= CHANNELS_MAX) throw tooMany();
      const listeners = new Listeners<[boolean, () => Published | undefined]>(this.#mesh.report);
      used = { name, listeners, history: undefined, published: 0 };
      this.#used.set(name, used);
    }
    return used;
  }

  #subscribe({ name, history }: Used): void {
    this.#command({ type: "subscribe", channel: name, history });
  }

  #command(command: ChannelCommand): void {
    this.#mesh.command(command);
  }

  #onSubscriber({ channel, id, isThere }: Extract<ChannelEvent, { type: "subscriber" }>): void {
    const ids = this.#subscribers.get(channel) ?? new Set();
    if (isThere) this.#subscribers.set(channel, ids.add(id));
    else if (ids.delete(id) && ids.size === 0) this.#subscribers.delete(channel);
  }

  #onMessage({ channel, from, value, number, late, missed }: Message): void {
    const used = this.#used.get(channel);
    if (used === undefined) return;
    // Who has published it may be gone and forgotten.
    const peer = this.#mesh.peer(from) ?? this.#mesh.stranger(from);
    this.#tell(used, false, value, { from: peer, number, late, missed });
  }

  #tell(
    { name, listeners }: Used,
    own: boolean,
    value: Uint8Array,
    info: Omit<Published, "data" | "channel">,
  ): void {
    let decoded: ReturnType<typeof decodeValue> | undefined;
    const read = (): Published | undefined => {
      if (decoded === undefined) {
        decoded = decodeValue(value);
        if (!decoded.ok) this.#mesh.unreadable(info.from, name, decoded.reason);
      }
      return decoded.ok ? { ...info, channel: name, data: decoded.value } : undefined;
    };
    listeners.tell(own, read);
  }
}

function longer(a: History | undefined, b: History | undefined): History | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return { count: Math.max(a.count, b.count), ms: Math.max(a.ms, b.ms) };
}

function full(): HearsayError {
  const remedy = "await publish before the next one";
  return new HearsayError("channel:full", `too much waits for subscribers: ${remedy}`);
}

function tooMany(): HearsayError {
  const remedy = "use fewer, and tell kinds of messages apart in their data";
  return new HearsayError("channel:many", `more than ${CHANNELS_MAX} channels are used: ${remedy}`);
}
