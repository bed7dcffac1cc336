/** From start to leave, again and again: the driver that runs meanwhile, and the identity that it all has. */

import type { MemberId, MeshEvent } from "../core/machine.ts";
import { HearsayError } from "../errors.ts";
import { Driver } from "../runtime/driver.ts";
import type { Host, IceServer } from "../runtime/host.ts";
import type { Invitations } from "../runtime/invitations.ts";
import { loadClient, type MakeClient, type Seed } from "../runtime/seeds.ts";
import type { KeyPair } from "../session/identity.ts";
import { Notary } from "../session/notary.ts";
import type { SecuredTransport, secured } from "../session/secured.ts";
import type { Refusal, Session } from "../session/session.ts";
import { addressesOf, coreConfig } from "./core-config.ts";
import { leftBefore, leftMeanwhile, TAKEN } from "./mesh-errors.ts";
import { type Description, isServer, type JoinOptions, seedUrl } from "./options.ts";
import type { PartStore } from "./parts.ts";
import { listened, makeTransports, type Transports } from "./transports.ts";

/** What keeps an identity over its lives, and with a store also the configuration. */
export interface Kept {
  /** The highest generation that was kept; 0 for a new identity. */
  readonly generation: number;
  /** Takes it for this member. False when another has it. */
  hold(): Promise<boolean>;
  /** Writes down the generation of a start. */
  keep(generation: number): void;
  /** Lets it go, when all is written. */
  release(): void | Promise<void>;
  /** Resolves when what there is to write is written, or could not be. */
  written?(): Promise<void>;
  /** Gives what `keepEntry` has kept. */
  restore?(into: (entries: readonly Uint8Array[]) => void): void;
  /** Undefined: it need not be kept any more. */
  keepEntry?(key: string, entry: Uint8Array | undefined): void;
  /** Tells of each problem from the first on, and, without one, that it works again. */
  watch?(tell: (problem: Error | undefined) => void): void;
  /** The last write failed. */
  readonly isFailing?: boolean;
  /** Where parts of the core keep what is theirs. */
  readonly parts?: PartStore;
}

/** Who this member is, in its cluster. */
export interface Self {
  readonly keys: KeyPair;
  readonly clusterHash: number;
  readonly kept: Kept | undefined;
  readonly session: Session;
  readonly secured: typeof secured;
}

/** What a life tells. */
export interface LifeOut {
  /** It begins: what was known of the last one is void. */
  reset(): void;
  started(): void;
  stopped(): void;
  event(event: MeshEvent): void;
  /** Something inside threw that never should. */
  error(error: unknown): void;
  seed(seed: Seed): void;
  /** A handshake failed. */
  refused(refusal: Refusal): void;
  /** This platform lacks something that most have. */
  missing(problem: HearsayError): void;
  /** Of the store; undefined: it works again. */
  problem(problem: Error | undefined): void;
}

/** What there is between start and leave. */
interface Running {
  readonly driver: Driver;
  readonly unwatch: () => void;
  readonly repeating: ReturnType<typeof setInterval> | undefined;
  /** Loaded with the first invitation. */
  invitations: Promise<Invitations> | undefined;
}

export class Life {
  about: Required<Description>;
  readonly #host: Host;
  readonly #options: JoinOptions;
  readonly #self: Self;
  readonly #out: LifeOut;
  readonly #seedUrls: Set<string>;
  /** What each signaling server has named last. */
  readonly #namedIce = new Map<string, readonly IceServer[]>();
  /** The last one that takes links at an address. */
  #listening: Driver | undefined;
  #missing: HearsayError | undefined;
  #generation: number;
  #running: Running | undefined;
  #starting: Promise<void> | undefined;
  #leaving: Promise<void> | undefined;
  #hasRun = false;
  /** Counts starts and leaves. */
  #count = 0;

  constructor(host: Host, options: JoinOptions, self: Self, out: LifeOut) {
    this.#host = host;
    this.#options = options;
    this.#self = self;
    this.#out = out;
    this.#generation = Math.max(options.identity?.generation ?? 0, self.kept?.generation ?? 0);
    const { name = "", role = "", meta } = options;
    this.about = { name, role, meta };
    this.#seedUrls = new Set((options.seeds ?? []).map((seed) => seedUrl(seed, options.cluster)));
  }

  get id(): MemberId {
    return this.#self.keys.id;
  }

  get secretKey(): Uint8Array {
    return this.#self.keys.secretKey;
  }

  get generation(): number {
    return this.#generation;
  }

