/** The public face: turns calls into commands and events into callbacks, and nothing more. */

import { type Config, PARAMETERS } from "../core/config.ts";
import type { MeshEvent } from "../core/machine.ts";
import { META_BYTES_MAX } from "../core/wire/messages.ts";
import { HearsayError } from "../errors.ts";
import { Driver } from "../runtime/driver.ts";
import type { Host } from "../runtime/host.ts";
import type { AcceptedInvitation, Invitation, Invitations } from "../runtime/invitations.ts";
import type { Seed } from "../runtime/seeds.ts";
import type { KeyPair } from "../session/identity.ts";
import type { Transport } from "../transport/transport.ts";
import { type Answers, pendingAnswers, refused } from "./answers.ts";
import { coreConfig } from "./core-config.ts";
import { Emitter } from "./emitter.ts";
import type { MeshEventName, MeshEvents } from "./events.ts";
import { type Health, healthOf } from "./health.ts";
import { type Heard, type HearHandler, Hearing } from "./hearing.ts";
import { type KnowHandler, Knowing } from "./knowing.ts";
import { iterate, type ListenOptions, nextOf, type Unlisten } from "./listeners.ts";
import { leftBefore, leftMeanwhile, sendError, unknownPeer } from "./mesh-errors.ts";
import {
  checkDescription,
  checkSeed,
  checkTimeout,
  type Description,
  type Identity,
  type InviteOptions,
  type JoinOptions,
  type SendOptions,
  seedUrl,
} from "./options.ts";
import { checkName, matcherOf } from "./pattern.ts";
import { type Peer, PeerObject, Peers } from "./peers.ts";
import { StateView } from "./state-view.ts";
import { type MeshStats, statsOf } from "./stats.ts";
import { encodeValue } from "./values.ts";

/** What there is between start and leave. */
interface Running {
  readonly driver: Driver;
  /** Loaded with the first invitation. */
  invitations: Promise<Invitations> | undefined;
}

const SEND_TIMEOUT_MS = 10_000;

export class Mesh {
  readonly peers = new Peers();
  readonly #host: Host;
  readonly #options: JoinOptions;
  readonly #keys: KeyPair;
  readonly #clusterHash: number;
  readonly #state = new StateView();
  readonly #hearing: Hearing;
  readonly #events: Emitter;
  readonly #knowing: Knowing;
  readonly #said: Answers = pendingAnswers();
  readonly #sent: Answers = pendingAnswers();
  readonly #seedUrls: Set<string>;
  #about: Required<Description>;
  #generation: number;
  #running: Running | undefined;
  #starting: Promise<void> | undefined;
  /** Counts starts and leaves. */
  #life = 0;
  #self: PeerObject;
  #endHost: (() => void)[] = [];
  /** The last words of `health` that were told. */
  #health = "";
  #unreadable = 0;

  /** @internal Use `join`. */
  constructor(host: Host, options: JoinOptions, keys: KeyPair, clusterHash: number) {
    this.#host = host;
    this.#options = options;
    this.#keys = keys;
    this.#generation = options.identity?.generation ?? 0;
    this.#clusterHash = clusterHash;
    const { name = "", role = "", meta } = options;
    this.#about = { name, role, meta };
    this.#seedUrls = new Set((options.seeds ?? []).map((seed) => seedUrl(seed, options.cluster)));
    this.#events = new Emitter(options.logger);
    this.#hearing = new Hearing(this.#events.report);
    this.#knowing = new Knowing(() => this.peers.all, this.#events.report);
    this.#self = this.#peerObject(this.#ownView());
  }

  /** This member. */
  get self(): Peer {
    return this.#self;
  }

  get cluster(): string {
    return this.#options.cluster;
  }

