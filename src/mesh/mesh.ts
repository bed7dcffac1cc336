/** The public face: turns calls into commands and events into callbacks, and nothing more. */

import { LASTING_BYTES_MAX } from "../core/broadcast/lasting.ts";
import { PARAMETERS } from "../core/config.ts";
import type { MemberView } from "../core/machine.ts";
import { META_BYTES_MAX } from "../core/wire/messages.ts";
import { HearsayError } from "../errors.ts";
import type { Host } from "../runtime/host.ts";
import type { AcceptedInvitation, Invitation } from "../runtime/invitations.ts";
import type { Seed } from "../runtime/seeds.ts";
import { refused } from "./answers.ts";
import { parametersOf } from "./core-config.ts";
import type { MeshEventName, MeshEvents } from "./events.ts";
import { type Health, healthOf } from "./health.ts";
import type { Heard, HearHandler, HearOptions } from "./hearing.ts";
import { Inbound } from "./inbound.ts";
import type { KnowHandler, Known, KnowOptions } from "./knowing.ts";
import { Life, type Self } from "./life.ts";
import { type ListenOptions, nextOf, type Unlisten } from "./listeners.ts";
import { sendError, streamGone, unknownPeer, writeError } from "./mesh-errors.ts";
import type { MeshStream, StreamHandler } from "./mesh-stream.ts";
import { type OpenChannel, openChannel } from "./open-channel.ts";
import {
  checkDescription,
  checkLife,
  checkSeed,
  checkTimeout,
  type Description,
  type Identity,
  type InviteOptions,
  type JoinOptions,
  mannerOf,
  type SayOptions,
  type SendOptions,
  type SetOptions,
  seedUrl,
} from "./options.ts";
import { checkName, matcherOf } from "./pattern.ts";
import type { Peer, Peers } from "./peers.ts";
import { type Reading, type ReadOptions, read } from "./reading.ts";
import type { SharedConfig } from "./shared-config.ts";
import { type MeshStats, statsOf } from "./stats.ts";
import type { ConfigOf, DataOf, EventsOf, MeshTypes, NameOf, PatternOf, StateOf } from "./typed.ts";
import { encodeValue } from "./values.ts";

const SEND_TIMEOUT_MS = 10_000;

/**
 * One member's view of the mesh, and what it does there.
 * @typeParam T what keys and names carry, where the application says so
 */
export class Mesh<T extends MeshTypes = MeshTypes> {
  readonly #options: JoinOptions;
  readonly #life: Life;
  readonly #inbound: Inbound;
  readonly #valueBytesMax: number;
  /** A channel of this name: publish and subscribe, or a work queue. */
  readonly channel: OpenChannel<T>;
  /** The last health that was told. */
  #health = "";