  /** It runs in a Node process. */
  get node(): boolean {
    return this.#host.node;
  }

  /** Undefined while it does not run. */
  get running(): Driver | undefined {
    return this.#running?.driver;
  }

  /** This page cannot keep its identity, though it was not told to forget it. */
  get ephemeral(): boolean {
    const { identity, store } = this.#options;
    const wanted = this.#host.keptIdentity !== undefined && store !== false;
    return wanted && identity === undefined && this.#self.kept === undefined;
  }

  /** Where others reach this member. */
  get addresses(): readonly string[] {
    return addressesOf(this.running?.transports ?? []);
  }

  /** What this platform lacks. */
  get missing(): HearsayError | undefined {
    return this.#missing;
  }

  /** Something could not be written to the store. */
  get storeFailed(): boolean {
    return this.#self.kept?.isFailing ?? false;
  }

  /** Where parts of the core keep what is theirs; undefined without a store. */
  get partStore(): PartStore | undefined {
    return this.#self.kept?.parts;
  }

  /** @throws HearsayError `mesh:left` while it does not run */
  driver(): Driver {
    if (this.#running === undefined) throw leftBefore();
    return this.#running.driver;
  }

  /** @throws HearsayError `mesh:left` while it does not run */
  invitations(): Promise<Invitations> {
    const running = this.#running;
    if (running === undefined) throw leftBefore();
    const { keys, clusterHash } = this.#self;
    running.invitations ??= import("../runtime/invitations.ts").then(
      ({ Invitations }) => new Invitations(running.driver, keys, clusterHash),
    );
    return running.invitations;
  }

  /** Also for the starts to come. False when it is there already. */
  addSeed(full: string): boolean {
    if (this.#seedUrls.has(full) || this.#isOwn(full)) return false;
    this.running?.seeds.add(full);
    this.#seedUrls.add(full);
    void this.#listenFor(full);
    return true;
  }

  /** Who has a seed that is an address can be reached at one, too, as if `join` had been given it. */
  async #listenFor(seed: string): Promise<void> {
    const driver = this.running;
    if (driver === undefined || driver === this.#listening || isServer(seed)) return;
    this.#listening = driver;
    const problem = await listened({ all: driver.transports, listen: true }, (kind, link) =>
      driver.accept(kind, link),
    );
    if (this.running !== driver) return;
    if (problem !== undefined) this.#out.missing(problem);
    else driver.command({ type: "describe", about: { addresses: this.addresses } });
  }

  #isOwn(url: string): boolean {
    return this.addresses.includes(url);
  }

  /** The mesh has counted this member's starts higher than we have. */
  raiseGeneration(generation: number): void {
    if (generation <= this.#generation) return;
    this.#generation = generation;
    this.#self.kept?.keep(generation);
  }

  start(): Promise<void> {
    if (this.#leaving !== undefined) return this.#leaving.then(() => this.start());
    if (this.#starting === undefined) {
      const count = ++this.#count;
      this.#starting = this.#start(count).catch((error: unknown) => {
        if (count === this.#count) this.#starting = undefined;
        throw error;
      });
    }
    return this.#starting;
  }

  /** Over when all that was said and set before is on its way. Resolves when all is written. */
  leave(): Promise<void> {
    const proven = this.running?.proven();
    if (proven === undefined) return this.#leaving ?? this.stop(true);
    this.#leaving ??= proven.then(() => {
      this.#leaving = undefined;
      return this.stop(true);
    });
    return this.#leaving;
  }

  /** Over at once. Resolves when all is written. */
  async stop(sayGoodbye: boolean): Promise<void> {
    const running = this.#running;
    // Also what has only begun to start is over.
    this.#count++;
    this.#starting = undefined;
    if (running !== undefined) {
      this.#running = undefined;
      running.unwatch();
      clearInterval(running.repeating);
      running.invitations?.then((invitations) => invitations.close());
      if (sayGoodbye) running.driver.command({ type: "leave" });
      running.driver.close();
      this.#out.stopped();
    }
    await this.#self.kept?.release();
  }

