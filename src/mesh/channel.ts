/** A channel as the application has it. */

import type { HearOptions } from "./hearing.ts";
import type { Unlisten } from "./listeners.ts";
import type { Peer } from "./peers.ts";
import type { Reading, ReadOptions } from "./reading.ts";

export interface ChannelOptions {
  /** `queue` makes it a work queue, whose jobs are done by one each. */
  readonly kind?: undefined;
  /**
   * So many of the latest messages are kept, by who publishes and by who subscribes, for those who come later with a
   * `history` of their own: 0 to 10,000. Default 0, or, with `historyMs`, 1,000.
   */
  readonly history?: number;
  /** They are kept so long, up to 3,600,000: an hour. Default, with `history`: that hour. */
  readonly historyMs?: number;
}

/** One message of a channel. */
export interface Published<D = unknown> {
  readonly data: D;
  readonly from: Peer;
  /** The name of the channel. */
  readonly channel: string;
  /** Counts the messages of this publisher in this channel since its start. */
  readonly number: number;
  /** It was published before we subscribed. */
  readonly late: boolean;
  /** So many messages of this publisher before it were missed, and will not come. */
  readonly missed: number;
}

/** What a handler of a channel is told. */
export type ChannelHandler<D = unknown> = (data: D, from: Peer, info: Published<D>) => unknown;

/** Publish and subscribe among the members that have subscribed; the others carry nothing of it. */
export interface Channel<D = unknown> {
  readonly name: string;
  /** Who subscribes, as far as we know by now; ourselves aside. */
  readonly subscribers: readonly Peer[];
  /**
   * Each subscriber hears it once, in the order in which we publish. Resolves when it is on its way to all of them, or
   * kept for those who are slow: await it to publish much.
   * @throws HearsayError `value:…`, `channel:full`, `mesh:left`
   */
  publish(data: D): Promise<void>;
  /**
   * Hears what is published from now on, and before it as much as `history` says. Gives the function that ends it; the
   * last one ends the subscription. Without a handler: an async iterator, with the bounds of `mesh.hear`.
   */
  subscribe(handler: ChannelHandler<D>, options?: HearOptions): Unlisten;
  subscribe(options?: HearOptions & ReadOptions): Reading<Published<D>>;
}