  /** Pass it to `join` to be the same member again. Holds the secret key: store it where only you can read it. */
  get identity(): Identity {
    return { secretKey: this.#keys.secretKey, generation: this.#generation };
  }

  /** What is connected, and what is not. */
  get health(): Health {
    const driver = this.#running?.driver;
    const links = driver?.core.links().length ?? 0;
    const introduced = driver?.core.introducedCount ?? 0;
    return healthOf(driver === undefined, links, this.peers.live.length, introduced, this.seeds);
  }

  get seeds(): readonly Seed[] {
    return this.#running?.driver.seeds.all() ?? [];
  }

  /**
   * Adds a signaling server; false if it is one already.
   * @throws HearsayError `options:seed` for what is no such URL
   */
  addSeed(url: string): boolean {
    checkSeed(url);
    const full = seedUrl(url, this.cluster);
    const known = this.#seedUrls.has(full);
    this.#seedUrls.add(full);
    if (!known) this.#running?.driver.seeds.add(full);
    return !known;
  }

  /**
   * Starts again after `leave`, as the same member, with all handlers. While it runs, it does nothing.
   * @throws HearsayError `join:…`
   */
  start(): Promise<void> {
    if (this.#starting === undefined) {
      const life = ++this.#life;
      this.#starting = this.#start(life).catch((error: unknown) => {
        if (life === this.#life) this.#starting = undefined;
        throw error;
      });
    }
    return this.#starting;
  }