  async #start(count: number): Promise<void> {
    this.#options.signal?.throwIfAborted();
    const { kept } = this.#self;
    const held = (await kept?.hold()) ?? true;
    if (count !== this.#count) throw leftMeanwhile();
    if (!held) throw new HearsayError("identity:taken", TAKEN);
    // The clock makes it higher than at any start before, also where nothing was stored; what was stored, also when
    // the clock was set back.
    this.raiseGeneration(Math.max(this.#generation, kept?.generation ?? 0, Date.now() - 1) + 1);
    const [transports, makeClient] = await Promise.all([
      this.#makeTransports(),
      [...this.#seedUrls].some(isServer) ? loadClient() : undefined,
      kept?.written?.(),
    ]);
    // What is dialled before there is a driver waits no longer than until this step is over.
    let running: Driver | undefined;
    const ended = await listened(transports, (kind, link) => running?.accept(kind, link));
    if (count !== this.#count || ended !== undefined) {
      for (const transport of transports.all) transport.close();
      throw ended ?? leftMeanwhile();
    }
    this.#out.reset();
    const driver = this.#makeDriver(transports.all, makeClient);
    running = driver;
    if (transports.listen) this.#listening = driver;
    this.#missing = transports.problem;
    if (this.#missing !== undefined) this.#out.missing(this.#missing);
    const unwatch = this.#host.watch(
      {
        ending: () => this.stop(true),
        // What keeps it from starting shows: it goes on having left.
        returned: () => void this.start().catch(() => undefined),
        mayFreeze: (value) => driver.command({ type: "mayFreeze", value }),
        suspending: () => driver.suspend(),
        resumed: () => driver.resume(),
        online: () => driver.online(),
      },
      this.#options,
    );
    const { repeatValuesMs } = this.#options;
    const repeating =
      repeatValuesMs === undefined
        ? undefined
        : setInterval(() => driver.command({ type: "repeat" }), repeatValuesMs);
    this.#running = { driver, unwatch, repeating, invitations: undefined };
    this.#hasRun = true;
    // Before the first link: what others hold is compared with it.
    kept?.restore?.((entries) => driver.input({ type: "restored", entries }));
    for (const url of this.#seedUrls) driver.seeds.add(url);
    const { BroadcastChannel } = this.#host;
    const { cluster, tabs = true } = this.#options;
    if (tabs && BroadcastChannel !== undefined) driver.seeds.addTabs(cluster, BroadcastChannel);
    this.#discover(driver);
    this.#out.started();
    kept?.watch?.((problem) => this.#out.problem(problem));
  }

  async #makeTransports(): Promise<Transports & { readonly all: readonly SecuredTransport[] }> {
    const { session, secured } = this.#self;
    session.refused = (refusal) => this.#out.refused(refusal);
    const transports = await makeTransports({
      host: this.#host,
      options: this.#options,
      seedUrls: this.#seedUrls,
      hasRun: this.#hasRun,
      iceServers: () => this.#iceServers(),
    });
    return { ...transports, all: transports.all.map((one) => secured(one, session)) };
  }

  #discover(driver: Driver): void {
    const { udp } = this.#options;
    if (typeof udp !== "object" || !udp.mdns) return;
    const name = this.#self.clusterHash.toString(16).padStart(8, "0");
    driver.discover(name, ({ message }) => {
      const remedy = "npm install multicast-dns, or leave out udp.mdns";
      this.#out.missing(new HearsayError("join:no-mdns", `${message}: ${remedy}`));
    });
  }

  /** Those of the user, and those that signaling servers name. */
  #iceServers(): readonly IceServer[] {
    return [...(this.#options.iceServers ?? []), ...[...this.#namedIce.values()].flat()];
  }

  #makeDriver(transports: readonly SecuredTransport[], makeClient: MakeClient | undefined): Driver {
    const { keys, clusterHash, session } = this.#self;
    const { token, iceServersFromSeeds = true } = this.#options;
    const parts = this.partStore;
    const sealing = session.pairKeys();
    const config = coreConfig(this.#options, {
      id: keys.id,
      generation: this.#generation,
      clusterHash,
      ...this.about,
      node: this.#host.node,
      proofs: this.#options.signatures ?? "all",
      sealKey: sealing.publicKey,
      transports,
    });
    return new Driver({
      config,
      transports,
      notary: new Notary(keys, clusterHash, session.primitives),
      sealing,
      DialSeed: this.#host.DialSeed,
      makeClient,
      WebSocket: this.#host.WebSocket,
      backoff: this.#options.backoff,
      onEvent: (event) => this.#out.event(event),
      onError: (error) => this.#out.error(error),
      token: typeof token === "string" ? () => token : token,
      onSeed: (seed) => this.#out.seed(seed),
      onIce: (url, servers) => iceServersFromSeeds && this.#namedIce.set(url, servers),
      onKeep: (key, entry) => this.#self.kept?.keepEntry?.(key, entry),
      onStore: parts && ((part, changes) => parts.writePart(part, changes)),
    });
  }
}
