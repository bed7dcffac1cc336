/**
 * Tabs of one browser introduce each other, without any server: over a BroadcastChannel, which joins the pages of one
 * origin, named by the cluster.
 *
 * ```
 * tab → all   { from, island, asks }    it is here, on this island; asks: those on others are to say so too
 * tab → one   { from, to, packet }      signalling, as a seed carries it
 * ```
 *
 * The first is said at the start, when the island is another, and now and then while islands differ; nothing is said
 * among tabs that agree. Who is alone asks for the first link; of two islands both do. Any script of the origin can
 * write into the channel, so what comes is parsed like anything from outside, and the core believes none of it.
 */

import { isMemberId } from "../core/lib/ids.ts";
import type { Input, MemberId, SeedId } from "../core/machine.ts";
import { SIGNALING_PACKET_BYTES_MAX } from "../signaling/protocol.ts";
import { platformTimer, type SetTimer } from "../signaling/timer.ts";

/** What is needed of a BroadcastChannel. */
export interface ChannelLike {
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  postMessage(message: unknown): void;
  close(): void;
}

export type ChannelConstructor = new (name: string) => ChannelLike;

export interface TabsOptions {
  readonly cluster: string;
  readonly id: MemberId;
  /** Names this way of being introduced to the core. */
  readonly seed: SeedId;
  readonly island: MemberId;
  readonly Channel: ChannelConstructor;
  readonly input: (input: Input) => void;
  /** Chromium hands messages to a frozen page too: that one is asleep and must not hear them. */
  readonly isSuspended: () => boolean;
  /** Default `setTimeout`. */
  readonly setTimer?: SetTimer;
}

/** Islands change often while many join: a tab speaks of its own once in this time, ms. */
const TELL_MS = 1_000;

/** Islands that differ for so long try again, ms. */
const REPEAT_MS = 10_000;

type Word =
  | { readonly from: MemberId; readonly island: MemberId; readonly asks: boolean }
  | { readonly from: MemberId; readonly to: MemberId; readonly packet: Uint8Array };

export class Tabs {
  readonly #options: TabsOptions;
  readonly #channel: ChannelLike;
  readonly #setTimer: SetTimer;
  #cancelRepeat: () => void;
  #island: MemberId;
  /** A tab on another island was heard. */
  #differs = false;
  #cancelPause: (() => void) | undefined;
  /** Whether what is to be told after the pause asks; undefined when there is nothing. */
  #due: boolean | undefined;

  constructor(options: TabsOptions) {
    this.#options = options;
    this.#island = options.island;
    this.#channel = new options.Channel(`hearsay ${options.cluster}`);
    this.#channel.addEventListener("message", ({ data }) => this.#hear(parse(data)));
    this.#setTimer = options.setTimer ?? platformTimer;
    this.#cancelRepeat = this.#setTimer(() => this.#repeat(), REPEAT_MS);
    this.#introduce([]);
    this.#tell(true);
  }

  send(to: MemberId, bytes: Uint8Array): void {
    // A copy: of a view the whole buffer would be sent.
    this.#channel.postMessage({ from: this.#options.id, to, packet: bytes.slice() });
  }

  island(id: MemberId): void {
    if (id === this.#island) return;
    this.#island = id;
    this.#tell(true);
  }

  close(): void {
    this.#cancelRepeat();
    this.#cancelPause?.();
    this.#channel.close();
  }

  #hear(word: Word | undefined): void {
    const { id, seed, input, isSuspended } = this.#options;
    if (word === undefined || word.from === id || isSuspended()) return;
    const { from } = word;
    if ("packet" in word) {
      if (word.to === id) input({ type: "seedPacket", seed, from, bytes: word.packet });
      return;
    }
    if (word.island === this.#island) return;
    this.#differs = true;
    if (word.asks) this.#tell(false);
    // Whose island is named by itself may be alone there, and asks: not each of us.
    if (this.#island === id || word.island !== from) this.#introduce([from]);
  }

  #introduce(introduced: readonly MemberId[]): void {
    this.#options.input({ type: "seedUp", seed: this.#options.seed, introduced, knowsAll: false });
  }

  #repeat(): void {
    if (this.#differs) this.#tell(true);
    this.#differs = false;
    this.#cancelRepeat = this.#setTimer(() => this.#repeat(), REPEAT_MS);
  }

  #tell(asks: boolean): void {
    if (this.#cancelPause !== undefined) {
      this.#due = asks || this.#due === true;
      return;
    }
    this.#channel.postMessage({ from: this.#options.id, island: this.#island, asks });
    this.#cancelPause = this.#setTimer(() => {
      const due = this.#due;
      this.#cancelPause = undefined;
      this.#due = undefined;
      if (due !== undefined) this.#tell(due);
    }, TELL_MS);
  }
}

function parse(data: unknown): Word | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { from, island, asks, to, packet } = data as Record<string, unknown>;
  if (!isMemberId(from)) return undefined;
  if (isMemberId(island)) return { from, island, asks: asks === true };
  if (!isMemberId(to) || !(packet instanceof Uint8Array)) return undefined;
  return packet.length > SIGNALING_PACKET_BYTES_MAX ? undefined : { from, to, packet };
}