  /** Says good-bye to all and ends every connection. Calling it again does nothing. */
  async leave(): Promise<void> {
    this.#stop(true);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  /** Calls `handler` at every `event`, until the returned function is called or `signal` aborts. */
  on<E extends MeshEventName>(
    event: E,
    handler: (...args: MeshEvents[E]) => unknown,
    options?: ListenOptions,
  ): Unlisten {
    return this.#events.on(event, handler, options);
  }

  /** Resolves with what the next `event` brings. @throws the reason of `signal` when it aborts */
  once<E extends MeshEventName>(event: E, options?: ListenOptions): Promise<MeshEvents[E]> {
    return nextOf<MeshEvents[E]>((hear) => this.on(event, (...args) => hear(args)), options);
  }

  /**
   * Says something to every member. Each hears it once, in the order in which we say it.
   * Resolves when our own links have taken it: await it to say much without filling memory.
   * @throws HearsayError `name:bad`, `value:…`, `mesh:left`
   */
  say(name: string, data?: unknown): Promise<void> {
    checkName(name);
    const value = this.#encode(data);
    const driver = this.#driver();
    const { id, promise } = this.#said.open();
    driver.command({ type: "say", id, name, value });
    return promise;
  }

  /** Sends something to one member, over others if need be. Resolves when it has arrived there. */
  send(to: string | Peer, name: string, data?: unknown, options: SendOptions = {}): Promise<void> {
    checkName(name);
    const value = this.#encode(data);
    const { timeoutMs = SEND_TIMEOUT_MS } = options;
    checkTimeout(timeoutMs);
    const peerId = typeof to === "string" ? to : to.id;
    const driver = this.#driver();
    const state = this.peers.get(peerId)?.state;
    if (state === undefined) return refused(unknownPeer(peerId));
    if (state === "down" || state === "left") return refused(sendError("gone"));
    const { id, promise } = this.#sent.open(options.signal);
    driver.command({ type: "send", id, to: peerId, name, value, timeoutMs });
    return promise;
  }

  /**
   * Hears what others say to all and send to us, of names that match `pattern` (`*` one segment, `**` any).
   * With a handler: gives the function that ends it. Without: an async iterator, that holds up to 1,024 messages
   * for a slow reader and then drops the oldest.
   */
  hear<T = unknown>(pattern: string, handler: HearHandler<T>, options?: ListenOptions): Unlisten;
  hear<T = unknown>(pattern: string, options?: ListenOptions): AsyncIterableIterator<Heard<T>>;
  hear<T = unknown>(
    pattern: string,
    handlerOrOptions?: HearHandler<T> | ListenOptions,
    options?: ListenOptions,
  ): Unlisten | AsyncIterableIterator<Heard<T>> {
    const matches = matcherOf(pattern);
    if (typeof handlerOrOptions === "function") {
      return this.#hearing.add(matches, handlerOrOptions as HearHandler, options);
    }
    return iterate<Heard<T>>(
      (push) => this.#hearing.add(matches, (_d, _f, _n, heard) => push(heard as Heard<T>)),
      handlerOrOptions,
    );
  }

  /** Hears one message and no more. @throws the reason of `signal` when it aborts first */
  hearOnce<T = unknown>(pattern: string, options?: ListenOptions): Promise<Heard<T>> {
    return nextOf<Heard<T>>(
      (hear) => this.hear<T>(pattern, (_data, _from, _name, heard) => hear(heard)),
      options,
    );
  }

  /**
   * Sets a key of our own state; every member gets to know it.
   * @throws HearsayError `name:bad`, `value:…`, `state:full`, `mesh:left`
   */
  set(key: string, value: unknown): void {
    checkName(key);
    if (value === undefined) {
      throw new HearsayError(
        "value:unsupported",
        "undefined is no value: use mesh.delete, or null",
      );
    }
    const bytes = this.#encode(value);
    const events = this.#driver().command({ type: "set", key, value: bytes });
    if (events.some(({ type }) => type === "writeRefused")) {
      throw new HearsayError(
        "state:full",
        `no room for ${key}: delete other keys; larger data can be said in parts`,
      );
    }
    this.#state.put(this.#keys.id, key, bytes);
  }

  /** Deletes a key of our own state everywhere. */
  delete(key: string): void {
    checkName(key);
    this.#driver().command({ type: "delete", key });
    this.#state.put(this.#keys.id, key, undefined);
  }

  /** A value of our own state. */
  get(key: string): unknown {
    return this.#self.get(key);
  }

  keys(): string[] {
    return this.#self.keys();
  }

  entries(): [string, unknown][] {
    return this.#self.entries();
  }

  /**
   * Knows what other members set: calls `handler` for what is there already, then at every change, for keys that
   * match `pattern`. Gives the function that ends it.
   */
  know<T = unknown>(pattern: string, handler: KnowHandler<T>, options?: ListenOptions): Unlisten {
    return this.#knowing.add(pattern, handler as KnowHandler, options);
  }

  /** Changes what others see of this member; what is left out stays. */
  describe(change: Description): void {
    const about = { ...this.#about, ...change };
    checkDescription(about);
    const meta = encodeValue(about.meta, META_BYTES_MAX);
    this.#driver().command({ type: "describe", about: { ...about, meta } });
    this.#about = about;
  }

  /**
   * Invites a newcomer without any server: carry `text` to it, its reply back to `complete`.
   */
  async invite(options: InviteOptions = {}): Promise<Invitation> {
    return (await this.#invitations()).invite(options.lifeMs);
  }

  /**
   * Takes an invitation: carry the `text` that it gives back to who invited.
   * @throws HearsayError `invite:…`
   */
  async acceptInvite(text: string): Promise<AcceptedInvitation> {
    const invitations = await this.#invitations();
    return invitations.accept(text);
  }

  /** Figures since the start, for diagnosis. */
  stats(): MeshStats {
    return statsOf(this.#driver().core, this.#unreadable);
  }

  async #start(life: number): Promise<void> {
    this.#options.signal?.throwIfAborted();
    const transport = this.#options.transport ?? (await this.#host.defaultTransport(this.#options));
    if (life !== this.#life) {
      transport.close();
      throw leftMeanwhile();
    }
    // The clock makes it higher than at any start before, also where nothing was stored.
    this.#generation = Math.max(this.#generation + 1, Date.now());
    this.peers.clear();
    this.#state.clear();
    this.#self.update(this.#ownView());
    const driver = this.#makeDriver(transport);
    this.#running = { driver, invitations: undefined };
    this.#endHost = [
      this.#host.onEnding(() => this.#stop(true)),
      this.#host.onHidden((value) => driver.command({ type: "mayFreeze", value })),
    ];
    for (const url of this.#seedUrls) driver.seeds.add(url);
    this.#events.tell("start");
    this.#checkHealth();
  }

  #makeDriver(transport: Transport): Driver {
    const { WebSocket } = this.#host;
    const { backoff } = this.#options;
    return new Driver({
      config: this.#config(transport),
      transport,
      WebSocket,
      backoff,
      onEvent: (event) => this.#onEvent(event),
      onSeed: (seed) => {
        this.#events.tell("seed", seed);
        this.#checkHealth();
      },
    });
  }

  #config(transport: Transport): Config {
    return coreConfig(this.#options, {
      id: this.#keys.id,
      generation: this.#generation,
      clusterHash: this.#clusterHash,
      ...this.#about,
      slowOfferer: transport.slowOfferer,
      node: this.#host.node,
    });
  }

  #stop(sayGoodbye: boolean): void {
    const running = this.#running;
    // Also what has only begun to start is over.
    this.#life++;
    this.#starting = undefined;
    if (running === undefined) return;
    this.#running = undefined;
    for (const end of this.#endHost.splice(0)) end();
    running.invitations?.then((invitations) => invitations.close());
    if (sayGoodbye) running.driver.command({ type: "leave" });
    running.driver.close();
    this.#said.rejectAll(leftMeanwhile());
    this.#sent.rejectAll(leftMeanwhile());
    this.#checkHealth();
    this.#events.tell("stop");
  }

