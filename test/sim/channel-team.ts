/** Members of a world that publish and subscribe, and what must hold of what they hear. */

import { makeChannels } from "../../src/core/channels/channels.ts";
import type { ChannelCommand, ChannelEvent, History } from "../../src/core/channels/contract.ts";
import type { SimMember, World } from "../../src/sim/index.ts";

type Message = Extract<ChannelEvent, { type: "message" }>;

const CHANNEL = "news";

/** One life of a member, with the part attached. */
export class Reader {
  readonly member: SimMember;
  readonly messages: (Message & { readonly at: number })[] = [];
  readonly published = new Set<number>();
  readonly refused = new Set<number>();
  readonly said: string[] = [];
  readonly #world: World;
  #ticket = 0;

  constructor(world: World, member: SimMember) {
    this.#world = world;
    this.member = member;
    world.observe({
      onEvent: (of, event) => {
        if (of !== member || event.type !== "part") return;
        const told = event.event as ChannelEvent;
        if (told.type === "message") this.messages.push({ ...told, at: world.now });
        else if (told.type === "published") this.published.add(told.ticket);
        else if (told.type === "refused") this.refused.add(told.ticket);
      },
    });
    world.input(member, { type: "attach", part: "channel", make: makeChannels });
  }

  get id(): string {
    return this.member.config.id;
  }

  /** What was heard of one publisher, in its order. */
  heardOf(publisher: Reader): string[] {
    return this.messages
      .filter(({ from }) => from === publisher.id)
      .map(({ value }) => textOf(value));
  }

  subscribe(history?: History): this {
    this.#command({ type: "subscribe", channel: CHANNEL, history });
    return this;
  }

  unsubscribe(): void {
    this.#command({ type: "unsubscribe", channel: CHANNEL });
  }

  publish(text: string, bytes = 0, history?: History): number {
    const ticket = ++this.#ticket;
    const value = new Uint8Array(Math.max(text.length, bytes)).fill(32);
    for (let i = 0; i < text.length; i++) value[i] = text.charCodeAt(i);
    this.#command({ type: "publish", channel: CHANNEL, ticket, value, history });
    if (!this.refused.has(ticket)) this.said.push(textOf(value));
    return ticket;
  }

  stats(): Readonly<Record<string, number>> {
    return this.member.core.stats().parts.channel ?? {};
  }

  #command(command: ChannelCommand): void {
    this.#world.command(this.member, { type: "part", part: "channel", command });
  }
}

/** Attached to each of these members, in their order. */
export function readers(world: World, members: readonly SimMember[]): Reader[] {
  return members.map((member) => new Reader(world, member));
}

/**
 * What does not hold of what one reader has heard: once, in order, as it was said, by who says it, and nothing missing
 * between that was not shown.
 */
export function faults(reader: Reader, publishers: readonly Reader[]): string[] {
  const found: string[] = [];
  const last = new Map<string, number>();
  for (const { from, number, value, missed } of reader.messages) {
    const publisher = publishers.find(({ id, said }) => id === from && said.length >= number);
    const text = textOf(value);
    if (publisher?.said[number - 1] !== text) found.push(`${from} never said ${text}`);
    const before = last.get(from);
    if (before !== undefined && number !== before + 1 + missed) {
      found.push(`${number} of ${from} comes after ${before}, with ${missed} missed`);
    }
    last.set(from, number);
  }
  return found;
}

/** What it says, and how long it is where it was filled up. */
export function textOf(value: Uint8Array): string {
  const text = String.fromCharCode(...value.subarray(0, 16)).trim();
  return text.length === value.length ? text : `${text} of ${value.length}`;
}
