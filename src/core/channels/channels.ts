/**
 * The part "channel": publish and subscribe. `PROTOCOL.md` says how; here is what comes in and goes out of it.
 */

import type { MemberId } from "../lib/ids.ts";
import type { Part, PartHost, PartStats } from "../part.ts";
import { Channel, type ChannelOut } from "./channel.ts";
import type { ChannelCommand, ChannelEvent, History } from "./contract.ts";
import { CHANNELS_MAX, TICK_MS } from "./limits.ts";
import {
  decodeMessage,
  decodeSubscription,
  encodeMessage,
  encodeSubscription,
  type Subscription,
} from "./wire.ts";

const TICK = "tick";

export function makeChannels(host: PartHost): Part {
  return new Channels(host);
}

class Channels implements Part {
  readonly #host: PartHost;
  readonly #channels = new Map<string, Channel>();
  /** Others that subscribe, by the names of channels. */
  readonly #subscribers = new Map<string, Map<MemberId, Subscription>>();
  readonly #out: ChannelOut;
  #session = 0;
  #tickAt = Number.POSITIVE_INFINITY;

  constructor(host: PartHost) {
    this.#host = host;
    this.#out = {
      host,
      stats: { published: 0, delivered: 0, sent: 0, resent: 0, missed: 0, rejected: 0 },
      send: (to, message) => host.send(to, encodeMessage(message)),
      emit: (event) => this.#emit(event),
    };
  }

  onCommand(given: unknown): void {
    const command = given as ChannelCommand;
    const { channel: name } = command;
    if (command.type === "subscribe") this.#subscribe(name, command.history);
    else if (command.type === "unsubscribe") this.#unsubscribe(name);
    else {
      const channel = this.#channel(name);
      if (channel === undefined) return this.#emit({ type: "refused", ticket: command.ticket });
      this.#keep(name, channel, command.history);
      channel.publish(command.ticket, command.value);
    }
    this.#wake();
  }

  onMessage(from: MemberId, bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (message === undefined) {
      this.#out.stats.rejected++;
      return;
    }
    this.#channels.get(message.channel)?.onMessage(from, message);
    this.#wake();
  }

  onAnnounced(by: MemberId, name: string, value: Uint8Array | undefined): void {
    if (by === this.#host.id) return;
    const wish = value && decodeSubscription(value);
    const known = this.#subscribers.get(name);
    const before = known?.get(by);
    if (wish !== undefined) this.#subscribersOf(name).set(by, wish);
    else known?.delete(by);
    if (known?.size === 0 && !this.#channels.has(name)) this.#subscribers.delete(name);
    if (before === undefined && wish === undefined) return;
    const isNew = before?.session !== wish?.session || before?.generation !== wish?.generation;
    this.#channels.get(name)?.onSubscriber(by, wish, isNew);
    this.#emit({ type: "subscriber", channel: name, id: by, isThere: wish !== undefined });
    this.#wake();
  }

  onMember(id: MemberId, _generation: number, isLive: boolean): void {
    for (const [name, channel] of this.#channels) {
      if (!isLive) channel.onGone(id);
      else if (this.#subscribers.get(name)?.has(id)) channel.onBack();
    }
    this.#wake();
  }

  onDeadline(): void {
    this.#tickAt = Number.POSITIVE_INFINITY;
    this.#tick();
  }

  onStored(): void {}

  /** What was not acknowledged meanwhile says nothing: it is sent again in its time. */
  onResumed(): void {
    this.#wake();
  }

  onLeave(): void {
    this.#host.clearDeadline(TICK);
  }

  stats(): PartStats {
    return { channels: this.#channels.size, ...this.#out.stats };
  }

  #subscribe(name: string, history: History | undefined): void {
    const channel = this.#channel(name);
    if (channel === undefined) return;
    const isNew = !channel.isSubscribed;
    if (isNew) {
      channel.session = ++this.#session;
      channel.keep(history);
      channel.subscribe(history);
      this.#announce(name, channel);
    } else this.#keep(name, channel, history);
  }

  #unsubscribe(name: string): void {
    this.#channels.get(name)?.unsubscribe();
    this.#host.announce(name, undefined);
  }

  /** Keeps more of the past than before, and says so. */
  #keep(name: string, channel: Channel, history: History | undefined): void {
    const before = channel.keep(undefined);
    const after = channel.keep(history);
    const isMore = before?.count !== after?.count || before?.ms !== after?.ms;
    if (isMore && channel.isSubscribed) this.#announce(name, channel);
  }

  #announce(name: string, channel: Channel): void {
    const { count = 0, ms = 0 } = channel.keep(undefined) ?? {};
    const generation = this.#host.generation();
    const wish = { generation, session: channel.session, count, ms };
    this.#host.announce(name, encodeSubscription(wish));
  }

  /** Undefined: there are too many. */
  #channel(name: string): Channel | undefined {
    let channel = this.#channels.get(name);
    if (channel === undefined && this.#channels.size < CHANNELS_MAX) {
      channel = new Channel(name, this.#subscribersOf(name), this.#out);
      this.#channels.set(name, channel);
    }
    return channel;
  }

  #subscribersOf(name: string): Map<MemberId, Subscription> {
    let subscribers = this.#subscribers.get(name);
    if (subscribers === undefined) {
      subscribers = new Map();
      this.#subscribers.set(name, subscribers);
    }
    return subscribers;
  }

  #emit(event: ChannelEvent): void {
    this.#host.emit(event);
  }

  /** Something may be open now. */
  #wake(): void {
    this.#wakeAt(this.#host.now() + TICK_MS);
  }

  #wakeAt(at: number): void {
    if (at >= this.#tickAt) return;
    this.#tickAt = at;
    this.#host.setDeadline(TICK, at);
  }

  #tick(): void {
    const now = this.#host.now();
    let next = Number.POSITIVE_INFINITY;
    for (const channel of this.#channels.values()) next = Math.min(next, channel.tick());
    if (next < Number.POSITIVE_INFINITY) this.#wakeAt(Math.max(next, now + TICK_MS));
  }
}