  /** @internal Use `join`. */
  constructor(host: Host, options: JoinOptions, self: Self) {
    this.#options = options;
    this.#valueBytesMax = parametersOf(options).valueBytesMax ?? PARAMETERS.valueBytesMax.default;
    this.#life = new Life(host, options, self, {
      reset: () => this.#inbound.reset(this.#ownView()),
      started: () => {
        this.#inbound.parts.started();
        this.#inbound.events.tell("start");
        this.#checkHealth();
      },
      stopped: () => {
        this.#inbound.stop();
        this.#checkHealth();
        this.#inbound.events.tell("stop");
      },
      event: (event) => this.#inbound.take(event),
      error: (error) => this.#inbound.events.report(error),
      seed: (seed) => {
        this.#inbound.events.tell("seed", seed);
        this.#checkHealth();
      },
      refused: (refusal) => this.#inbound.onRefused(refusal),
      missing: (problem) =>
        (options.logger ?? host.logger)?.warn(problem.message, { error: problem }),
      problem: (problem) => {
        if (problem !== undefined) this.#inbound.events.warn(problem);
        this.#checkHealth();
      },
    });
    this.#inbound = new Inbound(this.#ownView(), {
      logger: options.logger ?? host.logger,
      linkWith: (id) => this.#life.running?.links().find(({ peer }) => peer === id),
      log: (owner, key) => this.#life.running?.core.log(owner, key) ?? [],
      command: (command) => this.#life.driver().command(command),
      attach: (part, make) => this.#life.driver().input({ type: "attach", part, make }),
      store: this.#life.partStore,
      valueBytesMax: this.#valueBytesMax,
      ownChanged: ({ generation }) => this.#life.raiseGeneration(generation),
      taken: () => this.#life.stop(false),
      checkHealth: () => this.#checkHealth(),
    });
    this.channel = openChannel(this.#inbound.parts) as OpenChannel<T>;
  }

  /** The others. */
  get peers(): Peers<StateOf<T>> {
    return this.#inbound.peers as unknown as Peers<StateOf<T>>;
  }

  /** What all members configure together. */
  get config(): SharedConfig<ConfigOf<T>> {
    return this.#inbound.config as unknown as SharedConfig<ConfigOf<T>>;
  }

  /** This member. */
  get self(): Peer<StateOf<T>> {
    return this.#inbound.self as unknown as Peer<StateOf<T>>;
  }

  get cluster(): string {
    return this.#options.cluster;
  }

  /** Pass it to `join` to be the same member again. Holds the secret key: store it where only you can read it. */
  get identity(): Identity {
    return { secretKey: this.#life.secretKey, generation: this.#life.generation };
  }

  /** What is connected, and what is not. */
  get health(): Health {
    const core = this.#life.running?.core;
    return healthOf({
      left: core === undefined,
      linkCount: core?.links().length ?? 0,
      peerCount: this.peers.live.length + this.peers.asleep.length,
      introducedCount: core?.introducedCount ?? 0,
      failedLinks: this.#inbound.failedLinks,
      refusal: this.#inbound.refusal,
      wasLinked: this.#inbound.wasLinked,
      ephemeral: this.#life.ephemeral,
      storeFailed: this.#life.storeFailed,
      missing: this.#life.missing,
      seeds: this.seeds,
    });
  }

  /** Where others reach this member without an introduction, `udp://host:port`. Empty where it does not listen. */
  get addresses(): readonly string[] {
    return this.#life.addresses;
  }

  get seeds(): readonly Seed[] {
    return this.#life.running?.seeds.all() ?? [];
  }

  /**
   * Adds a signaling server, or an address of a member; false if it is a seed already, or our own address.
   * @throws HearsayError `options:seed` for what is no such URL
   */
  addSeed(url: string): boolean {
    checkSeed(url);
    return this.#life.addSeed(seedUrl(url, this.cluster));
  }

  /**
   * Starts again after `leave`, as the same member, with all handlers. While it runs, it does nothing.
   * @throws HearsayError `join:…`
   */
  start(): Promise<void> {
    return this.#life.start();
  }

  /** Says good-bye to all and ends every connection; resolves when the store has all. Again it does nothing. */
  leave(): Promise<void> {
    return this.#life.leave();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  /**
   * Calls `handler` at every `event`, until the returned function is called or `signal` aborts. Without a handler:
   * an async iterator of what each brings.
   */
  on<E extends MeshEventName>(
    event: E,
    handler: (...args: MeshEvents[E]) => unknown,
    options?: ListenOptions,
  ): Unlisten;
  on<E extends MeshEventName>(event: E, options?: ReadOptions): Reading<MeshEvents[E]>;
  on<E extends MeshEventName>(
    event: E,
    handler?: ((...args: MeshEvents[E]) => unknown) | ReadOptions,
    options?: ListenOptions,
  ): Unlisten | Reading<MeshEvents[E]> {
    const { events } = this.#inbound;
    if (typeof handler === "function") return events.on(event, handler, options);
    return read<MeshEvents[E]>((push) => events.on(event, (...args) => push(args)), handler);
  }

  /** Resolves with what the next `event` brings. @throws the reason of `signal` when it aborts */
  once<E extends MeshEventName>(event: E, options?: ListenOptions): Promise<MeshEvents[E]> {
    return nextOf<MeshEvents[E]>((hear) => this.on(event, (...args) => hear(args)), options);
  }

  /**
   * Says something to every member. Each hears it once, in the order in which we say it.
   * Resolves when our own links have taken it: await it to say much without filling memory.
   * @throws HearsayError `name:bad`, `value:…`, `options:forMs`, `say:full`, `say:too-fast`, `mesh:left`
   */
  say<N extends NameOf<EventsOf<T>>>(
    name: N,
    ...[data, { forMs = 0 } = {}]: DataOf<EventsOf<T>, N, SayOptions>
  ): Promise<void> {
    checkName(name);
    checkLife(forMs);
    const value = forMs > 0 ? encodeValue(data, LASTING_BYTES_MAX) : this.#encode(data);
    const driver = this.#life.driver();
    const { id, promise } = this.#inbound.said.open();
    const events = driver.command({ type: "say", id, name, value, forMs });
    const error = writeError("say", events);
    if (error !== undefined) {
      this.#inbound.said.reject(id, error);
      throw error;
    }
    this.#inbound.sayOwn(name, value);
    return promise;
  }

  /** Sends something to one member, over others if need be. Resolves when it has arrived there. */
  send<N extends NameOf<EventsOf<T>>>(
    to: string | Pick<Peer, "id">,
    name: N,
    data?: EventsOf<T>[N],
    options: SendOptions = {},
  ): Promise<void> {
    checkName(name);
    const value = this.#encode(data);
    const { timeoutMs = SEND_TIMEOUT_MS } = options;
    checkTimeout(timeoutMs);
    const peerId = typeof to === "string" ? to : to.id;
    const driver = this.#life.driver();
    const state = this.peers.get(peerId)?.state;
    if (state === undefined) return refused(unknownPeer("send", peerId));
    if (state === "down" || state === "left") return refused(sendError("gone"));
    const { id, promise } = this.#inbound.sent.open(options.signal);
    driver.command({ type: "send", id, to: peerId, name, value, timeoutMs });
    return promise;
  }

  /**
   * Opens a stream of bytes, both ways, to one member, over others if need be. Resolves when it is taken there.
   * `signal` aborts it, at any time.
   * @throws HearsayError `name:bad`, `stream:…`, `mesh:left`
   */
  async stream(
    to: string | Pick<Peer, "id">,
    name: string,
    options: ListenOptions = {},
  ): Promise<MeshStream> {
    checkName(name);
    this.#life.driver();
    const id = typeof to === "string" ? to : to.id;
    const peer = this.#inbound.peers.get(id);
    if (peer === undefined) throw unknownPeer("stream", id);
    if (peer.state === "down" || peer.state === "left") throw streamGone();
    return await this.#inbound.streaming.open(peer, name, options);
  }

  /**
   * Takes streams that others open, of names that match `pattern`: each goes to the first that listens for it. When the
   * promise of `handler` resolves and the other end has written all, ours ends, too. Gives the function that ends the
   * listening; without a handler: an async iterator. What nobody takes within 5 s is refused.
   */
  onStream(pattern: string, handler: StreamHandler, options?: ListenOptions): Unlisten;
  onStream(pattern: string, options?: ListenOptions): Reading<MeshStream>;
  onStream(
    pattern: string,
    handler?: StreamHandler | ListenOptions,
    options?: ListenOptions,
  ): Unlisten | Reading<MeshStream> {
    const { streaming } = this.#inbound;
    if (typeof handler === "function") return streaming.listen(pattern, handler, options);
    return streaming.read(pattern, handler);
  }

  /**
   * Hears what others say to all and send to us, of names that match `pattern` (`*` one segment, `**` any).
   * With a handler: gives the function that ends it. Without: an async iterator, that holds up to 1,024 messages
   * for a slow reader and then drops the oldest, or does as its options say.
   */
  hear<D = unknown>(
    pattern: PatternOf<EventsOf<T>>,
    handler: HearHandler<D>,
    options?: HearOptions,
  ): Unlisten;
  hear<D = unknown>(
    pattern: PatternOf<EventsOf<T>>,
    options?: HearOptions & ReadOptions,
  ): Reading<Heard<D>>;
  hear<N extends NameOf<EventsOf<T>>>(
    name: N,
    handler: HearHandler<EventsOf<T>[N]>,
    options?: HearOptions,
  ): Unlisten;
  hear<N extends NameOf<EventsOf<T>>>(
    name: N,
    options?: HearOptions & ReadOptions,
  ): Reading<Heard<EventsOf<T>[N]>>;
  hear(
    pattern: string,
    handler?: HearHandler<never> | (HearOptions & ReadOptions),
    options?: HearOptions,
  ): Unlisten | Reading<Heard> {
    const matches = matcherOf(pattern);
    const { hearing } = this.#inbound;
    if (typeof handler === "function") return hearing.add(matches, handler as HearHandler, options);
    return read<Heard>(
      (push) => hearing.add(matches, (_data, _from, _name, heard) => push(heard), handler),
      handler,
    );
  }

  /** Hears one message and no more. @throws the reason of `signal` when it aborts first */
  hearOnce<D = unknown>(pattern: PatternOf<EventsOf<T>>, options?: HearOptions): Promise<Heard<D>>;
  hearOnce<N extends NameOf<EventsOf<T>>>(
    name: N,
    options?: HearOptions,
  ): Promise<Heard<EventsOf<T>[N]>>;
  hearOnce(pattern: string, options?: HearOptions): Promise<Heard> {
    const listen = (hear: (heard: Heard) => void): Unlisten =>
      this.#inbound.hearing.add(
        matcherOf(pattern),
        (_data, _from, _name, heard) => hear(heard),
        options,
      );
    return nextOf(listen, options);
  }

  /**
   * Sets a key of our own state; every member gets to know it. Of changes in quick succession others may get only the
   * last, unless all are kept (`log`).
   * @throws HearsayError `name:bad`, `value:…`, `options:ttlMs`, `options:log`, `state:full`, `state:too-fast`, `mesh:left`
   */
  set<K extends NameOf<StateOf<T>>>(key: K, value: StateOf<T>[K], options: SetOptions = {}): void {
    checkName(key);
    const manner = mannerOf(options);
    if (value === undefined) {
      throw new HearsayError(
        "value:unsupported",
        "undefined is no value: use mesh.delete, or null",
      );
    }
    const bytes = this.#encode(value);
    const events = this.#life.driver().command({ type: "set", key, value: bytes, ...manner });
    const error = writeError("state", events);
    if (error !== undefined) throw error;
    this.#inbound.setOwn(key, bytes);
  }

  /** Deletes a key of our own state everywhere. */
  delete(key: NameOf<StateOf<T>>): void {
    checkName(key);
    this.#life.driver().command({ type: "delete", key });
    this.#inbound.setOwn(key, undefined);
  }

  /** A value of our own state. */
  get<K extends NameOf<StateOf<T>>>(key: K): StateOf<T>[K] | undefined {
    return this.self.get(key);
  }

  /** What is kept of a key of our own that is set with `log`, oldest first. */
  log<K extends NameOf<StateOf<T>>>(key: K): StateOf<T>[K][] {
    return this.self.log(key);
  }

  keys(): NameOf<StateOf<T>>[] {
    return this.self.keys();
  }

  entries(): [NameOf<StateOf<T>>, StateOf<T>[NameOf<StateOf<T>>]][] {
    return this.self.entries();
  }

  /**
   * Knows what other members set: calls `handler` for what is there already, then at every change, for keys that
   * match `pattern`. Gives the function that ends it. Without a handler: an async iterator.
   */
  know<V = unknown>(
    pattern: PatternOf<StateOf<T>>,
    handler: KnowHandler<V>,
    options?: KnowOptions,
  ): Unlisten;
  know<V = unknown>(
    pattern: PatternOf<StateOf<T>>,
    options?: KnowOptions & ReadOptions,
  ): Reading<Known<V>>;
  know<K extends NameOf<StateOf<T>>>(
    key: K,
    handler: KnowHandler<StateOf<T>[K]>,
    options?: KnowOptions,
  ): Unlisten;
  know<K extends NameOf<StateOf<T>>>(
    key: K,
    options?: KnowOptions & ReadOptions,
  ): Reading<Known<StateOf<T>[K]>>;
  know(
    pattern: string,
    handler?: KnowHandler<never> | (KnowOptions & ReadOptions),
    options?: KnowOptions,
  ): Unlisten | Reading<Known> {
    const { knowing } = this.#inbound;
    if (typeof handler === "function") return knowing.add(pattern, handler as KnowHandler, options);
    return read<Known>(
      (push) => knowing.add(pattern, (peer, value, key) => push({ peer, key, value }), handler),
      handler,
    );
  }

  /** Calls `run` once, `delayMs` from now, unless the mesh is left before. Gives the function that ends it. */
  after(delayMs: number, run: () => unknown, options?: ListenOptions): Unlisten {
    this.#life.driver();
    return this.#inbound.timers.after(delayMs, run, options);
  }

  /**
   * Calls `run` each `periodMs` until the mesh is left, but not while the call before has not ended.
   * Gives the function that ends it.
   */
  every(periodMs: number, run: () => unknown, options?: ListenOptions): Unlisten {
    this.#life.driver();
    return this.#inbound.timers.every(periodMs, run, options);
  }

  /** Changes what others see of this member; what is left out stays. */
  describe(change: Description): void {
    const about = { ...this.#life.about, ...change };
    checkDescription(about);
    const meta = encodeValue(about.meta, META_BYTES_MAX);
    this.#life.driver().command({ type: "describe", about: { ...about, meta } });
    this.#life.about = about;
  }

  /**
   * Invites a newcomer without any server: carry `text` to it, its reply back to `complete`.
   */
  async invite(options: InviteOptions = {}): Promise<Invitation> {
    return (await this.#life.invitations()).invite(options.lifeMs);
  }

  /**
   * Takes an invitation: carry the `text` that it gives back to who invited.
   * @throws HearsayError `invite:…`
   */
  async acceptInvite(text: string): Promise<AcceptedInvitation> {
    const invitations = await this.#life.invitations();
    return invitations.accept(text);
  }

  /**
   * Compares with all neighbours now: what either end has missed is sent. It happens by itself within a second or two;
   * this is for who does not want to wait.
   */
  sync(): void {
    this.#life.driver().command({ type: "sync" });
  }

  /** Figures since the start, by layer, for diagnosis. */
  stats(): MeshStats {
    const driver = this.#life.driver();
    return statsOf(driver.core.stats(), driver.links(), this.#inbound.unreadable);
  }

  #encode(value: unknown): Uint8Array {
    return encodeValue(value, this.#valueBytesMax);
  }

  /** What we are until the core says it. */
  #ownView(): MemberView {
    const { id, generation, about, node } = this.#life;
    const meta = encodeValue(about.meta, META_BYTES_MAX);
    const nothing = { addresses: [], neighbours: [] };
    return { id, generation, state: "alive", ...about, meta, node, ...nothing };
  }

  /** Tells when the state of health is another than before. */
  #checkHealth(): void {
    const { health } = this;
    const state = `${health.state} ${this.#life.storeFailed}`;
    if (state === this.#health) return;
    this.#health = state;
    this.#inbound.events.tell("health", health);
  }
}