  #driver(): Driver {
    return this.#runningMesh().driver;
  }

  #invitations(): Promise<Invitations> {
    const running = this.#runningMesh();
    running.invitations ??= import("../runtime/invitations.ts").then(
      ({ Invitations }) => new Invitations(running.driver, this.#keys, this.#clusterHash),
    );
    return running.invitations;
  }

  #runningMesh(): Running {
    if (this.#running !== undefined) return this.#running;
    throw leftBefore();
  }

  #encode(value: unknown): Uint8Array {
    return encodeValue(
      value,
      this.#options.parameters?.valueBytesMax ?? PARAMETERS.valueBytesMax.default,
    );
  }

  #onEvent(event: MeshEvent): void {
    switch (event.type) {
      case "member":
        return this.#onMember(event);
      case "forgotten":
        return this.peers.forget(event.id);
      case "heard":
        return this.#onHeard(event);
      case "state":
        return this.#onState(event);
      case "said":
        return this.#said.resolve(event.id);
      case "sent":
        return this.#sent.resolve(event.id);
      case "sendFailed":
        return this.#sent.reject(event.id, sendError(event.reason));
      case "gap":
        return this.#events.tell("gap", this.peers.get(event.from), event.first, event.last);
      case "refused":
        return this.#events.tell("refused", event.reason);
      case "identityTaken":
        this.#events.tell("identity:taken");
        return this.#stop(false);
      case "notFound":
        return this.#checkHealth();
      case "writeRefused":
      case "left":
        return;
      default:
        return this.#onLink(event);
    }
  }

  #onLink(
    event: Extract<
      MeshEvent,
      { type: "linkUp" | "linkDown" | "linkFailed" | "isolated" | "connected" }
    >,
  ): void {
    if (event.type === "linkUp") {
      const peer = this.peers.get(event.peer);
      if (peer !== undefined) this.#events.tell("link:up", peer, event.transport);
    } else if (event.type === "linkDown") {
      this.#events.tell("link:down", this.peers.get(event.peer), event.reason);
    } else if (event.type === "linkFailed") {
      this.#events.tell("link:failed", event.peer, event.reason);
    } else this.#events.tell(event.type === "isolated" ? "offline" : "online");
    this.#checkHealth();
  }

  #onMember({ kind, member }: Extract<MeshEvent, { type: "member" }>): void {
    if (member.id === this.#keys.id) {
      this.#generation = Math.max(this.#generation, member.generation);
      this.#self.update(member);
      return;
    }
    const peer = this.peers.put(member, () => this.#peerObject(member));
    this.#events.tell(`peer:${kind}`, peer);
    this.#checkHealth();
  }

  #onHeard({ from, name, value, direct }: Extract<MeshEvent, { type: "heard" }>): void {
    const peer = this.peers.get(from);
    if (peer === undefined) return;
    this.#hearing.tell({ name, value, from: peer, direct }, (reason) => {
      this.#unreadable++;
      this.#options.logger?.warn(`a message of ${peer.name} cannot be read`, { name, reason });
    });
  }

  #onState({ owner, key, value }: Extract<MeshEvent, { type: "state" }>): void {
    this.#state.put(owner, key, value);
    const peer = this.peers.get(owner);
    if (peer !== undefined) this.#knowing.tell(peer, peer.get(key), key);
  }

  #peerObject(view: ConstructorParameters<typeof PeerObject>[0]): PeerObject {
    return new PeerObject(view, this.#state, (id) =>
      this.#running?.driver.core.links().find(({ peer }) => peer === id),
    );
  }

  #ownView(): ConstructorParameters<typeof PeerObject>[0] {
    return {
      id: this.#keys.id,
      generation: this.#generation,
      state: "alive",
      ...this.#about,
      meta: encodeValue(this.#about.meta, META_BYTES_MAX),
      node: this.#host.node,
      addresses: [],
      neighbours: [],
    };
  }

  /** Tells when the state of health is another than before. */
  #checkHealth(): void {
    const { health } = this;
    if (health.state === this.#health) return;
    this.#health = health.state;
    this.#events.tell("health", health);
  }
}
